"""HTTP by hand: clients that send slowly, too much, or without saying how much."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from testbed.process import LOOPBACK

PATIENCE_SECONDS = 180  # a deadline for a busy machine, no expectation
A_BYTE_EVERY_SECONDS = 1.0


def connect(port: int, ca_file: Path | None = None) -> socket.socket:
    """Return a connection, over TLS where an authority is given."""
    plain = socket.create_connection((LOOPBACK, port), PATIENCE_SECONDS)
    if ca_file is None:
        return plain
    context = ssl.create_default_context(cafile=ca_file)
    return context.wrap_socket(plain, server_hostname=LOOPBACK)


def head(path: str, **headers: str) -> bytes:
    """Return the head of a POST; an underscore stands for a hyphen."""
    told = {"Host": LOOPBACK, "Content-Type": "multipart/form-data; boundary=x"}
    told |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def answer(connection: socket.socket) -> tuple[int, bytes]:
    """Return the answer's status, and its head and as much of its body as came with it."""
    told = b""
    while b"\r\n\r\n" not in told:
        more = connection.recv(65536)
        assert more, f"the connection ended after {told!r}"
        told += more
    return int(told.split()[1]), told


@contextmanager
def sending_slowly(connections: list[socket.socket]) -> Iterator[None]:
    """Send a byte a second on each connection meanwhile; whoever is cut off is sent no more."""
    over = threading.Event()

    def send() -> None:
        left = list(connections)
        while not over.wait(A_BYTE_EVERY_SECONDS):
            for each in list(left):
                try:
                    each.sendall(b"x")
                except OSError:
                    left.remove(each)

    with ExitStack() as stack:
        for each in connections:
            stack.enter_context(each)
        sender = threading.Thread(target=send)
        sender.start()
        stack.callback(sender.join)
        stack.callback(over.set)
        yield

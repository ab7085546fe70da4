"""A name server that never answers: a real one, which takes root, and an imitation."""

import os
import secrets
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PORT = 53  # resolv.conf cannot name another
# The most that glibc takes: whoever waits for all attempts waits for 150 s.
ATTEMPTS, ATTEMPT_SECONDS = 5, 30
PACKET_BYTES = 512
DEADLINE_SECONDS = 60.0  # for a busy machine; nobody waits for as long

# Puts another file in the place of /etc/resolv.conf, for this command and nobody else.
INSTEAD = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'


class SilentNameServer:
    """Counts what it is asked."""

    def __init__(self, server: socket.socket, resolv_conf: Path) -> None:
        self._server = server
        self._resolv_conf = resolv_conf
        self._asked = 0

    def asked_by(self, command: Sequence[str | Path]) -> list[str | Path]:
        """Return the command, to be run so that all its questions about names come here."""
        return ["unshare", "--mount", "sh", "-c", INSTEAD, self._resolv_conf, *command]

    def asked(self) -> int:
        """Return how many packets have come till now; a look-up sends one or two an attempt."""
        try:
            while self._server.recv(PACKET_BYTES):
                self._asked += 1
        except BlockingIOError:
            return self._asked
        raise AssertionError("an empty packet")


@contextmanager
def silent_name_server(directory: Path) -> Iterator[SilentNameServer | None]:
    """Yield a name server on an address of loopback; None when this process may not have one."""
    unshare = ["unshare", "--mount", "true"]
    if os.geteuid() != 0 or subprocess.run(unshare).returncode != 0:
        yield None
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((f"127.{'.'.join(str(1 + secrets.randbelow(254)) for _ in range(3))}", PORT))
        server.setblocking(False)
        resolv_conf = directory / "resolv.conf"
        resolv_conf.write_text(
            f"nameserver {server.getsockname()[0]}\n"
            f"options timeout:{ATTEMPT_SECONDS} attempts:{ATTEMPTS}\n"
        )
        yield SilentNameServer(server, resolv_conf)


@contextmanager
def silent_resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Let no look-up of a name come to an end; yield the names that are looked up in this process.

    A look-up that somebody still waits for after DEADLINE_SECONDS fails, and the test with it.
    """
    asked: list[str] = []
    release = threading.Event()

    def wait(host: str, *arguments: Any, **options: Any) -> None:
        asked.append(host)
        if not release.wait(DEADLINE_SECONDS):
            asked.append(f"{host}, waited for")
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    with monkeypatch.context() as silence:
        silence.setattr(socket, "getaddrinfo", wait)
        try:
            yield asked
        finally:
            release.set()

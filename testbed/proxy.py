"""A TCP proxy between two processes of a test, to break their connections as a network does.

Neither process can do that to its own connections: let them fall silent while both ends believe to
be connected (a firewall that forgot them), or lose the answer to a request that was carried out.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from testbed.process import LOOPBACK

CHUNK = 64 * 1024


@dataclass
class Link:
    """One connection through the proxy: the client's side and the server's."""

    client: socket.socket
    server: socket.socket
    silent: bool = False  # nothing is passed on any more
    seen: bool = False  # the client has sent what the proxy waits for
    doomed: bool = False  # the next answer is lost, and with it the connection

    def cut(self) -> None:
        """End the connection on both sides."""
        for end in (self.client, self.server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@dataclass
class Proxy:
    """Listens on `port`, and passes everything on to the server until told otherwise."""

    server_port: int
    listener: socket.socket = field(default_factory=lambda: socket.create_server((LOOPBACK, 0)))
    links: list[Link] = field(default_factory=list)
    silent: bool = False
    changing: threading.Lock = field(default_factory=threading.Lock)
    swallow: tuple[bytes, bytes] | None = None
    swallowed: threading.Event = field(default_factory=threading.Event)

    @property
    def port(self) -> int:
        """Return where clients connect."""
        port: int = self.listener.getsockname()[1]
        return port

    def fall_silent(self) -> None:
        """Pass nothing on any more, and take no new connections, while the ends stay connected."""
        with self.changing:
            self.silent = True
            for link in self.links:
                link.silent = True

    def speak(self) -> None:
        """Cut the silent connections, and pass everything on for new ones."""
        with self.changing:
            self.silent = False
            silent = [link for link in self.links if link.silent]
        for link in silent:
            link.cut()

    def swallow_the_answer_to(self, request: bytes, *, after: bytes) -> None:
        """Once, for a client that has sent `after`: pass `request` on, and cut at its answer."""
        self.swallow = (after, request)

    def serve(self) -> None:
        """Pass on whatever connects, until closed."""
        with suppress(OSError):
            while True:
                client, _address = self.listener.accept()
                server = socket.create_connection((LOOPBACK, self.server_port))
                with self.changing:  # a connection made while all is silent is cut by `speak`
                    link = Link(client, server, silent=self.silent)
                    self.links.append(link)
                for pump in (self.requests, self.answers):
                    threading.Thread(target=pump, args=(link,), daemon=True).start()

    def requests(self, link: Link) -> None:
        """Pass on what the client sends."""
        with suppress(OSError):
            while chunk := link.client.recv(CHUNK):
                if not link.silent:
                    self.look_for_what_to_swallow(chunk, link)
                    link.server.sendall(chunk)
        self.end(link)

    def answers(self, link: Link) -> None:
        """Pass on what the server sends."""
        with suppress(OSError):
            while chunk := link.server.recv(CHUNK):
                if link.doomed:
                    self.swallowed.set()
                    break
                if not link.silent:
                    link.client.sendall(chunk)
        self.end(link)

    def look_for_what_to_swallow(self, chunk: bytes, link: Link) -> None:
        """Doom the connection when this is the request whose answer is to be lost."""
        if self.swallow is None:
            return
        after, request = self.swallow
        link.seen |= after in chunk
        if link.seen and request in chunk:
            link.doomed = True
            self.swallow = None

    def end(self, link: Link) -> None:
        """Cut a connection of which one end has closed, unless it is silent."""
        if not link.silent:
            link.cut()

    def close(self) -> None:
        """Cut everything."""
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for link in self.links:
            link.cut()


@contextmanager
def proxy_to(port: int) -> Iterator[Proxy]:
    """Yield a proxy to this port of loopback."""
    proxy = Proxy(port)
    thread = threading.Thread(target=proxy.serve, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join()

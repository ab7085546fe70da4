"""How a connection to FCM comes about: name, TCP, proxy, TLS. All of it blocks, in its own thread.

Meanwhile the lane goes on with what it has in flight on the connection before.
"""

import errno
import os
import select
import socket
import ssl
import threading
import time
from base64 import b64encode
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from itertools import zip_longest
from typing import Any

import certifi

from .endpoint import Endpoint
from .failures import Failure
from .tls import Resumable, TlsSocket, left

CONNECT_SECONDS = 10.0  # for all of it

# When an address does not answer, the next is tried beside it (RFC 8305, 5).
NEXT_ADDRESS_SECONDS = 0.25

# An idle connection is kept for hours, and a NAT or a firewall on the way forgets it after minutes,
# often without a word. So TCP asks whether the other end is still there, and the network remembers.
KEEPALIVE_SECONDS = 15

MOST_PROXY_HEAD_BYTES = 16 * 1024

# OpenSSL's reasons for not taking a certificate (X509_V_ERR_…, openssl-verification-options(1)).
NOT_YET_VALID, EXPIRED, OTHER_NAME, OTHER_ADDRESS = 9, 10, 62, 64
BAD_CERTIFICATES = {
    NOT_YET_VALID: Failure.CERTIFICATE_NOT_YET_VALID,
    EXPIRED: Failure.CERTIFICATE_EXPIRED,
    OTHER_NAME: Failure.CERTIFICATE_OF_ANOTHER_NAME,
    OTHER_ADDRESS: Failure.CERTIFICATE_OF_ANOTHER_NAME,
}

Address = tuple[socket.AddressFamily, Any]


class NotConnectedError(Exception):
    """There is no connection, and nothing was sent."""

    def __init__(self, failure: Failure, detail: str = "") -> None:
        super().__init__(detail or failure)
        self.failure = failure


class Dial:
    """One try to connect, which ends with a socket, with a failure, or because its time is up."""

    def __init__(
        self, endpoint: Endpoint, *, resume: Resumable | None, done: Callable[[], None]
    ) -> None:
        self.deadline = time.monotonic() + CONNECT_SECONDS
        self.socket: TlsSocket | None = None
        self.failure: Failure | None = None
        self._is_abandoned = False
        self._changing = threading.Lock()
        thread = threading.Thread(
            target=self._run, args=(endpoint, resume, done), name="dial", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:  # no more threads can be started
            self.failure = Failure.NOT_CONNECTED

    def is_done(self, *, now: float) -> bool:
        """Return whether it has come to an end: well, badly, or because its time is up."""
        return bool(self.socket or self.failure) or now >= self.deadline

    def abandon(self) -> None:
        """Want no connection any more; one that comes about later is closed."""
        with self._changing:
            self._is_abandoned = True
            if self.socket:
                self.socket.close()

    def _run(self, endpoint: Endpoint, resume: Resumable | None, done: Callable[[], None]) -> None:
        try:
            connected = connect(endpoint, deadline=self.deadline, resume=resume)
            with self._changing:
                if self._is_abandoned:
                    connected.close()
                self.socket = connected
        except NotConnectedError as error:
            self.failure = error.failure
        finally:
            self.failure = self.failure or (None if self.socket else Failure.NOT_CONNECTED)
            done()


def connect(endpoint: Endpoint, *, deadline: float, resume: Resumable | None = None) -> TlsSocket:
    """Return a socket to FCM over which HTTP/2 may be spoken; raise NotConnectedError.

    `deadline` is of `time.monotonic()`, in seconds.
    """
    context = trusting(endpoint.ca_file)
    there = endpoint.proxy_address if endpoint.proxy else (endpoint.host, endpoint.port)
    bare = connect_to_first(resolve(*there), deadline=deadline)
    try:
        if endpoint.proxy:
            pass_through_proxy(bare, endpoint, deadline=deadline)
        secure = TlsSocket(bare, context, host=endpoint.host, resume=resume)
        shake_hands(secure, deadline=deadline)
    except BaseException:
        bare.close()
        raise
    return secure


def trusting(ca_file: str) -> ssl.SSLContext:
    """Return the TLS context for FCM, made anew when the file of its authorities changes.

    Raise NotConnectedError when the file cannot be read.
    """
    path = ca_file or certifi.where()
    try:
        return new_context(path, os.stat(path).st_mtime_ns)
    except OSError as error:  # ssl.SSLError is one: the file holds no certificate
        raise NotConnectedError(Failure.NO_CA_FILE, str(error)) from error


@lru_cache(maxsize=2)  # reading certifi's takes 20 ms, and each lane connects
def new_context(path: str, _changed_at: int) -> ssl.SSLContext:
    """Return a context that demands a good certificate and HTTP/2 (RFC 9113, 3.2 and 9.2)."""
    context = ssl.create_default_context(cafile=path)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    return context


def resolve(host: str, port: int) -> list[Address]:
    """Return a host's addresses, IPv6 and IPv4 in turns (RFC 8305, 4)."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotConnectedError(Failure.NAME_NOT_FOUND, str(error)) from error
    addresses: list[Address] = [(family, address) for family, _, _, _, address in found]
    first = [each for each in addresses if each[0] == addresses[0][0]]
    second = [each for each in addresses if each[0] != addresses[0][0]]
    return [each for pair in zip_longest(first, second) for each in pair if each]


def connect_to_first(addresses: list[Address], *, deadline: float) -> socket.socket:
    """Return a socket to the address that answers first; each is tried a moment after the last."""
    untried, trying = deque(addresses), dict[int, socket.socket]()
    poll = select.poll()
    try:
        while (untried or trying) and (seconds := left(deadline)) > 0:
            if untried:
                seconds = min(seconds, NEXT_ADDRESS_SECONDS)
                if attempt := begin_to_connect(untried.popleft()):
                    trying[attempt.fileno()] = attempt
                    poll.register(attempt, select.POLLOUT)
            for descriptor, _ in poll.poll(seconds * 1000) if trying else ():
                poll.unregister(descriptor)
                attempt = trying.pop(descriptor)
                if not attempt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    return attempt
                attempt.close()
    finally:
        for attempt in trying.values():
            attempt.close()
    tried = ", ".join(str(there[0]) for _, there in addresses)
    raise NotConnectedError(Failure.NOT_CONNECTED, f"none took the connection: {tried}")


def begin_to_connect(address: Address) -> socket.socket | None:
    """Return a socket that connects, None when this machine has no way to the address."""
    family, there = address
    try:
        attempt = socket.socket(family, socket.SOCK_STREAM)
    except OSError:  # no IPv6 on this machine, say
        return None
    attempt.setblocking(False)
    if attempt.connect_ex(there) not in (0, errno.EINPROGRESS):
        attempt.close()
        return None
    attempt.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    attempt.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):  # not on macOS
        attempt.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_SECONDS)
    attempt.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_SECONDS)
    return attempt


def pass_through_proxy(bare: socket.socket, endpoint: Endpoint, *, deadline: float) -> None:
    """Have a proxy connect us to FCM (CONNECT, RFC 9110, 9.3.6); it sees no token and no body."""
    there = f"{endpoint.host}:{endpoint.port}"
    lines = [f"CONNECT {there} HTTP/1.1", f"Host: {there}"]
    if endpoint.proxy_credentials:
        secret = b64encode(endpoint.proxy_credentials.encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {secret}")
    head = b""
    try:
        bare.settimeout(left(deadline))
        bare.sendall("\r\n".join([*lines, "", ""]).encode())
        # Byte by byte, so that nothing of the TLS after it is taken.
        while not head.endswith(b"\r\n\r\n") and len(head) < MOST_PROXY_HEAD_BYTES:
            bare.settimeout(left(deadline))  # for this byte alone
            if not (byte := bare.recv(1)):
                break
            head += byte
    except OSError as error:
        raise NotConnectedError(Failure.PROXY_REFUSED, str(error)) from error
    status = head.split(b"\r\n")[0].decode("latin-1")
    is_through = status.startswith("HTTP/1.") and status.split(" ")[1:2] == ["200"]
    if not (is_through and head.endswith(b"\r\n\r\n")):
        raise NotConnectedError(Failure.PROXY_REFUSED, status)


def shake_hands(secure: TlsSocket, *, deadline: float) -> None:
    """See to it that the server is FCM and speaks HTTP/2; raise NotConnectedError."""
    try:
        secure.shake_hands(deadline=deadline)
    except ssl.SSLCertVerificationError as error:
        failure = BAD_CERTIFICATES.get(error.verify_code, Failure.CERTIFICATE_NOT_TRUSTED)
        raise NotConnectedError(failure, error.verify_message) from error
    except OSError as error:  # ssl.SSLError and TimeoutError are some
        lacks_http2 = "NO_APPLICATION_PROTOCOL" in str(getattr(error, "reason", ""))
        failure = Failure.NO_HTTP2 if lacks_http2 else Failure.NO_TLS
        raise NotConnectedError(failure, str(error)) from error
    if secure.speaks != "h2":
        raise NotConnectedError(Failure.NO_HTTP2, f"ALPN chose {secure.speaks or 'nothing'}")
    secure.stop_blocking()

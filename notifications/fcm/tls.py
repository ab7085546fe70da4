"""TLS over a socket, by Python's `ssl` in memory: many records for one system call.

OpenSSL alone reads each record with two calls, and a server sends each answer in a record of its
own; system calls are what a lane costs most (measured).
"""

import ssl
import time
from socket import socket

RECORD_BYTES = 16 * 1024  # the most that a TLS record holds (RFC 8446, 5.1)
READ_BYTES = 64 * 1024

# Where a TLS session was made, and the session, to be resumed by the next connection.
Resumable = tuple[ssl.SSLContext, ssl.SSLSession]


class TlsSocket:
    """A connected socket on which only TLS is spoken. Not thread-safe."""

    def __init__(
        self, bare: socket, context: ssl.SSLContext, *, host: str, resume: Resumable | None
    ) -> None:
        self._bare = bare
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = resume[1] if resume and resume[0] is context else None
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=host, session=session
        )
        self.has_ended = False  # whether nothing more will come
        self._record = b""  # encrypted, and not yet taken by the socket
        self._record_holds = 0  # bytes

    def fileno(self) -> int:
        """Return the descriptor, to be watched."""
        return self._bare.fileno()

    def shake_hands(self, *, deadline: float) -> None:
        """Agree with the server; raise OSError when that fails, or not before the deadline.

        A timeout of the socket is for one call, and the server may send byte by byte.
        """
        while True:
            self._bare.settimeout(left(deadline))
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                data = self._bare.recv(READ_BYTES)
                if data:
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()
            except ssl.SSLError:
                self._flush()  # the alert that tells the server why
                raise
            else:
                self._flush()
                return

    def _flush(self) -> None:
        self._bare.sendall(self._outgoing.read())

    @property
    def speaks(self) -> str | None:
        """Return the protocol that was agreed on (ALPN, RFC 7301)."""
        return self._tls.selected_alpn_protocol()

    @property
    def version(self) -> str:
        """Return which TLS is spoken, such as TLSv1.3."""
        return self._tls.version() or ""

    @property
    def resumable(self) -> Resumable | None:
        """Return what makes the next handshake shorter, once the server has given it."""
        session = self._tls.session
        return (self._tls.context, session) if session and session.has_ticket else None

    def stop_blocking(self) -> None:
        """Never wait for the network from now on."""
        self._bare.setblocking(False)

    def receive(self) -> bytes:
        """Return what has come, b"" when that is less than a record; then see `has_ended`.

        Raise BlockingIOError when nothing has come, and OSError when the connection is lost.
        """
        data = self._bare.recv(READ_BYTES)
        self.has_ended = not data
        self._incoming.write(data)
        pieces = []
        try:
            while self._incoming.pending or self._tls.pending():
                piece = self._tls.read(RECORD_BYTES)
                if not piece:  # close_notify (RFC 8446, 6.1)
                    self.has_ended = True
                    break
                pieces.append(piece)
        except ssl.SSLWantReadError:
            pass  # the rest of a record is under way
        except ssl.SSLError:
            self.has_ended = True
        return b"".join(pieces)

    def send(self, data: bytearray) -> int:
        """Send at most one record; return how many bytes of `data` it held.

        Raise BlockingIOError until the socket has taken the whole record: the server can read no
        part of it. Then call again with the same `data`, which may have grown at its end.
        """
        if not self._record:
            piece = bytes(data[:RECORD_BYTES])
            self._record_holds = self._tls.write(piece)
            self._record = self._outgoing.read()
        self._record = self._record[self._bare.send(self._record) :]
        if self._record:
            raise BlockingIOError
        return self._record_holds

    def close(self) -> None:
        """End the connection."""
        self._bare.close()


def left(deadline: float) -> float:
    """Return how many seconds are left; with none, a socket with that timeout does not wait."""
    return max(deadline - time.monotonic(), 0.0)

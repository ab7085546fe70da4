"""What is to be sent on a connection, and how much of it the socket has taken."""


class Output:
    """Bytes in their order. A request is sent from the moment that the socket took its first one.

    The socket is TLS, which counts a record only when the whole of it has left: nobody can read a
    part of an encrypted record.
    """

    def __init__(self) -> None:
        self.unwritten = bytearray()
        self.written = 0  # bytes, in all

    @property
    def end(self) -> int:
        """Return where the next byte will stand among all of the connection's."""
        return self.written + len(self.unwritten)

    def add(self, data: bytes) -> None:
        """Send this after everything before."""
        self.unwritten += data

    def took(self, size: int) -> None:
        """Note that the socket took so many bytes."""
        del self.unwritten[:size]
        self.written += size

    def discard(self) -> int:
        """Give up what is not written; return how many bytes that was."""
        size = len(self.unwritten)
        self.unwritten.clear()
        return size

"""One TLS socket and the session on it: moves bytes between them, without waiting."""

from .failures import Failure
from .session import Session, State
from .tls import Resumable, TlsSocket


class Link:
    """A connection to FCM that was made. Once its session is closed it is to be closed as well."""

    def __init__(self, connected: TlsSocket, session: Session) -> None:
        self.session = session
        self.descriptor = connected.fileno()
        self.was_blocked = False  # when it was looked at last
        self._socket = connected

    @property
    def is_blocked(self) -> bool:
        """Return whether the socket takes no more for now."""
        return bool(self.session.output.unwritten)

    @property
    def resumable(self) -> Resumable | None:
        """Return what makes the next handshake shorter."""
        return self._socket.resumable

    def read(self, *, now: float) -> bool:
        """Take in what has come; return whether more may have, when it is more than one read."""
        try:
            self.session.receive(self._socket.receive(), now=now)
        except BlockingIOError:
            return False
        except OSError:
            self.session.close(Failure.CONNECTION_LOST)
        if self._socket.has_ended:
            self.session.close(Failure.CONNECTION_LOST)
        return self.session.state is not State.CLOSED

    def write(self, *, now: float) -> None:
        """Send what the socket takes. All that came is read before a lost connection is given up.

        It may be answers, and a GOAWAY, which says that requests were not processed.
        """
        output = self.session.output
        try:
            while output.unwritten:
                output.took(self._socket.send(output.unwritten))
        except BlockingIOError:
            return
        except OSError:
            while self.read(now=now):
                pass
            self.session.close(Failure.CONNECTION_LOST)

    def close(self) -> None:
        """End the connection; what is not written is never sent."""
        self._socket.close()

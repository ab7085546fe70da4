"""One TLS socket and its session: what came before a connection was lost is not lost with it."""

from typing import cast

from notifications.fcm import frames, headers
from notifications.fcm.failures import Failure
from notifications.fcm.link import Link
from notifications.fcm.session import Session, State
from notifications.fcm.tls import TlsSocket

NOW = 1.0


class LostSocket:
    """A socket whose connection the server has reset; what came before comes read by read."""

    has_ended = False

    def __init__(self, *reads: bytes) -> None:
        self._reads = list(reads)

    def fileno(self) -> int:
        return -1

    def receive(self) -> bytes:
        if not self._reads:
            raise BlockingIOError
        return self._reads.pop(0)

    def send(self, _data: bytearray) -> int:
        raise BrokenPipeError


def test_all_that_came_is_read_before_a_lost_connection_is_given_up() -> None:
    session = Session(authority="fcm", path="/", timeout=20, now=NOW)
    session.receive(frames.settings([]), now=NOW)
    for key in ("answered", "refused", "unknown"):
        session.begin(key, b"{}", "Bearer x", now=NOW)
    session.output.took(len(session.output.unwritten))
    ended = frames.END_HEADERS | frames.END_STREAM
    answer = frames.frame(frames.HEADERS, ended, 1, headers.OK[0])
    goaway = frames.frame(frames.GOAWAY, 0, 0, (5).to_bytes(4, "big") + bytes(4))
    refused = frames.rst_stream(3, frames.ErrorCode.REFUSED_STREAM)
    link = Link(cast(TlsSocket, LostSocket(answer, refused, goaway)), session)

    session.output.add(b"something to write")
    link.write(now=NOW)

    assert session.state is State.CLOSED
    assert {key: answer.failure for key, answer in session.take_answers()} == {
        "answered": None,
        "refused": Failure.NOT_PROCESSED,
        "unknown": Failure.CONNECTION_LOST,
    }

"""A session, an honest server and the network between, in which anything may happen at any byte.

The world knows what the server got and said, so it can judge every answer.
"""

from dataclasses import dataclass

from notifications.fcm.failures import Failure
from notifications.fcm.frames import ErrorCode
from notifications.fcm.outcomes import Answer
from notifications.fcm.session import State
from notifications.fcm.streams import MOST_ANSWER_BYTES

from . import peer
from .honest_server import HonestServer
from .peer import AUTHORIZATION, TIMEOUT_SECONDS

Step = tuple[str, int, int]  # its name, and two numbers that say how
STEP_BYTES = 4

SIZES = 20, 300, 4_096, 20_000, 65_535  # bytes of a body

OF_THE_SERVER = {
    *["head", "part", "end", "answer", "interim", "reset", "refuse", "settings", "widen", "ping"],
    "goaway",
}


@dataclass
class Request:
    """A request that the session has begun."""

    body: bytes
    begins_at: int  # among all bytes of the client
    deadline: float


def steps(names: list[str], drawn: bytes) -> list[Step]:
    """Return the steps that these bytes stand for; zeros stand for the first name.

    One draw of bytes costs Hypothesis far less than some hundred draws of steps.
    """
    found = []
    for at in range(0, len(drawn) - STEP_BYTES + 1, STEP_BYTES):
        name, high, low, more = drawn[at : at + STEP_BYTES]
        found.append((names[name % len(names)], high << 8 | low, more))
    return found


class World:
    """`play` does one step; `finish` lets everything come to its end; each is checked."""

    def __init__(self, limit: int, window: int) -> None:
        self.now = 0.0
        self.session = peer.new_session()
        self.requests: dict[int, Request] = {}  # by stream id, which is the key too
        self.answers: dict[int, Answer] = {}
        self.heard: list[tuple[str, bytes]] = []  # what the session was given, for a recording
        self._to_server = bytearray()  # the socket took it, and it has not arrived
        self._to_client = bytearray()
        self._told = 0  # bytes that came to the client, in all
        self._is_cut = False
        self._server = HonestServer(self._say, limit=limit, window=window)

    def play(self, step: Step) -> None:
        """Do one thing, if it can be done now."""
        name, how, more = step
        if name in OF_THE_SERVER:
            getattr(self._server, name)(how, more)
        else:
            getattr(self, f"_{name}")(how, more)
        self._take_answers()

    def finish(self, *, is_cut: bool) -> None:
        """Let the connection be lost, or the server answer all that it may; then judge."""
        if is_cut:
            self._cut(0, 0)
        for _ in range(4):
            self._flow(0, 0)
            self._server.grant_everything()
            self._flow(0, 0)
            self._server.answer_everything()
        self._flow(0, 0)
        self._take_answers()
        assert not self.session.in_flight
        assert self.answers.keys() == self.requests.keys()
        for stream_id, answer in self.answers.items():
            self._judge(stream_id, answer)

    # --- The client --------------------------------------------------------------------------

    def _rest(self, _how: int, _more: int) -> None:
        """Do nothing: what every step becomes when an example is made simpler."""

    def _begin(self, how: int, more: int) -> None:
        """Begin some requests of one size."""
        size = SIZES[how % len(SIZES)]
        for _ in range(1 + more % 4):
            if self.session.takes(size):
                stream_id = 2 * len(self.requests) + 1
                body = (b"%08d" % stream_id * (size // 8 + 1))[:size]
                deadline = self.now + TIMEOUT_SECONDS
                self.requests[stream_id] = Request(body, self.session.output.end, deadline)
                self.session.begin(stream_id, body, AUTHORIZATION, now=self.now)
                self.heard.append(("begin", body))

    def _write(self, how: int, _more: int) -> None:
        """Let the socket take a part of what is to be written."""
        output = self.session.output
        piece = bytes(output.unwritten[:how])
        output.took(len(piece))
        self._to_server += b"" if self._is_cut else piece

    def _wait(self, how: int, more: int) -> None:
        """Let up to 13 seconds pass."""
        self.now += how % 1_300 / 100
        self.session.tick(now=self.now, is_wanted=bool(more % 2))

    def _tell(self, how: int, _more: int) -> None:
        """Let a part of what the server said come."""
        piece = bytes(self._to_client[:how])
        del self._to_client[: len(piece)]
        self._told += len(piece)
        self.session.receive(piece, now=self.now)
        self.heard.append(("say", piece))

    def _cut(self, how: int, _more: int) -> None:
        """Lose the connection, seldom; what the socket took still comes to the server."""
        if not self._is_cut and how % 8 == 0:
            self._is_cut = True
            self._to_client.clear()
            self.session.close(Failure.CONNECTION_LOST)

    # --- The network -------------------------------------------------------------------------

    def _arrive(self, how: int, _more: int) -> None:
        """Let a part of what the socket took come to the server."""
        piece = bytes(self._to_server[:how])
        del self._to_server[: len(piece)]
        self._server.hear(piece)

    def _flow(self, _how: int, _more: int) -> None:
        """Let all bytes come to where they go."""
        while self.session.output.unwritten or self._to_server or self._to_client:
            self._write(len(self.session.output.unwritten), 0)
            self._arrive(len(self._to_server), 0)
            self._tell(len(self._to_client), 0)

    def _say(self, data: bytes) -> None:
        """Take what the server says on its way."""
        if not self._is_cut:
            self._to_client += data

    # --- What may have become of a request ---------------------------------------------------

    def _take_answers(self) -> None:
        for key, answer in self.session.take_answers():
            assert key in self.requests
            assert key not in self.answers, "a request has ended twice"
            self.answers[key] = answer
            exchange = self._server.exchanges.get(key)
            ended_at = exchange.ended_at if exchange else None
            if answer.failure and ended_at is not None and self._told >= ended_at:
                assert answer.failure is Failure.ANSWER_TOO_LONG, "an answer was lost"
            request = self.requests[key]
            if answer.failure is not Failure.NOT_PROCESSED:
                is_sent = request.begins_at < self.session.output.written
                assert is_sent == (answer.failure is not Failure.NOT_SENT)
            if answer.failure is Failure.TIMED_OUT:
                is_due = self.now >= request.deadline
                assert is_due or self.session.failure is Failure.TIMED_OUT
        if self.session.state is State.CLOSED:
            assert not self.session.in_flight

    def _judge(self, stream_id: int, answer: Answer) -> None:
        """Compare an answer with what the server got and said, all bytes having arrived."""
        exchange = self._server.exchanges.get(stream_id)
        if exchange and exchange.is_complete:
            assert exchange.body == self.requests[stream_id].body
        if answer.failure is Failure.NOT_SENT:
            assert exchange is None
            return
        if answer.failure is Failure.NOT_PROCESSED:
            is_refused = exchange and exchange.reset == ErrorCode.REFUSED_STREAM
            assert is_refused or stream_id > self._server.last_id
            assert not (exchange and exchange.is_touched)
            return
        if answer.failure in (Failure.TIMED_OUT, Failure.CONNECTION_LOST):
            assert self._is_cut or answer.failure is Failure.TIMED_OUT
            return
        assert exchange
        if answer.failure is None:
            assert exchange.ended_at is not None
            assert (answer.status, answer.body) == (exchange.status, bytes(exchange.answer))
        elif answer.failure is Failure.STREAM_RESET:
            assert exchange.reset not in (None, ErrorCode.REFUSED_STREAM)
        else:
            assert answer.failure is Failure.ANSWER_TOO_LONG
            assert len(exchange.answer) + exchange.padding > MOST_ANSWER_BYTES

"""The requests in flight on one connection: each is a stream (RFC 9113, 5 and 8.1), one POST.

What the server says of a stream is decided here; what it says of the connection, by the session.
"""

from typing import Any

from . import frames, headers
from .failures import Failure
from .frames import ConnectionViolation, ErrorCode
from .headers import AnswerHead, HeaderBlocks
from .outcomes import Answer
from .output import Output
from .sending import Sending, Stream

# FCM's answers have some hundred bytes.
MOST_ANSWER_BYTES = 64 * 1024

# How many bytes of answers the server may send before we allow more, and after how many we do.
WINDOW_BYTES = 4 * 1024 * 1024
TOP_UP_BYTES = 1024 * 1024

# Of the flags of HEADERS, those that say how to read it, and how they are for a usual answer.
HOW_TO_READ = frames.END_HEADERS | frames.PADDED | frames.HAS_PRIORITY
USUAL = frames.END_HEADERS

ACCEPTED = AnswerHead(200)


class Streams:
    """Starts requests, and gathers in `answers` what became of each.

    Its `on_…` raise ConnectionViolation where the server breaks the rules.
    """

    def __init__(self, output: Output, *, authority: str, path: str, timeout: float) -> None:
        self.answers: list[tuple[Any, Answer]] = []
        self.in_flight: dict[int, Stream] = {}  # by stream id, the oldest first
        self.sending = Sending(self.in_flight, output, authority=authority, path=path)
        self.blocks = HeaderBlocks()
        self._output = output
        self._timeout = timeout
        self._taken = 0  # bytes of answers since the server was allowed more

    def begin(self, key: object, body: bytes, authorization: str, *, now: float) -> None:
        """Start a request."""
        self.sending.begin(key, body, authorization, deadline=now + self._timeout)

    # --- What the server says of a stream ----------------------------------------------------

    def on_headers(self, flags: int, stream_id: int, payload: bytes) -> None:
        """Take the usual head of an answer at a glance; read any other."""
        stream = self._find(stream_id)
        is_usual = flags & HOW_TO_READ == USUAL and payload.startswith(headers.OK)
        if not (is_usual and stream and not stream.head):
            self.blocks.begin(flags, stream_id, payload)
            self._take_block()
            return
        stream.head = ACCEPTED
        if flags & frames.END_STREAM:
            self._complete(stream_id)

    def on_continuation(self, flags: int, stream_id: int, payload: bytes) -> None:
        """Take more of a header block that is not complete."""
        self.blocks.extend(flags, stream_id, payload)
        self._take_block()

    def _take_block(self) -> None:
        """Take an answer's headers, an interim answer (1xx) or trailers, once complete."""
        if (block := self.blocks.take()) is None:
            return
        stream_id, ends, head = block
        stream = self.in_flight.get(stream_id)
        if stream is None:
            return
        if stream.head:
            is_malformed = not ends  # trailers, after which nothing comes
        elif head.is_interim:
            is_malformed = ends
            stream.had_interim = True
        else:
            is_malformed = not head.is_final
            stream.head = head
        if is_malformed:
            self._give_up(stream_id, Failure.BAD_HTTP2, ErrorCode.PROTOCOL_ERROR)
        elif ends:
            self._complete(stream_id)

    def on_data(self, flags: int, stream_id: int, payload: bytes) -> None:
        """Take a part of an answer's body."""
        self._allow_more(len(payload))
        stream = self._find(stream_id)
        if stream is None:
            return
        stream.taken += len(payload)
        stream.answer += frames.without_padding(flags, payload)
        if stream.head is None:
            self._give_up(stream_id, Failure.BAD_HTTP2, ErrorCode.PROTOCOL_ERROR)
        elif stream.taken > MOST_ANSWER_BYTES:
            self._give_up(stream_id, Failure.ANSWER_TOO_LONG, ErrorCode.CANCEL)
        elif flags & frames.END_STREAM:
            self._complete(stream_id)

    def _allow_more(self, taken: int) -> None:
        """Keep the connection's window open (RFC 9113, 6.9); a stream's holds a whole answer."""
        self._taken += taken
        if self._taken >= TOP_UP_BYTES:
            self._output.add(frames.window_update(0, self._taken))
            self._taken = 0

    def on_rst_stream(self, _flags: int, stream_id: int, payload: bytes) -> None:
        """End a request that the server gave up; a refused one was not processed (8.7)."""
        code = frames.number(frames.of_size(payload, 4))
        if stream := self._find(stream_id):
            is_refused = code == ErrorCode.REFUSED_STREAM and stream.may_be_refused
            self._end(stream_id, Failure.NOT_PROCESSED if is_refused else Failure.STREAM_RESET)

    def on_window_update(self, _flags: int, stream_id: int, payload: bytes) -> None:
        """Send more of the bodies (RFC 9113, 6.9)."""
        by = frames.number(frames.of_size(payload, 4)) & frames.MOST_WINDOW
        if not stream_id:
            self.sending.widen(by)
            return
        stream = self._find(stream_id)
        if stream and (code := self.sending.widen_stream(stream, by)):
            self._give_up(stream_id, Failure.BAD_HTTP2, code)

    def on_priority(self, _flags: int, stream_id: int, _payload: bytes) -> None:
        """Ignore it: it is advice to a server (RFC 9113, 5.3.2)."""
        if not stream_id:
            raise ConnectionViolation(ErrorCode.PROTOCOL_ERROR, "PRIORITY of the connection")

    # --- The end of a stream -----------------------------------------------------------------

    def refuse_above(self, last_id: int) -> None:
        """End the requests above this one, which were not processed (RFC 9113, 6.8)."""
        for stream_id in [each for each in self.in_flight if each > last_id]:
            is_refused = self.in_flight[stream_id].may_be_refused
            self._end(stream_id, Failure.NOT_PROCESSED if is_refused else Failure.STREAM_RESET)

    def expire(self, now: float) -> bool:
        """End the requests whose time is up; return False when one of them was not even sent.

        Then the socket has taken nothing for all that time, and what waits must never be sent.
        """
        while (oldest := next(iter(self.in_flight.items()), None)) and oldest[1].deadline <= now:
            if oldest[1].begins_at >= self._output.written:
                return False
            self._give_up(oldest[0], Failure.TIMED_OUT, ErrorCode.CANCEL)
        return True

    def end_all(self, failure: Failure) -> None:
        """End all requests, since the connection has ended."""
        for stream_id, stream in list(self.in_flight.items()):
            was_sent = stream.begins_at < self._output.written
            self._end(stream_id, failure if was_sent else Failure.NOT_SENT)

    def _complete(self, stream_id: int) -> None:
        """Take a whole answer; the rest of a body that the server did not wait for is not sent."""
        stream = self._forget(stream_id)
        if not stream.is_sent:
            self._output.add(frames.rst_stream(stream_id, ErrorCode.CANCEL))
        head = stream.head or ACCEPTED
        answer = Answer(None, head.status, bytes(stream.answer), head.retry_after, head.date)
        self.answers.append((stream.key, answer))

    def _give_up(self, stream_id: int, failure: Failure, code: ErrorCode) -> None:
        """End a request, and tell the server so (RFC 9113, 5.4.2)."""
        self._output.add(frames.rst_stream(stream_id, code))
        self._end(stream_id, failure)

    def _end(self, stream_id: int, failure: Failure) -> None:
        self.answers.append((self._forget(stream_id).key, Answer(failure)))

    def _forget(self, stream_id: int) -> Stream:
        self.sending.forget(stream_id)
        return self.in_flight.pop(stream_id)

    def _find(self, stream_id: int) -> Stream | None:
        """Return the request in flight that the server speaks of, None for one that has ended.

        Raise ConnectionViolation for one that was never begun (RFC 9113, 5.1), or of which the
        server has no byte yet.
        """
        stream = self.in_flight.get(stream_id)
        if stream:
            is_known = stream.begins_at < self._output.written
        else:
            is_known = stream_id % 2 == 1 and stream_id < self.sending.next_id
        if not is_known:
            rule = f"a frame of stream {stream_id}, which the server cannot know"
            raise ConnectionViolation(ErrorCode.PROTOCOL_ERROR, rule)
        return stream

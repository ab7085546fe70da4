"""What one HTTP/2 client connection knows and decides: no socket, no clock (RFC 9113).

Requests go in and bytes come out; bytes go in and answers come out. `now` is an argument, in
seconds of a monotonic clock.

    OPENING ── the server's SETTINGS ──> OPEN ── GOAWAY, silence, no stream ids left ──> LEAVING
       │                                  │                                                 │
       │ none in time                     │ a rule is broken, the connection is lost        │
       │                                  │                         or no request in flight │
       └────────────────> CLOSED <────────┴─────────────────────────────────────────────────┘

OPENING sends no request, since SETTINGS say how many the server takes at once. LEAVING sends no
more either, but awaits the answers to what was sent. CLOSED has an answer for every request.

A request of which the socket took no byte was not sent. One above the last stream of a GOAWAY, or
refused with REFUSED_STREAM, was not processed (6.8, 8.7). Every other one without an answer may
have been accepted.
"""

from enum import Enum, auto
from typing import Any

from . import frames, headers
from .failures import Failure
from .frames import ConnectionViolation, ErrorCode
from .outcomes import Answer
from .output import Output
from .streams import MOST_ANSWER_BYTES, WINDOW_BYTES, Streams

SETTINGS_SECONDS = 10.0  # how long a server may take to say its SETTINGS
QUIET_SECONDS = 10.0  # after so long without a byte, the server is asked whether it is there
PING_SECONDS = 5.0  # how long it may take to say so

MOST_SMALL_TALK = 10_000  # frames of the server's in a row that bring no answer

OUR_SETTINGS = frames.settings(
    [
        (frames.HEADER_TABLE_SIZE, 0),
        (frames.ENABLE_PUSH, 0),
        (frames.INITIAL_WINDOW_SIZE, MOST_ANSWER_BYTES + 1),  # so that a longer answer shows
        (frames.MAX_HEADER_LIST_SIZE, headers.MOST_BYTES),
    ]
)
MORE_THAN_THE_FIRST_WINDOW = frames.window_update(0, WINDOW_BYTES - frames.DEFAULT_WINDOW)
PING_PAYLOAD = b"are you?"


class State(Enum):
    """Where a connection is in its life; drawn above."""

    OPENING = auto()
    OPEN = auto()
    LEAVING = auto()
    CLOSED = auto()


class Session:
    """One connection's life. `output` holds what is to be written; `answers` takes what came."""

    def __init__(self, *, authority: str, path: str, timeout: float, now: float) -> None:
        self.output = Output()
        self.output.add(frames.PREFACE + OUR_SETTINGS + MORE_THAN_THE_FIRST_WINDOW)
        self.state = State.OPENING
        self.failure: Failure | None = None  # why it closed before its time
        self._streams = Streams(self.output, authority=authority, path=path, timeout=timeout)
        self._reader = frames.Reader()
        self._began_at = self._heard_at = now
        self._asked_at: float | None = None  # whether the server is there, and no word since
        self._small_talk = 0
        self._take = (  # by kind of frame
            self._streams.on_data,
            self._streams.on_headers,
            self._streams.on_priority,
            self._streams.on_rst_stream,
            self._on_settings,
            self._on_push_promise,
            self._on_ping,
            self._on_goaway,
            self._streams.on_window_update,
            self._streams.on_continuation,
        )

    @property
    def in_flight(self) -> int:
        """Return how many requests have no answer yet."""
        return len(self._streams.in_flight)

    @property
    def is_busy(self) -> bool:
        """Return whether `tick` may have something to do though no request waits to be started."""
        return self.state is State.OPENING or bool(self.in_flight) or self._asked_at is not None

    @property
    def is_stuck(self) -> bool:
        """Return whether it awaits nothing; if it takes no request either, it has no room left."""
        return self.state is State.OPEN and self._asked_at is None and not self.in_flight

    @property
    def streams_at_once(self) -> int:
        """Return how many requests the server takes at once, at most as many as we send."""
        return self._streams.sending.limit

    @property
    def has_begun(self) -> bool:
        """Return whether any request was ever started."""
        return self._streams.sending.next_id > 1

    # --- Requests go in ----------------------------------------------------------------------

    def takes(self, size: int) -> bool:
        """Return whether a request with a body of so many bytes may be started now."""
        is_there = self.state is State.OPEN and self._asked_at is None
        return is_there and self._streams.sending.takes(size)

    def begin(self, key: object, body: bytes, authorization: str, *, now: float) -> None:
        """Start the one POST of an attempt, when `takes` says that it may be started."""
        if not self.in_flight:
            self._small_talk = 0  # nothing could be answered
        self._streams.begin(key, body, authorization, now=now)
        if self._streams.sending.is_used_up:
            self.leave()

    # --- Bytes go in -------------------------------------------------------------------------

    def receive(self, data: bytes, *, now: float) -> None:
        """Take what the server sent; after the end it is neither believed nor answered."""
        if self.state is State.CLOSED:
            return
        self._heard_at = now
        self._asked_at = None
        before = len(self._streams.answers)
        try:
            for frame in self._reader.read(data):
                self._take_frame(*frame)
        except ConnectionViolation as violation:
            self.close(Failure.BAD_HTTP2, tell=violation.code)
        if len(self._streams.answers) > before:
            self._small_talk = 0
        self._close_if_left()

    def _take_frame(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        """Take one frame; one of a kind that we do not know is ignored (RFC 9113, 4.1)."""
        is_settings = kind == frames.SETTINGS and not flags & frames.ACK
        if self.state is State.OPENING and not is_settings:
            raise ConnectionViolation(ErrorCode.PROTOCOL_ERROR, "SETTINGS come first (3.4)")
        if self._streams.blocks.is_open and kind != frames.CONTINUATION:
            raise ConnectionViolation(ErrorCode.PROTOCOL_ERROR, "CONTINUATION was to come (6.10)")
        self._small_talk += 1
        if self._small_talk > MOST_SMALL_TALK:
            raise ConnectionViolation(ErrorCode.ENHANCE_YOUR_CALM, "much talk and no answer")
        if kind < len(self._take):
            self._take[kind](flags, stream_id, payload)

    def _on_settings(self, flags: int, stream_id: int, payload: bytes) -> None:
        """Take the server's settings and acknowledge them (RFC 9113, 6.5)."""
        frames.of_the_connection(stream_id)
        if flags & frames.ACK:
            frames.of_size(payload, 0)
            return
        if len(payload) % frames.SETTING.size:
            raise ConnectionViolation(ErrorCode.FRAME_SIZE_ERROR, "a part of a setting")
        sending = self._streams.sending
        for name, value in frames.SETTING.iter_unpack(payload):
            sending.change(name, value)
        self.output.add(frames.frame(frames.SETTINGS, frames.ACK, 0))
        sending.send_bodies()
        if self.state is State.OPENING:
            self.state = State.OPEN

    def _on_push_promise(self, _flags: int, _stream_id: int, _payload: bytes) -> None:
        """We have said that we take none (RFC 9113, 8.4)."""
        raise ConnectionViolation(ErrorCode.PROTOCOL_ERROR, "PUSH_PROMISE")

    def _on_ping(self, flags: int, stream_id: int, payload: bytes) -> None:
        """Answer the server's; that anything came answers ours (RFC 9113, 6.7)."""
        frames.of_the_connection(stream_id)
        frames.of_size(payload, 8)
        if not flags & frames.ACK:
            self.output.add(frames.frame(frames.PING, frames.ACK, 0, payload))

    def _on_goaway(self, _flags: int, stream_id: int, payload: bytes) -> None:
        """Start no more; what is above its last stream was not processed (RFC 9113, 6.8)."""
        frames.of_the_connection(stream_id)
        if len(payload) < 8:
            raise ConnectionViolation(ErrorCode.FRAME_SIZE_ERROR, "a part of GOAWAY")
        self.leave()
        self._streams.refuse_above(frames.number(payload) & frames.MOST_STREAM_ID)

    # --- Time passes -------------------------------------------------------------------------

    def tick(self, *, now: float, is_wanted: bool) -> None:
        """Do what is due; `is_wanted` when there are requests to start."""
        if self.state is State.OPENING and now >= self._began_at + SETTINGS_SECONDS:
            self.close(Failure.NO_SETTINGS)
        elif not self._streams.expire(now):
            self.close(Failure.TIMED_OUT)
        elif self.state is State.OPEN and (is_wanted or self.is_busy):
            self._look_after(now)
        self._close_if_left()

    def _look_after(self, now: float) -> None:
        """Ask a quiet server whether it is there, and leave one that does not say so.

        A connection that a firewall forgot is as quiet as one that waits: what is sent on it would
        end as unknown. So after a silence nothing is started before the server has said something.
        """
        if self._asked_at is not None:
            if now >= self._asked_at + PING_SECONDS:
                self.leave()
        elif now >= self._heard_at + QUIET_SECONDS:
            self._asked_at = now
            self.output.add(frames.frame(frames.PING, 0, 0, PING_PAYLOAD))

    # --- The end -----------------------------------------------------------------------------

    def leave(self) -> None:
        """Start no more requests, and await the answers to those in flight."""
        if self.state is not State.CLOSED:
            self.state = State.LEAVING

    def close(self, failure: Failure, *, tell: ErrorCode = ErrorCode.NO_ERROR) -> None:
        """End every request: the connection is lost, or of no use, of which the server is told.

        Unwritten bytes are discarded, since their requests count as not sent. GOAWAY is sent only
        where nothing was discarded: otherwise it could follow half a frame.
        """
        if self.state is State.CLOSED:
            return
        self.state = State.CLOSED
        self.failure = failure
        self._streams.end_all(failure)
        if not self.output.discard():
            self.output.add(frames.goaway(tell))

    def _close_if_left(self) -> None:
        """End a connection of no use; what is not written may be requests that were refused."""
        if self.state is State.LEAVING and not self.in_flight:
            self.state = State.CLOSED
            if not self.output.discard():
                self.output.add(frames.goaway(ErrorCode.NO_ERROR))

    def take_answers(self) -> list[tuple[Any, Answer]]:
        """Return what became of requests since the last time, by their keys."""
        answers, self._streams.answers = self._streams.answers, []
        return answers

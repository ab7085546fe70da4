"""How requests leave: stream ids, how many at once, and the windows of flow control (RFC 9113, 5).

A request starts only when the connection's window holds its whole body. If the server gives
streams a smaller window, the rest of the body follows as WINDOW_UPDATE allows.
"""

from dataclasses import dataclass, field
from typing import Any

from . import frames, headers
from .frames import ConnectionViolation, ErrorCode
from .headers import AnswerHead
from .output import Output

# FCM's SETTINGS_MAX_CONCURRENT_STREAMS is about this; more brings GOAWAY.
STREAMS = 100

MOST_UNWRITTEN_BYTES = 64 * 1024  # more requests are started when the socket has taken these


@dataclass(slots=True)
class Stream:
    """A request in flight, and what came of its answer."""

    key: Any
    request: bytes  # its body
    begins_at: int  # among all bytes that are sent on the connection
    deadline: float
    window: int  # how many bytes more of the body the server takes
    sent: int = 0  # bytes of the body
    head: AnswerHead | None = None
    had_interim: bool = False  # headers that announce an answer (1xx)
    answer: bytearray = field(default_factory=bytearray)
    taken: int = 0  # bytes of the answer, with their padding

    @property
    def is_sent(self) -> bool:
        """Return whether the whole body is on its way."""
        return self.sent == len(self.request)

    @property
    def may_be_refused(self) -> bool:
        """Return whether a server that says it processed nothing has said nothing against it."""
        return not self.head and not self.had_interim


class Sending:
    """Turns requests into bytes. `in_flight` is shared with the streams, which take the answers."""

    def __init__(
        self, in_flight: dict[int, Stream], output: Output, *, authority: str, path: str
    ) -> None:
        self.next_id = 1
        self._in_flight = in_flight
        self._output = output
        self._authority = authority
        self._path = path
        self.limit = STREAMS  # at once; the server may allow fewer
        self._max_frame_size = frames.LEAST_MAX_FRAME_SIZE
        self._window = frames.DEFAULT_WINDOW  # how many bytes more of all bodies the server takes
        self._first_window = frames.DEFAULT_WINDOW  # of each stream
        self._held_up: dict[int, Stream] = {}  # those whose body waits for a window

    @property
    def is_used_up(self) -> bool:
        """Return whether no stream id is left for another request (RFC 9113, 5.1.1)."""
        return self.next_id > frames.MOST_STREAM_ID

    def takes(self, size: int) -> bool:
        """Return whether a request with a body of so many bytes may be started now."""
        return (
            len(self._in_flight) < self.limit
            and size <= self._window
            and len(self._output.unwritten) < MOST_UNWRITTEN_BYTES
            and not self.is_used_up
        )

    def begin(self, key: object, body: bytes, authorization: str, *, deadline: float) -> None:
        """Start a request; UnicodeEncodeError says that none was started."""
        stream_id, size = self.next_id, len(body)
        headers_head, block, data_head = headers.opening(
            self._authority, self._path, authorization, size, stream_id == 1
        )
        self.next_id += 2
        stream = Stream(key, body, self._output.end, deadline, self._first_window)
        self._in_flight[stream_id] = stream
        number = frames.NUMBER.pack(stream_id)
        if size <= stream.window and size <= self._window and size <= self._max_frame_size:
            self._output.add(b"".join((headers_head, number, block, data_head, number, body)))
            self._count(stream, size)
        else:
            self._output.add(b"".join((headers_head, number, block)))
            self._held_up[stream_id] = stream
            self.send_bodies()

    def change(self, setting: int, value: int) -> None:
        """Heed one of the server's settings (RFC 9113, 6.5.2); one that we do not know is ignored.

        `send_bodies` is to follow the ACK: until then the server counts by the windows before.
        Raise ConnectionViolation for a value that cannot be.
        """
        if setting == frames.MAX_CONCURRENT_STREAMS:
            self.limit = min(value, STREAMS)
        elif setting == frames.INITIAL_WINDOW_SIZE:
            self._change_first_window(value)
        elif setting == frames.MAX_FRAME_SIZE:
            if not frames.LEAST_MAX_FRAME_SIZE <= value <= frames.MOST_MAX_FRAME_SIZE:
                raise ConnectionViolation(ErrorCode.PROTOCOL_ERROR, f"frames of {value} bytes")
            self._max_frame_size = value
        elif setting == frames.ENABLE_PUSH and value:
            raise ConnectionViolation(ErrorCode.PROTOCOL_ERROR, "a client pushes nothing")

    def _change_first_window(self, size: int) -> None:
        """Change the windows of streams to come, and of those in flight alike (RFC 9113, 6.9.2)."""
        check_window(size)
        by, self._first_window = size - self._first_window, size
        for stream in self._in_flight.values():
            stream.window += by
            check_window(stream.window)

    def widen(self, by: int) -> None:
        """Let so many bytes more of all bodies leave; raise ConnectionViolation beyond 2³¹−1."""
        if not by:
            raise ConnectionViolation(ErrorCode.PROTOCOL_ERROR, "a window grew by nothing")
        self._window += by
        check_window(self._window)
        self.send_bodies()

    def widen_stream(self, stream: Stream, by: int) -> ErrorCode:
        """Let so many bytes more of one body leave; return the error of the stream, if any."""
        stream.window += by
        if not by:
            return ErrorCode.PROTOCOL_ERROR
        if stream.window > frames.MOST_WINDOW:
            return ErrorCode.FLOW_CONTROL_ERROR
        self.send_bodies()
        return ErrorCode.NO_ERROR

    def forget(self, stream_id: int) -> None:
        """Send no more of a request that has ended."""
        self._held_up.pop(stream_id, None)

    def send_bodies(self) -> None:
        """Send what the windows allow of the bodies that are held up (RFC 9113, 5.2)."""
        for stream_id, stream in list(self._held_up.items()):
            while size := self._allowed(stream):
                piece = stream.request[stream.sent : stream.sent + size]
                self._count(stream, size)
                flags = frames.END_STREAM if stream.is_sent else 0
                self._output.add(frames.frame(frames.DATA, flags, stream_id, piece))
            if stream.is_sent:
                del self._held_up[stream_id]

    def _allowed(self, stream: Stream) -> int:
        """Return how many bytes the next DATA frame of a body may have."""
        left = len(stream.request) - stream.sent
        return max(min(left, stream.window, self._window, self._max_frame_size), 0)

    def _count(self, stream: Stream, size: int) -> None:
        stream.sent += size
        stream.window -= size
        self._window -= size


def check_window(size: int) -> None:
    """Raise ConnectionViolation for a window that is too large (RFC 9113, 6.9.1)."""
    if size > frames.MOST_WINDOW:
        raise ConnectionViolation(ErrorCode.FLOW_CONTROL_ERROR, f"a window of {size} bytes")

"""What the tests of a session share: a session without a socket, its server, frames by hand."""

from collections.abc import Iterable
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, RequestReceived, StreamEnded
from h2.settings import SettingCodes, Settings
from hpack import Encoder

from notifications.fcm import frames
from notifications.fcm.failures import Failure
from notifications.fcm.frames import ErrorCode, Frame
from notifications.fcm.outcomes import Answer
from notifications.fcm.session import Session, State

AUTHORITY, PATH, AUTHORIZATION = "fcm.test", "/v1/projects/radiotalk/messages:send", "Bearer x"
TIMEOUT_SECONDS = 30.0
BODY = b'{"message":{"token":"x"}}'
PIECE = bytes(2**14)  # as much as one frame holds

Setting = tuple[int, int]
Answered = list[tuple[Any, Answer]]


def new_session() -> Session:
    """Return a session at its beginning, at the time 0."""
    return Session(authority=AUTHORITY, path=PATH, timeout=TIMEOUT_SECONDS, now=0.0)


def open_session(*settings: Setting) -> Session:
    """Return a session after these settings of the server; the socket has taken its first bytes."""
    session = new_session()
    say(session, frames.settings(settings))
    written(session)
    return session


def begin(session: Session, *keys: object, body: bytes = BODY, now: float = 0.0) -> None:
    """Start a request for each key; the session must take it."""
    for key in keys:
        assert session.takes(len(body))
        session.begin(key, body, AUTHORIZATION, now=now)


def written(session: Session) -> bytes:
    """Let the socket take everything, and return it."""
    data = bytes(session.output.unwritten)
    session.output.took(len(data))
    return data


def written_frames(session: Session) -> list[Frame]:
    """Let the socket take everything, and return its frames; the preface was taken before."""
    return split(written(session))


def split(data: bytes) -> list[Frame]:
    """Return the frames of whole frames."""
    found, at = [], 0
    while at < len(data):
        high, low, kind, flags, stream_id = frames.HEAD.unpack_from(data, at)
        end = at + frames.HEAD.size + (high << 16 | low)
        assert end <= len(data), "a part of a frame"
        found.append((kind, flags, stream_id, data[at + frames.HEAD.size : end]))
        at = end
    return found


def say(session: Session, *said: bytes, now: float = 0.0) -> Answered:
    """Let the server say this; return what became of requests."""
    session.receive(b"".join(said), now=now)
    return session.take_answers()


def state_of(session: Session) -> State:
    """Return the state; a type checker takes the attribute for what it was a line above."""
    return session.state


def reset(stream_id: int, code: ErrorCode) -> Frame:
    """Return our RST_STREAM, as `written_frames` does."""
    return frames.RST_STREAM, 0, stream_id, frames.NUMBER.pack(code)


def asked(*said: bytes) -> list[Answer]:
    """Return what becomes of a request when the server says this."""
    session = open_session()
    begin(session, "a")
    written(session)
    return [got for _key, got in say(session, *said)]


def failures(answered: Answered) -> dict[Any, Failure | None]:
    """Return why each request has no answer, by its key."""
    return {key: answer.failure for key, answer in answered}


def told(session: Session) -> ErrorCode | None:
    """Return the code of the GOAWAY with which the session ends, None when it has not ended."""
    for kind, _flags, _stream_id, payload in written_frames(session):
        if kind == frames.GOAWAY:
            return ErrorCode(frames.number(payload[4:]))
    return None


def block(*headers: tuple[str, str], huffman: bool = False) -> bytes:
    """Return a header block that uses no table."""
    encoder = Encoder()
    encoder.header_table_size = 0
    return bytes(encoder.encode(headers, huffman=huffman))


def headers(
    stream_id: int, payload: bytes = b"\x88", *, flags: int = frames.END_HEADERS, ends: bool = False
) -> bytes:
    """Return HEADERS, of a 200 unless another block is given."""
    return frames.frame(frames.HEADERS, flags | ends * frames.END_STREAM, stream_id, payload)


def data(stream_id: int, payload: bytes, *, ends: bool = True) -> bytes:
    """Return DATA, by default the last of its stream."""
    return frames.frame(frames.DATA, ends * frames.END_STREAM, stream_id, payload)


def answer(stream_id: int, payload: bytes = b"{}") -> bytes:
    """Return a whole 200."""
    return headers(stream_id) + data(stream_id, payload)


def rst_stream(stream_id: int, code: int) -> bytes:
    """Return RST_STREAM with any code."""
    return frames.frame(frames.RST_STREAM, 0, stream_id, frames.NUMBER.pack(code))


def goaway(last_id: int, code: ErrorCode = ErrorCode.NO_ERROR) -> bytes:
    """Return a server's GOAWAY."""
    payload = frames.NUMBER.pack(last_id) + frames.NUMBER.pack(code)
    return frames.frame(frames.GOAWAY, 0, 0, payload)


def in_pieces(data: bytes, sizes: Iterable[int]) -> list[bytes]:
    """Return the data cut into pieces of these sizes, and what is left over."""
    pieces, at = [], 0
    for size in sizes:
        pieces.append(data[at : at + size])
        at += size
    return [*pieces, data[at:]]


# What a server may say, and what we then write, as `written_frames` has it.
THROTTLED = block(
    (":status", "429"), ("retry-after", "7"), ("date", "Sun, 29 Mar 2026 12:00:00 GMT")
)
PING = frames.frame(frames.PING, 0, 0, b"01234567")
SETTINGS_ACK: Frame = (frames.SETTINGS, frames.ACK, 0, b"")


class Server:
    """A well-behaved server: h2, which checks all that we send, and grants no window by itself."""

    def __init__(self, session: Session, **settings: int) -> None:
        self.session = session
        self.bodies: dict[int, bytearray] = {}
        self.complete: list[int] = []  # the streams whose request came completely, in order
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        values = {SettingCodes[name]: value for name, value in settings.items()}
        self.h2.local_settings = Settings(client=False, initial_values=values)
        self.h2.initiate_connection()
        self.talk()

    def talk(self) -> list[Event]:
        """Move all bytes both ways until there are none; return what the server saw."""
        events: list[Event] = []
        while (said := self.h2.data_to_send()) or self.session.output.unwritten:
            self.session.receive(said, now=0.0)
            events += self.h2.receive_data(written(self.session))
        for event in events:
            if isinstance(event, RequestReceived):
                self.bodies[event.stream_id] = bytearray()
            elif isinstance(event, DataReceived):
                self.bodies[event.stream_id] += event.data
            elif isinstance(event, StreamEnded):
                self.complete.append(event.stream_id)
        return events

    def change(self, **settings: int) -> list[Event]:
        """Change settings, and return what the server saw then."""
        self.h2.update_settings({SettingCodes[name]: value for name, value in settings.items()})
        return self.talk()

    def widen(self, by: int, stream_id: int | None = None) -> list[Event]:
        """Let so many bytes more come, of a stream or of all; return what the server saw then."""
        self.h2.increment_flow_control_window(by, stream_id)
        return self.talk()

    def answer(self, stream_id: int, status: int = 200, body: bytes = b"{}") -> list[Event]:
        """Send a whole answer; return what the server saw then."""
        self.h2.send_headers(stream_id, [(":status", str(status)), ("server", "ESF")])
        self.h2.send_data(stream_id, body, end_stream=True)
        return self.talk()

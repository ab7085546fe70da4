"""A session that hears what a server never said, and what may become of its requests even so."""

from collections.abc import Iterable

from notifications.fcm import frames
from notifications.fcm.failures import Failure
from notifications.fcm.frames import ErrorCode, Frame
from notifications.fcm.headers import OK
from notifications.fcm.outcomes import Answer
from notifications.fcm.session import State

from . import peer
from .peer import AUTHORIZATION, BODY

Heard = tuple[str, bytes]  # "begin" with the body of a request, or "say" with what the server said
A_GOAWAY = len(frames.goaway(ErrorCode.NO_ERROR))


class Replay:
    """Begins requests and hears bytes; the socket takes `room` bytes after the first words."""

    def __init__(self, room: int) -> None:
        self.session = peer.new_session()
        peer.written(self.session)
        self.answers: list[tuple[int, Answer]] = []
        self._room = room
        self._said = b""
        self._begins_at: dict[int, int] = {}  # by stream id, which is the key too

    def play(self, heard: Iterable[Heard]) -> None:
        """Begin what may be begun, and hear the rest."""
        for what, data in heard:
            if what == "say":
                self._said += data
                self.session.receive(data, now=0.0)
            elif self.session.takes(len(data)):
                stream_id = 2 * len(self._begins_at) + 1
                self._begins_at[stream_id] = self.session.output.end
                self.session.begin(stream_id, data, AUTHORIZATION, now=0.0)
            self._take_answers()
            size = min(len(self.session.output.unwritten), self._room)
            self.session.output.took(size)
            self._room -= size

    def finish(self) -> None:
        """Lose the connection, and judge what became of each request."""
        self.session.close(Failure.CONNECTION_LOST)
        self._take_answers()
        assert self.session.state is State.CLOSED
        assert sorted(key for key, _ in self.answers) == sorted(self._begins_at)
        assert len(self.session.output.unwritten) <= A_GOAWAY

        said = read(self._said)
        may_be_refused, may_be_answered = refused(said), ended(said)
        for stream_id, answer in self.answers:
            if answer.failure is Failure.NOT_PROCESSED:
                assert any(stream_id in range(*each) for each in may_be_refused)
            elif answer.failure is None:
                assert stream_id in may_be_answered

    def _take_answers(self) -> None:
        for key, answer in self.session.take_answers():
            self.answers.append((key, answer))
            is_sent = self._begins_at[key] < self.session.output.written
            if answer.failure is not Failure.NOT_PROCESSED:
                assert is_sent == (answer.failure is not Failure.NOT_SENT)


def read(said: bytes) -> list[Frame]:
    """Return the whole frames, up to one that is too long."""
    found, at = [], 0
    while at + frames.HEAD.size <= len(said):
        high, low, kind, flags, stream_id = frames.HEAD.unpack_from(said, at)
        length, at = high << 16 | low, at + frames.HEAD.size
        if length > frames.LEAST_MAX_FRAME_SIZE or at + length > len(said):
            break
        found.append((kind, flags, stream_id & frames.MOST_STREAM_ID, said[at : at + length]))
        at += length
    return found


def refused(said: list[Frame]) -> list[tuple[int, int]]:
    """Return the ranges of streams that the server refused before the head of their answer."""
    answered: set[int] = set()
    ranges = []
    for kind, flags, stream_id, payload in said:
        if kind == frames.HEADERS and payload.startswith(OK) and flags & 0x2C == frames.END_HEADERS:
            answered.add(stream_id)
        elif kind == frames.RST_STREAM and payload == frames.NUMBER.pack(ErrorCode.REFUSED_STREAM):
            if stream_id not in answered:
                ranges.append((stream_id, stream_id + 1))
        elif kind == frames.GOAWAY and stream_id == 0 and len(payload) >= 8:
            last_id = frames.number(payload) & frames.MOST_STREAM_ID
            above = sorted({last_id, *(each for each in answered if each > last_id)})
            ends = [*above[1:], frames.MOST_STREAM_ID + 1]
            ranges += [(low + 1, high) for low, high in zip(above, ends, strict=True)]
    return ranges


def ended(said: list[Frame]) -> set[int]:
    """Return the streams on which the server said headers, and then an end."""
    headed: set[int] = set()
    found: set[int] = set()
    for kind, flags, stream_id, _payload in said:
        if kind == frames.HEADERS:
            headed.add(stream_id)
        if kind in (frames.HEADERS, frames.DATA) and flags & frames.END_STREAM:
            found |= headed & {stream_id}
    return found


def damaged(heard: list[Heard], drawn: bytes) -> tuple[list[Heard], int, int]:
    """Return a recording with bytes changed, lost, repeated or new in one piece.

    Also return which piece that is, and how many of its bytes are undamaged before.
    """
    pieces = [index for index, (what, data) in enumerate(heard) if what == "say" and data]
    where, high, low, how, size, value = drawn
    # Seldom in the first words: whatever is damaged there ends everything.
    index = pieces[max(where % len(pieces), how % 8 == 0)] if len(pieces) > 1 else pieces[0]
    data = heard[index][1]
    at = (high << 8 | low) % len(data)
    size = 1 + size % 24
    others = {
        0: data[at : at + 1].translate(bytes(each ^ (1 << value % 8) for each in range(256))),
        1: bytes([value]),
        2: b"",
        3: data[at : at + size] * 2,
        4: bytes([value]) * size + data[at : at + size],
        5: data[max(at - size, 0) : at] + data[at : at + size],
    }
    kind = how // 8 % len(others)
    lost = 1 if kind < 2 else size
    changed = data[:at] + others[kind] + data[at + lost :]
    return [*heard[:index], ("say", changed), *heard[index + 1 :]], index, at


def invented(drawn: bytes) -> bytes:
    """Return frames that a server might say, by their kinds; a byte of zero begins a DATA frame."""
    said, at = b"", 0
    while at + 4 <= len(drawn):
        kind, flags, stream, length = drawn[at : at + 4]
        length %= 24
        payload = drawn[at + 4 : at + 4 + length]
        if kind & 0x80:  # of the size that its kind needs
            payload = (payload + bytes(8))[: {3: 4, 6: 8, 7: 8, 8: 4}.get(kind % 11, length)]
        if kind & 0x40 and kind % 11 in (frames.HEADERS, frames.CONTINUATION):
            payload = (b"\x88", b"\x8d", b"\x08\x03100", b"\x20\x88")[flags % 4] + payload[:0]
        said += frames.frame(kind % 11, flags, stream % 12, payload)
        at += 4 + length
    return said


def some_requests(count: int) -> list[Heard]:
    """Return the beginning of so many requests, after usual settings."""
    settings = frames.settings([(frames.MAX_CONCURRENT_STREAMS, 100)])
    return [("say", settings), *[("begin", BODY)] * count]

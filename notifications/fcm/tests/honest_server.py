"""An h2 server that is honest: it says only what RFC 9113 allows, in any form and any order.

It takes its time as its steps tell it to, and knows what it got and said of each request. h2 raises
when a client says more than RFC 9113 or the server's settings allow.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RequestReceived,
    SettingsAcknowledged,
    StreamEnded,
    StreamReset,
)
from h2.settings import SettingCodes, Settings

from notifications.fcm import frames
from notifications.fcm.frames import ErrorCode

from . import peer
from .peer import block

STATUSES = 200, 200, 200, 204, 400, 401, 404, 429, 500, 503
LIMITS = 100, 3, 1, 0
WINDOWS = 65_535, 200_000, 1_000, 1, 0
FRAME_SIZES = 16_384, 30_000, 2**24 - 1

SETTINGS_ACK = frames.frame(frames.SETTINGS, frames.ACK, 0)


@dataclass
class Exchange:
    """What the server got of a request, and what it said of it."""

    body: bytearray = field(default_factory=bytearray)
    is_complete: bool = False  # the request
    is_cancelled: bool = False  # by the client
    reset: int | None = None  # by the server, with this code
    is_touched: bool = False  # anything was said of it
    status: int = 0
    answer: bytearray = field(default_factory=bytearray)
    padding: int = 0  # bytes of the answer
    ended_at: int | None = None  # where the answer ends, among all bytes that the server said

    @property
    def is_open(self) -> bool:
        """Return whether the server may say more of it."""
        return self.ended_at is None and self.reset is None and not self.is_cancelled


class HonestServer:
    """Its steps take two numbers that say how; a step that cannot be done now does nothing."""

    def __init__(self, say: Callable[[bytes], None], *, limit: int, window: int) -> None:
        self.exchanges: dict[int, Exchange] = {}  # by stream id
        self.last_id = frames.MOST_STREAM_ID  # of its GOAWAY
        self.said = 0  # bytes, in all
        self._send = say
        self._is_over = False
        self._heard = b""  # the last bytes
        self._unacknowledged = 1
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        values = {
            SettingCodes.MAX_CONCURRENT_STREAMS: limit,
            SettingCodes.INITIAL_WINDOW_SIZE: window,
        }
        self._h2.local_settings = Settings(client=False, initial_values=values)
        self._h2.initiate_connection()
        self._flush()

    def hear(self, data: bytes) -> None:
        """Take what the client said; h2 raises for what it may not say."""
        while data and not self._is_over:
            # h2 looks at the length of a frame by the settings from before all bytes of one call,
            # so the ACK must not come in one call with the head of the frame behind it.
            ack_at = (self._heard + data).find(SETTINGS_ACK)
            size = len(data) if ack_at < 0 else ack_at + len(SETTINGS_ACK) - len(self._heard)
            for event in self._h2.receive_data(data[:size]):
                self._see(event)
            self._heard = (self._heard + data[:size])[1 - len(SETTINGS_ACK) :]
            data = data[size:]
            self._flush()

    def _see(self, event: Event) -> None:
        """Note what the server saw."""
        if isinstance(event, ConnectionTerminated):
            self._is_over = True
        elif isinstance(event, SettingsAcknowledged):
            self._unacknowledged -= 1
        elif isinstance(event, RequestReceived):
            self.exchanges[event.stream_id] = Exchange()
        elif isinstance(event, DataReceived):
            self.exchanges[event.stream_id].body += event.data
        elif isinstance(event, StreamEnded):
            exchange = self.exchanges[event.stream_id]
            exchange.is_complete = True
        elif isinstance(event, StreamReset):
            self.exchanges[event.stream_id].is_cancelled = True

    def _say(self, data: bytes) -> None:
        self.said += len(data)
        self._send(data)

    def _flush(self) -> None:
        self._say(self._h2.data_to_send())

    def _pick(self, how: int, fits: Callable[[Exchange], bool]) -> tuple[int, Exchange] | None:
        """Return one of the exchanges that are open and fit."""
        if self._is_over:
            return None
        found = [
            (stream_id, exchange)
            for stream_id, exchange in self.exchanges.items()
            if stream_id <= self.last_id and exchange.is_open and fits(exchange)
        ]
        return found[how % len(found)] if found else None

    def head(self, how: int, more: int) -> None:
        """Send the headers of an answer, perhaps before the request has come."""
        if picked := self._pick(how, lambda each: not each.status):
            stream_id, exchange = picked
            exchange.status = STATUSES[more % len(STATUSES)]
            self._send_headers(
                stream_id, [(":status", str(exchange.status)), ("server", "ESF")], how, ends=False
            )

    def interim(self, how: int, more: int) -> None:
        """Send an interim answer."""
        if picked := self._pick(how, lambda each: not each.status):
            status = ("100", "103")[more % 2]
            self._send_headers(picked[0], [(":status", status)], how, ends=False)

    def part(self, how: int, more: int) -> None:
        """Send a part of the body of an answer."""
        if picked := self._pick(how, lambda each: bool(each.status)):
            for _ in range(5 if more % 5 == 0 else 1):  # perhaps more than we take
                self._send_data(*picked, how // 4, padding=more if how % 2 else None, ends=False)

    def end(self, how: int, more: int) -> None:
        """Send the end of an answer: a part of its body, or trailers."""
        if picked := self._pick(how, lambda each: bool(each.status)):
            stream_id, exchange = picked
            if more % 3 == 0:
                self._send_headers(stream_id, [("grpc-status", "0")], how, ends=True)
                exchange.ended_at = self.said
            else:
                self._send_data(*picked, more, padding=more if how % 2 else None, ends=True)

    def answer(self, how: int, more: int) -> None:
        """Send a whole answer to a request that has come completely."""
        if picked := self._pick(how, lambda each: each.is_complete and not each.status):
            exchange = picked[1]
            exchange.status = STATUSES[more % len(STATUSES)]
            self._send_headers(picked[0], [(":status", str(exchange.status))], how, ends=False)
            self._send_data(*picked, how // 100, padding=None, ends=True)

    def reset(self, how: int, more: int) -> None:
        """Give up a stream, with any code; it is refused only if nothing was said of it."""
        if picked := self._pick(how, lambda _each: True):
            stream_id, exchange = picked
            code = more % 0x10
            if code == ErrorCode.REFUSED_STREAM and exchange.is_touched:
                code = ErrorCode.CANCEL
            exchange.reset = code
            self._h2.reset_stream(stream_id, code)
            self._flush()

    def refuse(self, how: int, _more: int) -> None:
        """Refuse a stream of which nothing was said."""
        if picked := self._pick(how, lambda each: not each.is_touched):
            picked[1].reset = ErrorCode.REFUSED_STREAM
            self._h2.reset_stream(picked[0], ErrorCode.REFUSED_STREAM)
            self._flush()

    def settings(self, how: int, more: int) -> None:
        """Change all settings at once: h2 knows not which of several ACKs is for which."""
        if not self._unacknowledged and not self._is_over:
            self._unacknowledged = 1
            self._h2.update_settings(
                {
                    SettingCodes.MAX_CONCURRENT_STREAMS: LIMITS[how % len(LIMITS)],
                    SettingCodes.INITIAL_WINDOW_SIZE: WINDOWS[more % len(WINDOWS)],
                    SettingCodes.MAX_FRAME_SIZE: FRAME_SIZES[how // 4 % len(FRAME_SIZES)],
                }
            )
            self._flush()

    def widen(self, how: int, more: int) -> None:
        """Let more bytes come, of a stream or of all."""
        if self._is_over:
            return
        if more % 3 == 0:
            self._h2.increment_flow_control_window(1 + how)
        elif picked := self._pick(more // 3, lambda each: not each.is_complete):
            self._h2.increment_flow_control_window(1 + how, picked[0])
        self._flush()

    def ping(self, how: int, _more: int) -> None:
        """Ask whether the client is there."""
        if not self._is_over:
            self._h2.ping(b"%08d" % how)
            self._flush()

    def goaway(self, how: int, more: int) -> None:
        """Say, seldom, which streams will be processed; never fewer than something was said of."""
        touched = [each for each, exchange in self.exchanges.items() if exchange.is_touched]
        least = max(touched, default=0)
        last_id = min(self.last_id, least + how // 4 % 9) if more % 3 else self.last_id
        if not self._is_over and how % 4 == 0:
            self.last_id = last_id
            self._say(peer.goaway(last_id))

    def grant_everything(self) -> None:
        """Let every body come whole."""
        if not self._is_over:
            for stream_id, exchange in self.exchanges.items():
                if exchange.is_open and not exchange.is_complete:
                    self._h2.increment_flow_control_window(200_000, stream_id)
            self._h2.increment_flow_control_window(1_000_000)
            self._flush()

    def answer_everything(self) -> None:
        """Answer all that has come completely and was said to be processed."""
        while self._pick(0, lambda each: each.is_complete and not each.status):
            self.answer(0, 0)
        while self._pick(0, lambda each: each.is_complete):
            self.end(0, 1)

    def _send_headers(
        self, stream_id: int, said: list[tuple[str, str]], how: int, *, ends: bool
    ) -> None:
        """Let h2 note the headers, and send them in another form."""
        self.exchanges[stream_id].is_touched = True
        self._h2.send_headers(stream_id, said, end_stream=ends)
        self._h2.data_to_send()
        payload = block(*said, huffman=bool(how & 1))
        payload = payload[1:] if how & 2 else payload  # without the size update
        flags = ends * frames.END_STREAM
        first, *more = peer.in_pieces(payload, [how % 7] * (how // 16 % 4))
        if how & 4:
            first, flags = bytes(5) + first, flags | frames.HAS_PRIORITY
        if how & 8:
            padding = how % 256
            first, flags = bytes([padding]) + first + bytes(padding), flags | frames.PADDED
        last = len(more)
        for number, piece in enumerate([first, *more]):
            kind = frames.CONTINUATION if number else frames.HEADERS
            end = frames.END_HEADERS if number == last else 0
            self._say(frames.frame(kind, end | (0 if number else flags), stream_id, piece))

    def _send_data(
        self, stream_id: int, exchange: Exchange, size: int, *, padding: int | None, ends: bool
    ) -> None:
        """Send so much of an answer's body, or as much as the client's windows and frames allow."""
        extra = 0 if padding is None else padding + 1
        window = self._h2.local_flow_control_window(stream_id)
        size = min(size, min(window, self._h2.max_outbound_frame_size) - extra)
        if size < 0:
            size, padding, extra = 0, None, 0
        piece = (b"%d." % stream_id * size)[:size]
        exchange.is_touched = True
        exchange.answer += piece
        exchange.padding += extra
        self._h2.send_data(stream_id, piece, end_stream=ends, pad_length=padding)
        self._flush()
        if ends:
            exchange.ended_at = self.said

"""HTTP/2 frames: bytes to frames, and frames to bytes (RFC 9113, 4 and 6). It knows no connection.

A frame is a plain tuple of kind, flags, stream id and payload: there are some three for each
notification, and an object would cost more than all the rest of reading it.
"""

import struct
from collections.abc import Iterable, Iterator
from enum import IntEnum

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

(
    DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE,
    CONTINUATION,
) = range(10)  # fmt: skip

# Flags. ACK is of SETTINGS and PING, the others are of DATA and HEADERS.
ACK = END_STREAM = 0x1
END_HEADERS = 0x4
PADDED = 0x8
HAS_PRIORITY = 0x20

HEADER_TABLE_SIZE = 0x1
ENABLE_PUSH = 0x2
MAX_CONCURRENT_STREAMS = 0x3
INITIAL_WINDOW_SIZE = 0x4
MAX_FRAME_SIZE = 0x5
MAX_HEADER_LIST_SIZE = 0x6

LEAST_MAX_FRAME_SIZE = 2**14  # bytes; the only size that we take, since we never ask for more
MOST_MAX_FRAME_SIZE = 2**24 - 1
DEFAULT_WINDOW = 65_535  # bytes
MOST_WINDOW = MOST_STREAM_ID = 2**31 - 1

HEAD = struct.Struct(">BHBBL")  # length in 8 and 16 bits, kind, flags, stream id
SETTING = struct.Struct(">HL")
NUMBER = struct.Struct(">L")

Frame = tuple[int, int, int, bytes]


class ErrorCode(IntEnum):
    """Why an end gives up a stream or the connection (RFC 9113, 7)."""

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    INTERNAL_ERROR = 0x2
    FLOW_CONTROL_ERROR = 0x3
    SETTINGS_TIMEOUT = 0x4
    STREAM_CLOSED = 0x5
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    CANCEL = 0x8
    COMPRESSION_ERROR = 0x9
    CONNECT_ERROR = 0xA
    ENHANCE_YOUR_CALM = 0xB
    INADEQUATE_SECURITY = 0xC
    HTTP_1_1_REQUIRED = 0xD


class ConnectionViolation(Exception):
    """The server broke a rule in a way that ends the whole connection (RFC 9113, 5.4.1)."""

    def __init__(self, code: ErrorCode, rule: str) -> None:
        super().__init__(rule)
        self.code = code


class Reader:
    """Cuts what is received into frames, whatever pieces it comes in."""

    def __init__(self) -> None:
        self._received = bytearray()

    def read(self, data: bytes) -> Iterator[Frame]:
        """Yield the complete frames. The caller must take all: only then are they forgotten.

        Raise ConnectionViolation for a frame that is longer than we take (RFC 9113, 4.2).
        """
        received = self._received
        received += data
        at, end = 0, len(received)
        while end - at >= HEAD.size:
            high, low, kind, flags, stream_id = HEAD.unpack_from(received, at)
            length = high << 16 | low
            if length > LEAST_MAX_FRAME_SIZE:
                raise ConnectionViolation(ErrorCode.FRAME_SIZE_ERROR, f"a frame of {length} bytes")
            begin = at + HEAD.size
            if end - begin < length:
                break
            at = begin + length
            yield kind, flags, stream_id & MOST_STREAM_ID, bytes(received[begin:at])
        del received[:at]


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """Return a frame as it is sent."""
    return head(len(payload), kind, flags) + NUMBER.pack(stream_id) + payload


def head(length: int, kind: int, flags: int) -> bytes:
    """Return what stands before the stream id in a frame with so many bytes of payload."""
    return HEAD.pack(length >> 16, length & 0xFFFF, kind, flags, 0)[:5]


def settings(values: Iterable[tuple[int, int]]) -> bytes:
    """Return a SETTINGS frame."""
    return frame(SETTINGS, 0, 0, b"".join(SETTING.pack(*each) for each in values))


def window_update(stream_id: int, by: int) -> bytes:
    """Return a WINDOW_UPDATE that lets the other end send so many bytes more."""
    return frame(WINDOW_UPDATE, 0, stream_id, NUMBER.pack(by))


def rst_stream(stream_id: int, code: ErrorCode) -> bytes:
    """Return a RST_STREAM."""
    return frame(RST_STREAM, 0, stream_id, NUMBER.pack(code))


def goaway(code: ErrorCode) -> bytes:
    """Return a client's GOAWAY: no stream of the server's was ever processed, since it has none."""
    return frame(GOAWAY, 0, 0, NUMBER.pack(0) + NUMBER.pack(code))


def without_padding(flags: int, payload: bytes) -> bytes:
    """Return the payload of DATA or HEADERS without its padding (RFC 9113, 6.1).

    Raise ConnectionViolation when there is more padding than payload.
    """
    if not flags & PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        raise ConnectionViolation(ErrorCode.PROTOCOL_ERROR, "more padding than payload")
    return payload[1 : len(payload) - payload[0]]


def number(payload: bytes) -> int:
    """Return the number that a payload begins with."""
    return int(NUMBER.unpack_from(payload)[0])


def of_size(payload: bytes, size: int) -> bytes:
    """Return the payload; raise ConnectionViolation when it has not this size in bytes."""
    if len(payload) != size:
        raise ConnectionViolation(
            ErrorCode.FRAME_SIZE_ERROR, f"{len(payload)} bytes where {size} are needed"
        )
    return payload


def of_the_connection(stream_id: int) -> None:
    """Raise ConnectionViolation for a frame that may be of no stream (RFC 9113, 6.5, 6.7, 6.8)."""
    if stream_id:
        raise ConnectionViolation(ErrorCode.PROTOCOL_ERROR, f"a frame of stream {stream_id}")

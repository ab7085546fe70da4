"""Header blocks (HPACK, RFC 7541) without any state: neither end indexes a header.

We announce a table of no bytes for the answers, and use none for the requests. So each block can be
read alone, the usual one need not be read at all, and a request's differs from the one before in
its Authorization and its length only.
"""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import NamedTuple

from hpack import Decoder, HPACKError

from . import frames
from .frames import ConnectionViolation, ErrorCode

# How the block of a 200 begins (RFC 7541, 6.1), perhaps after the encoder's word that it uses no
# table (6.3). The rest of it says nothing that we need.
OK = (b"\x88", b"\x20\x88")

# What our first block says for the same reason: a table of no bytes (RFC 7541, 4.2).
NO_TABLE = b"\x20"

# Indexes of the static table (RFC 7541, appendix A).
POST, HTTPS = b"\x83", b"\x87"
AUTHORITY, PATH, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT = 1, 4, 23, 28, 31, 58

NOT_INDEXED = 0x00
NEVER_INDEXED = 0x10  # not by a proxy on the way either (RFC 7541, 7.1.3)

MOST_BYTES = 16 * 1024  # of the headers of an answer, decoded
MOST_BLOCK_BYTES = 64 * 1024  # of the same as they are sent
PRIORITY_BYTES = 5
MOST_RETRY_AFTER = 365 * 86_400.0  # seconds; a date that far away can still be computed


class AnswerHead(NamedTuple):
    """What we need to know of an answer's headers."""

    status: int
    retry_after: float = 0  # seconds
    date: datetime | None = None  # the server's

    @property
    def is_interim(self) -> bool:
        """Return whether the answer is still to come; 101 does not exist (RFC 9113, 8.6)."""
        return 100 <= self.status < 200 and self.status != 101

    @property
    def is_final(self) -> bool:
        """Return whether this is an answer."""
        return 200 <= self.status < 600


@lru_cache(maxsize=1024)  # for the lengths of the bodies, and the access tokens of some hours
def opening(
    authority: str, path: str, authorization: str, size: int, is_first: bool
) -> tuple[bytes, bytes, bytes]:
    """Return the constant parts of a request with a body of `size` bytes.

    They are the HEADERS frame up to its stream id, the header block, and the DATA frame up to its
    stream id.
    """
    table = NO_TABLE if is_first else b""
    block = table + request_block(authority, path, authorization, size)
    return (
        frames.head(len(block), frames.HEADERS, frames.END_HEADERS),
        block,
        frames.head(size, frames.DATA, frames.END_STREAM),
    )


def request_block(authority: str, path: str, authorization: str, length: int) -> bytes:
    """Return the header block of a POST of JSON with a body of `length` bytes."""
    return b"".join(
        (
            POST,
            HTTPS,
            literal(AUTHORITY, authority),
            literal(PATH, path),
            literal(AUTHORIZATION, authorization, kind=NEVER_INDEXED),
            literal(CONTENT_TYPE, "application/json"),
            literal(CONTENT_LENGTH, str(length)),
            literal(USER_AGENT, "radiotalk"),
        )
    )


def literal(name: int, value: str, *, kind: int = NOT_INDEXED) -> bytes:
    """Return a header by the index of its name, with its value as it is (RFC 7541, 6.2.2, 6.2.3).

    Raise UnicodeEncodeError for a value that is not ASCII.
    """
    text = value.encode("ascii")
    return integer(kind, name, bits=4) + integer(0, len(text), bits=7) + text


def integer(first: int, value: int, *, bits: int) -> bytes:
    """Return an integer after what its first byte begins with (RFC 7541, 5.1)."""
    most = 2**bits - 1
    if value < most:
        return bytes([first | value])
    encoded = bytearray([first | most])
    value -= most
    while value >= 0x80:
        encoded.append(0x80 | value & 0x7F)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


class HeaderBlocks:
    """Puts HEADERS and CONTINUATION together, and reads what they say (RFC 9113, 4.3)."""

    def __init__(self) -> None:
        self._decoder = Decoder(max_header_list_size=MOST_BYTES)
        self._decoder.header_table.maxsize = self._decoder.max_allowed_table_size = 0
        self._block = bytearray()
        self._stream_id = 0  # whose block is not complete
        self._ends_stream = False
        self._is_complete = False

    @property
    def is_open(self) -> bool:
        """Return whether the only frame that may come is CONTINUATION (RFC 9113, 6.10)."""
        return bool(self._stream_id)

    def begin(self, flags: int, stream_id: int, payload: bytes) -> None:
        """Take a HEADERS frame; raise ConnectionViolation for one that breaks the rules."""
        payload = frames.without_padding(flags, payload)
        if flags & frames.HAS_PRIORITY:
            if len(payload) < PRIORITY_BYTES:
                raise ConnectionViolation(ErrorCode.FRAME_SIZE_ERROR, "HEADERS without priority")
            payload = payload[PRIORITY_BYTES:]
        self._stream_id = stream_id
        self._ends_stream = bool(flags & frames.END_STREAM)
        self._block.clear()
        self.extend(flags, stream_id, payload)

    def extend(self, flags: int, stream_id: int, payload: bytes) -> None:
        """Take a CONTINUATION frame; raise ConnectionViolation where none may be."""
        if not stream_id or stream_id != self._stream_id:
            raise ConnectionViolation(ErrorCode.PROTOCOL_ERROR, "CONTINUATION of nothing")
        self._block += payload
        self._is_complete = bool(flags & frames.END_HEADERS)
        if len(self._block) > MOST_BLOCK_BYTES:
            raise ConnectionViolation(ErrorCode.ENHANCE_YOUR_CALM, "headers without an end")

    def take(self) -> tuple[int, bool, AnswerHead] | None:
        """Return stream id, whether its answer ends, and what the block says, once complete."""
        if not self._is_complete:
            return None
        stream_id, self._stream_id = self._stream_id, 0
        return stream_id, self._ends_stream, read(self._decoder, bytes(self._block))


def read(decoder: Decoder, block: bytes) -> AnswerHead:
    """Return what a block of headers or trailers says; status 0 when it names none, or no number.

    Raise ConnectionViolation when it cannot be decoded: a connection error (RFC 9113, 4.3).
    """
    try:
        decoded = list(decoder.decode(block, raw=True))
    except (HPACKError, ValueError) as error:
        rule = f"a header block that is no HPACK ({type(error).__name__})"
        raise ConnectionViolation(ErrorCode.COMPRESSION_ERROR, rule) from error
    headers = {name.lower(): value for name, value in reversed(decoded)}  # the first of each
    status = headers.get(b":status", b"")
    date = moment(headers.get(b"date", b""))
    return AnswerHead(
        status=int(status) if len(status) == 3 and status.isdigit() else 0,
        retry_after=seconds_until(headers.get(b"retry-after", b""), date),
        date=date,
    )


def seconds_until(retry_after: bytes, date: datetime | None) -> float:
    """Return Retry-After in seconds, 0 for none or one that is no time (RFC 9110, 10.2.3).

    A date is compared with the server's own Date, which is right even where our clock is not.
    """
    if retry_after.isdigit():
        return min(float(retry_after), MOST_RETRY_AFTER)
    if at := moment(retry_after):
        seconds = (at - (date or datetime.now(UTC))).total_seconds()
        return min(max(seconds, 0.0), MOST_RETRY_AFTER)
    return 0.0


def moment(text: bytes) -> datetime | None:
    """Return an HTTP date, None for anything else."""
    try:
        at = parsedate_to_datetime(text.decode("ascii"))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)

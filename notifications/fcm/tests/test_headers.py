"""Header blocks: what ours say to another decoder, and what is read from any encoder's."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hpack import Decoder

from notifications.fcm import frames, headers
from notifications.fcm.frames import ConnectionViolation, ErrorCode
from notifications.fcm.headers import MOST_RETRY_AFTER, AnswerHead, HeaderBlocks

from .peer import AUTHORITY, AUTHORIZATION, PATH, block

DATE = datetime(2026, 3, 29, 12, 0, tzinfo=UTC)
LONG_TOKEN = "Bearer " + "x" * 2_000


def read(*pieces: bytes, flags: int = 0) -> AnswerHead:
    """Return what a block says that comes in these frames."""
    blocks = HeaderBlocks()
    ends = [0] * (len(pieces) - 1) + [frames.END_HEADERS]
    for piece, end in zip(pieces, ends, strict=True):
        take = blocks.extend if blocks.is_open else blocks.begin
        take(flags | end, 1, piece)
    taken = blocks.take()
    assert taken
    return taken[2]


def read_headers(*said: tuple[str, str]) -> AnswerHead:
    """Return what these headers say."""
    return read(block(*said))


# --- Requests ----------------------------------------------------------------------------------


@pytest.mark.parametrize("authorization", [AUTHORIZATION, LONG_TOKEN, ""])
@pytest.mark.parametrize("size", [0, 9, 10, 4_096])
def test_a_request_says_what_it_is_to_another_decoder(authorization: str, size: int) -> None:
    ours = headers.request_block(AUTHORITY, PATH, authorization, size)

    assert [tuple(each) for each in Decoder().decode(ours, raw=True)] == [
        (b":method", b"POST"),
        (b":scheme", b"https"),
        (b":authority", AUTHORITY.encode()),
        (b":path", PATH.encode()),
        (b"authorization", authorization.encode()),
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % size),
        (b"user-agent", b"radiotalk"),
    ]


def test_no_proxy_may_remember_the_access_token() -> None:
    decoded = Decoder().decode(headers.request_block(AUTHORITY, PATH, AUTHORIZATION, 2))

    assert [str(each[0]) for each in decoded if not each.indexable] == ["authorization"]


def test_a_request_leaves_nothing_in_the_table_of_the_server() -> None:
    decoder = Decoder()

    decoder.decode(headers.request_block(AUTHORITY, PATH, AUTHORIZATION, 2))

    assert not decoder.header_table.dynamic_entries


def test_the_first_request_alone_says_that_it_uses_no_table() -> None:
    _, first, _ = headers.opening(AUTHORITY, PATH, AUTHORIZATION, 2, True)
    _, second, _ = headers.opening(AUTHORITY, PATH, AUTHORIZATION, 2, False)
    decoder = Decoder()

    decoder.decode(first)

    assert decoder.header_table_size == 0
    assert first == headers.NO_TABLE + second


def test_an_opening_and_a_body_are_two_whole_frames() -> None:
    number = frames.NUMBER.pack(3)
    head, ours, data_head = headers.opening(AUTHORITY, PATH, AUTHORIZATION, 2, False)

    sent = list(frames.Reader().read(head + number + ours + data_head + number + b"{}"))

    assert sent == [
        (frames.HEADERS, frames.END_HEADERS, 3, ours),
        (frames.DATA, frames.END_STREAM, 3, b"{}"),
    ]


def test_a_header_that_is_not_ascii_is_never_sent() -> None:
    with pytest.raises(UnicodeEncodeError):
        headers.request_block(AUTHORITY, PATH, "Bearer ラ", 2)


@pytest.mark.parametrize(
    ("value", "bits", "encoded"),
    [  # RFC 7541, C.1, and the values around the limits
        (10, 5, b"\x0a"),
        (1337, 5, b"\x1f\x9a\x0a"),
        (42, 8, b"\x2a"),
        (14, 4, b"\x0e"),
        (15, 4, b"\x0f\x00"),
        (127, 7, b"\x7f\x00"),
        (254, 7, b"\x7f\x7f"),
        (255, 7, b"\x7f\x80\x01"),
    ],
)
def test_an_integer_is_encoded_as_the_rfc_says(value: int, bits: int, encoded: bytes) -> None:
    assert headers.integer(0, value, bits=bits) == encoded


# --- Answers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [100, 200, 204, 404, 429, 500, 503, 599])
@pytest.mark.parametrize("huffman", [False, True])
def test_a_status_is_read_indexed_or_not(status: int, huffman: bool) -> None:
    said = block((":status", str(status)), ("content-type", "text/html"), huffman=huffman)

    assert read(said).status == status


@pytest.mark.parametrize(
    "said",
    [
        b"\x88",
        b"\x20\x88",
        b"\x20\x20\x88",
        b"\x08\x03200",  # without indexing
        b"\x48\x03200",  # to be indexed, in a table of no bytes
        b"\x18\x03200",  # never indexed
        b"\x00\x07:status\x03200",
        b"\x08\x82\x10\x01",  # Huffman
    ],
)
def test_a_200_is_one_however_it_is_encoded(said: bytes) -> None:
    assert read(said) == AnswerHead(200)


@pytest.mark.parametrize("status", ["", "20", "2000", "abc", "+20", "２００", " 200"])
def test_a_status_that_is_no_number_of_three_digits_is_none(status: str) -> None:
    assert read_headers((":status", status)).status == 0


def test_headers_without_a_status_have_none() -> None:
    assert read_headers(("grpc-status", "0")).status == 0
    assert read(b"").status == 0


def test_the_first_of_two_statuses_counts_as_it_does_at_a_glance() -> None:
    assert read(b"\x88\x8d").status == 200


def test_a_name_in_capitals_is_read() -> None:
    assert read(b"\x8d\x00\x0bRetry-After\x017").retry_after == 7


def test_a_value_that_is_no_text_does_no_harm() -> None:
    assert read(b"\x88\x00\x04date\x02\xff\xfe").date is None


@pytest.mark.parametrize("status", [0, 99, 101, 200, 404, 599, 600, 999])
def test_interim_answers_are_those_below_200_but_for_101(status: int) -> None:
    assert not AnswerHead(status).is_interim
    assert AnswerHead(status).is_final == (status in (200, 404, 599))


@pytest.mark.parametrize("status", [100, 102, 103, 199])
def test_an_interim_answer_is_not_the_final_one(status: int) -> None:
    assert AnswerHead(status).is_interim
    assert not AnswerHead(status).is_final


# --- Retry-After -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("0", 0),
        ("7", 7),
        ("86400", 86_400),
        ("9" * 5_000, MOST_RETRY_AFTER),
        ("", 0),
        ("-7", 0),
        ("7.5", 0),
        ("1e3", 0),
        ("soon", 0),
        ("٣", 0),  # a digit, but not of HTTP
    ],
)
def test_retry_after_in_seconds_is_read_or_is_none(retry_after: str, seconds: float) -> None:
    assert read_headers((":status", "429"), ("retry-after", retry_after)).retry_after == seconds


@pytest.mark.parametrize(
    ("wait", "seconds"),
    [
        (timedelta(minutes=2), 120),
        (timedelta(0), 0),
        (timedelta(minutes=-2), 0),
        (timedelta(days=400), MOST_RETRY_AFTER),
    ],
)
def test_a_date_is_counted_from_the_date_of_the_server(wait: timedelta, seconds: float) -> None:
    head = read_headers(
        (":status", "503"),
        ("retry-after", format_datetime(DATE + wait, usegmt=True)),
        ("date", format_datetime(DATE, usegmt=True)),
    )

    assert head == AnswerHead(503, retry_after=seconds, date=DATE)


@pytest.mark.parametrize("date", [None, "yesterday"])
def test_a_date_is_counted_from_our_clock_where_the_server_says_none(date: str | None) -> None:
    said = [(":status", "503"), ("retry-after", "Sun, 29 Mar 2093 12:00:00 GMT")]
    said += [("date", date)] if date else []

    assert read_headers(*said).retry_after == MOST_RETRY_AFTER


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 29 Mar 2026 12:00:00 GMT",
        "Sunday, 29-Mar-26 12:00:00 GMT",
        "Sun Mar 29 12:00:00 2026",
        "Sun, 29 Mar 2026 14:00:00 +0200",
        "Sun, 29 Mar 2026 12:00:00 -0000",
    ],
)
def test_a_date_is_read_in_all_forms_of_http(text: str) -> None:
    assert headers.moment(text.encode()) == DATE


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        ",",
        "Sun, 32 Mar 2026 12:00:00 GMT",
        "Sun, 29 Mar 2026 25:00:00 GMT",
        "Sun, 29 Mar 99999999999 12:00:00 GMT",
        "Sun, 29 Mar 2026 12:00:00 +9999999",
        "Sun, 29 Mar 2026 12:00:00 +99999999999999999999",
        "1" * 5_000,
        "29 Mar 2026 " + "1" * 5_000 + ":00",
        "ラジオ",
    ],
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert headers.moment(text.encode()) is None


# --- Blocks in pieces, and what is none --------------------------------------------------------


def test_a_block_is_read_wherever_it_is_split() -> None:
    said = block((":status", "429"), ("retry-after", "7"), huffman=True)
    for first in range(len(said) + 1):
        for second in range(first, len(said) + 1):
            assert read(said[:first], said[first:second], said[second:]).retry_after == 7


def test_padding_and_priority_are_no_part_of_a_block() -> None:
    blocks = HeaderBlocks()
    flags = frames.END_HEADERS | frames.PADDED | frames.HAS_PRIORITY

    blocks.begin(flags, 1, b"\x03" + bytes(headers.PRIORITY_BYTES) + b"\x8d" + bytes(3))

    assert blocks.take() == (1, False, AnswerHead(404))


def test_half_a_priority_is_refused() -> None:
    with pytest.raises(ConnectionViolation) as refused:
        HeaderBlocks().begin(frames.END_HEADERS | frames.HAS_PRIORITY, 1, bytes(4))

    assert refused.value.code == ErrorCode.FRAME_SIZE_ERROR


def test_a_block_before_does_not_show_in_the_next() -> None:
    blocks = HeaderBlocks()
    blocks.begin(frames.END_HEADERS | frames.END_STREAM, 1, block((":status", "429")))
    blocks.take()

    blocks.begin(frames.END_HEADERS, 3, block((":status", "503")))

    assert blocks.take() == (3, False, AnswerHead(503))


def test_an_incomplete_block_is_not_taken() -> None:
    blocks = HeaderBlocks()

    blocks.begin(0, 1, b"\x88")

    assert blocks.is_open
    assert blocks.take() is None


@pytest.mark.parametrize("stream_id", [0, 3])
def test_a_continuation_of_another_stream_is_refused(stream_id: int) -> None:
    blocks = HeaderBlocks()
    blocks.begin(0, 1, b"\x88")

    with pytest.raises(ConnectionViolation) as refused:
        blocks.extend(frames.END_HEADERS, stream_id, b"")

    assert refused.value.code == ErrorCode.PROTOCOL_ERROR


def test_a_block_without_an_end_is_given_up() -> None:
    blocks = HeaderBlocks()
    blocks.begin(0, 1, bytes(headers.MOST_BLOCK_BYTES))

    with pytest.raises(ConnectionViolation) as refused:
        blocks.extend(0, 1, b"x")

    assert refused.value.code == ErrorCode.ENHANCE_YOUR_CALM


@pytest.mark.parametrize(
    "said",
    [
        b"\x80",  # the index 0
        b"\xbe",  # of a table that is empty
        b"\x48\x03200\xbe",  # what a table of no bytes cannot have kept
        b"\x88\x20",  # a size update behind a header
        b"\x21\x88",  # a table larger than we allow
        b"\x3f\xe1\x1f\x88",  # of 4,096 bytes
        b"\x08",  # ends before its value
        b"\x08\x05200",  # ends within its value
        b"\x08\x81\x00",  # Huffman with wrong padding
        b"\x08\x84\xff\xff\xff\xff",  # Huffman's end of string
        b"\xff",  # ends within an integer
    ],
)
def test_a_block_that_is_no_hpack_is_refused(said: bytes) -> None:
    with pytest.raises(ConnectionViolation) as refused:
        read(said)

    assert refused.value.code == ErrorCode.COMPRESSION_ERROR


@pytest.mark.parametrize("first", [b"\xff", b"\x3f", b"\x7f", b"\x0f", b"\x00\x7f", b"\x08\x7f"])
def test_an_integer_without_an_end_is_refused(first: bytes) -> None:
    endless = first + b"\xff" * 16_000 + b"\x01"

    with pytest.raises(ConnectionViolation) as refused:
        read(endless)

    assert refused.value.code == ErrorCode.COMPRESSION_ERROR


def test_headers_longer_than_we_allow_are_refused() -> None:
    filler = "x" * (headers.MOST_BYTES // 2)

    with pytest.raises(ConnectionViolation) as refused:
        read_headers((":status", "404"), ("a", filler), ("b", filler))

    assert refused.value.code == ErrorCode.COMPRESSION_ERROR


def test_headers_as_long_as_we_allow_are_read() -> None:
    filler = "x" * (headers.MOST_BYTES - 32 - len(":status404") - 32 - len("a"))

    assert read_headers((":status", "404"), ("a", filler)).status == 404

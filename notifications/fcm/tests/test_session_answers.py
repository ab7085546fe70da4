"""What becomes of a request by what the server says of its stream (RFC 9113, 6.4 and 8.1)."""

from datetime import UTC, datetime

import pytest

from notifications.fcm import frames
from notifications.fcm.failures import Failure
from notifications.fcm.frames import ErrorCode
from notifications.fcm.outcomes import Answer
from notifications.fcm.streams import MOST_ANSWER_BYTES

from .peer import (
    BODY,
    PIECE,
    THROTTLED,
    Server,
    answer,
    asked,
    begin,
    data,
    failures,
    headers,
    new_session,
    open_session,
    reset,
    rst_stream,
    say,
    told,
    written,
    written_frames,
)

# --- Answers -----------------------------------------------------------------------------------


def test_an_answer_is_its_status_and_its_body() -> None:
    assert asked(answer(1, b'{"name":"x"}')) == [Answer(status=200, body=b'{"name":"x"}')]


def test_an_answer_comes_whatever_pieces_its_bytes_come_in() -> None:
    said = answer(1, b"{1}")
    for at in range(len(said)):
        session = open_session()
        begin(session, "a")
        written(session)

        assert say(session, said[:at]) == []
        assert say(session, said[at:]) == [("a", Answer(status=200, body=b"{1}"))]


def test_an_answer_comes_whatever_frames_its_body_comes_in() -> None:
    pieces = [data(1, piece, ends=False) for piece in (b"", b"{", b"", b"1}")]

    assert asked(headers(1), *pieces, data(1, b"")) == [Answer(status=200, body=b"{1}")]


def test_an_answer_without_a_body_is_one() -> None:
    assert asked(headers(1, ends=True)) == [Answer(status=200)]
    assert asked(headers(1, b"\x89", ends=True)) == [Answer(status=204)]


def test_answers_belong_to_their_requests_in_whatever_order_they_come() -> None:
    server = Server(new_session())
    begin(server.session, "a", "b", "c")
    server.talk()

    for stream_id, status in ((5, 200), (1, 404), (3, 503)):
        server.answer(stream_id, status, body=b"%d" % stream_id)

    got = [(key, each.status, each.body) for key, each in server.session.take_answers()]
    assert got == [("c", 200, b"5"), ("a", 404, b"1"), ("b", 503, b"3")]


def test_answers_may_be_interleaved() -> None:
    session = open_session()
    begin(session, "a", "b")
    written(session)

    got = say(
        session,
        headers(3),
        headers(1, b"\x8d"),
        data(3, b"{", ends=False),
        data(1, b"[", ends=False),
        data(3, b"}"),
        data(1, b"]"),
    )

    assert got == [("b", Answer(status=200, body=b"{}")), ("a", Answer(status=404, body=b"[]"))]


def test_what_headers_say_of_waiting_comes_with_the_answer() -> None:
    expected = Answer(
        status=429, body=b"{}", retry_after=7, date=datetime(2026, 3, 29, 12, tzinfo=UTC)
    )

    assert asked(headers(1, THROTTLED), data(1, b"{}")) == [expected]


@pytest.mark.parametrize("begins", [b"\x88", b"\x20\x88", b"\x08\x03200", b"\x48\x03200"])
@pytest.mark.parametrize("rest", [b"", b"\x76\x83\xc1\xbb\x0f"])  # nothing more; server
def test_a_200_is_one_however_its_headers_begin(begins: bytes, rest: bytes) -> None:
    assert asked(headers(1, begins + rest), data(1, b"{}")) == [Answer(status=200, body=b"{}")]


def test_padding_is_no_part_of_an_answer() -> None:
    padded_head = headers(1, b"\x02\x88\x00\x00", flags=frames.END_HEADERS | frames.PADDED)
    flags = frames.PADDED | frames.END_STREAM
    padded_body = frames.frame(frames.DATA, flags, 1, b"\x03{}\x00\x00\x00")

    assert asked(padded_head, padded_body) == [Answer(status=200, body=b"{}")]


def test_the_priority_of_a_stream_is_no_part_of_its_headers() -> None:
    flags = frames.END_HEADERS | frames.HAS_PRIORITY

    assert asked(headers(1, bytes(5) + b"\x8d", flags=flags, ends=True)) == [Answer(status=404)]


@pytest.mark.parametrize(
    "said",
    [
        headers(1, b"\x02\x88", flags=frames.END_HEADERS | frames.PADDED),
        headers(1, b"", flags=frames.END_HEADERS | frames.PADDED),
        headers(1) + frames.frame(frames.DATA, frames.PADDED, 1, b"\x05{}"),
        headers(1) + frames.frame(frames.DATA, frames.PADDED, 1),
    ],
)
def test_more_padding_than_payload_ends_the_connection(said: bytes) -> None:
    session = open_session()
    begin(session, "a")
    written(session)

    assert failures(say(session, said)) == {"a": Failure.BAD_HTTP2}
    assert told(session) == ErrorCode.PROTOCOL_ERROR


# --- How long ----------------------------------------------------------------------------------


def test_the_longest_answer_that_we_take_comes_whole() -> None:
    body = bytes(range(256)) * (MOST_ANSWER_BYTES // 256)
    pieces = [data(1, body[at : at + 2**14], ends=False) for at in range(0, len(body), 2**14)]

    assert asked(headers(1), *pieces, data(1, b"")) == [Answer(status=200, body=body)]


@pytest.mark.parametrize(
    "one_more",
    [
        data(1, b"x"),
        data(1, b"x", ends=False),
        frames.frame(frames.DATA, frames.PADDED | frames.END_STREAM, 1, b"\x00"),
    ],
)
def test_a_longer_answer_is_given_up(one_more: bytes) -> None:
    session = open_session()
    begin(session, "a", "b")
    written(session)

    said = headers(1), data(1, PIECE, ends=False) * 4, one_more, answer(3)
    answered = say(session, *said)

    assert failures(answered) == {"a": Failure.ANSWER_TOO_LONG, "b": None}
    assert written_frames(session) == [reset(1, ErrorCode.CANCEL)]


# --- RST_STREAM --------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [*range(0xE), 0xE, 0xFFFF_FFFF])
def test_a_stream_that_was_reset_may_have_been_processed_unless_it_was_refused(code: int) -> None:
    refused = code == ErrorCode.REFUSED_STREAM

    (got,) = asked(rst_stream(1, code))

    assert got.failure is (Failure.NOT_PROCESSED if refused else Failure.STREAM_RESET)


@pytest.mark.parametrize(
    "begun",
    [
        headers(1),
        headers(1, b"\x8d") + data(1, b"{", ends=False),
        headers(1, b"\x08\x03100"),
    ],
)
def test_a_refusal_after_the_answer_has_begun_proves_nothing(begun: bytes) -> None:
    assert asked(begun, rst_stream(1, ErrorCode.REFUSED_STREAM)) == [Answer(Failure.STREAM_RESET)]


def test_a_reset_ends_its_request_alone_and_is_not_answered() -> None:
    session = open_session()
    begin(session, "a", "b")
    written(session)

    answered = say(session, rst_stream(1, ErrorCode.REFUSED_STREAM), answer(3))

    assert failures(answered) == {"a": Failure.NOT_PROCESSED, "b": None}
    assert not session.output.unwritten


@pytest.mark.parametrize(
    "said",
    [
        rst_stream(1, ErrorCode.REFUSED_STREAM),
        rst_stream(1, 0),
        headers(1),
        headers(1, b"\x8d"),
        data(1, b"{}"),
        answer(1),
        frames.window_update(1, 1),
    ],
)
def test_whoever_speaks_of_a_request_that_was_not_sent_is_not_believed(said: bytes) -> None:
    session = open_session()
    begin(session, "a")

    answered = say(session, said)

    assert failures(answered) == {"a": Failure.NOT_SENT}
    assert session.failure is Failure.BAD_HTTP2
    assert BODY not in written(session)

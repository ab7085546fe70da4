"""Headers in several frames, interim answers, trailers, and what is malformed (RFC 9113, 8.1)."""

import pytest

from notifications.fcm import frames
from notifications.fcm.failures import Failure
from notifications.fcm.frames import ErrorCode
from notifications.fcm.outcomes import Answer
from notifications.fcm.session import State

from .peer import (
    PIECE,
    THROTTLED,
    answer,
    asked,
    begin,
    block,
    data,
    failures,
    headers,
    in_pieces,
    open_session,
    reset,
    rst_stream,
    say,
    state_of,
    told,
    written,
    written_frames,
)

CONTINUE = b"\x08\x03100"
EARLY_HINTS = block((":status", "103"), ("link", "</x>; rel=preload"))
TRAILERS = block(("grpc-status", "0"))


def continued(payload: bytes, *sizes: int, stream_id: int = 1, ends: bool = False) -> bytes:
    """Return HEADERS and CONTINUATION with a block in pieces of these sizes and the rest."""
    first, *more = in_pieces(payload, sizes)
    said = headers(stream_id, first, flags=0, ends=ends)
    for number, piece in enumerate(more, start=1):
        flags = frames.END_HEADERS if number == len(more) else 0
        said += frames.frame(frames.CONTINUATION, flags, stream_id, piece)
    return said


# --- CONTINUATION ------------------------------------------------------------------------------


def test_headers_are_read_wherever_they_are_split() -> None:
    for first in range(len(THROTTLED) + 1):
        for second in range(0, len(THROTTLED) + 1 - first, 7):
            said = continued(THROTTLED, first, second) + data(1, b"{}")

            (got,) = asked(said)

            assert (got.status, got.retry_after, got.body) == (429, 7, b"{}")


def test_headers_that_end_the_stream_end_it_only_with_their_last_part() -> None:
    said = continued(THROTTLED, 10, ends=True)
    only_headers = 9 + 10

    assert asked(said[:only_headers]) == []
    assert asked(said)[0].status == 429


@pytest.mark.parametrize(
    "between",
    [
        data(1, b"{}"),
        headers(3),
        frames.frame(frames.CONTINUATION, frames.END_HEADERS, 3, b"\x88"),
        frames.frame(frames.CONTINUATION, frames.END_HEADERS, 0, b"\x88"),
        frames.frame(frames.PING, 0, 0, bytes(8)),
        frames.settings([]),
        frames.frame(0xFF, 0, 0),
    ],
)
def test_nothing_may_come_between_the_parts_of_headers(between: bytes) -> None:
    session = open_session()
    begin(session, "a", "b")
    written(session)

    answered = say(session, headers(1, b"", flags=0), between)

    assert failures(answered) == {"a": Failure.BAD_HTTP2, "b": Failure.BAD_HTTP2}
    assert told(session) == ErrorCode.PROTOCOL_ERROR


@pytest.mark.parametrize("before", [b"", headers(1), headers(1, b"\x8d")])
def test_a_continuation_of_nothing_ends_the_connection(before: bytes) -> None:
    (got,) = asked(before, frames.frame(frames.CONTINUATION, frames.END_HEADERS, 1, b""))

    assert got.failure is Failure.BAD_HTTP2


@pytest.mark.parametrize("piece", [b"", b"\x00", PIECE])
def test_headers_without_an_end_are_given_up(piece: bytes) -> None:
    session = open_session()
    begin(session, "a")
    written(session)
    say(session, headers(1, b"\x88", flags=0))

    endless = frames.frame(frames.CONTINUATION, 0, 1, piece)
    for _ in range(12):
        say(session, endless * (5 if piece == PIECE else 1_000))

    assert state_of(session) is State.CLOSED
    assert told(session) == ErrorCode.ENHANCE_YOUR_CALM


@pytest.mark.parametrize(
    "said", [b"\xbe", b"\x80", b"\x8d\x20", b"\x3f\xe1\x1f\x88", b"\x00\x7f", b"\x08\x05200"]
)
def test_headers_that_are_no_hpack_end_the_connection(said: bytes) -> None:
    session = open_session()
    begin(session, "a")
    written(session)

    assert failures(say(session, headers(1, said))) == {"a": Failure.BAD_HTTP2}
    assert told(session) == ErrorCode.COMPRESSION_ERROR


def test_headers_of_a_stream_that_has_ended_are_read_for_what_they_are() -> None:
    session = open_session()
    begin(session, "a")
    written(session)
    say(session, answer(1))

    say(session, headers(1, b"\xbe"))

    assert told(session) == ErrorCode.COMPRESSION_ERROR


def test_headers_larger_than_we_allow_end_the_connection() -> None:
    filler = "x" * 9_000
    said = continued(block((":status", "404"), ("a", filler), ("b", filler)), 16_000)

    assert asked(said) == [Answer(Failure.BAD_HTTP2)]


# --- Interim answers, trailers, and what is malformed ------------------------------------------


def test_interim_answers_are_not_the_answer() -> None:
    said = [headers(1, each) for each in (CONTINUE, EARLY_HINTS, CONTINUE)]

    assert asked(*said) == []
    assert asked(*said, answer(1)) == [Answer(status=200, body=b"{}")]


def test_trailers_end_an_answer_and_are_no_part_of_it() -> None:
    said = headers(1, b"\x8d"), data(1, b"{}", ends=False), headers(1, TRAILERS, ends=True)

    assert asked(*said) == [Answer(status=404, body=b"{}")]


def test_trailers_that_look_like_a_200_change_nothing() -> None:
    said = headers(1, b"\x8d"), data(1, b"{}", ends=False), headers(1, ends=True)

    assert asked(*said) == [Answer(status=404, body=b"{}")]


@pytest.mark.parametrize(
    "said",
    [
        headers(1, b"\x08\x03101"),  # which HTTP/2 does not have (RFC 9113, 8.6)
        headers(1, CONTINUE, ends=True),
        headers(1, CONTINUE) + data(1, b"{}"),
        data(1, b"{}"),
        data(1, b"", ends=False),
        headers(1) + headers(1, TRAILERS),
        headers(1) + headers(1),
        headers(1) + headers(1, CONTINUE),
        headers(1, TRAILERS),
        headers(1, b""),
        headers(1, b"\x08\x00"),
        headers(1, b"\x08\x0220"),
        headers(1, b"\x08\x042000"),
        headers(1, b"\x08\x03abc"),
        headers(1, b"\x08\x03000"),
        headers(1, b"\x08\x03600"),
        headers(1, TRAILERS, ends=True),
    ],
)
def test_a_malformed_answer_ends_its_request_alone(said: bytes) -> None:
    session = open_session()
    begin(session, "a", "b")
    written(session)

    answered = say(session, said, answer(3))

    assert failures(answered) == {"a": Failure.BAD_HTTP2, "b": None}
    assert state_of(session) is State.OPEN
    assert written_frames(session) == [reset(1, ErrorCode.PROTOCOL_ERROR)]


def test_what_more_comes_of_a_malformed_answer_is_ignored() -> None:
    assert asked(data(1, b"{}"), answer(1), headers(1, TRAILERS, ends=True)) == [
        Answer(Failure.BAD_HTTP2)
    ]


@pytest.mark.parametrize("again", [answer(1), data(1, b"{}"), headers(1), rst_stream(1, 7)])
def test_a_request_is_answered_once_however_often_the_server_answers(again: bytes) -> None:
    session = open_session()
    begin(session, "a", "b")
    written(session)

    answered = say(session, answer(1, b"{1}"), again, again, answer(3))

    assert [(key, each.body) for key, each in answered] == [("a", b"{1}"), ("b", b"{}")]
    assert not session.output.unwritten

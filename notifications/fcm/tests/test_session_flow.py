"""Bodies leave as the server's windows and frame sizes allow (RFC 9113, 4.2 and 5.2)."""

import pytest

from notifications.fcm import frames, streams
from notifications.fcm.failures import Failure
from notifications.fcm.frames import ErrorCode
from notifications.fcm.session import State

from .peer import (
    BODY,
    SETTINGS_ACK,
    Server,
    answer,
    begin,
    data,
    failures,
    goaway,
    headers,
    new_session,
    open_session,
    reset,
    say,
    state_of,
    told,
    written,
    written_frames,
)

LONG = bytes(range(256)) * 156  # 39,936 bytes: three frames of the least size


def sizes(session_frames: list[tuple[int, int, int, bytes]], stream_id: int) -> list[int]:
    """Return the lengths of a stream's DATA."""
    return [
        len(payload)
        for kind, _flags, of, payload in session_frames
        if kind == frames.DATA and of == stream_id
    ]


# --- Bodies arrive whole -----------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"{}", BODY, bytes(2**14), bytes(2**14 + 1), LONG])
def test_a_body_arrives_whole_whatever_its_length(body: bytes) -> None:
    server = Server(new_session())

    begin(server.session, "a", body=body)
    server.talk()

    assert server.complete == [1]
    assert server.bodies[1] == body


@pytest.mark.parametrize("window", [0, 1, 7, 1_000, 39_935, 39_936, 39_937])
def test_a_body_arrives_whole_through_a_small_window(window: int) -> None:
    server = Server(new_session(), INITIAL_WINDOW_SIZE=window)
    begin(server.session, "a", body=LONG)
    server.talk()
    assert len(server.bodies[1]) == min(window, len(LONG))

    while server.complete != [1]:
        server.widen(5_000, 1)

    assert server.bodies[1] == LONG
    server.answer(1)
    assert failures(server.session.take_answers()) == {"a": None}


def test_a_frame_is_as_long_as_the_server_allows() -> None:
    shorter, longer = open_session(), open_session((frames.MAX_FRAME_SIZE, 20_000))
    for each in (shorter, longer):
        begin(each, "a", body=LONG)

    assert sizes(written_frames(shorter), 1) == [16_384, 16_384, 7_168]
    assert sizes(written_frames(longer), 1) == [20_000, 19_936]


def test_only_the_last_frame_of_a_body_ends_the_stream() -> None:
    open_ = open_session()

    begin(open_, "a", body=LONG)

    flags = [flags for kind, flags, *_ in written_frames(open_) if kind == frames.DATA]
    assert flags == [0, 0, frames.END_STREAM]


def test_several_bodies_share_the_window_of_the_connection() -> None:
    server = Server(new_session(), INITIAL_WINDOW_SIZE=0)
    begin(server.session, "a", "b", body=LONG)
    server.talk()

    server.change(INITIAL_WINDOW_SIZE=50_000)
    assert sum(map(len, server.bodies.values())) == frames.DEFAULT_WINDOW
    server.widen(2 * len(LONG))

    assert server.bodies == {1: LONG, 3: LONG}
    assert server.complete == [1, 3]


# --- The window of the connection --------------------------------------------------------------


def test_no_request_is_begun_whose_body_does_not_fit_into_the_window_of_the_connection() -> None:
    server = Server(new_session())
    begin(server.session, "a", body=LONG)
    left = frames.DEFAULT_WINDOW - len(LONG)

    assert server.session.takes(left)
    assert not server.session.takes(left + 1)

    server.talk()
    server.widen(1)
    assert server.session.takes(left + 1)


def test_an_exhausted_connection_begins_nothing_until_its_window_grows() -> None:
    server = Server(new_session())
    begin(server.session, "a", body=bytes(frames.DEFAULT_WINDOW))
    server.talk()
    assert not server.session.takes(1)

    server.answer(1)
    assert not server.session.takes(1)
    server.widen(len(BODY))

    begin(server.session, "b")
    server.talk()
    assert server.complete == [1, 3]


# --- The server changes its mind ---------------------------------------------------------------


def test_what_is_held_up_follows_the_acknowledgement_of_the_settings_that_allow_it() -> None:
    open_ = open_session((frames.INITIAL_WINDOW_SIZE, 0))
    begin(open_, "a")
    written(open_)

    say(open_, frames.settings([(frames.INITIAL_WINDOW_SIZE, 100)]))

    # A server counts by its old window until it sees the ACK (RFC 9113, 6.5.3).
    assert written_frames(open_) == [SETTINGS_ACK, (frames.DATA, frames.END_STREAM, 1, BODY)]


@pytest.mark.parametrize("raised", [1, len(LONG) - 1, len(LONG), 2**31 - 1])
def test_a_window_that_is_raised_lets_out_what_is_held_up(raised: int) -> None:
    server = Server(new_session(), INITIAL_WINDOW_SIZE=0)
    begin(server.session, "a", body=LONG)
    server.talk()

    server.change(INITIAL_WINDOW_SIZE=raised)

    assert server.bodies[1] == LONG[:raised]


def test_a_window_may_become_negative_and_must_grow_above_zero_first() -> None:
    server = Server(new_session(), INITIAL_WINDOW_SIZE=1_000)
    begin(server.session, "a", body=LONG)
    server.talk()

    server.change(INITIAL_WINDOW_SIZE=0)
    server.widen(1_000, 1)
    assert len(server.bodies[1]) == 1_000
    server.widen(1, 1)
    assert len(server.bodies[1]) == 1_001

    server.widen(len(LONG), 1)
    assert server.bodies[1] == LONG


def test_a_stream_begun_after_a_window_was_lowered_has_the_lower_one() -> None:
    server = Server(new_session(), INITIAL_WINDOW_SIZE=1_000)
    begin(server.session, "a", body=LONG)
    server.talk()

    server.change(INITIAL_WINDOW_SIZE=10)
    begin(server.session, "b", body=LONG)
    server.talk()

    assert [len(body) for body in server.bodies.values()] == [1_000, 10]


def test_a_setting_does_not_touch_the_window_of_the_connection() -> None:
    open_ = open_session()

    say(open_, frames.settings([(frames.INITIAL_WINDOW_SIZE, 2**31 - 1)]))

    assert open_.takes(frames.DEFAULT_WINDOW)
    assert not open_.takes(frames.DEFAULT_WINDOW + 1)


def test_settings_that_let_a_stream_overflow_end_the_connection() -> None:
    open_ = open_session()
    begin(open_, "a")
    written(open_)
    say(open_, frames.window_update(1, 2**31 - 1 - frames.DEFAULT_WINDOW + len(BODY)))

    say(open_, frames.settings([(frames.INITIAL_WINDOW_SIZE, frames.DEFAULT_WINDOW + 1)]))

    assert told(open_) == ErrorCode.FLOW_CONTROL_ERROR


@pytest.mark.parametrize(
    ("by", "code"),
    [
        (0, ErrorCode.PROTOCOL_ERROR),
        (2**31 - 1, ErrorCode.FLOW_CONTROL_ERROR),
        (2**31, ErrorCode.PROTOCOL_ERROR),  # the reserved bit, and nothing else
    ],
)
def test_a_window_of_the_connection_that_may_not_be_ends_it(by: int, code: ErrorCode) -> None:
    open_ = open_session()

    say(open_, frames.window_update(0, by))

    assert open_.failure is Failure.BAD_HTTP2
    assert told(open_) == code


def test_the_largest_window_of_the_connection_is_taken() -> None:
    open_ = open_session()

    say(open_, frames.window_update(0, 2**31 - 1 - frames.DEFAULT_WINDOW))

    assert open_.takes(2**31 - 1)


@pytest.mark.parametrize(
    ("by", "code"), [(0, ErrorCode.PROTOCOL_ERROR), (2**31 - 1, ErrorCode.FLOW_CONTROL_ERROR)]
)
def test_a_window_of_a_stream_that_may_not_be_ends_the_stream_alone(
    by: int, code: ErrorCode
) -> None:
    open_ = open_session()
    begin(open_, "a", "b")
    written(open_)

    answered = say(open_, frames.window_update(1, by), answer(3))

    assert failures(answered) == {"a": Failure.BAD_HTTP2, "b": None}
    assert state_of(open_) is State.OPEN
    assert written_frames(open_) == [reset(1, code)]


def test_the_largest_window_of_a_stream_is_taken() -> None:
    open_ = open_session((frames.INITIAL_WINDOW_SIZE, 10))
    begin(open_, "a")
    written(open_)

    say(open_, frames.window_update(1, 2**31 - 1))

    assert written_frames(open_) == [(frames.DATA, frames.END_STREAM, 1, BODY[10:])]


def test_the_window_of_a_stream_that_has_ended_is_no_longer_looked_at() -> None:
    open_ = open_session()
    begin(open_, "a")
    written(open_)
    say(open_, answer(1))

    say(open_, frames.window_update(1, 0), frames.window_update(1, 2**31 - 1))

    assert state_of(open_) is State.OPEN
    assert not open_.output.unwritten


# --- A body that is held up, and the stream ends -----------------------------------------------


def test_a_whole_answer_ends_a_request_whose_body_is_still_held_up() -> None:
    server = Server(new_session(), INITIAL_WINDOW_SIZE=10)
    begin(server.session, "a", body=LONG)
    server.talk()

    server.answer(1, status=401, body=b"{}")

    ((key, got),) = server.session.take_answers()
    assert (key, got.failure, got.status, got.body) == ("a", None, 401, b"{}")
    server.change(INITIAL_WINDOW_SIZE=50_000)
    assert len(server.bodies[1]) == 10
    assert 1 not in server.complete


def test_the_rest_of_a_body_is_cancelled_when_its_answer_came_early() -> None:
    open_ = open_session((frames.INITIAL_WINDOW_SIZE, 10))
    begin(open_, "a")
    written(open_)

    say(open_, answer(1))

    assert written_frames(open_) == [reset(1, ErrorCode.CANCEL)]


@pytest.mark.parametrize("end", ["RST_STREAM", "deadline", "GOAWAY", "answer"])
def test_no_more_of_a_body_is_sent_once_its_request_has_ended(end: str) -> None:
    open_ = open_session((frames.INITIAL_WINDOW_SIZE, 10))
    begin(open_, "a", body=LONG)
    begin(open_, "b", body=LONG, now=1.0)
    say(open_, frames.settings([(frames.INITIAL_WINDOW_SIZE, 50_000)]))
    written(open_)  # all of a, and of b what was left of the window of the connection
    say(open_, answer(1))
    if end == "RST_STREAM":
        say(open_, frames.rst_stream(3, ErrorCode.REFUSED_STREAM))
    elif end == "GOAWAY":
        say(open_, goaway(1))
    elif end == "answer":
        say(open_, answer(3))
    else:
        open_.tick(now=31.0, is_wanted=False)
    assert not open_.in_flight

    say(open_, frames.window_update(0, 50_000), now=31.0)

    assert sizes(written_frames(open_), 3) == []


def test_what_is_held_up_still_leaves_after_a_goaway_that_allows_it() -> None:
    open_ = open_session((frames.INITIAL_WINDOW_SIZE, 10))
    begin(open_, "a")
    written(open_)
    say(open_, goaway(1))

    say(open_, frames.window_update(1, 1_000))

    assert written_frames(open_) == [(frames.DATA, frames.END_STREAM, 1, BODY[10:])]


# --- Our own window ----------------------------------------------------------------------------


def test_the_server_may_send_more_after_each_megabyte() -> None:
    open_ = open_session()
    piece = bytes(2**14)
    for number in range(17):
        begin(open_, number)
        written(open_)
        say(open_, headers(2 * number + 1), data(2 * number + 1, piece, ends=False) * 3)
        say(open_, data(2 * number + 1, piece))

        # 16 answers of 64 KiB are a megabyte.
        topped_up = [each for each in written_frames(open_) if each[0] == frames.WINDOW_UPDATE]
        expected = [(frames.WINDOW_UPDATE, 0, 0, frames.NUMBER.pack(streams.TOP_UP_BYTES))]
        assert topped_up == (expected if number == 15 else [])


def test_padding_and_answers_that_nobody_awaits_count_against_our_window() -> None:
    open_ = open_session()
    begin(open_, "a")
    written(open_)
    say(open_, answer(1))
    padded = frames.frame(frames.DATA, frames.PADDED, 1, b"\xff" + bytes(2**14 - 1))

    say(open_, *[padded] * 64)

    assert written_frames(open_) == [
        (frames.WINDOW_UPDATE, 0, 0, frames.NUMBER.pack(streams.TOP_UP_BYTES + 2))
    ]


def test_a_server_never_runs_out_of_our_window() -> None:
    server = Server(new_session())
    for number in range(100):
        begin(server.session, number)
        server.talk()
        server.h2.send_headers(2 * number + 1, [(":status", "200")])
        for _ in range(4):
            server.h2.send_data(2 * number + 1, bytes(2**14))
        server.h2.end_stream(2 * number + 1)
        server.talk()

    got = server.session.take_answers()

    assert {len(answer_.body) for _key, answer_ in got if answer_.failure is None} == {2**16}
    assert len(got) == 100

"""What a session makes of frames of the connection, of much talk and of none (RFC 9113)."""

import pytest
from h2.events import PingAckReceived, SettingsAcknowledged

from notifications.fcm import frames, session
from notifications.fcm.failures import Failure
from notifications.fcm.frames import ErrorCode
from notifications.fcm.session import PING_SECONDS, QUIET_SECONDS, State

from .peer import (
    BODY,
    PING,
    Server,
    answer,
    begin,
    data,
    failures,
    goaway,
    headers,
    new_session,
    open_session,
    rst_stream,
    say,
    state_of,
    told,
    written,
    written_frames,
)

A_SECOND = 1.0
PING_ACK = (frames.PING, frames.ACK, 0, b"01234567")


# --- Frames that change nothing, and those that may not be -------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        frames.frame(0xA, 0, 0, b"\x00\x00h2=:443"),  # ALTSVC
        frames.frame(0xC, 0, 0, b""),  # ORIGIN
        frames.frame(0x10, 0, 0, bytes(4)),  # PRIORITY_UPDATE
        frames.frame(0xFF, 0xFF, 2**31 - 1, b"grease"),
        frames.frame(0xFF, 0xFF, 2),
        frames.frame(frames.PRIORITY, 0, 1, bytes(5)),
        frames.frame(frames.PRIORITY, 0, 2**31 - 1, bytes(5)),
        frames.frame(frames.PING, frames.ACK, 0, b"01234567"),
    ],
)
def test_a_frame_that_is_no_business_of_ours_is_ignored(said: bytes) -> None:
    open_ = open_session()
    begin(open_, "a")
    written(open_)

    ((key, got),) = say(open_, said, answer(1, b"{1}"), said)

    assert (key, got.failure, got.body) == ("a", None, b"{1}")
    assert not open_.output.unwritten


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (frames.frame(frames.PUSH_PROMISE, 4, 1, bytes(4)), ErrorCode.PROTOCOL_ERROR),
        (frames.frame(frames.PRIORITY, 0, 0, bytes(5)), ErrorCode.PROTOCOL_ERROR),
        (data(0, b"x"), ErrorCode.PROTOCOL_ERROR),
        (data(2, b"x"), ErrorCode.PROTOCOL_ERROR),
        (data(3, b"x"), ErrorCode.PROTOCOL_ERROR),
        (headers(0), ErrorCode.PROTOCOL_ERROR),
        (headers(2), ErrorCode.PROTOCOL_ERROR),
        (headers(3), ErrorCode.PROTOCOL_ERROR),
        (rst_stream(0, 0), ErrorCode.PROTOCOL_ERROR),
        (rst_stream(2, 0), ErrorCode.PROTOCOL_ERROR),
        (rst_stream(3, 0), ErrorCode.PROTOCOL_ERROR),
        (frames.window_update(2, 1), ErrorCode.PROTOCOL_ERROR),
        (frames.window_update(3, 1), ErrorCode.PROTOCOL_ERROR),
        (frames.frame(frames.RST_STREAM, 0, 1, bytes(3)), ErrorCode.FRAME_SIZE_ERROR),
        (frames.frame(frames.RST_STREAM, 0, 1, bytes(5)), ErrorCode.FRAME_SIZE_ERROR),
        (frames.frame(frames.WINDOW_UPDATE, 0, 1, bytes(3)), ErrorCode.FRAME_SIZE_ERROR),
        (frames.frame(frames.WINDOW_UPDATE, 0, 0, bytes(5)), ErrorCode.FRAME_SIZE_ERROR),
        (frames.frame(frames.GOAWAY, 0, 0, bytes(7)), ErrorCode.FRAME_SIZE_ERROR),
        (frames.frame(frames.PING, 0, 0, bytes(7)), ErrorCode.FRAME_SIZE_ERROR),
        (frames.frame(frames.PING, frames.ACK, 0, bytes(9)), ErrorCode.FRAME_SIZE_ERROR),
        (frames.frame(0xFF, 0, 0, bytes(2**14 + 1)), ErrorCode.FRAME_SIZE_ERROR),
    ],
)
def test_a_broken_rule_of_the_connection_ends_it(said: bytes, code: ErrorCode) -> None:
    open_ = open_session()
    begin(open_, "a")
    written(open_)

    answered = say(open_, said)

    assert failures(answered) == {"a": Failure.BAD_HTTP2}
    assert state_of(open_) is State.CLOSED
    assert told(open_) == code


def test_what_came_before_a_broken_rule_is_believed() -> None:
    open_ = open_session()
    begin(open_, "a", "b")
    written(open_)

    answered = say(open_, answer(1), data(0, b""), answer(3))

    assert failures(answered) == {"a": None, "b": Failure.BAD_HTTP2}


@pytest.mark.parametrize("end", ["a broken rule", "the connection is lost", "nobody is needed"])
def test_nothing_is_believed_nor_answered_after_the_end(end: str) -> None:
    open_ = open_session()
    begin(open_, "a")
    written(open_)
    if end == "a broken rule":
        say(open_, data(0, b""))
    elif end == "the connection is lost":
        open_.close(Failure.CONNECTION_LOST)
    else:
        say(open_, answer(1), goaway(1))
    written(open_)
    open_.take_answers()

    answered = say(open_, PING, frames.settings([]), answer(1))

    assert answered == []
    assert not open_.output.unwritten


@pytest.mark.parametrize(
    "chatter",
    [
        PING,
        frames.settings([]),
        frames.frame(0xFF, 0, 0),
        frames.window_update(0, 1),
        data(1, b"", ends=False),
        headers(1, b"\x08\x03100"),
    ],
)
def test_a_server_that_talks_much_and_answers_nothing_is_left(chatter: bytes) -> None:
    open_ = open_session()
    begin(open_, "a")
    written(open_)
    say(open_, headers(1) if chatter[3] == frames.DATA else b"")

    for _ in range(20):
        say(open_, chatter * (session.MOST_SMALL_TALK // 10))
        if open_.state is State.CLOSED:
            break
        written(open_)

    assert open_.failure is Failure.BAD_HTTP2


def test_a_server_that_answers_may_talk_as_much_as_it_likes() -> None:
    open_ = open_session()
    begin(open_, "one that waits")

    for stream_id in (3, 5, 7, 9):
        begin(open_, stream_id)
        written(open_)
        say(open_, PING * (session.MOST_SMALL_TALK - 1000))
        written(open_)
        assert failures(say(open_, answer(stream_id))) == {stream_id: None}


def test_small_talk_while_nothing_is_in_flight_is_not_held_against_the_next_request() -> None:
    open_ = open_session()
    say(open_, PING * (session.MOST_SMALL_TALK - 10))
    written(open_)
    begin(open_, "a")
    written(open_)

    say(open_, PING * 20)

    assert failures(say(open_, answer(1))) == {"a": None}


# --- Is anybody there? -------------------------------------------------------------------------


def test_a_ping_is_answered_with_what_it_said() -> None:
    open_ = open_session()

    say(open_, PING)

    assert written_frames(open_) == [PING_ACK]


def test_the_server_sees_its_ping_and_its_settings_acknowledged() -> None:
    server = Server(new_session())
    server.h2.ping(b"01234567")

    (seen,) = server.talk()
    assert isinstance(seen, PingAckReceived)
    assert [type(each) for each in server.change(MAX_CONCURRENT_STREAMS=7)] == [
        SettingsAcknowledged
    ]


@pytest.mark.parametrize("is_wanted", [True, False])
def test_a_quiet_server_is_asked_whether_it_is_there_while_anything_is_awaited(
    is_wanted: bool,
) -> None:
    open_ = open_session()
    if not is_wanted:
        begin(open_, "a")
        written(open_)

    open_.tick(now=QUIET_SECONDS - 0.1, is_wanted=is_wanted)
    assert not open_.output.unwritten
    open_.tick(now=QUIET_SECONDS, is_wanted=is_wanted)
    open_.tick(now=QUIET_SECONDS + 0.1, is_wanted=is_wanted)

    assert written_frames(open_) == [(frames.PING, 0, 0, session.PING_PAYLOAD)]


def test_a_server_that_nobody_needs_is_not_asked() -> None:
    open_ = open_session()

    open_.tick(now=1_000_000.0, is_wanted=False)

    assert not open_.output.unwritten
    assert state_of(open_) is State.OPEN


@pytest.mark.parametrize(
    "word", [frames.frame(frames.PING, frames.ACK, 0, session.PING_PAYLOAD), PING, b"\x00"]
)
def test_nothing_is_begun_after_a_silence_before_the_server_said_something(word: bytes) -> None:
    open_ = open_session()
    open_.tick(now=QUIET_SECONDS, is_wanted=True)
    assert not open_.takes(len(BODY))

    say(open_, word, now=QUIET_SECONDS + A_SECOND)

    assert open_.takes(len(BODY))
    open_.tick(now=QUIET_SECONDS + PING_SECONDS, is_wanted=True)
    assert state_of(open_) is State.OPEN


def test_a_server_that_stays_silent_is_left_and_its_late_answers_are_taken() -> None:
    open_ = open_session()
    begin(open_, "a", "b")
    written(open_)
    open_.tick(now=QUIET_SECONDS, is_wanted=True)

    open_.tick(now=QUIET_SECONDS + PING_SECONDS, is_wanted=True)
    assert state_of(open_) is State.LEAVING
    late = say(open_, answer(1), now=QUIET_SECONDS + PING_SECONDS + A_SECOND)

    assert failures(late) == {"a": None}
    assert not open_.takes(len(BODY))
    assert open_.in_flight == 1


def test_a_silent_server_with_nothing_in_flight_is_closed() -> None:
    open_ = open_session()
    open_.tick(now=QUIET_SECONDS, is_wanted=True)
    written(open_)

    open_.tick(now=QUIET_SECONDS + PING_SECONDS, is_wanted=False)

    assert state_of(open_) is State.CLOSED
    assert told(open_) == ErrorCode.NO_ERROR

"""What a session and its server agree on: first words, settings, how many at once (RFC 9113)."""

import pytest
from h2.settings import SettingCodes

from notifications.fcm import frames, session
from notifications.fcm.failures import Failure
from notifications.fcm.frames import ErrorCode
from notifications.fcm.session import SETTINGS_SECONDS, State

from .peer import (
    BODY,
    PING,
    SETTINGS_ACK,
    Server,
    Setting,
    answer,
    begin,
    failures,
    goaway,
    new_session,
    open_session,
    say,
    state_of,
    told,
    written,
    written_frames,
)

# --- The first words ---------------------------------------------------------------------------


def test_the_preface_comes_first_then_our_settings_and_the_window_of_the_connection() -> None:
    first = written(new_session())

    assert first == (
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        + session.OUR_SETTINGS
        + frames.window_update(0, 4 * 1024 * 1024 - 65_535)
    )


def test_the_server_understands_our_first_words() -> None:
    server = Server(new_session())

    assert server.h2.remote_settings[SettingCodes.HEADER_TABLE_SIZE] == 0
    assert server.h2.remote_settings[SettingCodes.ENABLE_PUSH] == 0
    assert server.h2.remote_settings[SettingCodes.INITIAL_WINDOW_SIZE] == 64 * 1024 + 1
    assert server.h2.remote_settings[SettingCodes.MAX_HEADER_LIST_SIZE] == 16 * 1024
    assert server.h2.outbound_flow_control_window == 4 * 1024 * 1024


def test_nothing_is_begun_before_the_settings_of_the_server() -> None:
    opening = new_session()
    assert not opening.takes(len(BODY))

    say(opening, frames.settings([]))

    assert opening.takes(len(BODY))


def test_the_settings_of_the_server_are_acknowledged() -> None:
    opening = new_session()
    written(opening)

    say(opening, frames.settings([(frames.MAX_CONCURRENT_STREAMS, 100)]))

    assert written_frames(opening) == [SETTINGS_ACK]


def test_each_of_several_settings_is_acknowledged() -> None:
    open_ = open_session()

    say(open_, frames.settings([]), frames.settings([]))

    assert written_frames(open_) == [SETTINGS_ACK, SETTINGS_ACK]


@pytest.mark.parametrize(
    "said",
    [
        frames.frame(frames.SETTINGS, frames.ACK, 0),
        PING,
        goaway(0),
        frames.window_update(0, 1),
        answer(1),
        frames.frame(0xAA, 0, 0, b"unknown"),
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ],
)
def test_whoever_begins_with_anything_but_settings_is_no_server_of_http_2(said: bytes) -> None:
    opening = new_session()
    written(opening)

    say(opening, said)

    assert opening.failure is Failure.BAD_HTTP2
    assert told(opening) in (ErrorCode.PROTOCOL_ERROR, ErrorCode.FRAME_SIZE_ERROR)


def test_a_server_that_never_says_its_settings_is_left() -> None:
    opening = new_session()
    written(opening)

    opening.tick(now=SETTINGS_SECONDS - 0.1, is_wanted=True)
    assert state_of(opening) is State.OPENING
    opening.tick(now=SETTINGS_SECONDS, is_wanted=True)

    assert state_of(opening) is State.CLOSED
    assert opening.failure is Failure.NO_SETTINGS
    assert not opening.has_begun


# --- Settings ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "code"),
    [
        ((frames.MAX_FRAME_SIZE, 2**14 - 1), ErrorCode.PROTOCOL_ERROR),
        ((frames.MAX_FRAME_SIZE, 2**24), ErrorCode.PROTOCOL_ERROR),
        ((frames.INITIAL_WINDOW_SIZE, 2**31), ErrorCode.FLOW_CONTROL_ERROR),
        ((frames.ENABLE_PUSH, 1), ErrorCode.PROTOCOL_ERROR),
        ((frames.ENABLE_PUSH, 2), ErrorCode.PROTOCOL_ERROR),
    ],
)
def test_a_setting_that_may_not_be_ends_the_connection(setting: Setting, code: ErrorCode) -> None:
    open_ = open_session()
    begin(open_, "a")
    written(open_)

    answered = say(open_, frames.settings([setting]))

    assert failures(answered) == {"a": Failure.BAD_HTTP2}
    assert told(open_) == code


@pytest.mark.parametrize(
    "setting",
    [
        (frames.MAX_FRAME_SIZE, 2**14),
        (frames.MAX_FRAME_SIZE, 2**24 - 1),
        (frames.INITIAL_WINDOW_SIZE, 2**31 - 1),
        (frames.ENABLE_PUSH, 0),
        (frames.HEADER_TABLE_SIZE, 0),
        (frames.HEADER_TABLE_SIZE, 2**32 - 1),
        (frames.MAX_HEADER_LIST_SIZE, 1),
        (0x8, 1),  # ENABLE_CONNECT_PROTOCOL (RFC 8441)
        (0x9, 1),  # NO_RFC7540_PRIORITIES (RFC 9218)
        (0x0, 1),
        (0xFFFF, 2**32 - 1),
    ],
)
def test_any_other_setting_is_acknowledged_and_does_no_harm(setting: Setting) -> None:
    open_ = open_session()

    say(open_, frames.settings([setting]))

    assert written_frames(open_) == [SETTINGS_ACK]
    begin(open_, "a")
    written(open_)
    assert failures(say(open_, answer(1))) == {"a": None}


@pytest.mark.parametrize("size", [1, 5, 7])
def test_a_part_of_a_setting_ends_the_connection(size: int) -> None:
    open_ = open_session()

    say(open_, frames.frame(frames.SETTINGS, 0, 0, bytes(size)))

    assert told(open_) == ErrorCode.FRAME_SIZE_ERROR


def test_an_acknowledgement_with_settings_ends_the_connection() -> None:
    open_ = open_session()

    say(open_, frames.frame(frames.SETTINGS, frames.ACK, 0, bytes(6)))

    assert told(open_) == ErrorCode.FRAME_SIZE_ERROR


def test_the_acknowledgement_of_our_settings_is_taken() -> None:
    open_ = open_session()

    say(open_, frames.frame(frames.SETTINGS, frames.ACK, 0))

    assert state_of(open_) is State.OPEN
    assert not open_.output.unwritten


def test_the_last_of_several_values_in_one_frame_counts() -> None:
    limits = [(frames.MAX_CONCURRENT_STREAMS, 0), (frames.MAX_CONCURRENT_STREAMS, 1)]

    open_ = open_session(*limits)

    begin(open_, "a")
    assert not open_.takes(len(BODY))


@pytest.mark.parametrize("kind", [frames.SETTINGS, frames.PING, frames.GOAWAY])
def test_a_frame_of_the_connection_on_a_stream_ends_the_connection(kind: int) -> None:
    open_ = open_session()
    begin(open_, "a")
    written(open_)

    say(open_, frames.frame(kind, 0, 1, bytes(8 if kind != frames.SETTINGS else 6)))

    assert told(open_) == ErrorCode.PROTOCOL_ERROR


# --- How many at once --------------------------------------------------------------------------


def test_no_more_than_a_hundred_are_begun_at_once_whatever_the_server_allows() -> None:
    open_ = open_session((frames.MAX_CONCURRENT_STREAMS, 1_000))

    begin(open_, *range(100))

    assert not open_.takes(len(BODY))


@pytest.mark.parametrize("limit", [1, 99, 100])
def test_no_more_are_begun_at_once_than_the_server_allows(limit: int) -> None:
    server = Server(new_session(), MAX_CONCURRENT_STREAMS=limit)
    begin(server.session, *range(limit))
    assert not server.session.takes(len(BODY))

    server.talk()
    server.answer(1)

    begin(server.session, "the next")
    assert not server.session.takes(len(BODY))
    server.talk()
    assert len(server.complete) == limit + 1


def test_a_server_that_allows_none_gets_none() -> None:
    open_ = open_session((frames.MAX_CONCURRENT_STREAMS, 0))
    assert not open_.takes(len(BODY))

    say(open_, frames.settings([(frames.MAX_CONCURRENT_STREAMS, 1)]))

    assert open_.takes(len(BODY))


def test_a_limit_that_was_lowered_holds_until_enough_are_answered() -> None:
    server = Server(new_session(), MAX_CONCURRENT_STREAMS=3)
    begin(server.session, "a", "b", "c")
    server.talk()

    server.change(MAX_CONCURRENT_STREAMS=2)
    server.answer(1)
    assert not server.session.takes(len(BODY))
    server.answer(3)

    begin(server.session, "d")
    assert not server.session.takes(len(BODY))
    server.talk()
    assert server.complete == [1, 3, 5, 7]


def test_a_limit_that_was_raised_holds_at_once() -> None:
    server = Server(new_session(), MAX_CONCURRENT_STREAMS=1)
    begin(server.session, "a")

    server.change(MAX_CONCURRENT_STREAMS=3)

    begin(server.session, "b", "c")
    assert not server.session.takes(len(BODY))
    server.talk()
    assert server.complete == [1, 3, 5]


def test_no_more_is_begun_while_the_socket_takes_nothing() -> None:
    open_ = open_session((frames.INITIAL_WINDOW_SIZE, 2**31 - 1))
    say(open_, frames.window_update(0, 2**30))
    begin(open_, "a", body=bytes(64 * 1024))
    assert not open_.takes(len(BODY))

    written(open_)

    assert open_.takes(len(BODY))

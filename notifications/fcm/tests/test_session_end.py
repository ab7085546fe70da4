"""How a session ends: what was not sent, what was not processed, and what nobody knows."""

import pytest

from notifications.fcm import frames, session
from notifications.fcm.failures import Failure
from notifications.fcm.frames import ErrorCode
from notifications.fcm.session import State

from .peer import (
    AUTHORIZATION,
    BODY,
    TIMEOUT_SECONDS,
    answer,
    begin,
    data,
    failures,
    goaway,
    headers,
    open_session,
    rst_stream,
    say,
    state_of,
    told,
    written,
    written_frames,
)

ALL = 2**31 - 1  # a GOAWAY that warns of the real one
LAST_ID = 2**31 - 1
LOST = Failure.CONNECTION_LOST


def size_of(stream_id: int) -> int:
    """Return how many bytes a request has on the wire; the first one says that it uses no table."""
    open_ = open_session()
    if stream_id > 1:
        begin(open_, "before")
        written(open_)
    begin(open_, "a")
    return len(open_.output.unwritten)


FIRST, NEXT = size_of(1), size_of(3)

# --- GOAWAY ------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [ErrorCode.NO_ERROR, ErrorCode.ENHANCE_YOUR_CALM])
def test_requests_above_the_last_stream_of_a_goaway_were_not_processed(code: ErrorCode) -> None:
    open_ = open_session()
    begin(open_, "a", "b", "c", "d")
    written(open_)

    refused = say(open_, goaway(3, code))
    answered = say(open_, answer(3), answer(1))

    assert failures(refused) == {"c": Failure.NOT_PROCESSED, "d": Failure.NOT_PROCESSED}
    assert failures(answered) == {"b": None, "a": None}


def test_a_goaway_lets_nothing_be_begun() -> None:
    open_ = open_session()
    begin(open_, "a")
    written(open_)

    say(open_, goaway(ALL))

    assert state_of(open_) is State.LEAVING
    assert not open_.takes(len(BODY))


def test_a_goaway_that_warns_ends_nothing_and_the_real_one_does() -> None:
    open_ = open_session()
    begin(open_, "a", "b", "c")
    written(open_)

    assert say(open_, goaway(ALL)) == []
    assert failures(say(open_, answer(1))) == {"a": None}
    assert failures(say(open_, goaway(3))) == {"c": Failure.NOT_PROCESSED}
    assert failures(say(open_, answer(3))) == {"b": None}
    assert state_of(open_) is State.CLOSED


def test_a_goaway_of_everything_ends_the_connection() -> None:
    open_ = open_session()
    begin(open_, "a")
    written(open_)

    assert failures(say(open_, goaway(0))) == {"a": Failure.NOT_PROCESSED}
    assert state_of(open_) is State.CLOSED
    assert told(open_) == ErrorCode.NO_ERROR


def test_the_reserved_bit_of_the_last_stream_is_ignored() -> None:
    open_ = open_session()
    begin(open_, "a", "b")
    written(open_)

    assert failures(say(open_, goaway(2**31 | 1))) == {"b": Failure.NOT_PROCESSED}


def test_a_goaway_may_say_more_than_its_code() -> None:
    open_ = open_session()
    begin(open_, "a")
    written(open_)
    debug = frames.NUMBER.pack(1) + frames.NUMBER.pack(0) + b"session_timed_out"

    say(open_, frames.frame(frames.GOAWAY, 0, 0, debug))

    assert state_of(open_) is State.LEAVING
    assert failures(say(open_, answer(1))) == {"a": None}


@pytest.mark.parametrize("begun", [headers(3), headers(3, b"\x8d"), headers(3, b"\x08\x03103")])
def test_a_goaway_does_not_unsay_an_answer_that_has_begun(begun: bytes) -> None:
    open_ = open_session()
    begin(open_, "a", "b")
    written(open_)

    answered = say(open_, begun, goaway(1))

    assert failures(answered) == {"b": Failure.STREAM_RESET}


def test_a_goaway_before_the_end_of_the_connection_says_what_was_not_processed() -> None:
    open_ = open_session()
    begin(open_, "a", "b")
    written(open_)

    say_all = say(open_, goaway(1))
    open_.close(LOST)

    assert failures(say_all) == {"b": Failure.NOT_PROCESSED}
    assert failures(open_.take_answers()) == {"a": LOST}


def test_an_idle_connection_is_closed_by_a_goaway() -> None:
    open_ = open_session()

    say(open_, goaway(ALL))

    assert state_of(open_) is State.CLOSED
    assert told(open_) == ErrorCode.NO_ERROR


def test_the_connection_is_closed_with_the_last_answer_after_a_goaway() -> None:
    open_ = open_session()
    begin(open_, "a", "b")
    written(open_)
    say(open_, goaway(ALL))

    say(open_, answer(1))
    assert state_of(open_) is State.LEAVING
    say(open_, rst_stream(3, ErrorCode.INTERNAL_ERROR))

    assert state_of(open_) is State.CLOSED
    assert open_.failure is None
    assert told(open_) == ErrorCode.NO_ERROR


def test_a_request_that_a_goaway_refused_before_it_was_written_is_never_written() -> None:
    open_ = open_session()
    begin(open_, "a")

    refused = say(open_, goaway(0))

    assert failures(refused) == {"a": Failure.NOT_PROCESSED}
    assert state_of(open_) is State.CLOSED
    assert not open_.output.unwritten


# --- Stream ids --------------------------------------------------------------------------------


def test_a_connection_whose_stream_ids_are_used_up_is_left() -> None:
    open_ = open_session()
    open_._streams.sending.next_id = LAST_ID - 2
    begin(open_, "a")
    assert state_of(open_) is State.OPEN
    begin(open_, "b")
    written(open_)

    assert state_of(open_) is State.LEAVING
    assert not open_.takes(len(BODY))
    answered = say(open_, answer(LAST_ID), answer(LAST_ID - 2))

    assert failures(answered) == {"b": None, "a": None}
    assert state_of(open_) is State.CLOSED


def test_requests_have_the_odd_stream_ids_in_their_order() -> None:
    open_ = open_session()

    begin(open_, *range(100))

    ids = [stream for kind, _, stream, _ in written_frames(open_) if kind == frames.HEADERS]
    assert ids == list(range(1, 200, 2))
    assert open_.has_begun


def test_a_request_that_cannot_be_written_was_never_begun() -> None:
    open_ = open_session()

    with pytest.raises(UnicodeEncodeError):
        open_.begin("a", BODY, "Bearer ラ", now=0.0)

    assert not open_.in_flight
    assert not open_.has_begun
    assert not open_.output.unwritten


# --- Deadlines ---------------------------------------------------------------------------------


def test_a_request_without_an_answer_is_given_up_at_its_deadline() -> None:
    open_ = open_session()
    begin(open_, "a", now=1.0)
    begin(open_, "b", now=2.0)
    written(open_)

    open_.tick(now=TIMEOUT_SECONDS + 0.9, is_wanted=False)
    assert open_.take_answers() == []
    open_.tick(now=TIMEOUT_SECONDS + 1.0, is_wanted=False)

    assert failures(open_.take_answers()) == {"a": Failure.TIMED_OUT}
    assert (frames.RST_STREAM, 0, 1, frames.NUMBER.pack(ErrorCode.CANCEL)) in written_frames(open_)
    assert failures(say(open_, answer(1), answer(3))) == {"b": None}


def test_half_an_answer_is_none_at_the_deadline() -> None:
    open_ = open_session()
    begin(open_, "a")
    written(open_)
    say(open_, headers(1), data(1, b'{"name":"x"}', ends=False))

    open_.tick(now=TIMEOUT_SECONDS, is_wanted=False)

    assert failures(open_.take_answers()) == {"a": Failure.TIMED_OUT}


@pytest.mark.parametrize("way", ["leaving", "open"])
def test_every_request_has_its_deadline_until_the_last_has_ended(way: str) -> None:
    open_ = open_session()
    begin(open_, "a", "b", "c")
    written(open_)
    if way == "leaving":
        say(open_, goaway(ALL))

    open_.tick(now=TIMEOUT_SECONDS, is_wanted=False)

    assert set(failures(open_.take_answers()).values()) == {Failure.TIMED_OUT}
    assert state_of(open_) is (State.CLOSED if way == "leaving" else State.OPEN)


def test_a_request_of_which_nothing_was_written_at_its_deadline_must_never_be_written() -> None:
    open_ = open_session()
    begin(open_, "a", "b")

    open_.tick(now=TIMEOUT_SECONDS, is_wanted=False)

    assert failures(open_.take_answers()) == {"a": Failure.NOT_SENT, "b": Failure.NOT_SENT}
    assert state_of(open_) is State.CLOSED
    assert not open_.output.unwritten


def test_a_socket_that_takes_nothing_for_so_long_ends_those_that_were_sent_too() -> None:
    open_ = open_session()
    begin(open_, "a", now=1.0)
    written(open_)
    begin(open_, "b", now=1.0)
    begin(open_, "c", now=2.0)

    open_.tick(now=TIMEOUT_SECONDS + 1.0, is_wanted=False)

    assert failures(open_.take_answers()) == {
        "a": Failure.TIMED_OUT,
        "b": Failure.NOT_SENT,
        "c": Failure.NOT_SENT,
    }
    assert not open_.output.unwritten


def test_a_request_of_which_a_byte_was_written_may_have_been_processed() -> None:
    open_ = open_session()
    begin(open_, "a")
    open_.output.took(1)

    open_.tick(now=TIMEOUT_SECONDS, is_wanted=False)

    assert failures(open_.take_answers()) == {"a": Failure.TIMED_OUT}


# --- The connection is lost --------------------------------------------------------------------


def test_what_the_socket_took_of_each_request_decides_wherever_the_connection_is_lost() -> None:
    for taken in range(FIRST + NEXT + 1):
        open_ = open_session()
        begin(open_, "a", "b")
        open_.output.took(taken)

        open_.close(LOST)

        assert failures(open_.take_answers()) == {
            "a": LOST if taken > 0 else Failure.NOT_SENT,
            "b": LOST if taken > FIRST else Failure.NOT_SENT,
        }
        whole = taken == FIRST + NEXT
        assert (told(open_) == ErrorCode.NO_ERROR) == whole, "GOAWAY must not stand in a frame"


def test_a_request_that_is_not_sent_is_gone_from_what_is_written_later() -> None:
    open_ = open_session()
    begin(open_, "a", "b")
    open_.output.took(FIRST + 10)

    open_.close(LOST)

    assert not open_.output.unwritten


def test_an_answer_that_has_only_begun_is_none_when_the_connection_is_lost() -> None:
    open_ = open_session()
    begin(open_, "a")
    written(open_)
    say(open_, headers(1), data(1, b'{"name":"x"}', ends=False))

    open_.close(LOST)

    assert failures(open_.take_answers()) == {"a": LOST}


def test_a_connection_ends_once() -> None:
    open_ = open_session()
    begin(open_, "a")
    written(open_)
    open_.close(Failure.BAD_HTTP2, tell=ErrorCode.PROTOCOL_ERROR)

    open_.close(LOST)
    open_.leave()
    open_.tick(now=1_000_000.0, is_wanted=True)

    assert failures(open_.take_answers()) == {"a": Failure.BAD_HTTP2}
    assert (open_.state, open_.failure) == (State.CLOSED, Failure.BAD_HTTP2)
    assert told(open_) == ErrorCode.PROTOCOL_ERROR
    assert not open_.takes(len(BODY))


def test_answers_are_taken_once() -> None:
    open_ = open_session()
    begin(open_, "a")
    written(open_)
    open_.receive(answer(1), now=0.0)

    assert len(open_.take_answers()) == 1
    assert open_.take_answers() == []


def test_a_session_is_busy_while_an_answer_or_a_word_is_awaited() -> None:
    open_ = open_session()
    assert not open_.is_busy
    assert not open_.has_begun

    open_.begin("a", BODY, AUTHORIZATION, now=0.0)
    assert open_.is_busy
    written(open_)
    say(open_, answer(1))
    assert not open_.is_busy

    open_.tick(now=session.QUIET_SECONDS, is_wanted=True)
    assert open_.is_busy

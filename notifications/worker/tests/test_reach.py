"""Reach: an outage of FCM begins with failures alone, and ends with the first sign of FCM."""

import time
from collections.abc import Iterable

import pytest

from notifications.fcm.failures import NOTHING_WAS_SENT, Failure
from notifications.fcm.outcomes import Answer, Meaning, Verdict, classify, classify_failure
from notifications.operators import causes
from notifications.operators.causes import explain
from notifications.worker.inbox import Tried
from notifications.worker.reach import ANSWERED, KEY_REFUSED, NO_SIGN, NO_TOKEN, Reach
from notifications.worker.work import Result, Target

PROOFS = [
    Verdict(Meaning.ACCEPTED),
    Verdict(Meaning.UNREGISTERED, "UNREGISTERED"),
    Verdict(Meaning.MISMATCHED, "SENDER_ID_MISMATCH"),
    Verdict(Meaning.MISCONFIGURED, "THIRD_PARTY_AUTH_ERROR"),
    Verdict(Meaning.MISCONFIGURED, "NOT_FOUND"),
]
NOBODY = {"fcm_away_seconds": None, "fcm_away_code": ""}
REFUSED = Tried("NOT_CONNECTED")
CONNECTED = Tried()


class Clock:
    """A monotonic clock that the test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)

    def go_on(self, seconds: float) -> None:
        """Let so much time pass."""
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return the clock of this test."""
    return Clock(monkeypatch)


def result(meaning: Meaning, code: str = "", *, device: int = 5) -> Result:
    """Return what became of an attempt."""
    return Result(1, 7, Target(device, "token", "t"), Verdict(meaning, code))


def fail(reach: Reach, clock: Clock, code: str, *, seconds: float = 1.0, devices: int = 5) -> None:
    """Let FCM fail now for so many devices, and again after a while."""
    results = [result(meaning_of(code), code, device=each) for each in range(devices)]
    reach.answered(results)
    clock.go_on(seconds)
    reach.answered(results)


def meaning_of(code: str) -> Meaning:
    """Return what an attempt that ended with this code means."""
    return classify_failure(Failure(code)) if code in set(Failure) else Meaning.UNAVAILABLE


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the events of the log."""
    return [record.getMessage() for record in caplog.records]


def test_nothing_is_wrong_before_anything_failed() -> None:
    assert Reach().figures() == NOBODY


def test_one_failure_is_no_outage(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    reach = Reach()

    fail(reach, clock, "NOT_CONNECTED", seconds=0.9)

    assert reach.figures() == NOBODY
    assert logged(caplog) == []


def test_an_outage_is_told_with_its_cause_in_words_and_counted_from_the_first_failure(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    reach = Reach()

    fail(reach, clock, "NAME_NOT_FOUND")
    clock.go_on(69)

    assert reach.figures() == {"fcm_away_seconds": 70.0, "fcm_away_code": "NAME_NOT_FOUND"}
    assert logged(caplog) == ["fcm.away"]
    assert "Look at the DNS" in vars(caplog.records[0])["because"]


@pytest.mark.parametrize("meaning", sorted(ANSWERED))
def test_one_answer_of_fcm_ends_it_and_its_length_is_told(
    meaning: Meaning, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    reach = Reach()
    fail(reach, clock, "TIMED_OUT", seconds=20)

    reach.answered([result(Meaning.UNREACHED, "NOT_CONNECTED"), result(meaning)])

    assert reach.figures() == NOBODY
    assert logged(caplog) == ["fcm.away", "fcm.back"]
    assert vars(caplog.records[1])["after_seconds"] == 20


def test_an_answer_in_between_starts_the_count_anew(clock: Clock) -> None:
    reach = Reach()
    fail(reach, clock, "NOT_CONNECTED", seconds=0.5)
    reach.answered([result(Meaning.ACCEPTED)])

    fail(reach, clock, "NOT_CONNECTED", seconds=0.9)

    assert reach.figures() == NOBODY


@pytest.mark.parametrize(
    "code", sorted(NOTHING_WAS_SENT - {"NOT_SENT", "NO_SETTINGS", "NOT_TAKEN"})
)
def test_where_no_connection_came_about_one_that_is_made_ahead_ends_it(
    code: Failure, clock: Clock
) -> None:
    reach = Reach()
    reach.tried(Tried(code))
    clock.go_on(5)
    reach.tried(Tried(code))
    assert reach.figures()["fcm_away_code"] == code

    reach.tried(CONNECTED)

    assert reach.figures() == NOBODY


@pytest.mark.parametrize(
    "code", ["TIMED_OUT", "NO_SETTINGS", "NOT_TAKEN", "NOT_PROCESSED", "UNAVAILABLE", "HTTP_502"]
)
def test_where_fcm_takes_connections_and_does_not_serve_a_connection_is_no_end(
    code: str, clock: Clock
) -> None:
    reach = Reach()
    fail(reach, clock, code)
    reach.tried(CONNECTED)
    assert reach.figures()["fcm_away_code"] == code

    clock.go_on(299)
    assert reach.figures()["fcm_away_code"] == code
    clock.go_on(2)
    assert reach.figures() == NOBODY  # nothing has been sent for long: who knows


@pytest.mark.parametrize("code", ["UNAVAILABLE", "INTERNAL", "TIMED_OUT", "NOT_PROCESSED"])
def test_one_device_that_fcm_gives_no_good_answer_is_no_outage(code: str, clock: Clock) -> None:
    reach = Reach()

    for _ in range(5):
        fail(reach, clock, code, seconds=60, devices=1)

    assert reach.figures() == NOBODY


def test_requests_that_were_stopped_here_say_nothing_of_fcm(clock: Clock) -> None:
    reach = Reach()

    fail(reach, clock, "NOT_SENT")

    assert reach.figures() == NOBODY


def test_refused_credentials_are_told_at_once_and_first(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    reach = Reach()
    fail(reach, clock, "NOT_CONNECTED")

    reach.answered([result(Meaning.CREDENTIALS_REFUSED, "CREDENTIALS_REFUSED")])

    assert reach.figures() == {"fcm_away_seconds": 0.0, "fcm_away_code": "CREDENTIALS_REFUSED"}
    assert logged(caplog) == ["fcm.away", "credentials.away"]


def test_credentials_that_nobody_gives_come_behind_the_cause_of_that(clock: Clock) -> None:
    reach = Reach()
    reach.tried(Tried("NO_ACCESS_TOKEN", is_of_credentials=True))

    fail(reach, clock, "NAME_NOT_FOUND")

    assert reach.figures()["fcm_away_code"] == "NAME_NOT_FOUND"


def test_credentials_are_back_with_a_token_and_not_with_a_connection(clock: Clock) -> None:
    reach = Reach()
    reach.tried(Tried("NO_ACCESS_TOKEN", is_of_credentials=True))

    reach.tried(CONNECTED)
    assert reach.figures()["fcm_away_code"] == "NO_ACCESS_TOKEN"

    reach.tried(Tried(is_of_credentials=True))
    assert reach.figures() == NOBODY


# --- FCM itself refuses our credentials -----------------------------------------------------------


def refuse(reach: Reach, code: str, devices: Iterable[int]) -> None:
    """Let FCM refuse us, for one device after the other."""
    for device in devices:
        reach.answered([result(Meaning.MISCONFIGURED, code, device=device)])


@pytest.mark.parametrize("code", sorted(KEY_REFUSED))
def test_credentials_that_fcm_refuses_for_five_devices_in_a_row_are_told(
    code: str, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    reach = Reach()

    refuse(reach, code, [1, 2, 3, 4, 4, 4])
    assert reach.figures() == NOBODY
    refuse(reach, code, [5])

    assert reach.figures() == {"fcm_away_seconds": 0.0, "fcm_away_code": code}
    assert logged(caplog) == ["credentials.away"]
    assert vars(caplog.records[0])["because"]


@pytest.mark.parametrize("proof", PROOFS, ids=lambda proof: proof.code or "accepted")
def test_credentials_are_accepted_as_soon_as_an_answer_proves_it(
    proof: Verdict, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    reach = Reach()
    refuse(reach, "PERMISSION_DENIED", range(5))

    reach.answered([result(proof.meaning, proof.code)])
    refuse(reach, "PERMISSION_DENIED", range(4))

    assert reach.figures() == NOBODY
    assert logged(caplog) == ["credentials.away", "credentials.back"]


def test_a_few_devices_that_get_a_refusal_beside_others_that_do_not_tell_nothing(
    clock: Clock,
) -> None:
    reach = Reach()

    for device in range(20):
        refuse(reach, "UNAUTHENTICATED", [device])
        reach.answered([result(Meaning.ACCEPTED, device=99)])

    assert reach.figures() == NOBODY


def test_credentials_that_fcm_refused_are_told_until_an_answer_proves_them(clock: Clock) -> None:
    reach = Reach()
    refuse(reach, "PERMISSION_DENIED", range(5))

    reach.tried(CONNECTED)
    reach.tried(Tried("NO_ACCESS_TOKEN", is_of_credentials=True))
    reach.tried(Tried(is_of_credentials=True))  # Google gives tokens as before
    clock.go_on(24 * 3600)

    assert reach.figures()["fcm_away_code"] == "PERMISSION_DENIED"


def test_an_fcm_that_refuses_our_credentials_is_there(clock: Clock) -> None:
    reach = Reach()
    fail(reach, clock, "NOT_CONNECTED")

    refuse(reach, "UNAUTHENTICATED", [1])

    assert reach.figures() == NOBODY


# --- Its cause in words ---------------------------------------------------------------------------

BODIES = [b"", b'{"error": {"status": "DEADLINE_EXCEEDED"}}', b'{"error": {"status": "ANY_OTHER"}}']
ANSWERS = [Answer(status=status, body=body) for status in range(200, 600) for body in BODIES]
CODES = {classify(answer).code for answer in ANSWERS} | set(Failure) | NO_TOKEN | {"LANE_DIED"}


@pytest.mark.parametrize("code", ["HTTP_500", "HTTP_502", "DEADLINE_EXCEEDED"])
def test_an_error_that_nobody_listed_is_told_in_words(
    code: str, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    fail(Reach(), clock, code)

    assert "status page" in str(vars(caplog.records[0])["because"])


def test_each_cause_of_ours_has_words_of_its_own() -> None:
    # All others are told that FCM, or a proxy, answered with an error.
    own = set(Failure) | NO_TOKEN | KEY_REFUSED | {"LANE_DIED"}

    assert own - NO_SIGN - causes.CODES.keys() == set()


def test_each_cause_of_an_outage_has_words() -> None:
    assert [code for code in sorted(CODES - NO_SIGN) if len(str(explain("", code))) < 20] == []

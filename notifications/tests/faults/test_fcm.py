"""Faulty answers of FCM, with real processes: each ends as the table in outcomes.py says.

Each fault has a talk, and all talks are sent at once: slow faults must not add up. A talk has three
listeners: FCM answers two as it should, and the third one's device token names the fault.
"""

import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from notifications.models import Delivery, DeviceToken, Notification
from testbed.lasting_system import assert_outcomes, ended, journal_of, lasting_system, outcomes_of
from testbed.system import System, add_listeners, pid_of, post

pytestmark = [pytest.mark.engines, pytest.mark.faults]

# Answers that never come take so long. The slowest that come take 10 s, and are there in time
# although FCM or the worker stands still for half a minute; one that drips takes 89 s.
FCM_TIMEOUT_SECONDS = "60"
LATENCY_MS = 20
TRIES = 3  # of which a machine that stands still spoils one

# What may have been delivered, with what the log says of it.
NOT_FCMS = {
    "http502": "HTTP_502",
    "html200": "NO_MESSAGE_NAME",
    "redirect": "HTTP_302",
    "broken-json": "NO_MESSAGE_NAME",
    "empty-body": "NO_MESSAGE_NAME",
    "huge-body": "ANSWER_TOO_LONG",
    "no-name": "NO_MESSAGE_NAME",
}
TOO_SLOW = ["hang", "hang-before", "drip"]
# These take the connection with them, and so everybody who is on it.
RESETS = ["reset-before", "reset-after"]
REFUSED = {
    "unregistered": "UNREGISTERED",
    "mismatch": "SENDER_ID_MISMATCH",
    "invalid": "INVALID_ARGUMENT",
}
MISCONFIGURED = {
    "forbidden": "PERMISSION_DENIED",
    "notfound": "NOT_FOUND",
    "thirdparty": "THIRD_PARTY_AUTH_ERROR",
}
# Seconds until the second attempt, at least; it is delivered then.
THROTTLED = {
    "once-429after2": 2,
    "once-429afterdate": 8,  # nine seconds ahead, of which a date drops the fraction
    "once-429after0": 60,
    "once-429aftergarbage": 60,
    "once-429afternone": 60,
}
UNAVAILABLE = {
    "once-http500": 10,
    "once-http503": 10,
    "once-http503after7": 10,
    "once-http503after40": 40,
    "once-accepted-then-500": 10,
    "once-accepted-then-503": 10,
}
MOST_WAITED_SECONDS = 10  # for longer ones the test moves the clock
OTHERS = ["429after86400", "http503", "expiredauth"]
TALKS = [*TOO_SLOW, *UNAVAILABLE, *NOT_FCMS, *REFUSED, *MISCONFIGURED, *THROTTLED, *OTHERS]


@pytest.fixture(scope="module")
def system(db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Yield a live system with one worker."""
    with lasting_system(tmp_path_factory.mktemp("system"), latency_ms=LATENCY_MS) as system:
        system.env["FCM_TIMEOUT"] = FCM_TIMEOUT_SECONDS
        worker = system.start_worker("--max-workers", "4")
        yield system
        worker.check()


@pytest.fixture(scope="module")
def talks(system: System) -> dict[str, Notification]:
    """Return the notification of each fault, on its way."""
    reset = {fault: ended(system, notify(system, fault)) for fault in RESETS}
    slow = {"slow": notify(system, "slow", plain=499)}  # FCM answers one in 500 after 10 s
    return {**reset, **slow, **{fault: notify(system, fault) for fault in TALKS}}


def notify(system: System, fault: str, *, plain: int = 2) -> Notification:
    """Return the notification of a talk, for so many whose answer is good and one with a fault."""
    program = system.listeners(plain, name=f"plain-{{}}-of-{fault.upper()}")
    add_listeners(program, 1, name=f"victim-{{}}-{fault}")
    return post(program)


def victim(notification: Notification) -> Delivery:
    """Return what became of the device with the fault."""
    return notification.deliveries.get(device__token__startswith="victim")


def posts(system: System, notification: Notification) -> list[dict[str, Any]]:
    """Return the requests for the device with the fault."""
    journal = journal_of(system, notification)
    return [entry for entry in journal if entry["token"].startswith("victim")]


def devices(notification: Notification) -> Any:
    """Return its devices."""
    return DeviceToken.objects.filter(deliveries__notification=notification)


def hasten(notification: Notification) -> bool:
    """Let what waits be due now; return whether anything waited."""
    waiting = notification.deliveries.filter(outcome="retry", next_attempt_at__isnull=False)
    return waiting.update(next_attempt_at=timezone.now() - timedelta(minutes=1)) > 0


def verify(system: System) -> None:
    """The checker finds nothing; other talks are on their way, so the worker stands still for it.

    What is in flight meanwhile is left out, and FCM cannot see what the log does not hold yet.
    """
    worker = pid_of(system.children[0])
    os.kill(worker, signal.SIGSTOP)
    try:
        system.verify(kills=0)
    finally:
        os.kill(worker, signal.SIGCONT)


def assert_in_doubt(system: System, notification: Notification, code: str) -> None:
    """Its victim was sent to once, is unknown for this reason, and nobody else is."""
    ended(system, notification)
    assert_outcomes(notification, sent=2, unknown=1)
    assert victim(notification).outcome == "unknown"
    assert victim(notification).error_code == code
    assert len(posts(system, notification)) == 1
    assert not devices(notification).filter(disabled_at__isnull=False).exists()
    verify(system)


@pytest.mark.parametrize("fault", NOT_FCMS)
def test_an_answer_that_proves_nothing_is_unknown_and_not_sent_again(
    system: System, talks: dict[str, Notification], fault: str
) -> None:
    assert_in_doubt(system, talks[fault], NOT_FCMS[fault])


@pytest.mark.parametrize("fault", TOO_SLOW)
def test_an_answer_that_does_not_come_in_time_is_unknown_and_not_sent_again(
    system: System, talks: dict[str, Notification], fault: str
) -> None:
    assert_in_doubt(system, talks[fault], "TIMED_OUT")


@pytest.mark.parametrize("fault", RESETS)
def test_a_connection_reset_in_place_of_an_answer_is_unknown_and_not_sent_again(
    system: System, talks: dict[str, Notification], fault: str
) -> None:
    notification = ended(system, talks[fault])

    unknown = outcomes_of(notification)["unknown"]
    assert_outcomes(notification, sent=3 - unknown, unknown=unknown)
    assert victim(notification).outcome == "unknown"
    assert len(posts(system, notification)) == 1
    verify(system)


@pytest.mark.parametrize("fault", REFUSED)
def test_a_device_that_fcm_refuses_is_rejected_and_disabled(
    system: System, talks: dict[str, Notification], fault: str
) -> None:
    notification = ended(system, talks[fault])

    assert_outcomes(notification, sent=2, rejected=1)
    assert victim(notification).error_code == REFUSED[fault]
    assert len(posts(system, notification)) == 1
    system.wait(lambda: devices(notification).filter(disabled_at__isnull=False).exists())
    disabled = devices(notification).get(disabled_at__isnull=False)
    assert disabled == victim(notification).device
    verify(system)


@pytest.mark.parametrize("fault", MISCONFIGURED)
def test_one_device_that_blames_the_configuration_is_set_aside_and_not_disabled(
    system: System, talks: dict[str, Notification], fault: str
) -> None:
    notification = ended(system, talks[fault])

    assert_outcomes(notification, sent=2, rejected=1)
    assert victim(notification).error_code == MISCONFIGURED[fault]
    assert len(posts(system, notification)) == 1
    assert not devices(notification).filter(disabled_at__isnull=False).exists()
    verify(system)


def assert_retried(system: System, notification: Notification, *, seconds: int) -> None:
    """Its victim was attempted once more, no sooner than so many seconds later, and delivered."""
    is_hastened = False
    if seconds > MOST_WAITED_SECONDS:
        system.wait(lambda: bool(posts(system, notification)))
        system.wait(lambda: notification.deliveries.count() == 3)
        due_at = victim(notification).next_attempt_at
        # Unless the time is over already, because the tests before took longer.
        if due_at and hasten(notification):
            is_hastened = True
            [first] = posts(system, notification)[:1]
            assert due_at.timestamp() - first["at"] >= seconds

    ended(system, notification)

    first, second = posts(system, notification)
    assert_outcomes(notification, sent=3)
    assert victim(notification).attempts == 2
    if not is_hastened:
        assert second["at"] - first["at"] >= seconds
    verify(system)


@pytest.mark.parametrize("fault", THROTTLED)
def test_a_429_is_attempted_again_no_sooner_than_it_said(
    system: System, talks: dict[str, Notification], fault: str
) -> None:
    assert_retried(system, talks[fault], seconds=THROTTLED[fault])


@pytest.mark.parametrize("fault", UNAVAILABLE)
def test_a_500_or_503_is_attempted_again_no_sooner_than_in_ten_seconds(
    system: System, talks: dict[str, Notification], fault: str
) -> None:
    notification = talks[fault]

    assert_retried(system, notification, seconds=UNAVAILABLE[fault])

    # The one answer that is taken at its word: should it lie, the second replaces the first.
    first, second = posts(system, notification)
    assert first["verdict"] == ("accepted" if "accepted" in fault else "refused")
    assert first["tag"] == second["tag"]


def test_a_retry_after_of_a_day_is_abandoned(
    system: System, talks: dict[str, Notification]
) -> None:
    notification = ended(system, talks["429after86400"])

    assert_outcomes(notification, sent=2, abandoned=1)
    assert len(posts(system, notification)) == 1
    verify(system)


def test_an_fcm_that_stays_unavailable_is_asked_six_times_at_most(
    system: System, talks: dict[str, Notification]
) -> None:
    notification = talks["http503"]

    def is_abandoned() -> bool:
        hasten(notification)
        return outcomes_of(notification)["abandoned"] == 1

    system.wait(is_abandoned)

    assert len(posts(system, ended(system, notification))) == 6
    assert victim(notification).attempts == 6
    verify(system)


def test_a_401_is_answered_with_a_newer_access_token(
    system: System, talks: dict[str, Notification]
) -> None:
    notification = ended(system, talks["expiredauth"])

    first, second = posts(system, notification)
    assert_outcomes(notification, sent=3)
    assert (first["status"], second["status"]) == (401, 200)
    assert first["access_token"] != second["access_token"]
    verify(system)


def test_one_answer_in_500_that_takes_ten_seconds_holds_up_nobody(
    system: System, talks: dict[str, Notification]
) -> None:
    notification = ended(system, talks["slow"])

    # A worker that stands still for as long records all of them together: then once more.
    for _ in range(TRIES):
        assert_outcomes(notification, sent=500)
        slow = victim(notification)
        others = notification.deliveries.exclude(id=slow.id)
        if is_later := max(others.values_list("at", flat=True)) < slow.at:
            break
        notification = ended(system, notify(system, "slow", plain=499))
    assert is_later
    verify(system)

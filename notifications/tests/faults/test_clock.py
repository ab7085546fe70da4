"""The worker's clock is set by an hour in the middle of a fan-out, with real processes.

Nothing is sent twice, whatever the clock says; at worst a notification is held, or too late.
"""

import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.db.models import F

from notifications.models import Notification
from notifications.operators import acts
from testbed.hostile.fcm import HostileFcm
from testbed.lasting_system import assert_outcomes, ended, half_way
from testbed.process import wait_until
from testbed.system import System

pytestmark = [pytest.mark.engines, pytest.mark.faults]

TARGETS = 600
AN_HOUR = 3600


class Clock:
    """By how many seconds the worker's clock is wrong."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.set(0)

    def set(self, seconds: int) -> None:
        """Set it at once: no reader sees half of it."""
        new = self.file.with_suffix(".new")
        new.write_text(str(seconds))
        new.replace(self.file)


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    """Return the worker's clock, which is right."""
    return Clock(tmp_path / "clock")


def start_worker(system: System, clock: Clock) -> None:
    """Start a worker with this clock; with one lane, so that most is claimed after it is set."""
    command = [sys.executable, "-m", "notifications.tests.faults.wrong_clock", str(clock.file)]
    worker = system.launch("wrong_clock", command, NOTIFICATIONS_MAX_WORKERS="1")
    wait_until(lambda: "worker.started" in worker.log.read_text(), worker)


def test_a_clock_set_back_an_hour_changes_nothing(
    system: System, hostile: HostileFcm, clock: Clock
) -> None:
    start_worker(system, clock)

    with half_way(system, hostile, system.listeners(TARGETS)) as notification:
        clock.set(-AN_HOUR)

    assert ended(system, notification).state == Notification.State.DONE
    assert_outcomes(notification, sent=TARGETS)
    system.verify(kills=0)


def test_a_clock_set_forward_an_hour_holds_what_google_refuses_until_it_is_right(
    system: System, hostile: HostileFcm, clock: Clock
) -> None:
    system.env["NOTIFICATIONS_MAX_AGE"] = str(2 * AN_HOUR)
    start_worker(system, clock)

    with half_way(system, hostile, system.listeners(TARGETS)) as notification:
        clock.set(AN_HOUR)
    assert ended(system, notification).state == Notification.State.HELD
    assert "clock wrong" in notification.reason
    clock.set(0)
    acts.release(notification.id, by="anna", reason="the clock is right")
    # What was to be attempted again is due when the time comes that the clock had told.
    retries = notification.deliveries.filter(outcome="retry")
    retries.update(next_attempt_at=F("next_attempt_at") - timedelta(seconds=AN_HOUR))

    assert ended(system, notification).state == Notification.State.DONE
    assert_outcomes(notification, sent=TARGETS)
    system.verify(kills=0)


def test_a_clock_set_forward_past_its_time_expires_it_and_doubles_nothing(
    system: System, hostile: HostileFcm, clock: Clock
) -> None:
    system.env["NOTIFICATIONS_MAX_AGE"] = str(AN_HOUR // 2)
    start_worker(system, clock)

    with half_way(system, hostile, system.listeners(TARGETS)) as notification:
        clock.set(AN_HOUR // 2)  # the access token is still good

    assert ended(system, notification).state == Notification.State.EXPIRED
    assert "Too late" in notification.reason
    assert notification.target_count < TARGETS
    system.verify(kills=0)

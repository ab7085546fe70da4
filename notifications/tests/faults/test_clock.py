"""Hosts that do not agree on the time, with real processes: only the database's clock counts.

Nobody is missed, nothing expires before its time or is sent after it, nothing is sent twice.
"""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from django.utils import timezone

from accounts.who import Who
from notifications.models import Notification, WorkerLease
from notifications.operators import acts
from notifications.tests.faults.wrong_clock import LIBRARY, WrongClock, clear_away
from programs.models import Clip, Program
from testbed.ci import must_be_there
from testbed.hostile.fcm import HostileFcm
from testbed.lasting_system import assert_outcomes, ended, half_way, outcomes_of
from testbed.process import LOOPBACK, Child, listening
from testbed.system import REQUEST_SECONDS, System, kill, outcomes, post

pytestmark = [pytest.mark.engines, pytest.mark.faults]

TARGETS = 600
AN_HOUR = 3600
# As far as a worker's clock may be wrong: Google takes a signature that is 5 minutes off.
ALMOST_REFUSED = 280
# Nothing here takes so long, even on a busy machine; and it is less than a clock is wrong.
MAX_AGE = 250


@pytest.fixture
def clocks(tmp_path: Path) -> Callable[[int], WrongClock]:
    """Return a function that returns a clock, which is wrong by so many seconds."""
    if LIBRARY is None:
        (pytest.fail if must_be_there() else pytest.skip)("apt-get install faketime")
    clear_away()

    def make(seconds: int) -> WrongClock:
        clock = WrongClock(tmp_path / f"clock{seconds:+}")
        clock.set(seconds)
        return clock

    return make


@pytest.fixture
def clock(clocks: Callable[[int], WrongClock]) -> WrongClock:
    """Return a clock that is right."""
    return clocks(0)


def start_worker(system: System, clock: WrongClock, *arguments: str) -> Child:
    """Start a worker with this clock; with one lane, so that most is claimed after it is set."""
    command = clock.manage_command("listen_notifications", "--max-workers", "1", *arguments)
    worker = system.launch("listen_notifications", command)
    system.wait_for_the_log("worker.started", worker)
    return worker


def start_web(system: System, clock: WrongClock) -> None:
    """Start a web with this clock, for the requests that follow."""
    system.web_port = system.reserve_port()
    command = clock.manage_command("runserver", "--noreload", f"{LOOPBACK}:{system.web_port}")
    listening(system.launch("runserver", command), system.web_port)


def register_device(system: System, program: Program) -> None:
    """Register a new listener's device at the web that was started last."""
    user = type(program.owner).objects.create(username="new-listener")
    Clip.objects.create(listener=user, program=program)
    answer = requests.put(
        f"http://{LOOPBACK}:{system.web_port}/api/v1/devices/",
        headers={"Authorization": f"Token {system.token_of(user)}"},
        json={"token": "a-new-device", "platform": "android"},
        timeout=REQUEST_SECONDS,
    )
    assert answer.status_code == 201, answer.text


def readiness(system: System) -> int:
    """Return what /readyz answers at the web that was started last."""
    address = f"http://{LOOPBACK}:{system.web_port}/readyz"
    return requests.get(address, timeout=REQUEST_SECONDS).status_code


# --- The web ---------------------------------------------------------------------------------


def test_a_device_registered_at_a_web_that_is_ahead_gets_the_next_talk(
    system: System, clocks: Callable[[int], WrongClock]
) -> None:
    system.start_worker()
    program = system.listeners(2)
    start_web(system, clocks(90))
    register_device(system, program)
    system.start_web()

    system.upload(program)
    system.wait_until_settled()

    assert outcomes() == {"sent": 3}
    system.verify(kills=0)


def test_a_talk_posted_at_a_web_that_is_two_hours_behind_reaches_every_device(
    system: System, clocks: Callable[[int], WrongClock]
) -> None:
    system.start_worker()
    program = system.listeners(2)
    system.start_web()
    register_device(system, program)
    start_web(system, clocks(-2 * AN_HOUR))

    system.upload(program)
    system.wait_until_settled()

    assert Notification.objects.get().state == Notification.State.DONE
    assert outcomes() == {"sent": 3}
    system.verify(kills=0)


def test_a_web_that_is_ahead_calls_no_worker_silent(
    system: System, clocks: Callable[[int], WrongClock]
) -> None:
    system.start_worker()
    system.wait_for_an_active_worker()
    start_web(system, clocks(90))

    assert readiness(system) == 200
    system.verify(kills=0)


def test_a_web_that_is_behind_sees_that_a_worker_is_silent(
    system: System, clocks: Callable[[int], WrongClock]
) -> None:
    silent_since = timezone.now() - timedelta(hours=1)
    WorkerLease.objects.create(name="sender", holder="radio-1:1", heartbeat_at=silent_since)
    start_web(system, clocks(-2 * AN_HOUR))

    assert readiness(system) == 503
    system.verify(kills=0)


def test_live_for_half_an_hour_is_so_also_from_a_host_that_is_two_hours_behind(
    system: System, clocks: Callable[[int], WrongClock]
) -> None:
    command = clocks(-2 * AN_HOUR).manage_command("sending", "live", "--for", "30", "--reason", "x")
    assert system.launch("sending", command).wrapper.wait() == 0
    system.start_worker()

    notification = post(system.listeners(2))

    assert ended(system, notification).dry_run is False
    assert outcomes() == {"sent": 2}
    system.verify(kills=0)


# --- The worker ------------------------------------------------------------------------------


def test_a_worker_that_is_ahead_and_a_standby_that_is_behind_miss_nobody(
    system: System, hostile: HostileFcm, clocks: Callable[[int], WrongClock]
) -> None:
    system.env["NOTIFICATIONS_MAX_AGE"] = str(MAX_AGE)
    worker = start_worker(system, clocks(ALMOST_REFUSED))
    system.wait_for_an_active_worker()
    start_worker(system, clocks(-ALMOST_REFUSED), "--standby")

    with half_way(system, hostile, system.listeners(TARGETS)) as notification:
        kill(worker)
        system.expire_lease()

    assert ended(system, notification).state == Notification.State.DONE
    counts = outcomes_of(notification)
    assert set(counts) == {"sent", "unknown"}
    assert counts.total() == TARGETS
    system.verify(kills=1)


def test_a_worker_that_is_behind_sends_nothing_that_is_too_late(
    system: System, clocks: Callable[[int], WrongClock]
) -> None:
    system.env["NOTIFICATIONS_MAX_AGE"] = str(MAX_AGE)
    notification = post(system.listeners(2))
    Notification.objects.update(created_at=timezone.now() - timedelta(seconds=MAX_AGE + 1))

    start_worker(system, clocks(-ALMOST_REFUSED))

    assert ended(system, notification).state == Notification.State.EXPIRED
    assert not outcomes()
    system.verify(kills=0)


@pytest.mark.parametrize("seconds", [-AN_HOUR, AN_HOUR], ids=["back", "forward"])
def test_a_clock_set_by_an_hour_in_the_middle_of_a_fan_out_changes_nothing(
    system: System, hostile: HostileFcm, clock: WrongClock, seconds: int
) -> None:
    system.env["NOTIFICATIONS_MAX_AGE"] = str(AN_HOUR // 2)
    start_worker(system, clock)

    with half_way(system, hostile, system.listeners(TARGETS)) as notification:
        clock.set(seconds)

    assert ended(system, notification).state == Notification.State.DONE
    assert_outcomes(notification, sent=TARGETS)
    system.verify(kills=0)


def test_a_worker_whose_signature_google_refuses_for_its_clock_holds_until_it_is_right(
    system: System, clock: WrongClock
) -> None:
    clock.set(AN_HOUR)
    start_worker(system, clock)

    notification = post(system.listeners(TARGETS))
    assert ended(system, notification).state == Notification.State.HELD
    assert "clock wrong" in notification.reason
    clock.set(0)

    def is_done() -> bool:  # Google is asked again every 2 seconds
        if ended(system, notification).state == Notification.State.HELD:
            acts.release(notification.id, by=Who("anna", 1), reason="the clock is right")
        return notification.state == Notification.State.DONE

    system.wait(is_done)
    assert_outcomes(notification, sent=TARGETS)
    system.verify(kills=0)

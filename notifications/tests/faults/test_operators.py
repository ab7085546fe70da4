"""What operators do in the middle of a fan-out, with real processes: what went out after the click.

The click is an act of operators/acts, as the admin and `manage.py sending` call it. FCM's
journal is what counts.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from django.utils import timezone

from accounts.who import Who
from notifications.models import Batch, Notification
from notifications.operators import acts
from notifications.worker.sender import HELD_A_LANE
from testbed.hostile.fcm import HostileFcm
from testbed.lasting_system import (
    assert_ended_early,
    assert_outcomes,
    ended,
    half_way,
    journal_of,
    lasting_world,
)
from testbed.system import System

pytestmark = [pytest.mark.engines, pytest.mark.faults]

TARGETS = 2000
LANES = 4
HELD = HELD_A_LANE * LANES  # by the lanes, at most


@pytest.fixture(scope="module")
def world(
    db: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[System, HostileFcm]]:
    """Yield a live system with one worker, and the FCM that it sends to."""
    with lasting_world(tmp_path_factory.mktemp("system"), lanes=LANES) as world:
        yield world


@pytest.fixture
def system(world: tuple[System, HostileFcm]) -> Iterator[System]:
    """Yield the system, as live as ever, whatever a test has switched."""
    system, _fcm = world
    yield system
    acts.resume(by=Who("test", 3), reason="", now=timezone.now())
    system.go_live()


@pytest.fixture
def fcm(world: tuple[System, HostileFcm]) -> HostileFcm:
    """Return the FCM."""
    return world[1]


@dataclass
class Click:
    """A stop, and what FCM had seen of the notification when it had taken effect."""

    notification: Notification
    seen: int

    def went_out_after(self, system: System) -> int:
        """Return how many requests came after it."""
        return len(journal_of(system, self.notification)) - self.seen


def click(system: System, fcm: HostileFcm, stop: Callable[[Notification], object]) -> Click:
    """Return what came of a stop in the middle of a fan-out, once all is quiet."""
    program = system.listeners(TARGETS)
    with half_way(system, fcm, program, at_once=HELD) as notification:
        stop(notification)
        clicked_at = timezone.now()
        clicked = Click(notification, len(journal_of(system, notification)))
    system.wait(lambda: nothing_in_flight(notification))
    assert not Batch.objects.filter(notification=notification, claimed_at__gt=clicked_at).exists()
    notification.refresh_from_db()
    return clicked


def nothing_in_flight(notification: Notification) -> bool:
    """Return whether each batch that was claimed has all its answers."""
    return not notification.batches.filter(state=Batch.State.SENDING).exists()


def assert_it_is_counted(system: System, clicked: Click) -> None:
    """At most what the lanes held went out after the click, and the notification says how many.

    What no lane had taken, when the worker heard of the click, went out to nobody.
    """
    notification = clicked.notification
    accepted = len(journal_of(system, notification))
    assert clicked.went_out_after(system) <= HELD
    assert notification.sent_at_stop is not None
    assert notification.sent_at_stop <= clicked.seen
    assert notification.sent_at_stop + notification.sent_after_stop == accepted
    assert notification.sent_count == accepted
    taken_back = notification.retry_count + notification.abandoned_count
    assert notification.target_count == accepted + taken_back < TARGETS
    assert {entry["verdict"] for entry in journal_of(system, notification)} == {"accepted"}


def assert_all_sent_once(system: System, notification: Notification) -> None:
    """What was stopped went on where it was."""
    assert ended(system, notification).state == Notification.State.DONE
    assert_outcomes(notification, sent=TARGETS)
    system.verify(kills=0)


def test_a_cancel_half_way_lets_only_what_is_in_flight_out_and_is_for_good(
    system: System, fcm: HostileFcm
) -> None:
    clicked = click(
        system,
        fcm,
        lambda it: acts.cancel(it.id, by=Who("anna", 1), reason="wrong talk", now=timezone.now()),
    )

    notification = ended(system, clicked.notification)
    assert notification.state == Notification.State.CANCELLED
    assert_it_is_counted(system, clicked)
    assert_ended_early(system, notification)
    with pytest.raises(acts.Refused):
        acts.release(notification.id, by=Who("anna", 1), reason="changed my mind")
    system.verify(kills=0)


def test_a_hold_half_way_lets_only_what_is_in_flight_out_and_goes_on_when_released(
    system: System, fcm: HostileFcm
) -> None:
    clicked = click(
        system,
        fcm,
        lambda it: acts.hold(it.id, by=Who("anna", 1), reason="let me look", now=timezone.now()),
    )
    assert clicked.notification.state == Notification.State.HELD
    assert_it_is_counted(system, clicked)

    acts.release(clicked.notification.id, by=Who("ben", 2), reason="it is fine")

    assert_all_sent_once(system, clicked.notification)


def test_a_pause_half_way_lets_only_what_is_in_flight_out_and_goes_on_when_resumed(
    system: System, fcm: HostileFcm
) -> None:
    clicked = click(
        system, fcm, lambda _: acts.pause(by=Who("anna", 1), reason="odd", now=timezone.now())
    )
    assert clicked.notification.state == Notification.State.SENDING
    assert_it_is_counted(system, clicked)

    acts.resume(by=Who("ben", 2), reason="it is fine", now=timezone.now())

    assert_all_sent_once(system, clicked.notification)


def test_a_dry_run_half_way_holds_what_was_sent_live_and_is_never_half_a_dry_run(
    system: System, fcm: HostileFcm
) -> None:
    clicked = click(
        system, fcm, lambda _: acts.dry_run(by=Who("anna", 1), reason="odd", now=timezone.now())
    )
    notification = ended(system, clicked.notification)
    assert notification.state == Notification.State.HELD
    assert "live" in notification.reason
    assert_it_is_counted(system, clicked)

    system.go_live()
    acts.release(notification.id, by=Who("ben", 2), reason="live again")

    assert_all_sent_once(system, notification)

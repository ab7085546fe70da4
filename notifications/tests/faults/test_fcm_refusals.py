"""FCM refuses many at once: the notification is held, no device disabled, an operator decides."""

from collections.abc import Iterator

import pytest

from notifications.models import DeviceToken, Notification
from notifications.operators import acts
from notifications.worker.sender import HELD_A_LANE
from testbed.lasting_system import assert_outcomes, ended, journal_of, lasting_system
from testbed.system import System, add_listeners, post

pytestmark = [pytest.mark.engines, pytest.mark.faults]

TARGETS = 500


@pytest.fixture(scope="module")
def system(db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Yield a live system with one worker of one lane, so that much is left when it is held."""
    with lasting_system(tmp_path_factory.mktemp("system"), latency_ms=50) as system:
        worker = system.start_worker("--max-workers", "1")
        yield system
        worker.check()


def notify(system: System, fault: str, *, good: int = 0) -> Notification:
    """Return the notification of a talk that FCM refuses for all but so many of each ten."""
    program = system.listeners(0)
    for _ in range(TARGETS // 10):
        add_listeners(program, good, name=f"good-{{}}-for-{fault.upper()}")
        add_listeners(program, 10 - good, name=f"bad-{{}}-{fault}")
    return ended(system, post(program))


def disabled(notification: Notification) -> set[str]:
    """Return the tokens of its devices that are disabled."""
    devices = DeviceToken.objects.filter(deliveries__notification=notification)
    return set(devices.filter(disabled_at__isnull=False).values_list("token", flat=True))


def mend(fault: str) -> None:
    """Let FCM take every device with this fault from now on."""
    for device in DeviceToken.objects.filter(token__startswith="bad", token__endswith=fault):
        DeviceToken.objects.filter(id=device.id).update(token=f"mended-{device.id}")


def release(notification: Notification) -> None:
    """Release it, as an operator would."""
    acts.release(notification.id, by="anna", reason="looked")


@pytest.mark.parametrize(
    ("fault", "code", "good"),
    [
        ("unregistered", "UNREGISTERED", 4),
        ("mismatch", "SENDER_ID_MISMATCH", 4),
        ("invalid", "INVALID_ARGUMENT", 0),
    ],
    ids=["60_percent_unregistered", "60_percent_mismatched", "all_invalid"],
)
def test_refusals_of_most_hold_it_and_disable_nobody(
    system: System, fault: str, code: str, good: int
) -> None:
    notification = notify(system, fault, good=good)

    assert notification.state == Notification.State.HELD
    assert code in notification.reason
    assert "release" in notification.reason
    assert notification.target_count < TARGETS
    assert not disabled(notification)
    system.verify(kills=0)


@pytest.mark.parametrize("fault", ["forbidden", "notfound"], ids=["403", "404"])
def test_a_403_or_404_for_all_holds_it_until_it_is_mended_and_released(
    system: System, fault: str
) -> None:
    notification = notify(system, fault)
    assert notification.state == Notification.State.HELD
    assert notification.target_count <= HELD_A_LANE
    assert not disabled(notification)

    mend(fault)
    release(notification)

    assert ended(system, notification).state == Notification.State.DONE
    assert_outcomes(notification, sent=TARGETS)
    assert not disabled(notification)
    system.verify(kills=0)


def test_a_released_brake_goes_on_to_the_end_and_disables_who_is_gone(system: System) -> None:
    notification = notify(system, "unregistered", good=4)
    assert notification.state == Notification.State.HELD

    release(notification)

    assert ended(system, notification).state == Notification.State.DONE
    assert_outcomes(notification, sent=200, rejected=300)
    system.wait(lambda: bool(disabled(notification)))
    assert all(token.startswith("bad") for token in disabled(notification))
    assert len(journal_of(system, notification)) == TARGETS
    system.verify(kills=0)

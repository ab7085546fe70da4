"""FCM refuses many at once: the notification is held, no device disabled, an operator decides."""

from collections.abc import Iterator

import pytest
from django.utils import timezone

from accounts.who import Who
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


def mend(notification: Notification) -> None:
    """Let FCM take every device that it refused, or would refuse."""
    audience = DeviceToken.objects.filter(user__clips__program__talks__notification=notification)
    for device in audience.filter(token__startswith="bad"):
        DeviceToken.objects.filter(id=device.id).update(token=f"mended-{device.id}")


def release(notification: Notification) -> None:
    """Release it, as an operator would."""
    acts.release(notification.id, by=Who("anna", 1), reason="looked")


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


@pytest.mark.parametrize(
    "fault", ["forbidden", "notfound", "thirdparty"], ids=["403", "404", "THIRD_PARTY"]
)
def test_what_blames_the_configuration_for_all_holds_it_until_it_is_mended_and_released(
    system: System, fault: str
) -> None:
    notification = notify(system, fault)
    assert notification.state == Notification.State.HELD
    assert notification.target_count <= HELD_A_LANE
    assert not disabled(notification)

    mend(notification)
    release(notification)

    assert ended(system, notification).state == Notification.State.DONE
    assert_outcomes(notification, sent=TARGETS)
    assert not disabled(notification)
    system.verify(kills=0)


@pytest.mark.parametrize("fault", ["notfound", "thirdparty"])
def test_two_devices_that_blame_the_configuration_keep_nobody_else_from_being_reached(
    system: System, fault: str
) -> None:
    program = system.listeners(0)
    for _ in range(2):
        add_listeners(program, 1499, name=f"good-{{}}-for-{fault.upper()}")
        add_listeners(program, 1, name=f"bad-{{}}-{fault}")

    notification = ended(system, post(program))

    assert notification.state == Notification.State.DONE
    assert_outcomes(notification, sent=2998, rejected=2)
    assert not disabled(notification)
    system.verify(kills=0)


@pytest.mark.parametrize("fault", ["notfound", "thirdparty"])
def test_what_is_refused_for_the_iphones_is_their_trouble_alone(system: System, fault: str) -> None:
    program = system.listeners(0)
    add_listeners(program, 300, name=f"bad-{{}}-{fault}", platform="ios")
    add_listeners(program, 300, name="good-{}-android")

    held = ended(system, post(program))

    assert held.state == Notification.State.HELD
    assert "300 of 300 answers for ios" in held.reason
    assert_outcomes(held, sent=300, retry=300)

    mend(held)
    release(held)

    assert ended(system, held).state == Notification.State.DONE
    assert_outcomes(held, sent=600)
    system.verify(kills=0)


def test_a_release_is_remembered_and_what_failed_can_be_tried_again(system: System) -> None:
    notification = notify(system, "notfound", good=5)
    assert notification.state == Notification.State.HELD  # at the end
    assert_outcomes(notification, sent=250, retry=250)

    release(notification)

    assert ended(system, notification).state == Notification.State.DONE
    assert_outcomes(notification, sent=250, rejected=250)

    mend(notification)
    acts.retry_failed(notification.id, by=Who("anna", 1), reason="mended", now=timezone.now())

    assert ended(system, notification).state == Notification.State.DONE
    assert_outcomes(notification, sent=TARGETS)
    assert not disabled(notification)
    system.verify(kills=0)


def test_a_change_over_to_installation_ids_holds_nothing_and_prunes_the_old_tokens(
    system: System,
) -> None:
    program = system.listeners(0)
    add_listeners(program, 1000, name="old-{}-unregistered")
    old = DeviceToken.objects.filter(token__startswith="old").order_by("id")
    younger = [
        DeviceToken(user=device.user, kind="fid", token=f"fid-{device.id}")
        for device in old.select_related("user")
    ]
    DeviceToken.objects.bulk_create(younger)

    notification = ended(system, post(program))

    assert notification.state == Notification.State.DONE
    assert_outcomes(notification, sent=1000, rejected=1000)
    system.wait(lambda: len(disabled(notification)) == 1000)
    assert all(token.startswith("old") for token in disabled(notification))
    system.verify(kills=0)


def test_two_registrations_of_the_wrong_project_are_no_change_over(system: System) -> None:
    program = system.listeners(0)
    add_listeners(program, 1000, name="bad-{}-unregistered")
    younger = [
        DeviceToken(user=device.user, kind="fid", token=f"bad-fid-{device.id}-unregistered")
        for device in DeviceToken.objects.filter(
            user__clips__program=program, token__startswith="bad"
        ).select_related("user")
    ]
    DeviceToken.objects.bulk_create(younger)

    notification = ended(system, post(program))

    assert notification.state == Notification.State.HELD
    assert "UNREGISTERED" in notification.reason
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

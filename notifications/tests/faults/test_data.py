"""Data that changes in the middle of a fan-out, with real processes: the right person, once.

FCM answers the first hundred requests, and no more until the test has changed something. One lane
holds 140 more at most, so 240 of the 600 targets are claimed by then. The devices that the
test changes have the highest ids, and so are claimed last.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from pytest_django import Settings

from notifications.models import Batch, Delivery, DeviceToken, ErasedDevice, Notification
from notifications.operators import erase
from programs.models import Clip, Program, Talk
from testbed.hostile.fcm import HostileFcm
from testbed.lasting_system import (
    assert_ended_early,
    assert_outcomes,
    ended,
    half_way,
    lasting_world,
    outcomes_of,
)
from testbed.system import System, add_listeners

pytestmark = [pytest.mark.engines, pytest.mark.faults]

TARGETS = 600
CHANGED = 100

User = get_user_model()
Devices = QuerySet[DeviceToken]


@pytest.fixture(scope="module")
def world(
    db: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[System, HostileFcm]]:
    """Yield a live system with one worker of one lane, and the FCM that it sends to."""
    with lasting_world(tmp_path_factory.mktemp("system"), lanes=1) as world:
        yield world


@pytest.fixture
def system(world: tuple[System, HostileFcm]) -> System:
    """Return the system."""
    return world[0]


@pytest.fixture
def fcm(world: tuple[System, HostileFcm]) -> HostileFcm:
    """Return the FCM."""
    return world[1]


@pytest.fixture
def program(system: System) -> Program:
    """Return a program whose last devices are those that a test changes."""
    program = system.listeners(TARGETS - CHANGED)
    add_listeners(program, CHANGED, name="changed-{}")
    return program


def to_be_changed(program: Program) -> Devices:
    """Return the devices that a test changes."""
    devices = DeviceToken.objects.filter(token__startswith="changed")
    return devices.filter(user__clips__program=program)


def claimed_after(notification: Notification, moment: datetime) -> set[int]:
    """Return the devices that were claimed after a moment."""
    batches = Batch.objects.filter(notification=notification, claimed_at__gt=moment)
    return {
        device_id for targets in batches.values_list("targets", flat=True) for device_id in targets
    }


def unclip(devices: Devices) -> None:
    Clip.objects.filter(listener__devices__in=devices).delete()


def mute(devices: Devices) -> None:
    Clip.objects.filter(listener__devices__in=devices).update(muted=True)


def delete_users(devices: Devices) -> None:
    User.objects.filter(devices__in=devices).delete()


def move_to_a_stranger(devices: Devices) -> None:
    stranger = User.objects.create(username=f"stranger-{User.objects.count()}")
    register(devices, user=stranger)


def unregister(devices: Devices) -> None:
    ids = devices.values_list("id", flat=True)
    DeviceToken.objects.filter(id__in=ids).disable(reason="signed out", now=timezone.now())


def register(devices: Devices, *, user: object = None) -> None:
    """Register the devices again, as the API does; for another user if one is given."""
    for device in list(devices.select_related("user")):
        DeviceToken.objects.register(
            user=user or device.user,  # type: ignore[arg-type]
            token=device.token,
            kind=device.kind,
            platform=device.platform,
            now=timezone.now(),
        )


CHANGES = [unclip, mute, delete_users, move_to_a_stranger, unregister]


@dataclass
class Changed:
    """A fan-out in whose middle devices changed, some in each way."""

    notification: Notification
    at: datetime
    devices: dict[str, set[int]]  # by the name of the change


@pytest.fixture(scope="module")
def changed(world: tuple[System, HostileFcm]) -> Changed:
    """Return it once all is quiet."""
    system, fcm = world
    program = system.listeners(TARGETS - CHANGED)
    for change in CHANGES:
        add_listeners(program, CHANGED // len(CHANGES), name=f"{change.__name__}-{{}}")
    devices = {
        change.__name__: set(
            DeviceToken.objects.filter(token__startswith=change.__name__).values_list(
                "id", flat=True
            )
        )
        for change in CHANGES
    }
    with half_way(system, fcm, program) as notification:
        with transaction.atomic():
            for change in CHANGES:
                change(DeviceToken.objects.filter(id__in=devices[change.__name__]))
        at = timezone.now()
    ended(system, notification)
    return Changed(notification, at, devices)


@pytest.mark.parametrize("change", [change.__name__ for change in CHANGES])
def test_who_is_no_target_any_more_is_not_sent_to(
    system: System, changed: Changed, change: str
) -> None:
    the_beginning = changed.notification.created_at
    claimed = claimed_after(changed.notification, the_beginning)

    assert not claimed_after(changed.notification, changed.at) & changed.devices[change]
    assert changed.devices[change] - claimed, "the change came too late to prove anything"
    assert outcomes_of(changed.notification)["sent"] >= TARGETS - CHANGED
    system.verify(kills=0, departures=dict.fromkeys(changed.devices[change], changed.at))


@pytest.mark.parametrize("what", [Talk, Program])
def test_what_is_deleted_is_announced_to_nobody_more(
    system: System, fcm: HostileFcm, program: Program, what: type[Talk] | type[Program]
) -> None:
    with half_way(system, fcm, program) as notification:
        if what is Talk:
            Talk.objects.filter(program=program).delete()
        else:
            program.delete()
        deleted_at = timezone.now()

    ended(system, notification)
    assert notification.state == Notification.State.CANCELLED
    assert "deleted" in notification.reason
    assert not claimed_after(notification, deleted_at)
    assert notification.target_count < TARGETS
    assert_ended_early(system, notification)
    system.verify(kills=0)


def test_a_device_that_moves_to_another_listener_is_sent_to_once(
    system: System, fcm: HostileFcm, program: Program, settings: Settings
) -> None:
    settings.NOTIFICATIONS_DEVICES_PER_USER = TARGETS
    heir = User.objects.create(username=f"heir-{User.objects.count()}")
    Clip.objects.create(listener=heir, program=program)

    with half_way(system, fcm, program) as notification:
        register(to_be_changed(program), user=heir)

    ended(system, notification)
    assert_outcomes(notification, sent=TARGETS)
    system.verify(kills=0)


def test_a_device_unregistered_and_registered_again_is_sent_to_once(
    system: System, fcm: HostileFcm, program: Program
) -> None:
    with half_way(system, fcm, program) as notification, transaction.atomic():
        devices = to_be_changed(program)
        unregister(devices)
        register(devices)

    ended(system, notification)
    assert_outcomes(notification, sent=TARGETS)
    system.verify(kills=0)


def test_listeners_who_are_erased_half_way_get_no_push_and_the_log_stays_true(
    system: System, fcm: HostileFcm, program: Program
) -> None:
    with half_way(system, fcm, program) as notification:
        recorded = notification.deliveries.order_by("device_id")[:3]
        in_flight = notification.batches.filter(state="sending").order_by("-id")[0].targets[-3:]
        unclaimed = to_be_changed(program).order_by("-id")[:3]
        gone = {line.device_id for line in recorded} | {*in_flight} | {one.id for one in unclaimed}
        for user in list(User.objects.filter(devices__in=gone)):
            list(erase.erase(user, now=timezone.now()))
        erased_at = timezone.now()

    ended(system, notification)
    assert notification.state == Notification.State.DONE
    assert not claimed_after(notification, erased_at) & gone
    assert_outcomes(notification, sent=TARGETS - len(unclaimed))
    system.verify(kills=0)

    # A day later no answer comes any more, and the log has lost the last of the devices.
    list(erase.forget_devices(now=timezone.now() + timedelta(days=2)))
    assert not Delivery.objects.filter(device__in=gone).exists()
    assert not ErasedDevice.objects.exists()
    assert notification.deliveries.filter(device=None).count() == len(gone) - len(unclaimed)
    system.verify(kills=0)


def test_a_talker_who_is_erased_half_way_is_announced_to_nobody_more(
    system: System, fcm: HostileFcm, program: Program
) -> None:
    with half_way(system, fcm, program) as notification:
        list(erase.erase(program.owner, now=timezone.now()))
        erased_at = timezone.now()

    ended(system, notification)
    assert notification.state == Notification.State.CANCELLED
    assert (notification.title, notification.body, notification.talk) == ("", "", None)
    assert not claimed_after(notification, erased_at)
    assert_ended_early(system, notification)
    system.verify(kills=0)

"""What the database proves by itself, without a journal."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from notifications.models import Batch, Delivery, DeviceToken, Notification, WorkerLease
from notifications.models.delivery import WORKER_LOST
from notifications.operators import retention
from programs.models import Clip

from .scene import BEGAN, Scene, change


def test_i1_a_device_in_two_claims(scene: Scene) -> None:
    notification = scene.went_well()
    scene.claim(notification, after_id=1)

    assert scene.report(journal=False).violations == {"I1": 3}


def test_i1_a_claim_of_a_retry_is_no_second_first_attempt(scene: Scene) -> None:
    notification = scene.went_well()
    scene.claim(notification, after_id=None, upto_id=None)
    Notification.objects.update(target_count=3)

    assert scene.report(journal=False).violations == {}


def test_i2_a_claimed_target_without_a_delivery(scene: Scene) -> None:
    notification = scene.went_well()
    Delivery.objects.filter(device=scene.devices[0]).delete()
    Notification.objects.filter(id=notification.id).update(sent_count=2)

    report = scene.report(journal=False)

    assert report.violations == {"I2": 1}
    assert f"device {scene.devices[0].id} of notification {notification.id}" in str(report)


@pytest.mark.engines  # SQLite cannot drop a constraint within a test's transaction
def test_i2_a_target_with_two_deliveries(scene: Scene) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE notifications_delivery"
            " DROP CONSTRAINT delivery_once_per_notification_and_device"
        )
    notification = scene.went_well()
    scene.log(notification, scene.devices[0], "rejected")

    assert scene.report(journal=False).violations == {"I2": 1}


def test_i2_a_done_notification_with_something_in_flight(scene: Scene) -> None:
    scene.went_well()
    Batch.objects.update(state="sending")

    assert scene.report(journal=False).violations == {"I2": 1}


def test_i2_a_retry_that_will_never_come(scene: Scene) -> None:
    notification = scene.went_well()
    change(notification, scene.devices[0], outcome="retry", next_attempt_at=BEGAN)
    change(notification, scene.devices[1], outcome="retry", next_attempt_at=None)
    Notification.objects.update(sent_count=1, retry_count=2)

    assert scene.report(journal=False).violations == {"I2": 2}


def test_i2_somebody_in_the_audience_who_was_passed_over(scene: Scene) -> None:
    scene.went_well()
    missed = scene.listener()

    report = scene.report()

    assert report.violations == {"I2": 1}
    assert f"device {missed.id} is in the audience" in report["I2"].examples[0]


def test_i2_without_a_journal_who_was_passed_over_may_have_come_since(scene: Scene) -> None:
    scene.went_well()
    scene.listener()

    report = scene.report(journal=False)

    assert report.violations == {}
    assert report["I2"].remarks[0].startswith("1 of today's audience have no delivery")


@pytest.mark.parametrize(
    "device",
    [
        {"created_at": BEGAN + timedelta(seconds=1)},
        {"refreshed_at": BEGAN + timedelta(seconds=1)},
        {"disabled_at": BEGAN},
    ],
    ids=["registered later", "registered again", "disabled"],
)
def test_i2_who_was_no_target_is_not_missing(scene: Scene, device: dict[str, object]) -> None:
    scene.went_well()
    scene.listener(**device)

    assert scene.report()["I2"].violations == 0


def test_i2_who_unclipped_or_muted_is_not_missing(scene: Scene) -> None:
    scene.went_well()
    Clip.objects.filter(listener=scene.listener().user).delete()
    Clip.objects.filter(listener=scene.listener().user).update(muted=True)

    assert scene.report().violations == {}


@pytest.mark.parametrize("state", ["held", "cancelled", "expired", "pending"])
def test_i2_what_has_not_come_to_its_end_owes_nobody_yet(scene: Scene, state: str) -> None:
    scene.notification(state=state)

    assert scene.report().violations == {}


def test_i2_what_is_held_is_told(scene: Scene) -> None:
    scene.notification(state="held")

    assert scene.report()["I2"].remarks == ["1 notifications are held until an operator decides"]


def test_i3_counters_that_are_not_those_of_the_log(scene: Scene) -> None:
    notification = scene.went_well()
    Notification.objects.filter(id=notification.id).update(sent_count=2, unknown_count=1)

    assert scene.report(journal=False).violations == {"I3": 1}


def test_i3_more_targets_counted_than_claimed(scene: Scene) -> None:
    notification = scene.went_well()
    Notification.objects.filter(id=notification.id).update(target_count=4)

    assert scene.report(journal=False).violations == {"I3": 1}


def test_i3_a_delivery_that_nobody_claimed(scene: Scene) -> None:
    notification = scene.went_well()
    scene.log(notification, scene.listener(), "sent")

    assert scene.report(journal=False).violations == {"I3": 1}


def test_i4_a_dry_run_that_says_sent_and_a_live_one_that_only_simulated(scene: Scene) -> None:
    dry, live = scene.went_well(), scene.went_well()
    Notification.objects.filter(id=dry.id).update(dry_run=True)
    Delivery.objects.filter(notification=live).update(outcome="simulated")
    Notification.objects.filter(id=live.id).update(sent_count=0, simulated_count=3)

    assert scene.report(journal=False).violations == {"I4": 6}


def test_i6_a_claim_of_an_epoch_that_was_over(scene: Scene) -> None:
    notification = scene.went_well()
    WorkerLease.objects.update(epoch=2)
    Batch.objects.update(epoch=2)
    scene.devices = [scene.listener()]
    scene.claim(notification, after_id=7, epoch=1)

    assert scene.report(journal=False)["I6"].violations == 1


def test_i6_two_workers_in_one_epoch(scene: Scene) -> None:
    scene.went_well()
    notification = scene.notification()
    scene.claim(notification, worker="radio-2:1")

    assert scene.report(journal=False)["I6"].violations == 1


def test_i6_a_claim_of_an_epoch_that_never_was(scene: Scene) -> None:
    scene.went_well()
    Batch.objects.update(epoch=2)

    assert scene.report(journal=False).violations == {"I6": 1}


def test_i7_a_device_registered_after_the_cutoff(scene: Scene) -> None:
    scene.went_well()
    DeviceToken.objects.filter(id=scene.devices[0].id).update(created_at=timezone.now())

    assert scene.report(journal=False).violations == {"I7": 1}


def test_i7_a_device_that_was_disabled_before_the_sending_began(scene: Scene) -> None:
    scene.went_well()
    early, clocks_differ, late = scene.devices
    for device, seconds in ((early, -60), (clocks_differ, -1), (late, 60)):
        at = BEGAN + timedelta(seconds=seconds)
        DeviceToken.objects.filter(id=device.id).update(disabled_at=at)

    assert scene.report(journal=False).violations == {"I7": 1}


def test_i7_somebody_who_had_left_before_the_claim(scene: Scene) -> None:
    scene.went_well()
    left, stayed, _ = scene.devices
    second = timedelta(seconds=1)

    report = scene.report(departures={left.id: BEGAN - second, stayed.id: BEGAN + second})

    assert report.violations == {"I7": 1}
    assert f"device {left.id} had left" in report["I7"].examples[0]


def lost(scene: Scene, *, epoch: int) -> None:
    """Leave all devices of another notification unknown, as a killed worker does."""
    notification = scene.notification()
    scene.claim(notification, state="lost", epoch=epoch)
    for device in scene.devices:
        scene.log(notification, device, "unknown", error_code=WORKER_LOST)


def test_i8_more_doubt_than_a_kill_explains(scene: Scene) -> None:
    scene.devices += [scene.listener() for _ in range(148)]
    lost(scene, epoch=1)

    assert scene.report(threads=2).violations == {}
    assert scene.report(threads=1).violations == {"I8": 1}


def test_i8_doubt_after_more_ends_than_kills(scene: Scene) -> None:
    WorkerLease.objects.update(epoch=2)
    lost(scene, epoch=1)
    lost(scene, epoch=2)

    assert scene.report(kills=2).violations == {}
    assert scene.report(kills=1).violations == {"I8": 1}
    assert scene.report().violations == {}


def test_i2_a_line_without_a_device_stands_for_the_claim_of_one_that_is_gone(scene: Scene) -> None:
    scene.went_well()
    gone = [device.id for device in scene.devices[:2]]
    for device in scene.devices[:2]:
        device.user.delete()
    Delivery.objects.filter(device__in=gone).update(device=None)
    assert scene.report().violations == {}

    Delivery.objects.filter(device=scene.devices[2].id).update(device=None)

    # Two such claims, and three such lines; and the third device has none.
    assert scene.report(journal=False).violations == {"I2": 2}


@pytest.mark.parametrize(
    "engine", ["sqlite", pytest.param("postgresql", marks=pytest.mark.engines)]
)
def test_the_rules_are_the_same_on_both_engines(scene: Scene, engine: str) -> None:
    notification = scene.went_well()
    assert scene.report(kills=0).violations == {}
    lost(scene, epoch=1)
    scene.listener()
    scene.claim(notification, after_id=1, epoch=2)
    Delivery.objects.filter(notification=notification).update(outcome="simulated")
    Delivery.objects.filter(device=scene.devices[0]).delete()

    violations = scene.report(kills=0).violations

    assert connection.vendor == engine
    assert violations == {"I1": 3, "I2": 6, "I3": 5, "I4": 2, "I6": 1, "I8": 1}


def test_what_retention_deleted_is_not_missing(scene: Scene) -> None:
    scene.went_well()
    Notification.objects.update(state="done", finished_at=BEGAN)

    next(iter(retention.prune(ended_before=timezone.now(), now=timezone.now())))

    assert scene.report(journal=False).violations == {}

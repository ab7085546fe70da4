"""What operators do: each act takes effect at once and says what happened, who did it and why."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts.who import Who
from notifications.models import Delivery, Notification, SendingSwitch, WorkerLease
from notifications.operators import acts
from notifications.tests.factories import (
    DeliveryFactory,
    DeviceTokenFactory,
    NotificationFactory,
    SendingSwitchFactory,
    WorkerLeaseFactory,
)
from programs.tests.factories import TalkFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("production")]

NOW = timezone.now()
ANNA: dict[str, Any] = {"by": Who("anna", 1), "reason": "wrong title"}
State = Notification.State


def half_sent() -> Notification:
    """Return a notification to 1,000 of which 400 are claimed and 300 are sent."""
    return NotificationFactory.create(
        state=State.SENDING,
        dry_run=False,
        started_at=NOW,
        audience_count=1000,
        target_count=400,
        sent_count=300,
    )


def with_deliveries(outcome: str, *, count: int = 2, **fields: object) -> Notification:
    """Return a finished notification that has so many deliveries of one outcome."""
    values = {"state": State.DONE, "target_count": count, f"{outcome}_count": count, **fields}
    notification = NotificationFactory.create(dry_run=False, finished_at=NOW, **values)
    for _ in range(count):
        DeliveryFactory.create(notification=notification, outcome=outcome)
    return notification


# --- Stopping ----------------------------------------------------------------------------------


def test_a_cancelled_notification_tells_what_went_out_and_what_never_will() -> None:
    notification = half_sent()

    stop = acts.cancel(notification.id, now=NOW, **ANNA)

    assert stop == acts.Stop(sent=300, in_flight=100, unsent=600)
    assert str(stop) == (
        "stopped after 300; 100 are in flight and may still go out; 600 will not be sent"
    )
    notification.refresh_from_db()
    assert notification.state == State.CANCELLED
    assert notification.reason == "Cancelled by anna: wrong title"


def test_what_is_recorded_after_the_stop_is_told_apart() -> None:
    notification = half_sent()
    acts.cancel(notification.id, now=NOW, **ANNA)

    Notification.objects.update(sent_count=390, abandoned_count=10)  # ten were taken back

    notification.refresh_from_db()
    assert notification.stopped_at == NOW
    assert notification.sent_after_stop == 90
    assert (notification.unclaimed_count, notification.unsent_count) == (600, 610)


def test_what_was_taken_back_of_a_held_one_waits() -> None:
    notification = half_sent()
    acts.hold(notification.id, now=NOW, **ANNA)

    Notification.objects.update(sent_count=390, retry_count=8, abandoned_count=2)

    notification.refresh_from_db()
    assert notification.unsent_count == 608


def test_an_audience_that_was_not_counted_is_not_made_up() -> None:
    notification = half_sent()
    Notification.objects.update(audience_count=None)

    stop = acts.hold(notification.id, now=NOW, **ANNA)

    assert stop.unsent is None
    assert str(stop) == "stopped after 300; 100 are in flight and may still go out"


@pytest.mark.parametrize("act", [acts.cancel, acts.hold])
def test_what_is_over_cannot_be_stopped(act: object) -> None:
    notification = with_deliveries("sent")

    with pytest.raises(acts.Refused, match=f"Notification {notification.id} is done"):
        act(notification.id, now=NOW, **ANNA)  # type: ignore[operator]


def test_a_notification_that_is_not_there_is_named() -> None:
    with pytest.raises(acts.Refused, match="There is no notification 42"):
        acts.cancel(42, now=NOW, **ANNA)


def test_a_pause_notes_how_far_each_had_come_and_a_resume_forgets_it() -> None:
    notification = half_sent()

    acts.pause(now=NOW, **ANNA)
    notification.refresh_from_db()
    assert (notification.stopped_at, notification.sent_at_stop) == (NOW, 300)

    acts.resume(now=NOW, **ANNA)
    notification.refresh_from_db()
    assert (notification.stopped_at, notification.sent_at_stop) == (None, None)


def test_a_switch_to_dry_run_stops_what_is_live_and_not_what_is_dry() -> None:
    live, dry = half_sent(), half_sent()
    Notification.objects.filter(id=dry.id).update(dry_run=True)

    acts.dry_run(now=NOW, **ANNA)

    stopped = Notification.objects.exclude(stopped_at=None)
    assert [each.id for each in stopped] == [live.id]


# --- Going on ----------------------------------------------------------------------------------


def test_a_released_notification_goes_on_where_it_was_held() -> None:
    notification = half_sent()
    acts.hold(notification.id, now=NOW, **ANNA)
    Notification.objects.update(crashes=3)

    acts.release(notification.id, by=Who("ben", 2), reason="checked")

    notification.refresh_from_db()
    assert notification.state == State.SENDING
    assert notification.reason == "Released by ben: checked"
    assert (notification.stopped_at, notification.crashes) == (None, 0)


def test_only_a_held_notification_can_be_released() -> None:
    with pytest.raises(acts.Refused, match="only a held one"):
        acts.release(half_sent().id, **ANNA)


def test_who_went_live_cannot_approve_a_larger_audience_than_they_allowed() -> None:
    notification = NotificationFactory.create()
    Notification.objects.hold(reason="too many", now=NOW, live_by=ANNA["by"])
    acts.dry_run(by=Who("ben", 2), reason="enough", now=NOW)

    with pytest.raises(acts.Refused, match="somebody else"):
        acts.release(notification.id, **ANNA)
    acts.release(notification.id, by=Who("ben", 2), reason="agreed")

    notification.refresh_from_db()
    assert (notification.state, notification.approved_by_id) == (State.PENDING, 2)
    assert not notification.needs_approval


def test_an_approval_outlasts_a_later_hold() -> None:
    notification = NotificationFactory.create(approved_by="ben", state=State.HELD)

    acts.release(notification.id, **ANNA)

    notification.refresh_from_db()
    assert notification.approved_by == "ben"


def test_live_is_refused_outside_production(settings: Settings) -> None:
    settings.ENVIRONMENT = "staging"

    with pytest.raises(acts.Refused, match="only production may send"):
        acts.go_live(now=NOW, **ANNA)
    assert SendingSwitch.objects.current().mode == SendingSwitch.Mode.DRY_RUN


def test_live_is_refused_without_a_reason() -> None:
    with pytest.raises(acts.Refused, match="reason is empty"):
        acts.go_live(now=NOW, by=Who("anna", 1), reason=" ")


def test_going_live_again_forgets_an_earlier_limit() -> None:
    SendingSwitchFactory.create(max_audience=10)

    switch = acts.go_live(now=NOW, **ANNA)

    assert (switch.max_audience, switch.live_by) == (None, "anna")


# --- Settling ----------------------------------------------------------------------------------


def test_unknown_deliveries_are_sent_again_only_by_an_operator_with_name_and_reason() -> None:
    notification = with_deliveries("unknown")

    assert acts.resend_unknown(notification.id, now=NOW, **ANNA) == 2

    notification.refresh_from_db()
    assert notification.state == State.SENDING
    assert (notification.unknown_count, notification.retry_count) == (0, 2)
    for delivery in Delivery.objects.all():
        assert (delivery.outcome, delivery.next_attempt_at) == ("retry", NOW)
        assert delivery.note == "Sent again by anna: wrong title"


def test_one_of_several_unknown_deliveries_can_be_settled() -> None:
    notification = with_deliveries("unknown")
    device_id = Delivery.objects.earliest("id").device_id
    assert device_id

    assert acts.abandon_unknown(notification.id, device_ids=[device_id], **ANNA) == 1

    notification.refresh_from_db()
    assert notification.state == State.DONE
    assert (notification.unknown_count, notification.abandoned_count) == (1, 1)


def test_what_an_operator_gave_up_is_not_retried_as_if_it_had_failed() -> None:
    notification = with_deliveries("unknown")
    acts.abandon_unknown(notification.id, **ANNA)

    with pytest.raises(acts.Refused, match="nothing left"):
        acts.retry_failed(notification.id, now=NOW, **ANNA)

    notification.refresh_from_db()
    assert notification.state == State.DONE


def test_what_fcm_never_accepted_is_attempted_again() -> None:
    notification = with_deliveries("abandoned")

    assert acts.retry_failed(notification.id, now=NOW, **ANNA) == 2

    notification.refresh_from_db()
    assert (notification.state, notification.finished_at) == (State.SENDING, None)
    assert (notification.abandoned_count, notification.retry_count) == (0, 2)


@pytest.mark.parametrize("state", [State.CANCELLED, State.EXPIRED])
def test_nothing_is_sent_again_of_what_was_stopped_for_good(state: str) -> None:
    notification = with_deliveries("unknown", state=state)

    with pytest.raises(acts.Refused, match="nothing more is sent"):
        acts.resend_unknown(notification.id, now=NOW, **ANNA)
    assert acts.abandon_unknown(notification.id, **ANNA) == 2


def test_nobody_is_told_of_a_talk_too_late() -> None:
    notification = with_deliveries("unknown")

    with pytest.raises(acts.Refused, match="nobody is told that late"):
        acts.resend_unknown(notification.id, now=NOW + timedelta(hours=2), **ANNA)


def test_a_held_notification_stays_held_when_its_unknowns_are_to_be_sent_again() -> None:
    notification = with_deliveries("unknown", state=State.HELD)

    acts.resend_unknown(notification.id, now=NOW, **ANNA)

    notification.refresh_from_db()
    assert notification.state == State.HELD


# --- After a restore -----------------------------------------------------------------------------


def test_after_a_restore_nothing_that_was_open_is_sent_and_sending_is_paused() -> None:
    half = half_sent()
    pending = NotificationFactory.create()
    held = NotificationFactory.create(state=State.HELD)
    done = with_deliveries("sent")

    told = acts.restored(by=Who("anna", 1), reason="last night's backup", now=NOW)

    assert told.cancelled == [half.id, pending.id, held.id]
    for each in (half, pending, held, done):
        each.refresh_from_db()
    assert [each.state for each in (half, pending, held)] == [State.CANCELLED] * 3
    assert half.reason == "Cancelled after a restore by anna: last night's backup"
    assert done.state == State.DONE
    switch = SendingSwitch.objects.current()
    assert (switch.paused, switch.paused_reason) == (True, "last night's backup")


def test_after_a_restore_no_number_that_apps_may_know_is_given_again() -> None:
    def numbers() -> list[int]:
        """Return the number of a new row of each kind."""
        talk = TalkFactory.create()
        device = DeviceTokenFactory.create()
        return [talk.program.id, talk.id, talk.notification.id, device.id]

    lost = numbers()

    acts.restored(by=Who("anna", 1), reason="", now=NOW)

    for before, after in zip(lost, numbers(), strict=True):
        assert after > before + 1_000_000


def test_the_lease_goes_on_beyond_each_epoch_that_a_worker_may_remember() -> None:
    WorkerLeaseFactory.create(epoch=5, commits=70, remembered_epoch=9)

    told = acts.restored(by=Who("anna", 1), reason="", now=NOW)

    lease = WorkerLease.objects.get()
    assert lease.epoch == told.epoch >= 1_000_000_009
    assert (lease.holder, lease.remembered_epoch) == ("", None)
    assert lease.commits > 1_000_000_000


def test_done_twice_after_a_restore_it_is_as_safe_as_done_once() -> None:
    half_sent()
    WorkerLeaseFactory.create()
    first = acts.restored(by=Who("anna", 1), reason="restored", now=NOW)

    second = acts.restored(by=Who("anna", 1), reason="restored, to be sure", now=NOW)

    assert second.cancelled == []
    assert second.epoch > first.epoch
    assert SendingSwitch.objects.current().paused

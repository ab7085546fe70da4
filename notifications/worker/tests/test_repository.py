"""The repository: claims before the first byte, counters that are those of the log."""

from collections import Counter
from datetime import datetime, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.who import Who
from notifications import reasons
from notifications.channel import ANNOUNCED_WITHIN
from notifications.models import (
    Batch,
    Delivery,
    DeviceToken,
    Notification,
    SendingSwitch,
    WorkerLease,
)
from notifications.operators import acts
from notifications.worker.lease import Lease, LeaseLostError
from notifications.worker.repository import Claim, ClaimEnd, Entry, Repository
from notifications.worker.work import Target
from programs.models import Clip, Program, Talk

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("live")]
User = get_user_model()

NOW = timezone.now()


@pytest.fixture
def program() -> Program:
    """Return a program without listeners."""
    return Program.objects.create(owner=User.objects.create(username="talker"), title="Night")


def listener(program: Program, *, muted: bool = False, devices: int = 1) -> list[DeviceToken]:
    """Return the devices of a new listener of the program."""
    number = User.objects.count()
    user = User.objects.create(username=f"listener-{number}")
    Clip.objects.create(listener=user, program=program, muted=muted)
    return [
        DeviceToken.objects.create(user=user, token=f"token-{number}-{nth}", created_at=NOW)
        for nth in range(devices)
    ]


def sending(program: Program, repository: Repository) -> Notification:
    """Return the notification of a new talk, started live."""
    notification = Talk.objects.create(program=program, title="Hello").notification
    assert repository.due.start(notification, now=timezone.now())
    return notification


def claim(
    repository: Repository, notification: Notification, *, size: int = 25, limit: int = 100
) -> Claim:
    return repository.claims.first_attempts(
        notification.id, size=size, limit=limit, now=timezone.now()
    )


def claimed_ids(claim: Claim) -> list[int]:
    """Return the devices of a claim in order."""
    return [target.device_id for batch in claim.batches for target in batch.targets]


def entry(notification: Notification, device_id: int, outcome: str, **values: object) -> Entry:
    """Return a line of the log."""
    at = values.get("next_attempt_at")
    return Entry(
        notification_id=notification.id,
        device_id=device_id,
        outcome=outcome,
        error_code="",
        message_id="",
        attempts=1,
        next_attempt_at=at if isinstance(at, datetime) else None,
    )


def assert_counters_are_those_of_the_log(notification: Notification) -> None:
    """Compare the notification's counters with its deliveries."""
    notification.refresh_from_db()
    counts = notification.counts()
    del counts["target"]
    log = Counter(notification.deliveries.values_list("outcome", flat=True))
    assert counts == {outcome: log[outcome] for outcome in counts}


# --- Claims ------------------------------------------------------------------------------------


def test_a_claim_takes_the_next_devices_in_order_and_cuts_them_into_batches(
    repository: Repository, program: Program
) -> None:
    ids = [device.id for _ in range(5) for device in listener(program)]
    notification = sending(program, repository)

    result = claim(repository, notification, size=2, limit=4)

    assert [[target.device_id for target in batch.targets] for batch in result.batches] == [
        ids[0:2],
        ids[2:4],
    ]
    assert result.end is ClaimEnd.OPEN
    assert list(Batch.objects.order_by("id").values_list("after_id", "upto_id", "targets")) == [
        (0, ids[1], ids[0:2]),
        (ids[1], ids[3], ids[2:4]),
    ]


def test_the_next_claim_goes_on_where_the_last_one_ended(
    repository: Repository, program: Program
) -> None:
    ids = [device.id for _ in range(5) for device in listener(program)]
    notification = sending(program, repository)

    taken = [claimed_ids(claim(repository, notification, limit=2)) for _ in range(3)]

    assert taken == [ids[0:2], ids[2:4], ids[4:5]]
    notification.refresh_from_db()
    assert (notification.cursor, notification.target_count) == (ids[4], 5)


def test_a_claim_that_finds_the_end_says_so(repository: Repository, program: Program) -> None:
    listener(program)
    notification = sending(program, repository)

    assert claim(repository, notification).end is ClaimEnd.EXHAUSTED


def test_all_devices_of_a_listener_are_targets(repository: Repository, program: Program) -> None:
    ids = [device.id for device in listener(program, devices=3)]

    assert claimed_ids(claim(repository, sending(program, repository))) == ids


def test_who_muted_unclipped_or_lost_the_device_is_no_target(
    repository: Repository, program: Program
) -> None:
    listener(program, muted=True)
    (disabled,) = listener(program)
    DeviceToken.objects.filter(id=disabled.id).disable(reason="a test", now=NOW)
    (unclipped,) = listener(program)
    unclipped.user.clips.all().delete()
    (target,) = listener(program)

    assert claimed_ids(claim(repository, sending(program, repository))) == [target.id]


def test_a_device_registered_after_the_cutoff_is_no_target(
    repository: Repository, program: Program
) -> None:
    (early,) = listener(program)
    notification = sending(program, repository)
    (late,) = listener(program)
    DeviceToken.objects.filter(id=late.id).update(created_at=timezone.now())

    assert claimed_ids(claim(repository, notification)) == [early.id]


def test_a_stale_worker_claims_nothing(repository: Repository, program: Program) -> None:
    listener(program)
    notification = sending(program, repository)
    WorkerLease.objects.update(expires_at=Now())
    Lease(timedelta(seconds=15)).keep()

    with pytest.raises(LeaseLostError):
        claim(repository, notification)

    assert not Batch.objects.exists()


def test_a_pause_stops_the_next_claim(repository: Repository, program: Program) -> None:
    listener(program)
    notification = sending(program, repository)
    SendingSwitch.objects.change(changed_by="anna", now=NOW, reason="", paused=True)

    assert claim(repository, notification) == Claim(ClaimEnd.PAUSED)


def test_what_waits_for_a_resume_locks_nothing(repository: Repository, program: Program) -> None:
    notification = Talk.objects.create(program=program, title="Hello").notification
    SendingSwitch.objects.change(changed_by="anna", now=NOW, reason="", paused=True)

    with CaptureQueriesContext(connection) as queries:
        assert repository.due.start(notification, now=NOW) is None

    # A lock is written to the disk: 500 that waited took 11 s of each second's look.
    assert [query["sql"] for query in queries if "workerlease" in query["sql"]] == []


def test_a_live_notification_is_held_when_the_switch_goes_back_to_dry_run(
    repository: Repository, program: Program
) -> None:
    listener(program)
    notification = sending(program, repository)
    SendingSwitch.objects.change(changed_by="anna", now=NOW, reason="", mode="dry_run")

    assert claim(repository, notification) == Claim(ClaimEnd.CLOSED)
    notification.refresh_from_db()
    assert notification.state == Notification.State.HELD
    assert "dry run" in notification.reason


def test_nothing_is_claimed_of_what_became_too_old_since_the_last_look(
    repository: Repository, program: Program
) -> None:
    listener(program)
    notification = sending(program, repository)
    tomorrow = timezone.now() + timedelta(days=1)  # a suspended machine wakes up

    result = repository.claims.first_attempts(notification.id, size=25, limit=25, now=tomorrow)

    assert result == Claim(ClaimEnd.CLOSED)


def test_a_deleted_talk_is_not_announced_any_further(
    repository: Repository, program: Program
) -> None:
    listener(program)
    notification = sending(program, repository)
    Talk.objects.all().delete()

    assert claim(repository, notification) == Claim(ClaimEnd.CLOSED)
    notification.refresh_from_db()
    assert notification.state == Notification.State.CANCELLED


def test_a_cancelled_notification_is_not_claimed_from(
    repository: Repository, program: Program
) -> None:
    listener(program)
    notification = sending(program, repository)
    Notification.objects.cancel(reason="a test", now=NOW)

    assert claim(repository, notification) == Claim(ClaimEnd.CLOSED)


def test_the_statements_of_a_claim_do_not_grow_with_its_targets(
    repository: Repository, program: Program, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(60):
        listener(program)
    notification = sending(program, repository)
    claim(repository, notification, limit=2)  # has read who may be next

    # Savepoint, fence, switch, notification, audience, batches, cursor, release.
    with django_assert_num_queries(8):
        claim(repository, notification, limit=50)


# --- Results -----------------------------------------------------------------------------------


def test_recorded_results_are_in_the_log_and_in_the_counters(
    repository: Repository, program: Program
) -> None:
    ids = [device.id for _ in range(3) for device in listener(program)]
    notification = sending(program, repository)
    result = claim(repository, notification)

    repository.results.record(
        [
            entry(notification, ids[0], "sent"),
            entry(notification, ids[1], "rejected"),
            entry(notification, ids[2], "unknown"),
        ],
        closed_batches=[batch.id for batch in result.batches],
        now=NOW,
    )

    assert_counters_are_those_of_the_log(notification)
    assert notification.first_sent_at == notification.last_sent_at == NOW
    assert Batch.objects.get().state == Batch.State.DONE


def test_a_late_answer_replaces_unknown_by_the_truth(
    repository: Repository, program: Program
) -> None:
    (device,) = listener(program)
    notification = sending(program, repository)
    claim(repository, notification)
    repository.results.record(
        [entry(notification, device.id, "unknown")], closed_batches=[], now=NOW
    )

    repository.results.record([entry(notification, device.id, "sent")], closed_batches=[], now=NOW)

    assert_counters_are_those_of_the_log(notification)
    assert Delivery.objects.get().outcome == "sent"


def test_a_late_unknown_does_not_overwrite_what_is_known(
    repository: Repository, program: Program
) -> None:
    (device,) = listener(program)
    notification = sending(program, repository)
    repository.results.record([entry(notification, device.id, "sent")], closed_batches=[], now=NOW)

    repository.results.record(
        [entry(notification, device.id, "unknown")], closed_batches=[], now=NOW
    )

    assert_counters_are_those_of_the_log(notification)
    assert Delivery.objects.get().outcome == "sent"


def test_an_answer_for_a_device_deleted_meanwhile_is_still_recorded(
    repository: Repository, program: Program
) -> None:
    (device,) = listener(program)
    notification = sending(program, repository)
    claim(repository, notification)
    device.user.delete()

    repository.results.record(
        [entry(notification, device.pk or 1, "sent")], closed_batches=[], now=NOW
    )

    assert_counters_are_those_of_the_log(notification)


def test_answers_of_a_deleted_notification_do_not_stop_the_others(
    repository: Repository, program: Program
) -> None:
    (device,) = listener(program)
    gone, kept = sending(program, repository), sending(program, repository)
    Notification.objects.filter(id=gone.id).delete()
    entries = [entry(each, device.id, "sent") for each in (gone, kept)]

    repository.results.record(entries, closed_batches=[], now=NOW)

    assert Delivery.objects.get().notification_id == kept.id


def test_a_result_written_again_does_not_undo_the_claim_of_the_next_attempt(
    repository: Repository, program: Program
) -> None:
    # The answer to the first record's COMMIT was lost, so the worker writes it again.
    notification = retry_of(repository, program)
    device_id = Delivery.objects.get().device_id
    assert device_id
    assert claim_retries(repository, notification).batches
    again = entry(notification, device_id, "retry", next_attempt_at=NOW - timedelta(seconds=1))

    repository.results.record([again], closed_batches=[], now=NOW)

    assert not claim_retries(repository, notification).batches
    assert_counters_are_those_of_the_log(notification)


def test_a_retry_that_ended_unknown_is_not_made_due_by_an_earlier_answer(
    repository: Repository, program: Program
) -> None:
    notification = retry_of(repository, program)
    Delivery.objects.update(outcome="unknown", attempts=2, next_attempt_at=None)
    Notification.objects.update(retry_count=0, unknown_count=1)
    device_id = Delivery.objects.get().device_id
    assert device_id
    again = entry(notification, device_id, "retry", next_attempt_at=NOW - timedelta(seconds=1))

    repository.results.record([again], closed_batches=[], now=NOW)

    assert_counters_are_those_of_the_log(notification)
    assert Delivery.objects.get().outcome == "unknown"


def test_the_late_answer_of_an_earlier_attempt_does_not_displace_the_next_ones(
    repository: Repository, program: Program
) -> None:
    # Sent again by an operator while the first attempt, given up for lost, was still in flight.
    notification = retry_of(repository, program)
    device_id = Delivery.objects.get().device_id
    assert device_id
    (batch,) = claim_retries(repository, notification).batches
    late = entry(notification, device_id, "unknown")
    answer = entry(notification, device_id, "sent")._replace(attempts=2)

    repository.results.record([answer, late], closed_batches=[batch.id], now=NOW)

    assert Delivery.objects.get().outcome == "sent"
    assert_counters_are_those_of_the_log(notification)


@pytest.mark.parametrize("is_together", [False, True])
def test_what_fcm_accepted_late_is_not_retried_for_the_attempt_that_followed(
    repository: Repository, program: Program, *, is_together: bool
) -> None:
    # Sent again by an operator while the first attempt, given up for lost, was still in flight.
    notification = retry_of(repository, program)
    device_id = Delivery.objects.get().device_id
    assert device_id
    (batch,) = claim_retries(repository, notification).batches
    due = NOW - timedelta(seconds=1)
    answer = entry(notification, device_id, "retry", next_attempt_at=due)._replace(attempts=2)
    late = entry(notification, device_id, "sent")

    for entries in [[late, answer]] if is_together else [[answer], [late]]:
        repository.results.record(entries, closed_batches=[batch.id], now=NOW)

    assert not claim_retries(repository, notification).batches
    assert Delivery.objects.get().outcome == "sent"
    assert_counters_are_those_of_the_log(notification)


def test_nothing_is_retried_of_a_cancelled_notification(
    repository: Repository, program: Program
) -> None:
    (device,) = listener(program)
    notification = sending(program, repository)
    claim(repository, notification)
    Notification.objects.cancel(reason="a test", now=NOW)

    repository.results.record(
        [entry(notification, device.id, "retry", next_attempt_at=NOW)], closed_batches=[], now=NOW
    )

    assert_counters_are_those_of_the_log(notification)
    assert Delivery.objects.get().outcome == "abandoned"


@pytest.mark.parametrize("state", [Notification.State.DONE, Notification.State.HELD])
def test_what_was_not_accepted_after_all_is_attempted_again_as_far_as_operators_allow(
    repository: Repository, program: Program, state: Notification.State
) -> None:
    (device,) = listener(program)
    notification = sending(program, repository)
    claim(repository, notification)
    batch = Batch.objects.get()
    unknown, late = (
        entry(notification, device.id, outcome, next_attempt_at=at)
        for outcome, at in [("unknown", None), ("retry", NOW)]
    )
    repository.results.record([unknown], closed_batches=[batch.id], now=NOW)
    Notification.objects.update(state=state, finished_at=NOW)

    repository.results.record([late], closed_batches=[], now=NOW)

    assert_counters_are_those_of_the_log(notification)
    assert Delivery.objects.get().outcome == "retry"
    notification.refresh_from_db()
    goes_on = state == Notification.State.DONE
    assert notification.state == (Notification.State.SENDING if goes_on else state)
    assert (notification.reason == reasons.NOT_ACCEPTED_AFTER_ALL) is goes_on
    assert bool(claim_retries(repository, notification).batches) is goes_on


def test_a_late_answer_does_not_undo_what_an_operator_has_given_up(
    repository: Repository, program: Program
) -> None:
    (device,) = listener(program)
    notification = sending(program, repository)
    claim(repository, notification)
    Delivery.objects.create(
        notification=notification, device=device, outcome="abandoned", attempts=1, at=NOW
    )
    Notification.objects.update(state=Notification.State.DONE, abandoned_count=1)

    repository.results.record(
        [entry(notification, device.id, "retry", next_attempt_at=NOW)], closed_batches=[], now=NOW
    )

    assert Delivery.objects.get().outcome == "abandoned"
    assert Notification.objects.get().state == Notification.State.DONE


def test_the_statements_of_a_record_do_not_grow_with_its_results(
    repository: Repository, program: Program, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    ids = [device.id for _ in range(60) for device in listener(program)]
    notification = sending(program, repository)
    entries = [entry(notification, device_id, "sent") for device_id in ids]
    repository.results.record(entries[:1], closed_batches=[], now=NOW)  # the minute's row is there

    # Savepoint, lock, what is there, deliveries, counters, batches, minute, release.
    with django_assert_num_queries(8):
        repository.results.record(entries, closed_batches=[1], now=NOW)


def claimed(repository: Repository, program: Program) -> list[Target]:
    """Return the targets of a new talk, in order of device."""
    notification = sending(program, repository)
    claim = repository.claims.first_attempts(notification.id, size=25, limit=100, now=NOW)
    return [target for batch in claim.batches for target in batch.targets]


def test_a_refused_device_is_disabled(repository: Repository, program: Program) -> None:
    listener(program)
    targets = claimed(repository, program)

    assert repository.results.disable(targets, reason="FCM: gone", now=NOW) == 1
    assert DeviceToken.objects.get().disabled_reason == "FCM: gone"


@pytest.mark.parametrize("clock", [timedelta(hours=-1), timedelta(), timedelta(hours=1)], ids=str)
def test_a_refused_device_that_registered_again_stays_whatever_the_clocks_say(
    repository: Repository, program: Program, clock: timedelta
) -> None:
    (device,) = listener(program)
    targets = claimed(repository, program)
    DeviceToken.objects.register(
        user=device.user, token=device.token, kind="token", platform="android", now=NOW + clock
    )

    assert repository.results.disable(targets, reason="FCM: gone", now=NOW) == 0


def test_a_refused_device_that_somebody_else_has_now_stays(
    repository: Repository, program: Program
) -> None:
    (device,) = listener(program)
    targets = claimed(repository, program)
    DeviceToken.objects.register(
        user=program.owner, token=device.token, kind="token", platform="android", now=NOW
    )

    assert repository.results.disable(targets, reason="FCM: gone", now=NOW) == 0


def test_a_refused_device_with_another_token_by_now_stays(
    repository: Repository, program: Program
) -> None:
    listener(program)
    targets = claimed(repository, program)
    DeviceToken.objects.update(token="another")

    assert repository.results.disable(targets, reason="FCM: gone", now=NOW) == 0


def test_a_retry_that_is_refused_disables_as_well(repository: Repository, program: Program) -> None:
    listener(program)
    (first,) = claimed(repository, program)
    notification = Notification.objects.get()
    retry = entry(notification, first.device_id, "retry", next_attempt_at=NOW)
    repository.results.record([retry], closed_batches=[], now=NOW)

    claim = repository.claims.retries(notification.id, size=25, limit=100, now=NOW)

    (again,) = claim.batches[0].targets
    assert (again.attempt, again.token, again.refreshed_at) == (2, first.token, first.refreshed_at)
    assert repository.results.disable([again], reason="FCM: gone", now=NOW) == 1


def test_the_statements_of_a_record_grow_only_by_the_counters_of_each_notification(
    repository: Repository, program: Program
) -> None:
    (device,) = listener(program)
    several = [sending(program, repository) for _ in range(4)]

    def statements(notifications: list[Notification]) -> int:
        entries = [entry(each, device.id, "sent") for each in notifications]
        with CaptureQueriesContext(connection) as captured:
            repository.results.record(entries, closed_batches=[1], now=NOW)
        return len(captured)

    statements(several[:1])  # begins the minute
    assert statements(several[2:]) == statements(several[1:2]) + 1


# --- Retries -----------------------------------------------------------------------------------


def retry_of(repository: Repository, program: Program, *, count: int = 1) -> Notification:
    """Return a notification whose `count` targets are all due to be attempted again."""
    ids = [device.id for _ in range(count) for device in listener(program)]
    notification = sending(program, repository)
    batches = [batch.id for batch in claim(repository, notification).batches]
    entries = [
        entry(notification, device_id, "retry", next_attempt_at=NOW - timedelta(seconds=1))
        for device_id in ids
    ]
    repository.results.record(entries, closed_batches=batches, now=NOW)
    notification.refresh_from_db()
    return notification


def claim_retries(repository: Repository, notification: Notification) -> Claim:
    return repository.claims.retries(notification.id, size=25, limit=25, now=timezone.now())


def test_a_due_retry_is_claimed_once_as_its_next_attempt(
    repository: Repository, program: Program
) -> None:
    notification = retry_of(repository, program)

    first, second = (claim_retries(repository, notification) for _ in range(2))

    assert [target.attempt for batch in first.batches for target in batch.targets] == [2]
    assert not second.batches


def test_a_notification_knows_the_epoch_in_which_its_retries_were_claimed(
    repository: Repository, lease: Lease, program: Program
) -> None:
    notification = retry_of(repository, program)
    lease.doubt()
    lease.keep()

    claim_retries(repository, notification)

    notification.refresh_from_db()
    assert notification.epoch == lease.epoch == 2


def test_a_retry_whose_time_has_not_come_is_not_due(
    repository: Repository, program: Program
) -> None:
    notification = retry_of(repository, program)
    Delivery.objects.update(next_attempt_at=NOW + timedelta(hours=1))

    assert repository.due.with_retries([notification.id], now=NOW) == set()
    assert not claim_retries(repository, notification).batches


def test_who_unclipped_before_the_retry_is_skipped(
    repository: Repository, program: Program
) -> None:
    notification = retry_of(repository, program)
    Clip.objects.all().delete()

    result = claim_retries(repository, notification)

    assert not result.batches
    assert_counters_are_those_of_the_log(notification)
    assert notification.skipped_count == 1


def test_a_notification_with_a_retry_waiting_is_not_finished(
    repository: Repository, program: Program
) -> None:
    notification = retry_of(repository, program)

    assert repository.due.finish(notification.id, now=NOW) is None


def test_when_its_time_is_up_only_retries_are_abandoned(
    repository: Repository, program: Program
) -> None:
    notification = retry_of(repository, program, count=3)

    state = repository.due.end_overdue(notification, now=NOW)

    assert state == Notification.State.DONE
    assert_counters_are_those_of_the_log(notification)
    assert notification.abandoned_count == 3


# --- What a worker leaves behind ---------------------------------------------------------------


def next_epoch(lease: Lease) -> None:
    """Let the same worker come back in a new epoch."""
    lease.doubt()
    lease.keep()


def test_what_a_dead_worker_had_in_flight_is_unknown(
    repository: Repository, program: Program, lease: Lease
) -> None:
    ids = [device.id for _ in range(3) for device in listener(program)]
    notification = sending(program, repository)
    claim(repository, notification)
    repository.results.record([entry(notification, ids[0], "sent")], closed_batches=[], now=NOW)
    next_epoch(lease)

    lost = repository.recovery.recover(in_flight=[], now=NOW)

    assert lost == {notification.id: 2}
    assert_counters_are_those_of_the_log(notification)
    assert (notification.sent_count, notification.unknown_count) == (1, 2)
    assert Batch.objects.get().state == Batch.State.LOST


def test_a_retry_that_was_in_flight_is_unknown(
    repository: Repository, program: Program, lease: Lease
) -> None:
    notification = retry_of(repository, program)
    claim_retries(repository, notification)
    next_epoch(lease)

    lost = repository.recovery.recover(in_flight=[], now=NOW)

    assert lost == {notification.id: 1}
    assert_counters_are_those_of_the_log(notification)
    assert notification.unknown_count == 1


def test_what_this_process_is_still_sending_is_not_lost(
    repository: Repository, program: Program, lease: Lease
) -> None:
    listener(program)
    notification = sending(program, repository)
    (batch,) = claim(repository, notification).batches
    next_epoch(lease)

    assert repository.recovery.recover(in_flight=[batch.id], now=NOW) == {}
    assert Batch.objects.get().state == Batch.State.SENDING


def test_nothing_is_recovered_twice(repository: Repository, program: Program, lease: Lease) -> None:
    listener(program)
    notification = sending(program, repository)
    claim(repository, notification)
    next_epoch(lease)
    repository.recovery.recover(in_flight=[], now=NOW)
    next_epoch(lease)

    assert repository.recovery.recover(in_flight=[], now=NOW) == {}
    assert_counters_are_those_of_the_log(notification)


def after_a_crash(repository: Repository, notification: Notification) -> Repository:
    """Return the repository of the worker that follows one that claimed and died."""
    claim(repository, notification, limit=25)
    WorkerLease.objects.update(expires_at=NOW - timedelta(seconds=1))
    lease = Lease(timedelta(seconds=15))
    lease.keep()
    successor = Repository(lease)
    successor.recovery.recover(in_flight=[], now=NOW)
    return successor


def test_what_three_workers_in_a_row_died_of_is_held_and_others_are_not(
    repository: Repository, program: Program
) -> None:
    for _ in range(100):
        listener(program)
    poison, other = sending(program, repository), sending(program, repository)

    for held in ([], [], [poison.id]):
        repository = after_a_crash(repository, poison)
        assert repository.recovery.hold_poison(now=NOW) == held

    poison.refresh_from_db()
    other.refresh_from_db()
    assert poison.state == Notification.State.HELD
    assert "release or cancel" in poison.reason
    assert other.state == Notification.State.SENDING


def test_an_answer_recorded_in_between_shows_that_it_is_no_poison(
    repository: Repository, program: Program
) -> None:
    ids = [device.id for _ in range(100) for device in listener(program)]
    notification = sending(program, repository)
    for _ in range(2):
        repository = after_a_crash(repository, notification)
    repository.results.record([entry(notification, ids[99], "sent")], closed_batches=[], now=NOW)

    repository = after_a_crash(repository, notification)

    assert repository.recovery.hold_poison(now=NOW) == []
    notification.refresh_from_db()
    assert notification.crashes == 1


def test_a_database_that_was_away_is_no_crash(
    repository: Repository, program: Program, lease: Lease
) -> None:
    listener(program)
    notification = sending(program, repository)
    claim(repository, notification)
    next_epoch(lease)

    assert repository.recovery.recover(in_flight=[], now=NOW) == {notification.id: 1}

    notification.refresh_from_db()
    assert notification.crashes == 0


# --- What is due -------------------------------------------------------------------------------


def test_only_named_talks_get_the_notification_that_they_lack(
    repository: Repository, program: Program
) -> None:
    named, _imported = Talk.objects.bulk_create(
        [Talk(program=program, title="Named"), Talk(program=program, title="Imported")]
    )

    named_in_messages = dict.fromkeys([named.id, 404], ANNOUNCED_WITHIN)
    assert repository.due.add_missing(named_in_messages, now=NOW) == []
    assert Notification.objects.get().talk_id == named.id


def test_a_talk_named_again_gets_no_second_notification(
    repository: Repository, program: Program
) -> None:
    talk = Talk.objects.create(program=program, title="Hello")

    repository.due.add_missing({talk.id: ANNOUNCED_WITHIN}, now=NOW)

    assert Notification.objects.count() == 1


def long_ago(talk: Talk) -> Talk:
    """Return the talk as if it had been inserted more than a minute ago; posted_at says now."""
    Talk.objects.filter(id=talk.id).update(
        created_at=NOW - ANNOUNCED_WITHIN - timedelta(seconds=1), posted_at=NOW
    )
    return talk


def test_an_imported_talk_is_announced_by_no_unsigned_message(
    repository: Repository, program: Program
) -> None:
    (talk,) = Talk.objects.bulk_create([Talk(program=program, title="Imported")])
    long_ago(talk)

    assert repository.due.add_missing({talk.id: ANNOUNCED_WITHIN}, now=NOW) == [talk.id]
    assert not Notification.objects.exists()


def test_a_talk_that_is_older_than_the_column_is_announced_by_no_unsigned_message(
    repository: Repository, program: Program
) -> None:
    (talk,) = Talk.objects.bulk_create([Talk(program=program, title="Old", posted_at=NOW)])
    Talk.objects.update(created_at=None)

    assert repository.due.add_missing({talk.id: ANNOUNCED_WITHIN}, now=NOW) == [talk.id]
    assert repository.due.add_missing({talk.id: timedelta.max}, now=NOW) == []
    assert Notification.objects.get().talk == talk


def test_a_talk_of_a_signed_message_is_announced_at_any_age(
    repository: Repository, program: Program
) -> None:
    (talk,) = Talk.objects.bulk_create([Talk(program=program, title="Imported")])
    long_ago(talk)

    assert repository.due.add_missing({talk.id: timedelta.max}, now=NOW) == []
    assert Notification.objects.get().talk == talk


def test_a_named_talk_beyond_the_cap_is_held(
    repository: Repository, program: Program, settings: Settings
) -> None:
    settings.NOTIFICATIONS_PER_PROGRAM_PER_HOUR = 1
    talks = Talk.objects.bulk_create(Talk(program=program, title=f"{n}") for n in range(3))

    repository.due.add_missing({each.id: ANNOUNCED_WITHIN for each in talks}, now=NOW)

    states = Notification.objects.order_by("id").values_list("state", flat=True)
    assert list(states) == ["pending", "held", "held"]


def test_the_longest_reason_of_an_operator_fits(repository: Repository, program: Program) -> None:
    SendingSwitch.objects.change(changed_by="anna", now=NOW, reason="x" * 500, mode="live")

    notification = sending(program, repository)

    notification.refresh_from_db()
    assert notification.reason.startswith("Live: xxx")


def test_an_old_talk_is_never_announced(repository: Repository, program: Program) -> None:
    Talk.objects.create(program=program, title="Old", posted_at=NOW - timedelta(days=1))

    assert repository.due.active() == []
    assert Notification.objects.get().state == Notification.State.EXPIRED


def test_a_notification_that_waited_too_long_expires(
    repository: Repository, program: Program
) -> None:
    listener(program)
    notification = Talk.objects.create(program=program, title="Hello").notification

    state = repository.due.end_overdue(notification, now=NOW)

    assert state == Notification.State.EXPIRED


@pytest.mark.parametrize("is_deleted", [False, True])
def test_what_waited_too_long_without_anybody_to_tell_ends_as_well(
    repository: Repository, program: Program, *, is_deleted: bool
) -> None:
    Talk.objects.create(program=program, title="Hello")
    if is_deleted:
        Talk.objects.all().delete()
    (notification,) = repository.due.active()

    state = repository.due.end_overdue(notification, now=NOW)

    assert state == Notification.State.EXPIRED
    assert repository.due.active() == []


def test_what_is_due_is_read_with_its_talk_and_program_in_one_statement(
    repository: Repository, program: Program, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(3):
        Talk.objects.create(program=program, title=f"Talk {number}")

    with django_assert_num_queries(1):
        titles = [each.talk.program.title for each in repository.due.active() if each.talk]

    assert titles == ["Night"] * 3


# --- The largest audience ----------------------------------------------------------------------


def allow(audience: int) -> None:
    """Let anna go live for so many."""
    acts.go_live(by=Who("anna", 1), reason="a test", now=NOW, max_audience=audience)


def test_a_larger_audience_than_was_allowed_is_held_before_anybody_is_sent_to(
    repository: Repository, program: Program
) -> None:
    allow(2)
    for _ in range(3):
        listener(program)
    notification = Talk.objects.create(program=program, title="Hello").notification

    assert repository.due.start(notification, now=NOW) is None

    notification.refresh_from_db()
    assert notification.state == Notification.State.HELD
    assert notification.needs_approval
    assert notification.live_by == "anna"
    assert "larger than the 2 that anna allowed" in notification.reason


def test_an_audience_as_large_as_allowed_is_sent(repository: Repository, program: Program) -> None:
    allow(2)
    for _ in range(2):
        listener(program)
    notification = Talk.objects.create(program=program, title="Hello").notification

    decision = repository.due.start(notification, now=NOW)

    assert decision
    assert not decision.dry_run


def test_what_somebody_else_approved_is_sent(repository: Repository, program: Program) -> None:
    allow(0)
    listener(program)
    notification = Talk.objects.create(program=program, title="Hello").notification
    repository.due.start(notification, now=NOW)

    acts.release(notification.id, by=Who("ben", 2), reason="agreed")
    notification.refresh_from_db()

    assert repository.due.start(notification, now=NOW)


def test_a_dry_run_needs_no_approval(repository: Repository, program: Program) -> None:
    allow(0)
    listener(program)
    program.dry_run = True
    program.save()
    notification = Talk.objects.create(program=program, title="Hello").notification

    decision = repository.due.start(notification, now=NOW)

    assert decision
    assert decision.dry_run

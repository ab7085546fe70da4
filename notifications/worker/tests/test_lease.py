"""The lease: one worker is active, and one that has lost the lease claims nothing."""

import os
import socket
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from accounts.who import Who
from notifications.models import Notification, Standby, WorkerLease
from notifications.operators import acts
from notifications.tests.faults.locks import somebody_waits_for_a_lock
from notifications.worker.lease import Lease, LeaseLostError, LeaseState, RestoredError
from testbed.process import eventually

TTL = timedelta(seconds=15)
DEADLINE_SECONDS = 120.0  # for a busy machine, no expectation


def expire() -> None:
    """Let the lease run out, on the database's clock."""
    WorkerLease.objects.update(expires_at=Now() - timedelta(seconds=1))


@pytest.mark.django_db
def test_the_first_worker_gets_the_lease() -> None:
    lease = Lease(TTL)

    assert lease.keep() is LeaseState.ACQUIRED
    assert lease.epoch == 1


@pytest.mark.django_db
def test_a_host_name_that_is_not_utf_8_keeps_no_worker_from_the_lease(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: os.fsdecode(b"caf\xe9"))
    lease = Lease(TTL)

    assert lease.keep() is LeaseState.ACQUIRED
    assert WorkerLease.objects.get().holder.startswith("caf\N{REPLACEMENT CHARACTER}:")


@pytest.mark.django_db
def test_it_stays_with_its_holder_while_it_is_renewed() -> None:
    lease = Lease(TTL)
    lease.keep()

    assert lease.keep() is LeaseState.HELD
    assert lease.epoch == 1


@pytest.mark.django_db
def test_its_holder_shows_its_figures_with_it_and_keeps_the_latest() -> None:
    lease = Lease(TTL)
    lease.keep()

    lease.keep(turnaround_median=0.004, turnaround_p99=0.011)
    lease.keep()

    row = WorkerLease.objects.get()
    assert (row.turnaround_median, row.turnaround_p99) == (0.004, 0.011)


@pytest.mark.django_db
def test_the_next_holder_shows_none_of_the_last_ones_figures() -> None:
    lease = Lease(TTL)
    lease.keep()
    lease.keep(turnaround_median=0.004, turnaround_p99=0.011)
    lease.release()

    Lease(TTL).keep()

    row = WorkerLease.objects.get()
    assert (row.turnaround_median, row.turnaround_p99) == (None, None)


@pytest.mark.django_db
def test_a_second_worker_waits_for_a_rival_not_yet_seen_alive() -> None:
    Lease(TTL).keep()

    assert Lease(TTL).keep() is LeaseState.AWAITED


@pytest.mark.django_db
def test_a_second_worker_knows_a_living_rival_by_its_renewal() -> None:
    first, second = Lease(TTL), Lease(TTL)
    first.keep()
    second.keep()

    WorkerLease.objects.update(heartbeat_at=Now() + timedelta(seconds=1))  # as a renewal does

    assert second.keep() is LeaseState.TAKEN
    assert second.rival
    assert second.rival.name == first.holder


@pytest.mark.django_db
def test_an_expired_lease_is_taken_over_in_a_new_epoch() -> None:
    first, second = Lease(TTL), Lease(TTL)
    first.keep()
    expire()

    assert second.keep() is LeaseState.ACQUIRED
    assert second.epoch == first.epoch + 1


@pytest.mark.django_db
def test_a_worker_that_slept_past_its_lease_finds_it_lost() -> None:
    slept, other = Lease(TTL), Lease(TTL)
    slept.keep()
    expire()
    other.keep()

    with pytest.raises(LeaseLostError):
        slept.keep()
    assert slept.epoch == 0


@pytest.mark.django_db
def test_an_expired_lease_that_nobody_took_is_still_its_holders() -> None:
    lease = Lease(TTL)
    lease.keep()
    expire()

    assert lease.keep() is LeaseState.HELD


@pytest.mark.django_db
def test_a_lease_given_back_is_free_at_once() -> None:
    first, second = Lease(TTL), Lease(TTL)
    first.keep()
    first.release()

    assert WorkerLease.objects.held() is None
    assert second.keep() is LeaseState.ACQUIRED


@pytest.mark.django_db
def test_giving_back_a_lost_lease_does_not_take_it_from_its_new_holder() -> None:
    slept, other = Lease(TTL), Lease(TTL)
    slept.keep()
    expire()
    other.keep()

    slept.release()

    assert other.keep() is LeaseState.HELD


@pytest.mark.django_db
def test_a_holder_in_doubt_comes_back_in_a_new_epoch() -> None:
    lease = Lease(TTL)
    lease.keep()
    lease.doubt()

    assert lease.keep() is LeaseState.ACQUIRED
    assert lease.epoch == 2


@pytest.mark.django_db
def test_a_lease_whose_row_was_deleted_goes_on_counting() -> None:
    Notification.objects.create(title="Night", body="Hello", epoch=7)

    lease = Lease(TTL)
    lease.keep()

    assert lease.epoch == 8


@pytest.mark.django_db
def test_the_fence_stops_a_stale_worker_whatever_the_clocks_say() -> None:
    slept, other = Lease(TTL), Lease(TTL)
    slept.keep()
    expire()
    other.keep()

    with pytest.raises(LeaseLostError), transaction.atomic():
        slept.fence()


@pytest.mark.engines
@pytest.mark.django_db(transaction=True)
def test_no_takeover_commits_between_a_fence_and_the_end_of_its_transaction() -> None:
    held, rival = Lease(TTL), Lease(TTL)
    held.keep()
    expire()
    taken: list[LeaseState] = []

    def take_over() -> None:
        taken.append(rival.keep())
        connection.close()

    with transaction.atomic():
        held.fence()
        thread = threading.Thread(target=take_over)
        thread.start()
        assert eventually(somebody_waits_for_a_lock)
        assert taken == []
    thread.join(DEADLINE_SECONDS)

    assert taken == [LeaseState.ACQUIRED]


@pytest.mark.engines
@pytest.mark.django_db(transaction=True)
def test_of_many_workers_that_start_at_once_one_gets_the_lease() -> None:
    start = threading.Barrier(8)
    results: list[LeaseState] = []

    def compete() -> None:
        lease = Lease(TTL)
        start.wait(DEADLINE_SECONDS)
        results.append(lease.keep())
        connection.close()

    threads = [threading.Thread(target=compete) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_SECONDS)

    assert results.count(LeaseState.ACQUIRED) == 1
    assert WorkerLease.objects.get().epoch == 1


@pytest.mark.django_db
def test_a_standby_is_seen_until_it_takes_over() -> None:
    first, second = Lease(TTL), Lease(TTL)
    first.keep()
    second.keep()

    second.announce()
    second.announce()
    assert [standby.holder for standby in Standby.objects.all()] == [second.holder]

    expire()
    second.keep()
    assert not Standby.objects.exists()


@pytest.mark.django_db
def test_a_standby_that_stops_is_seen_no_more() -> None:
    first, second = Lease(TTL), Lease(TTL)
    first.keep()
    second.keep()
    second.announce()

    second.release()

    assert not Standby.objects.exists()
    assert WorkerLease.objects.get().holder == first.holder


# --- Settings -------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_holder_shows_its_settings_and_those_of_the_one_before() -> None:
    first = Lease(TTL, settings=lambda: {"RATE": 600})
    first.keep()
    first.release()
    second = Lease(TTL, settings=lambda: {"RATE": 60})
    second.keep()

    lease = WorkerLease.objects.get()
    assert lease.settings == {"RATE": 60}
    assert second.settings_before() == {"RATE": 600}


@pytest.mark.django_db
def test_what_changes_while_the_lease_is_held_is_shown() -> None:
    keys = iter(["…before", "…after"])
    lease = Lease(TTL, settings=lambda: {"KEY": next(keys)})

    lease.keep()
    lease.keep()

    row = WorkerLease.objects.get()
    assert row.settings == {"KEY": "…after"}
    assert not row.settings_before  # it is the same worker


@pytest.mark.django_db
def test_a_standby_shows_its_settings() -> None:
    Lease(TTL).keep()
    standby = Lease(TTL, settings=lambda: {"RATE": 60})
    standby.keep()

    standby.announce()

    assert Standby.objects.get().settings == {"RATE": 60}


# --- A database that was put back to an earlier state --------------------------------------------


def kept_three_times() -> Lease:
    """Return a lease in epoch 3."""
    lease = Lease(TTL)
    for _ in range(3):
        lease.doubt()
        lease.keep()
    return lease


def commit(lease: Lease) -> None:
    """Commit something under the lease, as a claim does."""
    with transaction.atomic():
        lease.fence()


def put_back(**values: Any) -> None:
    """Put the lease back, as it was given back in the night of the backup."""
    WorkerLease.objects.update(holder="", expires_at=Now(), **values)


@pytest.mark.django_db
@pytest.mark.parametrize("is_in_doubt", [False, True], ids=["", "its connection was cut"])
def test_a_worker_that_remembers_a_later_epoch_does_not_go_on(is_in_doubt: bool) -> None:
    lease = kept_three_times()
    put_back(epoch=2)
    if is_in_doubt:
        lease.doubt()

    with pytest.raises(RestoredError, match=r"epoch 3 .* epoch 2 .* sending restored"):
        lease.keep()
    assert lease.epoch == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_in_doubt", [False, True], ids=["", "its connection was cut"])
def test_a_worker_that_remembers_more_of_the_same_epoch_does_not_go_on(is_in_doubt: bool) -> None:
    lease = Lease(TTL)
    lease.keep()
    commit(lease)
    backup = WorkerLease.objects.get()
    commit(lease)

    backup.save()
    if is_in_doubt:
        lease.doubt()

    with pytest.raises(RestoredError):
        lease.keep()


@pytest.mark.django_db(transaction=True)
def test_nothing_is_claimed_under_it_even_before_the_next_renewal() -> None:
    lease = Lease(TTL)
    lease.keep()
    backup = WorkerLease.objects.get()
    commit(lease)

    backup.save()

    with pytest.raises(RestoredError):
        commit(lease)


@pytest.mark.django_db(transaction=True)
def test_more_than_a_worker_remembers_is_no_restore() -> None:
    """The answer to its last COMMIT may have been lost."""
    lease = Lease(TTL)
    lease.keep()
    commit(lease)
    WorkerLease.objects.update(commits=2)
    lease.doubt()

    assert lease.keep() is LeaseState.ACQUIRED
    commit(lease)


@pytest.mark.django_db
def test_a_standby_remembers_what_it_has_seen_of_others() -> None:
    kept_three_times()
    standby = Lease(TTL)
    standby.keep()
    put_back(epoch=2)

    with pytest.raises(RestoredError, match="remembers epoch 3"):
        standby.keep()


@pytest.mark.django_db
def test_once_it_is_told_no_worker_gets_the_lease_be_it_new_or_at_work() -> None:
    remembers = kept_three_times()
    put_back(epoch=2)
    knows_nothing = Lease(TTL)
    assert knows_nothing.keep() is LeaseState.ACQUIRED
    with pytest.raises(LeaseLostError):  # it is in epoch 3 again
        remembers.keep()

    remembers.seen_epoch += 1
    remembers.tell_restored()

    for lease in (remembers, knows_nothing, Lease(TTL)):
        with pytest.raises(RestoredError, match="remembers epoch 4"):
            lease.keep()


@pytest.mark.django_db
def test_after_sending_restored_everybody_may_go_on_in_an_epoch_that_nobody_had() -> None:
    remembers = kept_three_times()
    put_back(epoch=1)
    with pytest.raises(RestoredError):
        remembers.keep()
    remembers.tell_restored()

    done = acts.restored(by=Who("anna", 1), reason="last night's", now=timezone.now())

    assert remembers.keep() is LeaseState.ACQUIRED
    assert remembers.epoch == done.epoch + 1 > 1_000_000_000


@pytest.mark.django_db
def test_a_worker_that_slept_through_restore_and_remedy_has_lost_its_lease() -> None:
    slept = kept_three_times()
    put_back(epoch=1)
    acts.restored(by=Who("anna", 1), reason="last night's", now=timezone.now())

    with pytest.raises(LeaseLostError):
        slept.keep()
    with pytest.raises(LeaseLostError), transaction.atomic():
        slept.fence()


@pytest.mark.django_db
def test_while_a_backup_is_restored_in_place_the_database_is_away() -> None:
    """Its row would be in the backup's way; and without it nobody knows what it will say."""
    lease = kept_three_times()
    WorkerLease.objects.all().delete()

    for _ in range(2):  # it is lost, and then awaited
        with pytest.raises(OperationalError, match="is a backup being restored"):
            lease.keep()
    assert not WorkerLease.objects.exists()

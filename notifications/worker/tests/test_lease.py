"""The lease: one worker is active, and one that has lost the lease claims nothing."""

import os
import socket
import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now

from notifications.models import Notification, Standby, WorkerLease
from notifications.tests.faults.locks import somebody_waits_for_a_lock
from notifications.worker.lease import Lease, LeaseLostError, LeaseState
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
    first = Lease(TTL, settings={"RATE": 600})
    first.keep()
    first.release()
    second = Lease(TTL, settings={"RATE": 60})
    second.keep()

    lease = WorkerLease.objects.get()
    assert lease.settings == {"RATE": 60}
    assert second.settings_before() == {"RATE": 600}


@pytest.mark.django_db
def test_a_standby_shows_its_settings() -> None:
    Lease(TTL).keep()
    standby = Lease(TTL, settings={"RATE": 60})
    standby.keep()

    standby.announce()

    assert Standby.objects.get().settings == {"RATE": 60}

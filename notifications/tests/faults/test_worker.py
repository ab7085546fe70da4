"""Workers that are killed, stopped, frozen, doubled and replaced in the middle of their work."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.who import Who
from notifications.fcm.sending import STREAMS
from notifications.models import Batch, Delivery, Notification, WorkerLease
from notifications.operators import acts
from notifications.tests.faults.locks import somebody_waits_for_a_lock
from notifications.worker.sender import HELD_A_LANE
from programs.models import Program
from testbed.hostile.fcm import HostileFcm
from testbed.hostile.manners import AnswersSome
from testbed.lasting_system import assert_outcomes
from testbed.own_engines import hung
from testbed.process import Child
from testbed.system import (
    HALF_WAY,
    SHORT_LEASE,
    SHORT_TTL,
    System,
    failing_at,
    kill,
    logged_at,
    outcomes,
    pid_of,
    post,
    terminate,
)

pytestmark = [pytest.mark.engines, pytest.mark.faults]

KILLED = 128 + signal.SIGKILL
LEASE_HELD = 3
GENEROUS_SECONDS = 10.0  # over what is promised: the machine is busy
TRIES = 3

# More than one lane claims at once; a kill then leaves HELD_A_LANE of these unknown.
SOME = HELD_A_LANE + 60
ONE_LANE = ("--max-workers", "1")
TWO_LANES = ("--max-workers", "2")
MANY = 1000


def assert_nothing_is_open() -> None:
    """Nobody is working, and nobody left anything behind."""
    assert WorkerLease.objects.held() is None
    assert not Batch.objects.filter(state=Batch.State.SENDING).exists()


# --- kill -9 at each step ------------------------------------------------------------------


def die_at(system: System, failpoint: str) -> None:
    """Let a worker die at a failpoint, and the next one finish."""
    worker = system.start("listen_notifications", *ONE_LANE, **failing_at(failpoint))
    assert worker.wrapper.wait() == KILLED
    system.expire_lease()


def finish(system: System) -> None:
    """Have a healthy worker do what is left."""
    system.start_worker()
    system.wait_until_settled()


def test_kill_9_before_the_claim_leaves_nothing_in_doubt(system: System) -> None:
    post(system.listeners(50))

    die_at(system, "before_claim=kill")
    finish(system)

    assert outcomes() == {"sent": 50}
    system.verify(kills=0)


def test_kill_9_after_the_claim_sends_no_claimed_target_again(system: System) -> None:
    post(system.listeners(SOME))

    die_at(system, "after_claim=kill")
    assert system.journal() == []
    finish(system)

    assert outcomes() == {"unknown": HELD_A_LANE, "sent": 60}
    system.verify(kills=1, threads=1)


def test_kill_9_with_half_of_the_requests_written_leaves_them_in_doubt(system: System) -> None:
    post(system.listeners(SOME))

    worker = system.start_worker(*ONE_LANE, **failing_at("request_written=stop@51"))
    system.wait(lambda: len(system.accepted()) >= 51)  # a reset could take them from FCM unread
    kill(worker)
    system.expire_lease()
    finish(system)

    assert outcomes() == {"unknown": HELD_A_LANE, "sent": 60}
    assert len(system.accepted()) < SOME
    system.verify(kills=1, threads=1)


def test_kill_9_with_answers_read_but_not_recorded_owns_up_to_the_doubt(system: System) -> None:
    post(system.listeners(100))

    die_at(system, "before_record=kill")
    finish(system)

    assert outcomes() == {"unknown": 100}
    assert system.accepted()
    system.verify(kills=1, threads=1)


def test_kill_9_with_all_recorded_but_not_closed_leaves_nothing_in_doubt(system: System) -> None:
    notification = post(system.listeners(50))

    die_at(system, "before_close=kill")
    notification.refresh_from_db()
    assert notification.state == Notification.State.SENDING
    finish(system)

    assert outcomes() == {"sent": 50}
    system.verify(kills=0)


def more_are_sent_than(count: int) -> bool:
    """Return whether the log has more of them than so many."""
    return Delivery.objects.filter(outcome="sent").count() > count


def kill_at_once(system: System, hostile: HostileFcm, worker: Child) -> None:
    """Kill the worker, and return when FCM knows that nobody waits for its answers any more."""
    kill(worker)
    system.wait(lambda: not hostile.peers)
    system.expire_lease()


def test_five_kills_at_random_moments_of_ten_thousand_notify_nobody_twice(
    system: System, hostile: HostileFcm, fcm: AnswersSome
) -> None:
    post(system.listeners(10_000))

    # Each worker gets 1,000 answers, and claims 500 more at most: there is work for all five.
    for _ in range(5):
        sent = outcomes()["sent"]
        fcm.answer_up_to(fcm.answered + 1000)
        worker = system.start_worker("--max-workers", "5")
        system.wait(partial(more_are_sent_than, sent))
        time.sleep(random.uniform(0, 0.2))
        kill_at_once(system, hostile, worker)
    fcm.hurry()
    finish(system)

    print(f"five kills: {dict(outcomes())}")
    assert set(outcomes()) == {"sent", "unknown"}
    assert outcomes().total() == 10_000
    system.verify(kills=5, threads=5)


def test_kill_9_again_and_again_doubles_nothing_and_owns_up_to_its_doubts(
    system: System, hostile: HostileFcm, fcm: AnswersSome
) -> None:
    notification = post(system.listeners(2 * MANY))

    for _ in range(3):
        sent = outcomes()["sent"]
        fcm.answer_up_to(fcm.answered + 250)
        worker = system.start_worker(*TWO_LANES)
        system.wait(partial(more_are_sent_than, sent + 100))
        kill_at_once(system, hostile, worker)
    fcm.hurry()
    finish(system)

    notification.refresh_from_db()
    assert notification.state == Notification.State.DONE
    assert set(outcomes()) == {"sent", "unknown"}
    assert outcomes()["unknown"] == notification.unknown_count
    system.verify(kills=3, threads=2)


# --- SIGTERM -------------------------------------------------------------------------------


def terminate_half_way(system: System, worker: Child, fcm: AnswersSome) -> int:
    """Ask the worker to stop, let FCM answer what is in flight, and return the exit code."""
    worker.wrapper.terminate()
    system.wait_for_the_log("worker.stopping", worker)
    fcm.hurry()
    return worker.wrapper.wait()


def test_sigterm_half_way_loses_nothing_and_leaves_nothing_unknown(
    system: System, fcm: AnswersSome
) -> None:
    worker = system.start_worker(*TWO_LANES)
    post(system.listeners(MANY))
    system.wait_for_deliveries(HALF_WAY)

    assert terminate_half_way(system, worker, fcm) == 0

    assert_nothing_is_open()
    assert Delivery.objects.count() < MANY
    finish(system)
    assert outcomes() == {"sent": MANY}
    system.verify(kills=0)


def test_sigterm_twice_is_as_patient_as_once(system: System, fcm: AnswersSome) -> None:
    worker = system.start_worker(*TWO_LANES)
    post(system.listeners(MANY))
    system.wait_for_deliveries(HALF_WAY)

    worker.wrapper.terminate()
    system.wait_for_the_log("worker.stopping", worker)

    assert terminate_half_way(system, worker, fcm) == 0
    assert_nothing_is_open()
    finish(system)
    assert outcomes() == {"sent": MANY}
    system.verify(kills=0)


def test_sigterm_while_idle_ends_at_once_and_gives_the_lease_back(system: System) -> None:
    worker = system.start_worker()
    system.wait_for_an_active_worker()

    assert terminate(worker) == 0

    assert_nothing_is_open()
    system.verify(kills=0)


def test_sigterm_while_redis_hangs_is_obeyed_and_leaves_nothing_unknown(
    system: System, fcm: AnswersSome
) -> None:
    worker = system.start_worker(*TWO_LANES)
    program = system.listeners(MANY)
    with hung(system.env["REDIS_URL"]):
        post(program)
        system.wait_for_deliveries(HALF_WAY)

        assert terminate_half_way(system, worker, fcm) == 0

    assert_nothing_is_open()
    finish(system)
    assert outcomes() == {"sent": MANY}
    system.verify(kills=0)


# --- SIGSTOP past the lease ------------------------------------------------------------------


def test_a_worker_stopped_past_its_lease_claims_nothing_when_it_goes_on(
    system: System, fcm: AnswersSome
) -> None:
    slept = system.start_worker(*TWO_LANES, **SHORT_LEASE)
    post(system.listeners(MANY))
    system.wait_for_deliveries(HALF_WAY)
    os.kill(pid_of(slept), signal.SIGSTOP)

    # It has a later epoch than the first if it stood still within a transaction before.
    epoch = WorkerLease.objects.get().epoch
    system.start_worker("--standby")
    system.wait(lambda: WorkerLease.objects.filter(epoch__gt=epoch).exists())
    claimed = Batch.objects.filter(epoch__lte=epoch).count()
    os.kill(pid_of(slept), signal.SIGCONT)
    fcm.hurry()
    system.wait_until_settled()

    assert slept.wrapper.wait() == LEASE_HELD
    assert Batch.objects.filter(epoch__lte=epoch).count() == claimed
    system.verify(kills=0)


def replaced_with_a_claim_in_its_hands(system: System, notification: Notification) -> Child:
    """Return a worker that was stopped when it had claimed; the next one has sent the rest."""
    slept = system.start_worker(*ONE_LANE, **failing_at("after_claim=stop"), **SHORT_LEASE)
    system.wait(lambda: notification.batches.exists())
    system.start_worker("--standby")
    system.wait_until_settled()
    assert outcomes() == {"unknown": HELD_A_LANE, "sent": 60}
    return slept


def test_what_a_worker_had_claimed_when_it_was_stopped_past_its_lease_is_sent_by_the_next(
    system: System,
) -> None:
    notification = post(system.listeners(SOME))
    slept = replaced_with_a_claim_in_its_hands(system, notification)
    sent_by_the_next = len(system.journal())

    os.kill(pid_of(slept), signal.SIGCONT)

    assert slept.wrapper.wait() == LEASE_HELD
    system.wait(lambda: outcomes() == {"sent": SOME})
    attempts = Counter(Delivery.objects.values_list("attempts", "unreached"))
    assert attempts == {(1, 0): sent_by_the_next, (2, 1): HELD_A_LANE}
    system.wait_until_settled()
    notification.refresh_from_db()
    assert (notification.sent_count, notification.unknown_count) == (SOME, 0)
    system.verify(kills=0)


def test_what_an_operator_resent_is_not_sent_again_by_the_worker_that_was_stopped(
    system: System,
) -> None:
    notification = post(system.listeners(SOME))
    slept = replaced_with_a_claim_in_its_hands(system, notification)
    acts.resend_unknown(
        notification.id, by=Who("anna", 1), reason="it is urgent", now=timezone.now()
    )
    system.wait(lambda: outcomes() == {"sent": SOME})

    os.kill(pid_of(slept), signal.SIGCONT)

    assert slept.wrapper.wait() == LEASE_HELD
    assert Counter(entry["token"] for entry in system.journal()).most_common(1)[0][1] == 1
    assert outcomes() == {"sent": SOME}
    system.verify(kills=0)


def test_late_answers_of_a_worker_that_was_stopped_are_recorded(
    system: System, fcm: AnswersSome
) -> None:
    fcm.answer_up_to(20)
    slept = system.start_worker(*ONE_LANE, **SHORT_LEASE)
    post(system.listeners(STREAMS))
    system.wait(lambda: len(system.journal()) == STREAMS)
    os.kill(pid_of(slept), signal.SIGSTOP)
    system.start_worker("--standby")
    system.wait_until_settled()
    assert outcomes()["unknown"] >= STREAMS - 20

    fcm.hurry()
    os.kill(pid_of(slept), signal.SIGCONT)

    assert slept.wrapper.wait() == LEASE_HELD
    assert outcomes() == {"sent": STREAMS}
    system.verify(kills=0)


def test_a_worker_stopped_within_a_transaction_does_not_keep_the_lease(system: System) -> None:
    notification = post(system.listeners(50))
    with transaction.atomic():  # the worker has the lease's row locked and waits for this one
        Notification.objects.select_for_update().get(id=notification.id)
        slept = system.start_worker(**SHORT_LEASE)
        system.wait(somebody_waits_for_a_lock)
        os.kill(pid_of(slept), signal.SIGSTOP)

    system.start_worker("--standby")
    system.wait_until_settled()
    os.kill(pid_of(slept), signal.SIGCONT)

    assert slept.wrapper.wait() == LEASE_HELD
    system.verify(kills=0)


# --- Two, three, and one after the other -----------------------------------------------------


def test_of_two_workers_started_at_once_one_works_and_a_third_changes_nothing(
    system: System,
) -> None:
    both = [system.start("listen_notifications") for _ in range(2)]
    system.wait(lambda: any(each.wrapper.poll() is not None for each in both))
    third = system.start("listen_notifications")
    post(system.listeners(50))
    system.wait_until_settled()

    assert third.wrapper.wait() == LEASE_HELD
    assert sorted(each.wrapper.poll() or 0 for each in both) == [0, LEASE_HELD]
    assert WorkerLease.objects.get().epoch == 1
    assert outcomes() == {"sent": 50}
    system.verify(kills=0)


def test_a_deploy_half_way_hands_over_with_nothing_unknown(
    system: System, fcm: AnswersSome
) -> None:
    old = system.start_worker(*TWO_LANES)
    system.wait_for_an_active_worker()
    system.start_worker("--standby")
    post(system.listeners(MANY))
    system.wait_for_deliveries(HALF_WAY)

    assert terminate_half_way(system, old, fcm) == 0
    system.wait_until_settled()

    assert {batch.epoch for batch in Batch.objects.all()} == {1, 2}
    assert outcomes() == {"sent": MANY}
    system.verify(kills=0)


def least(measure: Callable[[], float], *, enough: float) -> float:
    """Return the least of some measurements: a machine that stands still spoils one of them."""
    found = []
    for _ in range(TRIES):
        found.append(measure())
        if found[-1] < enough:
            break
    return min(found)


def assert_a_talk_is_sent(system: System, program: Program) -> None:
    """A new talk of the program reaches all its 20 listeners."""
    notification = post(program)
    system.wait_until_settled()
    assert_outcomes(notification, sent=20)


def test_a_standby_takes_over_from_a_killed_worker_when_its_lease_is_over(system: System) -> None:
    program = system.listeners(20)

    def take_over() -> float:
        first = system.start_worker(**SHORT_LEASE)
        system.wait_for_an_active_worker()
        standby = system.start_worker("--standby")
        killed_at = time.time()
        kill(first)
        assert_a_talk_is_sent(system, program)
        assert terminate(standby) == 0
        return logged_at("lease.acquired", standby) - killed_at

    seconds = least(take_over, enough=SHORT_TTL + GENEROUS_SECONDS)
    print(f"takeover after kill -9: {seconds:.2f} s, lease {SHORT_TTL} s")
    assert seconds < SHORT_TTL + GENEROUS_SECONDS
    system.verify(kills=0)


def test_a_standby_takes_over_at_once_from_a_worker_that_is_stopped(system: System) -> None:
    program = system.listeners(20)

    def take_over() -> float:
        first = system.start_worker()
        system.wait_for_an_active_worker()
        standby = system.start_worker("--standby")
        assert terminate(first) == 0
        assert_a_talk_is_sent(system, program)
        assert terminate(standby) == 0
        return logged_at("lease.acquired", standby) - logged_at("worker.stopped", first)

    seconds = least(take_over, enough=GENEROUS_SECONDS)
    print(f"takeover after SIGTERM: {seconds:.2f} s")
    assert seconds < GENEROUS_SECONDS
    system.verify(kills=0)


def test_a_notification_that_kills_three_workers_in_a_row_is_held_and_others_go_on(
    system: System,
) -> None:
    poison = post(system.listeners(500))
    other = post(system.listeners(50))
    for _ in range(3):
        die_at(system, f"after_claim/{poison.id}=kill")

    system.start_worker(*ONE_LANE, **failing_at(f"after_claim/{poison.id}=kill"))
    system.wait_until_settled()

    poison.refresh_from_db()
    other.refresh_from_db()
    assert poison.state == Notification.State.HELD
    assert "3 times in a row" in poison.reason
    assert other.state == Notification.State.DONE
    assert other.sent_count + other.unknown_count == 50
    system.verify(kills=4)

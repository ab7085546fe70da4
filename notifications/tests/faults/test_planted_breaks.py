"""The checker's own proof: each mechanism is broken once, and the checker says which promise fell.

A checker that cannot fail proves nothing. The breaks are in broken_worker.py.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import pytest
from django.db import connection

from notifications.models import Batch, DeviceToken, WorkerLease
from testbed.hostile.fcm import HostileFcm, in_the_emulators_place
from testbed.hostile.manners import AnswersSome, Manners
from testbed.lasting_system import half_way
from testbed.process import Child, wait_until
from testbed.system import SHORT_LEASE, System, kill, outcomes, pid_of, post

pytestmark = [pytest.mark.engines, pytest.mark.faults]


def start_broken(system: System, name: str, *arguments: str, **env: str) -> Child:
    """Return a worker in whose code this break is planted."""
    command = [sys.executable, "-m", "notifications.tests.faults.broken_worker", name, *arguments]
    child = system.launch(name, command, **env)
    wait_until(lambda: "worker.started" in child.log.read_text(), child)
    return child


def live(make_system: Callable[..., System]) -> System:
    """Return a live system with an FCM that answers at once."""
    system = make_system(latency_ms=0)
    system.start_redis()
    system.go_live()
    return system


@contextmanager
def without(table: str, constraint: str, columns: str) -> Iterator[None]:
    """Drop a unique constraint, and put it back when the test's rows are gone."""
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}")
    yield
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {table} CASCADE")
        cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {constraint} UNIQUE ({columns})")


@contextmanager
def kept_waiting(system: System) -> Iterator[HostileFcm]:
    """Yield an FCM that takes all and answers nobody."""
    with in_the_emulators_place(system, system.directory) as fcm:
        fcm.manners = AnswersSome(0)
        yield fcm


def kill_unanswered(system: System, fcm: HostileFcm, worker: Child, requests: int) -> None:
    """Kill a worker when so many of its requests were taken; then FCM has good manners."""
    system.wait(lambda: len(system.journal()) == requests)
    kill(worker)
    system.expire_lease()
    fcm.manners = Manners()


def test_the_sdks_retries_are_seen(make_system: Callable[..., System]) -> None:
    system = live(make_system)
    program = system.listeners(3, name="device-{}-reset-after")
    start_broken(system, "sdk_retries", REQUESTS_CA_BUNDLE=system.env["FCM_CA_FILE"])

    post(program)
    system.wait_until_settled()

    assert outcomes() == {"unknown": 3}
    assert system.report().violations.keys() == {"I1", "I5"}


def test_a_claim_after_the_send_is_seen(make_system: Callable[..., System]) -> None:
    system = live(make_system)
    program = system.listeners(20)
    with kept_waiting(system) as fcm:
        worker = start_broken(system, "claim_after_send")

        post(program)
        kill_unanswered(system, fcm, worker, 20)
        system.start_worker()
        system.wait_until_settled()

    assert system.report().violations == {"I1": 20, "I5": 20}


def test_a_fence_that_is_removed_is_seen(make_system: Callable[..., System]) -> None:
    system = live(make_system)
    system.env |= SHORT_LEASE
    program = system.listeners(2000)
    with in_the_emulators_place(system, system.directory) as fcm:
        broken = start_broken(system, "fence_removed", "--max-workers", "2")
        with half_way(system, fcm, program):
            answering = cast(AnswersSome, fcm.manners)
            os.kill(pid_of(broken), signal.SIGSTOP)

            sound = system.start_worker("--standby", "--max-workers", "2")
            system.wait(lambda: Batch.objects.filter(epoch=2).exists())
            os.kill(pid_of(sound), signal.SIGSTOP)
            answering.hurry()  # which makes room for more
            os.kill(pid_of(broken), signal.SIGCONT)
            first = Batch.objects.filter(epoch=2).earliest("id")
            system.wait(lambda: Batch.objects.filter(epoch=1, id__gt=first.id).exists())
            os.kill(pid_of(sound), signal.SIGCONT)
        system.wait_until_settled()

    assert WorkerLease.objects.get().epoch >= 2  # 3 if it was stopped within a transaction
    assert system.report()["I6"].violations > 0


def test_a_dropped_unique_constraint_of_the_claims_is_seen(
    make_system: Callable[..., System],
) -> None:
    with without(
        "notifications_batch", "batch_claimed_once_per_cursor", "notification_id, after_id"
    ):
        system = live(make_system)
        program = system.listeners(10)
        worker = start_broken(system, "cursor_lost")

        post(program)
        system.wait_until_settled()
        worker.stop()

        assert system.report()["I1"].violations == 2 * 10  # claimed again, and accepted again


def test_the_unique_constraint_of_the_claims_stops_a_second_one(
    make_system: Callable[..., System],
) -> None:
    system = live(make_system)
    program = system.listeners(10)
    worker = start_broken(system, "cursor_lost")

    post(program)
    system.wait(lambda: worker.wrapper.poll() is not None)

    assert "batch_claimed_once_per_cursor" in worker.log.read_text()
    assert system.report()["I1"].violations == 0


def test_a_dropped_unique_constraint_of_the_log_is_seen(make_system: Callable[..., System]) -> None:
    with without(
        "notifications_delivery",
        "delivery_once_per_notification_and_device",
        "notification_id, device_id",
    ):
        system = live(make_system)
        program = system.listeners(3, name="device-{}-once-429after1")
        worker = start_broken(system, "log_appended")

        post(program)
        system.wait(lambda: outcomes()["sent"] >= 3)
        worker.stop()

        assert system.report()["I2"].violations >= 3


def test_a_dry_run_that_is_ignored_is_seen(make_system: Callable[..., System]) -> None:
    system = make_system(latency_ms=0)
    system.start_redis()
    program = system.listeners(5)
    start_broken(system, "dry_run_ignored")

    post(program)
    system.wait_until_settled()

    assert outcomes() == {"simulated": 5}
    assert system.report().violations == {"I3": 5, "I4": 5}


@pytest.mark.parametrize("fault", ["notfound", "forbidden"])
def test_pruning_by_status_alone_is_seen(make_system: Callable[..., System], fault: str) -> None:
    system = live(make_system)
    program = system.listeners(5, name=f"device-{{}}-{fault}")
    start_broken(system, "prune_by_status")

    post(program)
    system.wait_until_settled()
    system.wait(lambda: not DeviceToken.objects.enabled().exists())

    assert system.report().violations == {"I2": 5}


def test_an_unknown_that_is_sent_again_is_seen(make_system: Callable[..., System]) -> None:
    system = live(make_system)
    program = system.listeners(20)
    with kept_waiting(system) as fcm:
        sound = system.start_worker()

        post(program)
        kill_unanswered(system, fcm, sound, 20)
        start_broken(system, "unknown_resent")
        system.wait_until_settled()

    assert outcomes() == {"sent": 20}
    assert system.report().violations == {"I1": 20}

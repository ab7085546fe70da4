"""A database that is restarted, cut off, read-only, full, locked or away, during a fan-out."""

import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import requests
from django.db import connection, transaction
from django.db.models import Sum
from django.utils import timezone

from notifications.models import Batch, Delivery, Notification, WorkerLease
from notifications.tests.faults.locks import somebody_waits_for_a_lock
from notifications.worker.sender import HELD_A_LANE
from testbed.hostile.manners import AnswersSome
from testbed.own_engines import OWN, crash, stop_fast
from testbed.postgresql import Cluster
from testbed.process import LOOPBACK, Child
from testbed.proxy import Proxy, proxy_to
from testbed.system import (
    HALF_WAY,
    SETTLE_SECONDS,
    SHORT_LEASE,
    SHORT_TTL,
    System,
    outcomes,
    post,
)

pytestmark = [pytest.mark.engines, pytest.mark.faults]

# Two lanes hold far fewer of these: an outage comes in the middle.
TWO_LANES = ("--max-workers", "2")
LEASE_HELD = 3  # exit code
MANY = 1000
REQUEST_SECONDS = 60

FILLER_BYTES = 4 * 1024 * 1024
CANNOT_GROW = "notifications.tests.faults.settings_full"


def start_and_send_half(system: System) -> Child:
    """Return a worker that is in the middle of a fan-out."""
    worker = system.start_worker(*TWO_LANES)
    post(system.listeners(MANY))
    system.wait_for_deliveries(HALF_WAY)
    return worker


def metrics(system: System) -> list[str]:
    """Return the samples that the web's /metrics tells."""
    address = f"http://{LOOPBACK}:{system.web_port}/metrics"
    answer = requests.get(address, timeout=REQUEST_SECONDS)
    assert answer.status_code == 200
    return [line for line in answer.text.splitlines() if not line.startswith("#")]


def assert_all_are_sent(system: System, worker: Child) -> None:
    """The same worker went on, after an outage that it logged: nobody is lost or in doubt."""
    system.wait_until_settled()
    worker.check()
    assert "database.away" in worker.log.read_text()
    assert "database.back" in worker.log.read_text()
    assert outcomes() == {"sent": MANY}
    system.verify(kills=0)


# --- PostgreSQL is stopped and started ---------------------------------------------------------


@pytest.mark.parametrize("stop", [stop_fast, crash], ids=["fast", "immediate"])
def test_a_restart_of_postgresql_half_way_loses_nothing(
    own_cluster: Cluster, system: System, fcm: AnswersSome, stop: Callable[[Cluster], None]
) -> None:
    worker = start_and_send_half(system)

    stop(own_cluster)
    own_cluster.start()
    connection.close()
    fcm.hurry()

    assert_all_are_sent(system, worker)


def test_an_outage_longer_than_the_lease_keeps_the_answers_and_claims_nothing(
    own_cluster: Cluster, system: System, fcm: AnswersSome
) -> None:
    """Ten minutes in small: twice the lease, after which nothing depends on the length."""
    system.env |= SHORT_LEASE
    web = system.start_web()
    worker = start_and_send_half(system)
    assert "radiotalk_worker_active 1.0" in metrics(system)
    own_cluster.stop()
    system.wait_for_the_log("database.away", worker)
    fcm.hurry()
    time.sleep(2 * SHORT_TTL)
    assert metrics(system) == ["radiotalk_database_up 0.0"]
    seen, back_at = len(system.journal()), timezone.now()

    own_cluster.start()
    connection.close()
    assert_all_are_sent(system, worker)
    assert "radiotalk_database_up 1.0" in metrics(system)
    assert "Traceback" not in web.log.read_text()
    claimed = Batch.objects.filter(claimed_at__lt=back_at).aggregate(Sum("size"))["size__sum"]
    assert HALF_WAY < seen <= claimed < MANY


def test_sigterm_while_the_database_is_away_writes_what_was_answered(
    own_cluster: Cluster, system: System, fcm: AnswersSome
) -> None:
    worker = start_and_send_half(system)
    own_cluster.stop()
    system.wait_for_the_log("database.away", worker)
    worker.wrapper.terminate()
    system.wait_for_the_log("worker.stopping", worker)
    fcm.hurry()
    own_cluster.start()
    connection.close()

    assert worker.wrapper.wait() == 0
    assert set(outcomes()) == {"sent"}
    system.expire_lease()  # which it could not give back
    system.start_worker()
    system.wait_until_settled()
    assert outcomes() == {"sent": MANY}
    system.verify(kills=0)


# --- Connections are cut -----------------------------------------------------------------------


def cut_connections() -> int:
    """Cut every other connection to this database, as a restart would; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return int(cursor.fetchone()[0])


def test_connections_cut_again_and_again_lose_nothing(system: System, fcm: AnswersSome) -> None:
    worker = system.start_worker(*TWO_LANES)
    post(system.listeners(MANY))

    for count in (200, 400, 600):
        fcm.answer_up_to(count + 50)
        system.wait_for_deliveries(count)
        assert cut_connections() >= 1
    fcm.hurry()

    assert_all_are_sent(system, worker)


@pytest.fixture
def proxy(system: System) -> Iterator[Proxy]:
    """Yield a proxy to the test's database."""
    with proxy_to(int(connection.settings_dict["PORT"])) as proxy:
        yield proxy


def through(proxy: Proxy, system: System) -> str:
    """Return the test's database by way of the proxy."""
    return system.env["DATABASE_URL"].replace(
        f":{connection.settings_dict['PORT']}/", f":{proxy.port}/"
    )


def test_a_claim_whose_commit_is_never_answered_is_not_sent_again(
    system: System, proxy: Proxy
) -> None:
    proxy.swallow_the_answer_to(b"COMMIT", after=b"INSERT INTO notifications_batch")
    post(system.listeners(HELD_A_LANE + 50))

    worker = system.start_worker("--max-workers", "1", DATABASE_URL=through(proxy, system))
    system.wait_until_settled()

    worker.check()
    assert proxy.swallowed.is_set()
    assert outcomes() == {
        "unknown": HELD_A_LANE,
        "sent": 50,
    }  # the claim was committed, and never sent
    assert len(system.accepted()) == 50
    system.verify(kills=1, threads=1)


def test_answers_whose_commit_is_never_answered_are_not_counted_twice(
    system: System, proxy: Proxy
) -> None:
    proxy.swallow_the_answer_to(b"COMMIT", after=b"COPY notifications_delivery")
    notification = post(system.listeners(150))

    worker = system.start_worker(*TWO_LANES, DATABASE_URL=through(proxy, system))
    system.wait_until_settled()

    worker.check()
    assert proxy.swallowed.is_set()
    assert outcomes() == {"sent": 150}
    notification.refresh_from_db()
    assert notification.sent_count == notification.target_count == 150
    system.verify(kills=0)


def test_a_worker_whose_connection_falls_silent_is_replaced_and_its_answers_are_kept(
    system: System, fcm: AnswersSome, proxy: Proxy
) -> None:
    deaf = system.start_worker(*TWO_LANES, DATABASE_URL=through(proxy, system), **SHORT_LEASE)
    post(system.listeners(MANY))
    system.wait_for_deliveries(HALF_WAY)
    system.wait(lambda: fcm.holds_back)  # this is what the other worker cannot know

    proxy.fall_silent()
    fcm.hurry()
    system.start_worker("--standby")
    system.wait_until_settled()
    doubts = outcomes()["unknown"]
    proxy.speak()

    assert deaf.wrapper.wait() == LEASE_HELD
    assert doubts > 0
    system.wait(lambda: outcomes() == {"sent": MANY})
    system.verify(kills=0)


# --- Refusals ----------------------------------------------------------------------------------


@contextmanager
def read_only(cluster: Cluster) -> Iterator[None]:
    """Have PostgreSQL refuse every write, as a failed-over primary does."""
    cluster.execute("ALTER SYSTEM SET default_transaction_read_only = on")
    cluster.execute("SELECT pg_reload_conf()")
    try:
        yield
    finally:
        cluster.execute("ALTER SYSTEM RESET default_transaction_read_only")
        cluster.execute("SELECT pg_reload_conf()")


def test_a_database_that_turns_read_only_half_way_loses_nothing(
    own_cluster: Cluster, system: System, fcm: AnswersSome
) -> None:
    worker = start_and_send_half(system)

    with read_only(own_cluster):
        system.wait_for_the_log("read-only transaction", worker)
    fcm.hurry()

    assert_all_are_sent(system, worker)


def test_a_deadlock_with_somebody_else_is_survived(own_cluster: Cluster, system: System) -> None:
    notification = post(system.listeners(MANY))
    # PostgreSQL looks for a deadlock once, when one has waited for so long. The worker begins to
    # wait first, and must be the one that finds it: the test begins before the worker looks.
    own_cluster.execute(f"ALTER DATABASE {OWN} SET deadlock_timeout = '40s'")
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL deadlock_timeout = '600s'")
        Notification.objects.select_for_update().get(id=notification.id)
        worker = system.start_worker(*TWO_LANES)
        system.wait(somebody_waits_for_a_lock)  # the worker, which has the lease's row
        WorkerLease.objects.select_for_update().get()

    system.wait_for_the_log("deadlock detected", worker)
    assert_all_are_sent(system, worker)


def test_a_row_that_somebody_keeps_locked_is_told_with_whose_session_that_is(
    system: System,
) -> None:
    notification = post(system.listeners(HELD_A_LANE))
    with transaction.atomic():
        holder = connection.connection.info.backend_pid
        Notification.objects.filter(id=notification.id).update(title="By hand")
        worker = system.start_worker(**SHORT_LEASE)
        system.wait_for_the_log("statement.canceled", worker)

    system.wait_until_settled()

    (canceled,) = re.findall("statement.canceled .*", worker.log.read_text())
    assert f"pid {holder}: UPDATE" in canceled
    assert outcomes() == {"sent": HELD_A_LANE}
    system.verify(kills=0)


# --- The disk is full --------------------------------------------------------------------------


@contextmanager
def full_disk(file: Path, *, spare: int) -> Iterator[None]:
    """Leave a SQLite database `spare` bytes to grow, until the end (see settings_full.py)."""
    # It waits for a worker that stands still with the database locked.
    with closing(sqlite3.connect(file, isolation_level=None, timeout=SETTLE_SECONDS)) as database:
        database.execute("CREATE TABLE spare AS SELECT zeroblob(?) AS bytes", [spare])
        database.execute("CREATE TABLE filler AS SELECT zeroblob(?) AS bytes", [FILLER_BYTES])
        database.execute("DROP TABLE spare")  # its pages are free for others
        try:
            yield
        finally:
            database.execute("DROP TABLE filler")


def test_a_disk_that_is_full_half_way_loses_nothing(own_file: Path, system: System) -> None:
    post(system.listeners(MANY))
    with full_disk(own_file, spare=64 * 1024):
        worker = system.start_worker(*TWO_LANES, DJANGO_SETTINGS_MODULE=CANNOT_GROW)
        system.wait_for_the_log("database or disk is full", worker)
        assert 0 < Delivery.objects.count() < MANY

    assert_all_are_sent(system, worker)

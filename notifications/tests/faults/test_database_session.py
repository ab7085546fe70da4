"""A session with PostgreSQL that is misled: by DATABASE_URL, by its role, by a pooler between."""

import os
import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest
from django.db import connection, transaction

from notifications.models import Notification, WorkerLease
from notifications.tests.faults.locks import (
    cancel_what_waits_for_a_lock,
    somebody_waits_for_a_lock,
)
from testbed.ci import must_be_there
from testbed.own_engines import OWN
from testbed.pgbouncer import MISSING, program, running_pgbouncer
from testbed.postgresql import Cluster
from testbed.system import SHORT_LEASE, SHORT_TTL, System, database_url, outcomes, pid_of, post

pytestmark = [pytest.mark.engines, pytest.mark.faults]

REFUSED = 2  # exit codes
LEASE_HELD = 3
MANY = 1000

UNSAFE = "-c synchronous_commit=off -c idle_in_transaction_session_timeout=0 -c jit=on"
SAFE_ROLE = {
    "synchronous_commit": "on",
    "idle_in_transaction_session_timeout": f"{SHORT_TTL}s",
    "jit": "off",
    "statement_timeout": "45s",
    "lock_timeout": f"{SHORT_TTL * 1000 // 3}ms",
}


def with_role(cluster: Cluster, **parameters: str) -> None:
    """Have sessions of this test's database begin so, as an administrator may, from now on."""
    for name, value in parameters.items():
        cluster.execute(f"ALTER DATABASE {OWN} SET {name} = '{value}'")


def value(system: System, name: str) -> str:
    """Return what a parameter is in a session of the product's."""
    script = (
        "from django.db import connection; cursor = connection.cursor(); "
        f"cursor.execute('SHOW {name}'); print(cursor.fetchone()[0])"
    )
    return system.manage("shell", "--no-imports", "-c", script).strip()


def assert_a_frozen_worker_is_replaced(system: System) -> None:
    """One that stands still within a claim, the lease's row locked, does not keep the lease."""
    system.env |= SHORT_LEASE
    notification = post(system.listeners(50))
    with transaction.atomic():  # the worker has the lease's row locked and waits for this one
        Notification.objects.select_for_update().get(id=notification.id)
        frozen = system.start_worker()
        system.wait(somebody_waits_for_a_lock)
        os.kill(pid_of(frozen), signal.SIGSTOP)

    system.start_worker("--standby")
    system.wait_until_settled()
    assert outcomes() == {"sent": 50}
    assert WorkerLease.objects.get().epoch == 2
    os.kill(pid_of(frozen), signal.SIGCONT)

    assert frozen.wrapper.wait() == LEASE_HELD
    system.verify(kills=0)


# --- DATABASE_URL and role ---------------------------------------------------------------------


def test_options_of_the_databases_address_do_not_take_away_what_safety_rests_on(
    system: System,
) -> None:
    system.env["DATABASE_URL"] += f"&options={quote(UNSAFE)}"

    assert value(system, "synchronous_commit") == "on"
    assert value(system, "jit") == "off"
    assert_a_frozen_worker_is_replaced(system)


def test_a_role_of_another_isolation_is_not_followed(own_cluster: Cluster, system: System) -> None:
    with_role(own_cluster, default_transaction_isolation="serializable")

    assert value(system, "transaction_isolation") == "read committed"
    system.verify(kills=0)


def test_timeouts_of_the_role_do_not_look_like_a_database_that_comes_and_goes(
    own_cluster: Cluster, system: System
) -> None:
    notification = post(system.listeners(MANY))
    with_role(own_cluster, statement_timeout="1ms", lock_timeout="1ms", idle_session_timeout="50ms")
    with transaction.atomic():
        Notification.objects.select_for_update().get(id=notification.id)
        worker = system.start_worker()
        system.wait(somebody_waits_for_a_lock)

    system.wait_until_settled()

    assert outcomes() == {"sent": MANY}
    assert "database.away" not in worker.log.read_text()
    assert WorkerLease.objects.get().epoch == 1
    system.verify(kills=0)


def test_a_statement_that_is_canceled_is_told_as_that(system: System) -> None:
    notification = post(system.listeners(50))
    with transaction.atomic():
        Notification.objects.select_for_update().get(id=notification.id)
        worker = system.start_worker()
        system.wait(lambda: cancel_what_waits_for_a_lock() > 0)
        system.wait_for_the_log("statement.canceled", worker)
        system.wait(lambda: cancel_what_waits_for_a_lock() > 0)
        system.wait(somebody_waits_for_a_lock)

    system.wait_until_settled()

    system.wait_for_the_log("statement.done", worker)
    told = re.findall(r"statement\.\w+|database\.\w+", worker.log.read_text())
    assert told == ["statement.canceled", "statement.done"]
    assert outcomes() == {"sent": 50}
    system.verify(kills=0)


# --- PgBouncer between -------------------------------------------------------------------------


@pytest.fixture(params=["session", "transaction"])
def pgbouncer(
    request: pytest.FixtureRequest, own_cluster: Cluster, system: System
) -> Iterator[None]:
    """Have all processes of the system get to the database by way of a PgBouncer, of each mode."""
    if not program() and not must_be_there():
        pytest.skip(MISSING)
    with running_pgbouncer(own_cluster.port, pool_mode=request.param) as url:
        system.env["DATABASE_URL"] = f"{url}/{OWN}"
        yield


WHAT_TO_DO = "Connect the worker to PostgreSQL directly."


@pytest.mark.usefixtures("pgbouncer")
def test_a_worker_behind_a_pooler_that_keeps_no_settings_does_not_start(system: System) -> None:
    system.env |= SHORT_LEASE

    worker = system.start("listen_notifications")

    assert worker.wrapper.wait() == REFUSED
    told = worker.log.read_text()
    assert WHAT_TO_DO in told
    assert "ALTER ROLE radiotalk SET synchronous_commit = 'on';" in told
    assert f"SET idle_in_transaction_session_timeout = '{SHORT_TTL}000';" in told
    assert "worker.started" not in told
    system.verify(kills=0)


@pytest.mark.usefixtures("pgbouncer")
def test_a_worker_that_finds_such_a_pooler_only_later_stops(
    own_cluster: Cluster, system: System
) -> None:
    own_cluster.stop()
    system.env["DATABASE_URL"] += "?connect_timeout=2"
    worker = system.start_worker()
    system.wait_for_the_log("database.away", worker)

    own_cluster.start()

    assert worker.wrapper.wait() == REFUSED
    assert WHAT_TO_DO in worker.log.read_text()
    connection.close()
    assert not WorkerLease.objects.exists()
    system.verify(kills=0)


@pytest.mark.usefixtures("pgbouncer")
def test_a_frozen_worker_behind_a_pooler_is_replaced_when_its_role_has_what_safety_rests_on(
    own_cluster: Cluster, system: System
) -> None:
    with_role(own_cluster, **SAFE_ROLE)
    assert_a_frozen_worker_is_replaced(system)


# What a form with choices does; meanwhile another client is given the server connection.
READ_ROW_BY_ROW = """
import os, psycopg
from django.contrib.auth.models import User
rows = User.objects.iterator(1)
next(rows)
other = psycopg.connect(os.environ["DATABASE_URL"])
other.execute("SELECT 1")
print(1 + len(list(rows)))
"""


@pytest.mark.usefixtures("pgbouncer")
def test_what_is_read_row_by_row_outside_of_a_transaction_is_read_behind_a_pooler(
    system: System,
) -> None:
    system.listeners(20)

    assert system.manage("shell", "--no-imports", "-c", READ_ROW_BY_ROW).strip() == "21"
    system.verify(kills=0)


@pytest.mark.usefixtures("pgbouncer")
def test_the_web_works_behind_a_pooler(system: System) -> None:
    system.start_web()
    upload = system.uploader(system.listeners(20))
    worker = system.start_worker(DATABASE_URL=database_url())

    with ThreadPoolExecutor(10) as people:
        answers = list(people.map(lambda _: upload().status_code, range(10)))

    assert answers == [201] * 10
    system.wait_until_settled()
    worker.check()
    assert outcomes() == {"sent": 10 * 20}
    system.manage("verify_sending", "--journal", str(system.fcm.journal))  # reads by cursors
    system.verify(kills=0)

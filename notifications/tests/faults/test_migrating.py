"""A schema that changes under running workers: locks, and the code of the release before."""

import io
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from django.core.management import call_command
from django.db import connection, transaction

from accounts.tests.plain_table import plain_table, plain_token
from notifications.models import Notification, WorkerLease
from notifications.tests.history import PREVIOUS_RELEASE, git
from testbed.lasting_system import assert_outcomes, ended
from testbed.process import LOOPBACK, ProcessFailed, listening
from testbed.system import System, outcomes, post, terminate

pytestmark = [pytest.mark.engines, pytest.mark.faults]

TARGETS = 300
LEASE_SECONDS = 3
HANGS_SECONDS = 60


def test_a_lock_on_the_log_for_longer_than_the_lease_costs_nobody_anything(
    system: System,
) -> None:
    system.env["NOTIFICATIONS_LEASE_TTL"] = str(LEASE_SECONDS)
    program = system.listeners(TARGETS)
    worker = system.start_worker("--standby")
    system.wait_for_an_active_worker()
    standby = system.start_worker("--standby")
    system.start_web()
    upload = system.uploader(program)

    with transaction.atomic(), connection.cursor() as cursor:
        holder = cursor.connection.info.backend_pid
        cursor.execute("LOCK TABLE notifications_delivery IN ACCESS EXCLUSIVE MODE")
        notification = post_elsewhere(system, program.id)
        system.wait_for_the_log("statement.canceled", worker)
        time.sleep(3 * LEASE_SECONDS)  # a standby would have taken over by now
        assert_told(system, f"(pid {holder}: ")
        assert upload().status_code == 201

    system.manage("sending", "resume")
    ended(system, notification)
    system.wait_until_settled()

    assert outcomes() == {"sent": 2 * TARGETS}
    assert worker.log.read_text().count("lease.acquired") == 1
    assert f"pid {holder}: " in worker.log.read_text()
    assert "lease.acquired" not in standby.log.read_text()
    system.wait_for_the_log("statement.done", worker)
    system.verify(kills=0)


def assert_told(system: System, holder: str) -> None:
    """Whoever asks hears of the lock at once, and a pause works."""
    probe = ask(system, "readyz")
    assert probe.status_code == 503
    assert holder in probe.text
    metrics = ask(system, "metrics")
    assert metrics.status_code == 200
    assert "radiotalk_stuck 1.0" in metrics.text
    assert holder in system.manage("sending", "status")
    paused = system.manage("sending", "pause")
    assert holder in paused
    assert "waits: sending is paused" in paused


def ask(system: System, path: str) -> requests.Response:
    """Return what the web answers; fail where it hangs."""
    return requests.get(f"http://{LOOPBACK}:{system.web_port}/{path}", timeout=HANGS_SECONDS)


def test_a_lock_on_what_steers_the_sending_is_told_as_well(system: System) -> None:
    system.env["NOTIFICATIONS_LEASE_TTL"] = str(LEASE_SECONDS)
    system.start_web()

    with transaction.atomic(), connection.cursor() as cursor:
        holder = f"pid {cursor.connection.info.backend_pid}: LOCK TABLE"
        cursor.execute("LOCK TABLE notifications_workerlease IN ACCESS EXCLUSIVE MODE")
        probe = ask(system, "readyz")
        metrics = ask(system, "metrics")
        with pytest.raises(ProcessFailed, match=holder):
            system.manage("sending", "status")

    assert probe.status_code == 503
    assert f"locked by another session ({holder}" in probe.json()["database"]
    assert (metrics.status_code, "radiotalk_database_up 0.0" in metrics.text) == (200, True)
    assert ask(system, "readyz").status_code == 200
    system.verify(kills=0)


def test_a_migration_that_waits_for_a_lock_gives_up_and_is_run_again(system: System) -> None:
    program = system.listeners(TARGETS)
    call_command("migrate", "notifications", "0003", verbosity=0)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE notifications_workerlease IN ACCESS SHARE MODE")
            with pytest.raises(ProcessFailed, match="lock timeout"):
                system.manage("migrate", "notifications")
    finally:
        system.manage("migrate", "notifications")

    system.start_worker()
    notification = ended(system, post(program))

    assert_outcomes(notification, sent=TARGETS)
    system.verify(kills=0)


def post_elsewhere(system: System, program_id: int) -> Notification:
    """Return the notification of a talk that another process posts, while this one holds a lock."""
    code = f"from programs.models import Talk; Talk.objects.create(program_id={program_id})"
    system.manage("shell", "-c", code)
    return Notification.objects.latest("id")


@pytest.fixture
def plain_tokens(db: None) -> Iterator[None]:
    """Have the API tokens of that release, which are dropped before the database is emptied."""
    with plain_table():
        yield


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """Return the code of the release before, as its commit has it."""
    archive = git("archive", PREVIOUS_RELEASE)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(tmp_path / "release", filter="data")
    return tmp_path / "release"


def test_the_release_before_sends_and_takes_uploads_on_the_newest_schema(
    system: System, plain_tokens: None, release: Path
) -> None:
    program = system.listeners(TARGETS)
    manage = [sys.executable, str(release / "manage.py")]
    before = {"PYTHONPATH": str(release)}
    worker = system.launch("the worker before", [*manage, "listen_notifications"], **before)
    system.wait(lambda: WorkerLease.objects.exclude(holder="").exists())
    system.web_port = system.reserve_port()
    address = f"{LOOPBACK}:{system.web_port}"
    web = system.launch("the web before", [*manage, "runserver", "--noreload", address], **before)
    listening(web, system.web_port)

    by_hand = ended(system, post(program))
    login = f"Token {plain_token(program.owner, 'a')}"
    assert system.upload(program, Authorization=login).status_code == 201
    system.wait(lambda: outcomes() == {"sent": 2 * TARGETS})

    assert_outcomes(by_hand, sent=TARGETS)
    assert terminate(worker) == 0
    system.verify(kills=0)

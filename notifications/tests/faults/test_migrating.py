"""A schema that changes under running workers: locks, and the code of the release before."""

import io
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
from django.db import connection, transaction

from notifications.models import Notification, WorkerLease
from testbed.lasting_system import assert_outcomes, ended
from testbed.process import LOOPBACK, listening
from testbed.system import System, outcomes, post, terminate

pytestmark = [pytest.mark.engines, pytest.mark.faults]

TARGETS = 300
LEASE_SECONDS = 3
ROOT = Path(__file__).resolve().parents[3]

# The last landed commit whose schema was another one. Move it on with each release.
PREVIOUS_RELEASE = "fa6ae08a5b68fcdf87bf8cd2c91f497704b3d78d"


def test_a_lock_on_the_log_for_longer_than_the_lease_costs_nobody_anything(
    system: System,
) -> None:
    system.env["NOTIFICATIONS_LEASE_TTL"] = str(LEASE_SECONDS)
    program = system.listeners(TARGETS)
    worker = system.start_worker("--standby")
    system.wait_for_an_active_worker()
    standby = system.start_worker("--standby")

    with transaction.atomic(), connection.cursor() as cursor:
        holder = cursor.connection.info.backend_pid
        cursor.execute("LOCK TABLE notifications_delivery IN ACCESS EXCLUSIVE MODE")
        notification = post_elsewhere(system, program.id)
        system.wait_for_the_log("statement.canceled", worker)
        time.sleep(3 * LEASE_SECONDS)  # a standby would have taken over by now

    ended(system, notification)

    assert_outcomes(notification, sent=TARGETS)
    assert worker.log.read_text().count("lease.acquired") == 1
    assert f"pid {holder}: " in worker.log.read_text()
    assert "lease.acquired" not in standby.log.read_text()
    system.wait_for_the_log("statement.done", worker)
    system.verify(kills=0)


def post_elsewhere(system: System, program_id: int) -> Notification:
    """Return the notification of a talk that another process posts, while this one holds a lock."""
    code = f"from programs.models import Talk; Talk.objects.create(program_id={program_id})"
    system.manage("shell", "-c", code)
    return Notification.objects.latest("id")


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """Return the code of the release before, as its commit has it."""
    command = ["git", "archive", PREVIOUS_RELEASE]
    archive = subprocess.run(command, cwd=ROOT, check=False, capture_output=True)
    if archive.returncode:
        pytest.skip("the history of the repository is not here")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(tmp_path / "release", filter="data")
    return tmp_path / "release"


def test_the_release_before_sends_and_takes_uploads_on_the_newest_schema(
    system: System, release: Path
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
    assert system.upload(program).status_code == 201
    system.wait(lambda: outcomes() == {"sent": 2 * TARGETS})

    assert_outcomes(by_hand, sent=TARGETS)
    assert terminate(worker) == 0
    system.verify(kills=0)

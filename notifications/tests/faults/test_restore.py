"""A database that is put back to an earlier state: nobody gets again what the backup has open."""

from collections.abc import Callable
from pathlib import Path

import pytest

from notifications.models import Notification
from testbed.hostile.manners import AnswersSome
from testbed.lasting_system import journal_of
from testbed.own_engines import dump, restore, restore_in_place
from testbed.postgresql import Cluster
from testbed.process import Child
from testbed.system import HALF_WAY, System, kill, post

pytestmark = [pytest.mark.engines, pytest.mark.faults]

MANY = 1000
WORKER = ("--standby", "--max-workers", "2")
RESTORED = 6  # exit code


def ended(system: System, worker: Child) -> int:
    """Return the exit code of a worker once it has ended by itself."""
    system.wait(lambda: worker.wrapper.poll() is not None)
    return worker.wrapper.wait()


def assert_nobody_got_anything_twice(system: System) -> None:
    """The checker finds nothing but that the log has lost what the backup had not yet."""
    assert set(system.accepted().values()) == {1}
    assert set(system.report(kills=1).violations) == {"I3"}


@pytest.mark.parametrize("put_back", [restore, restore_in_place])
def test_a_restore_under_its_workers_stops_them_and_repeats_nothing(
    own_cluster: Cluster,
    system: System,
    fcm: AnswersSome,
    tmp_path: Path,
    put_back: Callable[[Cluster, Path], None],
) -> None:
    """The backup is of the very epoch in which the worker goes on sending after it."""
    program = system.listeners(MANY)
    workers = [system.start_worker(*WORKER)]
    system.wait_for_an_active_worker()
    workers.append(system.start_worker(*WORKER))
    system.wait_for_the_log("lease.held", workers[1])
    half_sent = post(program)
    system.wait_for_deliveries(HALF_WAY)
    dump(own_cluster, tmp_path / "backup")
    fcm.hurry()
    system.wait_until_settled()
    lost = post(program)
    system.wait_until_settled()
    assert len(system.accepted()) == 2 * MANY

    put_back(own_cluster, tmp_path / "backup")
    half_sent.refresh_from_db()
    assert half_sent.state == Notification.State.SENDING

    assert [ended(system, worker) for worker in workers] == [RESTORED, RESTORED]
    assert ended(system, system.start_worker(*WORKER)) == RESTORED  # as systemd starts it again
    system.manage("sending", "restored", "--reason", "last night's backup")
    system.start_worker(*WORKER)
    system.manage("sending", "resume")
    system.wait_until_settled()
    assert len(system.accepted()) == 2 * MANY

    again = post(program)
    system.wait_until_settled()
    assert len(journal_of(system, again)) == MANY
    tags = [entry["tag"] for entry in system.journal()]
    assert tags.count(again.tag) == tags.count(lost.tag) == MANY
    assert {again.id, again.talk_id}.isdisjoint({lost.id, lost.talk_id})
    assert_nobody_got_anything_twice(system)


def test_a_restore_while_no_worker_runs_repeats_nothing_once_the_operator_has_told(
    own_cluster: Cluster, system: System, fcm: AnswersSome, tmp_path: Path
) -> None:
    """Nobody is left who remembers."""
    program = system.listeners(MANY)
    worker = system.start_worker(*WORKER)
    post(program)
    system.wait_for_deliveries(HALF_WAY)
    dump(own_cluster, tmp_path / "backup")
    fcm.hurry()
    system.wait_until_settled()
    kill(worker)

    restore(own_cluster, tmp_path / "backup")
    system.manage("sending", "restored", "--reason", "last night's backup")
    system.start_worker(*WORKER)
    system.manage("sending", "resume")
    again = post(program)
    system.wait_until_settled()

    assert len(journal_of(system, again)) == MANY
    assert_nobody_got_anything_twice(system)

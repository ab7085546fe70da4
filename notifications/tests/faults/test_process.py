"""What surrounds a worker's process: signals, a log that nobody reads, the limits of its system."""

import os
import signal
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

import pytest

from notifications.models import Batch, WorkerLease
from notifications.worker.descriptors import FOR_ALL_ELSE
from testbed.hostile.manners import AnswersSome
from testbed.local_settings import manage_command
from testbed.process import Child
from testbed.system import HALF_WAY, System, outcomes, pid_of, post, terminate

pytestmark = [pytest.mark.engines, pytest.mark.faults]

TWO_LANES = ("--max-workers", "2")
LISTEN = manage_command("listen_notifications", *TWO_LANES)
MANY = 1000
SOME = 50

MANY_FILES = "notifications.tests.faults.settings_many_files"
MANY_LANES = 30
IN_USE_BY_A_LANE = 3  # as docs/operations.md says
FEW_FILES = 64
SELECT_KNOWS = 1024  # FD_SETSIZE


def assert_nothing_is_open() -> None:
    """Nobody is working, and nobody left anything behind."""
    assert WorkerLease.objects.held() is None
    assert not Batch.objects.filter(state=Batch.State.SENDING).exists()


# --- Signals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "signum", [signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1], ids=lambda each: each.name
)
def test_a_signal_that_ends_other_programs_stops_the_worker_as_sigterm_does(
    system: System, fcm: AnswersSome, signum: signal.Signals
) -> None:
    worker = system.start_worker(*TWO_LANES)
    post(system.listeners(MANY))
    system.wait_for_deliveries(HALF_WAY)

    os.kill(pid_of(worker), signum)
    system.wait(lambda: "worker.stopping" in worker.log.read_text() or has_ended(worker))
    fcm.hurry()

    assert worker.wrapper.wait() == 0
    assert_nothing_is_open()
    assert "unknown" not in outcomes()
    system.start_worker()
    system.wait_until_settled()
    assert outcomes() == {"sent": MANY}
    system.verify(kills=0)


def has_ended(worker: Child) -> bool:
    """Return whether the worker has ended."""
    return worker.wrapper.poll() is not None


def test_a_worker_that_nohup_started_outlives_its_terminal(system: System) -> None:
    worker = system.launch("listen_notifications", ["nohup", *LISTEN])
    system.wait_for_an_active_worker()

    os.kill(pid_of(worker), signal.SIGHUP)
    post(system.listeners(SOME))
    system.wait_until_settled()

    assert terminate(worker) == 0
    assert "why=SIGTERM" in worker.log.read_text()
    assert outcomes() == {"sent": SOME}
    system.verify(kills=0)


# --- A log that nobody reads ---------------------------------------------------------------------


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[FileIO]:
    """Yield the pipe `pipe` in `tmp_path`, which only this process could read."""
    file = tmp_path / "pipe"
    os.mkfifo(file)
    with FileIO(os.open(file, os.O_RDWR | os.O_NONBLOCK), "r+") as opened:
        yield opened


def start_with_stderr(system: System, where: str) -> Child:
    """Return a worker whose standard error is what the shell makes of `2>WHERE`."""
    command = ["sh", "-c", f'exec "$@" 2>{where}', "sh", *LISTEN]
    worker = system.launch("listen_notifications", command)
    system.wait_for_an_active_worker()
    return worker


def assert_it_sends_and_stops(system: System, worker: Child) -> None:
    """A talk reaches everybody, SIGTERM is heard, and the end is a good one."""
    post(system.listeners(SOME))
    system.wait_until_settled()
    assert terminate(worker) == 0
    assert_nothing_is_open()
    assert outcomes() == {"sent": SOME}
    system.verify(kills=0)


def test_a_log_pipe_that_nobody_reads_stops_neither_the_loop_nor_sigterm(
    system: System, tmp_path: Path, pipe: FileIO
) -> None:
    while pipe.write(b"\n"):
        pass  # until it is full
    # A check warns of it at the start, and Django writes that, not the log.
    system.env["REDIS_URL"] += "?foo=1"

    worker = start_with_stderr(system, str(tmp_path / "pipe"))

    assert_it_sends_and_stops(system, worker)


def test_a_log_whose_reader_has_gone_hurts_neither_the_loop_nor_the_exit_code(
    system: System, tmp_path: Path, pipe: FileIO
) -> None:
    worker = start_with_stderr(system, str(tmp_path / "pipe"))
    pipe.close()

    assert_it_sends_and_stops(system, worker)


def test_a_worker_without_standard_error_logs_into_no_connection_of_its_own(
    system: System,
) -> None:
    # Whatever is opened next gets the number of what was closed: a log would go to PostgreSQL.
    worker = start_with_stderr(system, "&-")

    assert_it_sends_and_stops(system, worker)


# --- Descriptors ---------------------------------------------------------------------------------


def test_a_worker_with_over_a_thousand_files_open_sends_to_everybody_at_once(
    system: System,
) -> None:
    worker = system.start_worker(*TWO_LANES, DJANGO_SETTINGS_MODULE=MANY_FILES)
    system.wait_for_a_subscriber()
    post(system.listeners(MANY))
    system.wait_until_settled()

    assert len(sockets_beyond(SELECT_KNOWS, worker)) > 2  # the lanes', and others
    assert "away" not in worker.log.read_text()
    assert outcomes() == {"sent": MANY}
    assert system.verdicts() == {"accepted": MANY}
    system.verify(kills=0)


def test_a_limit_of_open_files_below_what_the_lanes_need_is_raised(system: System) -> None:
    many_lanes = manage_command("listen_notifications", "--max-workers", str(MANY_LANES))
    command = ["sh", "-c", f'ulimit -S -n {FEW_FILES}; exec "$@"', "sh", *many_lanes]
    worker = system.launch("listen_notifications", command)
    post(system.listeners(MANY))
    system.wait(lambda: system.settled() or has_ended(worker))

    worker.check()
    system.wait(lambda: 0 < open_files(worker) - IN_USE_BY_A_LANE * MANY_LANES < FOR_ALL_ELSE)
    assert outcomes() == {"sent": MANY}
    system.verify(kills=0)


def open_files(worker: Child) -> int:
    """Return how many descriptors the process has open."""
    return len(os.listdir(f"/proc/{pid_of(worker)}/fd"))


def sockets_beyond(number: int, worker: Child) -> list[str]:
    """Return the sockets of the process whose descriptors are greater than that."""
    descriptors = Path(f"/proc/{pid_of(worker)}/fd").iterdir()
    found = [os.readlink(each) for each in descriptors if int(each.name) > number]
    return [each for each in found if each.startswith("socket:")]

"""The promise: a test leaves no process behind."""

from pathlib import Path

import pytest

from testbed.process import eventually
from testbed.system import System

pytestmark = pytest.mark.engines


def test_the_workers_of_a_process_are_killed_with_it(system: System) -> None:
    master = system.launch("master", ["sh", "-c", "sleep 900 & echo $!; wait"])
    system.wait(lambda: master.log.read_text().endswith("\n"))
    worker = int(master.log.read_text())
    assert is_running(worker)

    system.end(master)

    assert eventually(lambda: not is_running(worker))


def is_running(pid: int) -> bool:
    """Return whether a process is there, and no zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"

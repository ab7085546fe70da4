"""Processes that are stopped at random go on, and the command's exit code passes through."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from testbed.process import eventually
from testbed.stalls import Stall, process

STALLS = [sys.executable, "-m", "testbed.stalls", "--every", "0.1"]
# Ends with 7 when its child was stopped and sent on.
PARENT = """
import subprocess, sys
sys.exit(subprocess.run([sys.executable, "-c", sys.argv[1]]).returncode)
"""
CHILD = """
import signal, sys
signal.signal(signal.SIGCONT, lambda *_: sys.exit(7))
while True:
    signal.pause()
"""


def test_a_process_below_the_command_is_stopped_and_goes_on() -> None:
    command = [*STALLS, "--longest", "0.2", "--", sys.executable, "-c", PARENT, CHILD]

    run = subprocess.run(command, capture_output=True, text=True, check=False)

    assert run.returncode == 7, run.stderr
    assert re.match(r"[1-9]\d* processes stood still", run.stdout)


@pytest.fixture
def sleeper() -> Iterator[int]:
    """Yield the pid of a process that does nothing."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as sleeper:
        yield sleeper.pid
        sleeper.kill()


def stalled(pid: int) -> Stall:
    """Return the stall of a process, begun."""
    found = process(pid)
    assert found
    stall = Stall(found, found.command, begun=time.monotonic(), until=time.monotonic() + 600)
    stall.begin()
    assert eventually(lambda: state(pid) == "T")
    return stall


def test_a_process_that_stood_still_goes_on(sleeper: int) -> None:
    stall = stalled(sleeper)

    stall.end(time.monotonic())

    assert eventually(lambda: state(sleeper) == "S")


def test_a_process_that_a_test_has_stopped_meanwhile_stays_stopped(sleeper: int) -> None:
    stall = stalled(sleeper)
    os.kill(sleeper, signal.SIGSTOP)

    stall.end(time.monotonic())

    assert state(sleeper) == "T"


def state(pid: int) -> str:
    """Return the state of a process."""
    found = process(pid)
    return found.state if found else ""

"""Twenty random rounds of everything at once (rounds.py); more with `make faults ROUNDS=…`."""

import subprocess
import sys

import pytest

from radiotalk.settings import BASE_DIR

pytestmark = [pytest.mark.engines, pytest.mark.faults]

ROUNDS = 20


@pytest.mark.timeout(2400)
def test_nobody_is_notified_twice_and_nobody_missed_whatever_breaks_when() -> None:
    command = [sys.executable, "-m", "notifications.tests.faults.rounds", "--rounds", str(ROUNDS)]

    played = subprocess.run(command, cwd=BASE_DIR, capture_output=True, text=True, check=False)

    assert played.returncode == 0, played.stdout + played.stderr
    assert played.stdout.count(" ok ") == ROUNDS

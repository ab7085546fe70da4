"""Runs `manage.py` as a process whose environment holds the given settings alone."""

import os
import subprocess
import sys
from pathlib import Path

MANAGE = Path(__file__).parents[2] / "manage.py"
SECRET = "only-for-this-test-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFG"
DEADLINE_SECONDS = 240

# A setting in the environment, even an empty one, wins over the .env that this machine may have.
EMPTY = {
    "SECRET_KEY": "",
    "ALLOWED_HOSTS": "",
    "DEBUG": "",
    "GOOGLE_APPLICATION_CREDENTIALS": "",
    "ENVIRONMENT": "development",
}
LAPTOP = {"DEBUG": "on"}


def manage(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Return how a management command ended whose environment holds these settings alone."""
    return subprocess.run(
        [sys.executable, MANAGE, *arguments],
        env={"PATH": os.environ["PATH"], **EMPTY, **env},
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )

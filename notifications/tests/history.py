"""The history of the repository: what the release before was."""

import subprocess
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]

# The last landed commit whose schema was another one. Move it on with each release.
PREVIOUS_RELEASE: Final = "fa6ae08a5b68fcdf87bf8cd2c91f497704b3d78d"


def git(*arguments: str) -> bytes:
    """Return what git says of this repository; skip the test where its history is not here."""
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True)
    if done.returncode:
        pytest.skip("the history of the repository is not here")
    return done.stdout

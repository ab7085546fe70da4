"""Fixtures of the checker's tests."""

from pathlib import Path

import pytest

from .scene import Scene


@pytest.fixture
def scene(db: None, tmp_path: Path) -> Scene:
    """Return a program with three listeners, a device each."""
    return Scene(tmp_path)

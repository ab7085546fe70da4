"""What every test has: its turn, and a log that only we write into."""

import logging
from pathlib import Path

import pytest

pytest_plugins = ["testbed.fixtures"]

OURS = ("notifications", "programs", "radiotalk", "fcm_emulator", "testbed", "django")


def is_ours(record: logging.LogRecord) -> bool:
    """Return whether one of our packages logged it."""
    return record.name.partition(".")[0] in OURS


@pytest.fixture(autouse=True)
def only_our_log(caplog: pytest.LogCaptureFixture) -> None:
    """Keep libraries' threads out of `caplog`: the Firebase SDK's go on after their test."""
    caplog.handler.addFilter(is_ours)


@pytest.hookimpl(trylast=True)  # after pytest-randomly
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that may take longest: several run at a time, and none is to be last."""
    longest: dict[Path, float] = {}
    for item in items:
        mark = item.get_closest_marker("timeout")
        seconds = float(mark.args[0]) if mark else 0.0
        longest[item.path] = max(longest.get(item.path, 0.0), seconds)
    items.sort(key=lambda item: -longest[item.path])

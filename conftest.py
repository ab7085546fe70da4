"""For every test: which are skipped, the order of files, and a log of our packages alone."""

import logging
from pathlib import Path

import pytest
from django.core.cache import cache
from django.db import connection

from testbed.ci import must_be_there

pytest_plugins = ["testbed.fixtures"]

OURS = ("accounts", "notifications", "programs", "radiotalk", "fcm_emulator", "testbed", "django")


def is_ours(record: logging.LogRecord) -> bool:
    """Return whether one of our packages, or Django, wrote the record."""
    return record.name.partition(".")[0] in OURS


@pytest.fixture(autouse=True)
def only_our_log(caplog: pytest.LogCaptureFixture) -> None:
    """Keep libraries' records out of `caplog`: threads of the Firebase SDK outlive their test."""
    caplog.handler.addFilter(is_ours)


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    """Let no test use up the attempts of another: accounts have the same numbers in each."""
    cache.clear()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that needs engines where none is, so that any file can be run by itself."""
    needs_engines = item.get_closest_marker("engines") is not None
    if needs_engines and connection.vendor == "sqlite" and not must_be_there():
        pytest.skip(
            "needs PostgreSQL: .venv/bin/python -m testbed.engines --postgresql --redis -- …"
        )


@pytest.hookimpl(trylast=True)  # after pytest-randomly
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that may take longest, so that no slow one runs alone at the end."""
    longest: dict[Path, float] = {}
    for item in items:
        mark = item.get_closest_marker("timeout")
        seconds = float(mark.args[0]) if mark else 0.0
        longest[item.path] = max(longest.get(item.path, 0.0), seconds)
    items.sort(key=lambda item: -longest[item.path])

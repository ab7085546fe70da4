"""What every test has: a log that only we write into."""

import logging

import pytest

OURS = ("notifications", "programs", "radiotalk", "django")


def is_ours(record: logging.LogRecord) -> bool:
    """Return whether one of our packages logged it."""
    return record.name.partition(".")[0] in OURS


@pytest.fixture(autouse=True)
def only_our_log(caplog: pytest.LogCaptureFixture) -> None:
    """Keep libraries' threads out of `caplog`: the Firebase SDK's go on after their test."""
    caplog.handler.addFilter(is_ours)

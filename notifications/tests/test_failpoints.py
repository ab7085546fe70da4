"""Failpoints: nothing happens unless a test set something, and then exactly that."""

import os
import signal
from collections.abc import Iterator

import pytest

from notifications import failpoints


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[signal.Signals]]:
    """Yield the signals that this process would have got."""
    got: list[signal.Signals] = []
    monkeypatch.setattr(os, "kill", lambda _pid, number: got.append(number))
    yield got
    failpoints.arm([])


def test_nothing_happens_where_nothing_is_set(signals: list[signal.Signals]) -> None:
    failpoints.arm(["after_claim=kill"])

    failpoints.reach("before_claim")

    assert signals == []


@pytest.mark.parametrize(("action", "sent"), [("kill", signal.SIGKILL), ("stop", signal.SIGSTOP)])
def test_the_process_gets_the_signal_that_is_set(
    signals: list[signal.Signals], action: str, sent: signal.Signals
) -> None:
    failpoints.arm([f"after_claim={action}"])

    failpoints.reach("after_claim")

    assert signals == [sent]


def test_a_count_waits_for_that_time_and_for_no_other(signals: list[signal.Signals]) -> None:
    failpoints.arm(["request_written=kill@3"])

    reached = []
    for _ in range(5):
        failpoints.reach("request_written")
        reached.append(len(signals))

    assert reached == [0, 0, 1, 1, 1]


def test_one_notification_can_be_meant(signals: list[signal.Signals]) -> None:
    failpoints.arm(["after_claim/7=kill"])

    failpoints.reach("after_claim", 8)
    assert signals == []

    failpoints.reach("after_claim", 7)
    assert signals == [signal.SIGKILL]


@pytest.mark.parametrize(
    "wanted", ["after_lunch=kill", "after_claim=sleep", "after_claim=kill@often", "after_claim"]
)
def test_what_is_no_failpoint_stops_the_start(wanted: str) -> None:
    with pytest.raises(ValueError, match="something is no failpoint"):
        failpoints.arm([wanted])

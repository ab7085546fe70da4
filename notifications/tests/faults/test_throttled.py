"""FCM says 429 to every first attempt, with real processes: patience, and nobody else waits.

In full, with figures: THROTTLED_TARGETS=10000 … pytest -s -m faults <this file>.
"""

import os
from collections import defaultdict
from functools import partial
from typing import Any

import pytest

from notifications.models import Notification
from testbed.lasting_system import assert_outcomes, ended, journal_of
from testbed.system import System, post

pytestmark = [pytest.mark.engines, pytest.mark.faults, pytest.mark.timeout(600)]

TARGETS = int(os.environ.get("THROTTLED_TARGETS", "1000"))
RETRY_AFTER_SECONDS = 1
OTHERS = 100  # listeners of another talk
WHEN = [0.3, 0.44, 0.58, 0.72, 0.86]  # of the throttled ones are recorded


def test_429_for_every_first_attempt_delays_it_and_nobody_else(system: System) -> None:
    others = system.listeners(OTHERS, name="other-{}")
    program = system.listeners(TARGETS, name=f"device-{{}}-once-429after{RETRY_AFTER_SECONDS}")
    system.start_worker()
    undisturbed = took(system, ended(system, post(others)))

    throttled = post(program)
    disturbed = []
    for share in WHEN:
        system.wait(partial(has_come, throttled, share))
        disturbed.append(took(system, ended(system, post(others))))
    ended(system, throttled)

    attempts = posts_of(system, throttled)
    assert_outcomes(throttled, sent=TARGETS)
    assert len(attempts) == TARGETS
    for first, second in attempts.values():
        assert (first["status"], second["status"]) == (429, 200)
        assert second["at"] - first["at"] >= RETRY_AFTER_SECONDS
    system.verify(kills=0)
    figures = {
        "targets": TARGETS,
        "seconds": round(took(system, throttled), 2),
        "other talk, undisturbed": round(undisturbed, 2),
        "other talks meanwhile": [round(seconds, 2) for seconds in disturbed],
    }
    print(figures)


def has_come(notification: Notification, share: float) -> bool:
    """Return whether so much of it is recorded."""
    return notification.deliveries.count() >= share * TARGETS


def posts_of(system: System, notification: Notification) -> dict[str, list[dict[str, Any]]]:
    """Return the requests for each token."""
    found = defaultdict(list)
    for entry in journal_of(system, notification):
        found[entry["token"]].append(entry)
    return found


def took(system: System, notification: Notification) -> float:
    """Return the seconds from the talk's post to the last one that FCM accepted."""
    accepted = [
        entry["at"] for entry in journal_of(system, notification) if entry["verdict"] == "accepted"
    ]
    return float(max(accepted)) - notification.created_at.timestamp()

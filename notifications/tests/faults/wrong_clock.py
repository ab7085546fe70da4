"""A worker whose wall clock a test sets: `python -m notifications.tests.faults.wrong_clock FILE`.

The file has the seconds by which the clock is wrong, and is read whenever the worker asks for the
time. Its monotonic clock goes right, as when an operator or NTP sets a clock.
"""

import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import django


def set_wrong(file: Path) -> None:
    """Let Django, google-auth and this process believe the wrong time."""
    from django.utils import timezone
    from google.auth import _helpers

    right = time.time

    def seconds() -> float:
        return right() + float(file.read_text())

    def now() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=float(file.read_text()))

    time.time = seconds
    timezone.now = now
    _helpers.utcnow = lambda: now().replace(tzinfo=None)


if __name__ == "__main__":
    set_wrong(Path(sys.argv[1]))
    django.setup()
    from django.core.management import execute_from_command_line

    execute_from_command_line(["manage.py", "listen_notifications"])

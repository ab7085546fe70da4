"""`manage.py` with a wall clock that a test sets: libfaketime (Debian's package `faketime`).

Its monotonic clock goes right, as when an operator or NTP sets a host's clock.
"""

import select
import sys
import time
from pathlib import Path
from typing import Any

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


class WrongClock:
    """By how many seconds the clock is wrong of the processes that are started with it."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set(0)

    def set(self, seconds: int) -> None:
        """Set it at once: no reader sees half of it."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+}")
        new.replace(self._file)

    def manage_command(self, *arguments: str) -> list[str]:
        """Return the command line of `manage.py ARGUMENTS` with this clock."""
        variables = {
            "LD_PRELOAD": LIBRARY,
            "FAKETIME_TIMESTAMP_FILE": self._file,
            "FAKETIME_NO_CACHE": 1,
            "FAKETIME_DONT_FAKE_MONOTONIC": 1,
            "NO_FAKE_STAT": 1,
        }
        settings = [f"{name}={value}" for name, value in variables.items()]
        return ["env", *settings, sys.executable, "-m", __name__, *arguments]


def clear_away() -> None:
    """Delete what killed processes left: libfaketime starts none that has the id of one of them."""
    for file in Path("/dev/shm").glob("*faketime_*"):  # noqa: S108
        if not Path("/proc", file.name.rpartition("_")[2]).exists():
            file.unlink(missing_ok=True)


def sleep(seconds: Any) -> None:
    """Sleep; libfaketime fails Python's way, which is a sleep until a monotonic time."""
    select.select([], [], [], seconds)


if __name__ == "__main__":
    time.sleep = sleep
    from django.core.management import execute_from_command_line

    execute_from_command_line(["manage.py", *sys.argv[1:]])

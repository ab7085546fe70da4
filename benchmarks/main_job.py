"""From the upload's answer to the last result recorded, as the README's table has it.

Real web, worker, Redis, PostgreSQL (with fsync) and the FCM emulator over TLS, all on this machine;
the emulator takes 230 ms a send, as FCM was measured to take in 2019, and the worker has ten
threads, as then. `make bench` runs it; it fails when anybody is notified twice or not at all.
"""

import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.progress import track  # noqa: E402
from rich.table import Table  # noqa: E402

from notifications.models import Notification  # noqa: E402
from notifications.tests.system import System  # noqa: E402
from programs.models import Program  # noqa: E402

LATENCY_MS = 230
ROUNDS = 3
# Listeners, and the seconds that the version of 2019 took for as many.
YEAR_2019 = {100: 2.39, 1_000: 23.16, 10_000: 233.37}


@dataclass(frozen=True)
class Measured:
    """Seconds since the upload's answer, and whether each listener was notified once."""

    first: float
    last: float
    recorded: float
    exactly_once: bool


def measure(system: System, program: Program, listeners: int) -> Measured:
    """Return what came of one upload."""
    answer = system.upload(program)
    answered_at = time.time()
    talk = answer.json()["id"]
    system.wait(lambda: Notification.objects.get(talk_id=talk).state == "done")
    recorded_at = time.time()
    entries = [e for e in system.journal() if e["data"].get("talk_id") == str(talk)]
    accepted = Counter(entry["token"] for entry in entries if entry["verdict"] == "accepted")
    times = [entry["at"] for entry in entries]
    return Measured(
        first=min(times) - answered_at,
        last=max(times) - answered_at,
        recorded=recorded_at - answered_at,
        exactly_once=len(accepted) == listeners and set(accepted.values()) == {1},
    )


def run(system: System) -> dict[int, list[Measured]]:
    """Return what was measured, by number of listeners; the sizes take turns."""
    system.start_redis()
    system.go_live()
    programs = {count: system.listeners(count) for count in YEAR_2019}
    system.start_web()
    system.start_worker()
    rounds = [count for _ in range(ROUNDS) for count in YEAR_2019]
    results: dict[int, list[Measured]] = {count: [] for count in YEAR_2019}
    for count in track(rounds, "Posting talks"):
        results[count].append(measure(system, programs[count], count))
    return results


def median(values: Iterable[float]) -> str:
    """Return the median, to be shown."""
    return f"{statistics.median(values):.2f} s"


def table(results: dict[int, list[Measured]]) -> Table:
    """Return what a person reads."""
    shown = Table(title=f"{LATENCY_MS} ms a send, 10 threads, medians of {ROUNDS} rounds")
    for heading in ("listeners", "first at FCM", "last at FCM", "all recorded", "2019"):
        shown.add_column(heading, justify="right")
    for count, measured in results.items():
        shown.add_row(
            f"{count:,}",
            median(each.first for each in measured),
            median(each.last for each in measured),
            median(each.recorded for each in measured),
            f"{YEAR_2019[count]:.2f} s",
        )
    return shown


def main() -> int:
    """Print the medians; return 1 when a listener was notified twice or not at all."""
    call_command("migrate", verbosity=0)
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        results = run(System(Path(directory), stack, latency_ms=LATENCY_MS))
    Console().print(table(results))
    wrong = [each for measured in results.values() for each in measured if not each.exactly_once]
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

"""How near to the limit: Radiotalk beside h2load, a client in C that keeps no log, on one stub.

h2load (Debian's nghttp2-client) holds as many requests in flight as Radiotalk: 100 on each of as
many connections as Radiotalk has threads. It claims nothing and records nothing, so what it needs
is about what the stub and the machine need.
"""

import re
import resource
import shutil
import statistics
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.fcm import Stub
from benchmarks.measuring import table

PROGRAM = "h2load"
MISSING = f"{PROGRAM} is not installed, so there is no such ratio: apt-get install nghttp2-client."
STREAMS = 100  # as Radiotalk has on each connection
BODY = '{"message":{"token":"%s","data":{"notification_id":"%s"}}}'
TOKEN = "x" * 160  # as long as FCM's

FINISHED = re.compile(r"finished in ([\d.]+)(m?s)")
SUCCEEDED = re.compile(r"(\d+) succeeded")


@dataclass(frozen=True)
class Case:
    """What is sent by both, and how they are compared."""

    name: str
    threads: int
    targets: int
    as_fcm: bool = False  # 1 % of the answers come after 1 s, 0.2 % after 10 s
    figure: str = "recorded"  # or `last`: when the last request leaves
    is_rate: bool = False

    def ratio(self, rounds: list[dict[str, Any]]) -> float:
        """Return our median to h2load's: of the time, or the other way round of the rate."""
        ours, limit = (
            statistics.median(each[who][self.figure] for each in rounds)
            for who in ("ours", "h2load")
        )
        return float(limit / ours if self.is_rate else ours / limit)


CASES = (
    Case("10,000 by 10 threads: time", 10, 10_000),
    Case("100,000 by 40 threads: rate", 40, 100_000, is_rate=True),
    Case(
        "20,000 by 10 threads, answers as FCM gives them: time to the last request",
        10,
        20_000,
        as_fcm=True,
        figure="last",
    ),
)


def is_there() -> bool:
    """Return whether h2load is installed."""
    return shutil.which(PROGRAM) is not None


def measure(stub: Stub, case: Case, label: str) -> dict[str, Any]:
    """Return what h2load needs for the same: seconds until all were answered, and its CPU."""
    with tempfile.TemporaryDirectory() as directory:
        body = Path(directory) / "body.json"
        body.write_text(BODY % (TOKEN, label))
        options = ["-n", str(case.targets), "-c", str(case.threads), "-m", str(STREAMS)]
        headers = ["-H", "content-type: application/json", "-H", f"authorization: Bearer {TOKEN}"]
        url = f"{stub.url}/v1/projects/radiotalk-emulator/messages:send"
        used = cpu()
        run = subprocess.run(  # noqa: S603
            [PROGRAM, *options, *headers, "-d", str(body), url],
            check=True,
            capture_output=True,
            text=True,
        )
        used = cpu() - used
    counted = stub.counts()[label]
    finished, succeeded = FINISHED.search(run.stdout), SUCCEEDED.search(run.stdout)
    if not (finished and succeeded):
        raise ValueError(f"{PROGRAM} said what we cannot read: {run.stdout}")
    return {
        "recorded": float(finished[1]) * (0.001 if finished[2] == "ms" else 1),
        "last": counted["last_at"] - counted["first_at"],
        "cpu": used,
        "turnaround": counted["turnaround"],
        "targets": case.targets,
        "exactly_once": int(succeeded[1]) == counted["requests"] == case.targets,
    }


def cpu() -> float:
    """Return the CPU seconds of the children that have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def told(limits: list[dict[str, Any]]) -> str:
    """Return the ratios as a table; `limits` has a dictionary for each case and round."""
    if not limits:
        return MISSING
    rows = []
    for case in CASES:
        rounds = [each for each in limits if each["case"] == case.name]
        if rounds:
            ours, limit = ([each[who] for each in rounds] for who in ("ours", "h2load"))
            rows.append([case.name, f"{case.ratio(rounds):.2f}", *row(ours), *row(limit)])
    headings = ["what", "ratio"]
    for who in ("Radiotalk", PROGRAM):
        headings += [f"{who}, s", "CPU µs a send", "turn-around, ms"]
    return table(headings, rows)


def row(rounds: list[dict[str, Any]]) -> list[str]:
    """Return seconds until all was done, CPU, and turn-around, each the median."""
    return [
        f"{statistics.median(each['recorded'] for each in rounds):.2f}",
        f"{statistics.median(each['cpu'] / each['targets'] for each in rounds) * 1e6:.0f}",
        turnaround(rounds),
    ]


def turnaround(rounds: list[dict[str, Any]]) -> str:
    """Return its median and 99th percentile in milliseconds, each the median of the rounds."""
    waits = zip(*(each["turnaround"] for each in rounds), strict=True)
    return " / ".join(f"{statistics.median(each) * 1e3:.0f}" for each in waits)

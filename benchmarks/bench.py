"""`make bench`: Radiotalk and what one would take instead, in one run on the same stub of FCM.

Everything but FCM is real: web, worker, Redis, PostgreSQL with fsync, TLS, HTTP/2. In each round
the ways of sending take turns. `--quick` measures only with 230 ms a send, up to 10,000 targets.
Besides, it stands beside h2load, where that is installed (benchmarks/limit.py).
The results go to var/bench.json, and benchmarks.report makes docs/benchmarks.md of them.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from rich.console import Console  # noqa: E402

from benchmarks import limit, ours, peers, report  # noqa: E402
from benchmarks.fcm import AS_FCM, AS_FCM_MS, Stub, running_stub  # noqa: E402
from programs.models import Program  # noqa: E402
from radiotalk.settings import BASE_DIR, VAR_DIR  # noqa: E402

LATENCIES_MS = (0, 50, 230)
SIZES = (100, 1_000, 10_000, 100_000)
POOLS = (10, 40)
ROUNDS = 3
SLOW_MS = 230  # as FCM was measured to take in 2019
RESULTS = VAR_DIR / "bench.json"

# The most targets that each way is run with: its rate is constant, so more only take longer.
PEERS_MOST = {
    "firebase-admin send, 10 threads": 1_000,
    "firebase-admin send, 100 threads": 10_000,
    "firebase-admin send_each": 10_000,
    "firebase-admin send_each_async": 1_000,
    "fcm-django": 10_000,
}
PEERS_MOST_WHERE_FAST = 1_000  # below 230 ms, where a peer's own CPU is its limit as well


@dataclass(frozen=True)
class Plan:
    """Which latencies and sizes are run, and in how many rounds."""

    latencies: tuple[int, ...]
    sizes: tuple[int, ...]
    rounds: int


class Run:
    """One run of everything; `results` has a dictionary for each measurement."""

    def __init__(self, plan: Plan, directory: Path, stack: ExitStack) -> None:
        self.plan = plan
        self.directory = directory
        self.results: list[dict[str, Any]] = []
        self.console = Console()
        latencies: dict[int, tuple[str, ...]] = dict.fromkeys(plan.latencies, ())
        latencies[AS_FCM_MS] = AS_FCM
        self.stubs = {
            latency: stack.enter_context(
                running_stub(directory / f"fcm-{latency}", latency_ms=latency, tails=tails)
            )
            for latency, tails in latencies.items()
        }
        self.systems = {
            latency: ours.Bench(directory / f"system-{latency}", stack, stub)
            for latency, stub in self.stubs.items()
        }
        self.programs: dict[int, Program] = {}
        self.cases = [each for each in limit.CASES if each.targets <= max(plan.sizes)]
        self.limits: list[dict[str, Any]] = []  # a dictionary for each case and round

    def prepare(self) -> None:
        """Fill the tables, and start the webs."""
        call_command("migrate", verbosity=0)
        first = next(iter(self.systems.values()))
        first.go_live()
        sizes = {*self.plan.sizes, *(case.targets for case in self.cases)}
        self.programs = {size: first.listeners(size) for size in sorted(sizes)}
        peers.fill(size for size in self.plan.sizes if size <= max(PEERS_MOST.values()))
        for system in self.systems.values():
            system.start_redis()
            system.start_web()

    def go(self) -> None:
        """Measure all ways, in turns."""
        for number in range(self.plan.rounds):
            for latency in self.plan.latencies:
                for pool in POOLS:
                    self.measure_us(latency, pool, number)
                for way in peers.WAYS:
                    self.measure_peer(latency, way, number)
            for case in self.cases if limit.is_there() else ():
                self.measure_limit(case, number)
        if not limit.is_there():
            self.console.print(limit.MISSING)

    def measure_limit(self, case: limit.Case, number: int) -> None:
        """Measure Radiotalk and h2load, one after the other, on the same stub."""
        system = self.systems[AS_FCM_MS if case.as_fcm else SLOW_MS]
        with system.worker(case.threads) as worker:
            us = ours.measure(system, worker, self.programs[case.targets], case.targets)
        label = f"8{time.monotonic_ns()}"
        result = {
            "case": case.name,
            "round": number,
            "ours": asdict(us),
            "h2load": limit.measure(system.stub, case, label),
        }
        self.limits.append(result)
        self.console.print(
            f"{number + 1}/{self.plan.rounds}  {case.name}: {case.ratio([result]):.2f}",
            highlight=False,
        )

    def measure_us(self, latency: int, pool: int, number: int) -> None:
        """Measure Radiotalk with a pool of so many threads, at each size."""
        system = self.systems[latency]
        with system.worker(pool) as worker:
            for size in self.plan.sizes:
                measured = ours.measure(system, worker, self.programs[size], size)
                self.note(f"Radiotalk, {pool} threads", latency, size, number, asdict(measured))

    def measure_peer(self, latency: int, way: str, number: int) -> None:
        """Measure what one would take instead, at the sizes that do not take too long."""
        for size in self.plan.sizes:
            most = PEERS_MOST[way]
            if latency < SLOW_MS or self.plan.rounds < ROUNDS:
                most = min(most, PEERS_MOST_WHERE_FAST)
            if size <= most:
                spent = self.run_peer(self.stubs[latency], way, size, f"9{number}{size}{latency}")
                self.note(way, latency, size, number, spent)

    @staticmethod
    def run_peer(stub: Stub, way: str, size: int, label: str) -> dict[str, Any]:
        """Return what a process of its own spent, and the seconds from first to last request."""
        label = f"{label}{time.monotonic_ns() % 10**9}"
        command = [sys.executable, "-m", "benchmarks.peers", way, "--targets", str(size)]
        command += ["--label", label, "--url", stub.url, "--ca-file", str(stub.ca_file)]
        command += ["--service-account", str(stub.service_account_file)]
        run = subprocess.run(  # noqa: S603
            command, cwd=BASE_DIR, check=True, capture_output=True, text=True
        )
        counted = stub.counts()[label]
        spent: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
        return {
            "recorded": spent["seconds"],
            "spread": counted["last_at"] - counted["first_at"],
            "cpu": spent["cpu"],
            "peak_mb": spent["peak_mb"],
            "targets": size,
            "exactly_once": (counted["targets"], counted["again"]) == (size, 0),
        }

    def note(
        self, way: str, latency: int, size: int, number: int, measured: dict[str, Any]
    ) -> None:
        """Keep a measurement, and print it."""
        self.results.append(
            {"way": way, "latency": latency, "size": size, "round": number, **measured}
        )
        self.console.print(
            f"{number + 1}/{self.plan.rounds}  {latency:>3} ms  {size:>7,}  {way:<34}"
            f" {measured['recorded']:8.2f} s  {measured['cpu'] / size * 1e6:6.0f} µs",
            highlight=False,
        )


def main() -> int:
    """Measure and report; return 1 when anybody was notified twice or not at all."""
    parser = argparse.ArgumentParser("python -m benchmarks.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    plan = Plan(LATENCIES_MS, SIZES, options.rounds)
    if options.quick:
        plan = Plan((SLOW_MS,), SIZES[:3], options.rounds)
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        run = Run(plan, Path(directory), stack)
        run.prepare()
        run.go()
    RESULTS.parent.mkdir(exist_ok=True)
    measured = {"machine": report.machine(), "results": run.results, "limits": run.limits}
    RESULTS.write_text(json.dumps(measured, indent=1))
    report.write(RESULTS)
    whole = [*run.results, *(each[who] for each in run.limits for who in ("ours", "h2load"))]
    return 0 if all(each["exactly_once"] for each in whole) else 1


if __name__ == "__main__":
    sys.exit(main())

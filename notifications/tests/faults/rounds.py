"""Random rounds: `python -m notifications.tests.faults.rounds --seed 1 --rounds 20`.

A round posts 20 talks to 100 devices through the web while parts are killed, stopped, frozen and
restarted, listeners leave and an operator has tests sent, as its seed says (schedule.py). When all
is whole and quiet again the checker must find nothing, and nobody may be unknown without a kill.
Each round has a fresh database and the next seed; the one that fails is printed with its schedule,
and can be played again alone.
"""

import argparse
import heapq
import itertools
import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import django
import requests

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "radiotalk.testing")
    django.setup()

from django.db import connection

from notifications.models import Batch, Notification
from notifications.tests.faults.listeners import Listeners
from notifications.tests.faults.playground import THREADS, Playground, Undo, wait_until_it_listens
from notifications.tests.faults.schedule import TALKS, Leaving, Schedule, Step, schedule
from notifications.tests.faults.tester import Tester, are_over, false_tests
from notifications.worker.repository.recovery import POISON
from programs.models import Program, Talk
from testbed.own_engines import OWN, TEMPLATE, as_default, migrated_cluster, once_unused
from testbed.postgresql import Cluster
from testbed.process import Child, eventually
from testbed.system import System, outcomes

# Of what one kill leaves unknown, as in I8.
UNKNOWN_A_KILL = 150 * THREADS
QUIET_SECONDS = 240.0  # a deadline for a busy machine, not an expectation
LOOK_SECONDS = 0.05  # between looks whether all is quiet, which load the machine
AGAIN_SECONDS = 0.1  # how long a client waits before it repeats an upload

# What a worker may end with: stopped, replaced, killed; or stopped before it could hear of it.
EXIT_CODES = (0, 3, 128 + signal.SIGKILL)
NOT_YET_LISTENING = {128 + each for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)}


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a round; no problems: all that was promised held."""

    schedule: Schedule
    problems: tuple[str, ...]
    outcomes: dict[str, int]
    seconds: float

    def __str__(self) -> str:
        """Return a line for a table."""
        counts = " ".join(f"{name} {count}" for name, count in sorted(self.outcomes.items()))
        kills = self.schedule.kills("worker")
        verdict = "FAILED" if self.problems else "ok"
        return (
            f"seed {self.schedule.seed:>6}  {verdict:<6} {self.seconds:5.1f} s  "
            f"{len(self.schedule.steps)} faults, {kills} kills of a worker  {counts}"
        )


class Talker(threading.Thread):
    """Posts the talks at their times, each until it is answered, as a careful client does."""

    def __init__(self, system: System, program: Program, plan: Schedule) -> None:
        super().__init__(name="talker", daemon=True)
        self.posts = [
            (at, system.uploader(program, **{"Idempotency-Key": f"{plan.seed}-{number}"}))
            for number, at in enumerate(plan.posts)
        ]
        self.refused: list[str] = []

    def run(self) -> None:
        begun = time.monotonic()
        for at, upload in self.posts:
            time.sleep(max(begun + at - time.monotonic(), 0))
            while not self.is_answered(upload):
                time.sleep(AGAIN_SECONDS)

    def is_answered(self, upload: Callable[[], requests.Response]) -> bool:
        """Return whether one attempt was answered, and not by a web that is breaking."""
        try:
            answer = upload()
        except requests.RequestException:
            return False
        if 400 <= answer.status_code < 500:
            self.refused.append(answer.text)
        return answer.status_code < 500


def play(playground: Playground, plan: Schedule) -> Played:
    """Return what came of a round in the database of the round."""
    begun = time.monotonic()
    system = playground.system
    listeners = Listeners(system, plan.seed)
    tester = Tester(plan.seed, tests=len(plan.tests))
    system.go_live()
    for number in range(plan.workers):
        playground.start_worker(number)
    wait_until_it_listens(playground.workers[0])
    talker = Talker(system, listeners.program, plan)
    talker.start()
    carry_out(playground, listeners, tester, plan)

    def over() -> bool:
        time.sleep(LOOK_SECONDS)
        playground.start_missing()
        return not talker.is_alive() and is_quiet() and are_over()

    is_over = eventually(over, seconds=QUIET_SECONDS)
    problems = [f"refused: {text}" for text in talker.refused]
    if not is_over:
        problems.append(f"not quiet after {QUIET_SECONDS} s: {open_notifications()}")
    workers = playground.stop_workers()
    problems += found(playground, listeners, plan, workers)
    return Played(plan, tuple(problems), dict(outcomes()), time.monotonic() - begun)


def carry_out(playground: Playground, listeners: Listeners, tester: Tester, plan: Schedule) -> None:
    """Break what is to be broken at its time, and make each whole again at its time."""
    begun = time.monotonic()
    order = itertools.count()
    planned: list[Step | Leaving] = [*plan.steps, *plan.leavings]
    due: list[tuple[float, int, Step | Leaving | Undo]] = [
        *((each.at, next(order), each) for each in planned),
        *((at, next(order), tester.ask) for at in plan.tests),
    ]
    heapq.heapify(due)
    while due:
        at, _, what = heapq.heappop(due)
        time.sleep(max(begun + at - time.monotonic(), 0))
        if isinstance(what, Step):
            undo = playground.breaks(what.part, what.way)
            heapq.heappush(due, (at + what.lasts, next(order), undo))
        elif isinstance(what, Leaving):
            listeners.leave(what.way)
        else:
            what()
    connection.close()  # PostgreSQL may have been restarted under it


def is_quiet() -> bool:
    """Return whether all has come to its end; an operator releases what is held meanwhile."""
    Notification.objects.filter(state="held", reason=POISON).release(reason="A look was had.")
    return not (open_notifications() or Batch.objects.filter(state="sending").exists())


def open_notifications() -> dict[int, str]:
    """Return those that are not done, with their states and reasons."""
    rows = Notification.objects.exclude(state="done").values_list("id", "state", "reason")
    return {id: f"{state}: {reason}" for id, state, reason in rows}


def found(
    playground: Playground, listeners: Listeners, plan: Schedule, workers: list[Child]
) -> list[str]:
    """Return what does not hold at the end of a round."""
    system = playground.system
    # A killed PostgreSQL may have committed one claim without saying so, which is never sent then.
    kills = plan.kills("worker") + plan.kills("postgresql")
    report = system.report(threads=THREADS, kills=kills, departures=listeners.departures)
    problems = [str(report)] if report.violations else []
    problems += false_tests(system)
    unknown = outcomes()["unknown"]
    most = UNKNOWN_A_KILL * (kills + plan.kills("fcm"))
    if unknown > most:
        problems.append(f"{unknown} are unknown; {most} at most are explained")
    if Talk.objects.count() != TALKS or Notification.objects.count() != TALKS:
        problems.append(
            f"{Talk.objects.count()} talks, {Notification.objects.count()} of notifications"
        )
    for worker in workers:
        code, log = worker.wrapper.returncode, worker.log.read_text()
        if code in NOT_YET_LISTENING and "worker.started" not in log:
            continue
        if code not in EXIT_CODES or "Traceback" in log:
            problems.append(f"{worker.log.name} ended with {code}:\n{worker.last_lines()}")
    return problems


@contextmanager
def playgrounds(directory: Path, cluster: Cluster) -> Iterator[Playground]:
    """Yield where any number of rounds can be played."""
    fresh(cluster)  # the web does not start without
    with as_default(f"{cluster.url}/{OWN}"), ExitStack() as stack:
        yield Playground(directory, cluster, stack)


def fresh(cluster: Cluster) -> None:
    """Have an empty database in the place of the last one."""
    once_unused(cluster, f"DROP DATABASE IF EXISTS {OWN} WITH (FORCE)")
    once_unused(cluster, f"CREATE DATABASE {OWN} TEMPLATE {TEMPLATE}")
    # As the product's sessions have it: who has left must have left, also when PostgreSQL crashes.
    cluster.execute(f"ALTER DATABASE {OWN} SET synchronous_commit = on")
    connection.close()


def play_fresh(playground: Playground, seed: int) -> Played:
    """Return what came of the round of this seed, in a database and a journal of its own."""
    journal = playground.system.fcm.journal
    logs = playground.directory / f"seed-{seed}"
    fresh(playground.cluster)
    os.truncate(journal, 0)  # the emulator appends
    playground.keep_logs_in(logs)
    played = play(playground, schedule(seed))
    if played.problems:
        shutil.copy(journal, logs)
    playground.forget()
    return played


def tell(played: Played) -> None:
    """Print how a round went, and how to play it again."""
    print(played, flush=True)
    if played.problems:
        print(*played.schedule.steps, *played.problems, again(played.schedule.seed), sep="\n")


def again(seed: int) -> str:
    """Return how to play just this round again."""
    return f"Play it again: make faults SEED={seed} ROUNDS=1"


def main() -> int:
    """Return 0 when all rounds held what is promised."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the first round; then the next")
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    logging.disable()  # what the operator does is told on standard error, in the table's middle
    directory = Path(tempfile.mkdtemp(prefix="radiotalk-rounds-"))
    failed = 0
    with migrated_cluster() as cluster, playgrounds(directory, cluster) as playground:
        for seed in range(options.seed, options.seed + options.rounds):
            try:
                played = play_fresh(playground, seed)
            except Exception:
                print(again(seed))
                raise
            tell(played)
            failed += bool(played.problems)
    print(f"{options.rounds} rounds, {failed} failed")
    if failed:
        print(f"Their logs and journals are in {directory}.")
    else:
        shutil.rmtree(directory)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

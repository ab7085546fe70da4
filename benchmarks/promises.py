"""What the project promises about speed, each measured by one command on a quiet machine.

python -m testbed.engines --postgresql -- python -m benchmarks.promises 1 2 4 5 6 7

1  230 ms, 10 threads: 100, 1,000 and 10,000 in at most 0.6, 0.6 and 3.0 s
2  230 ms, 40 threads: at least 6,000/s over 100,000
3  is in `make bench`: at least 75 times firebase-admin's `send`, 10 times the best of all
4  a million: CPU a send within 10 % of that of 10,000, RSS under 200 MB
5  upload answered → first request: median under 30 ms, p99 under 200 ms; upload at most 5 ms more
6  FCM's latencies, 10 threads, 20,000: the last request leaves within 3.9 s
7  100 uploads at once to 100 programs of 1,000: all within 15 s, none twice
8  a talk for 100 while one for a million is sent: within 2 s
9  NOTIFICATIONS_MAX_PER_MINUTE=60000: every minute has between 59,400 and 60,000 sends
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.db.models.signals import post_save  # noqa: E402
from django.utils import timezone  # noqa: E402

from benchmarks import ours  # noqa: E402
from benchmarks.fcm import AS_FCM, AS_FCM_MS, running_stub  # noqa: E402
from notifications import channel, signals  # noqa: E402
from notifications.models import Notification  # noqa: E402
from programs.models import Program, Talk  # noqa: E402

SLOW_MS = 230
SIGNAL = "notify_listeners_of_new_talk"

# Listeners with one device each; their ids follow those that are there.
CROWD = """
    WITH listener AS (
        INSERT INTO auth_user (username, password, first_name, last_name, email, is_superuser,
            is_staff, is_active, date_joined)
        SELECT %(name)s || n, '', '', '', '', false, false, true, now()
        FROM generate_series(1, %(count)s) AS n RETURNING id
    ), device AS (
        INSERT INTO notifications_devicetoken (token, kind, platform, created_at, refreshed_at,
            disabled_reason, user_id)
        SELECT repeat('x', 140) || id, 'token', 'android', now(), now(), '', id FROM listener
    )
    INSERT INTO programs_clip (listener_id, program_id, muted, created_at)
    SELECT id, %(program)s, false, now() FROM listener
"""


class Promise:
    """Starts what a promise needs, and says whether it is kept."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.directory = directory
        self.stack = stack
        self.kept = True
        self.programs: dict[str, Program] = {}

    def system(
        self, name: str, latency_ms: float = SLOW_MS, tails: tuple[str, ...] = ()
    ) -> ours.Bench:
        """Return a system with an FCM of its own; the database is the same."""
        stub = self.stack.enter_context(
            running_stub(self.directory / f"fcm-{name}", latency_ms=latency_ms, tails=tails)
        )
        system = ours.Bench(self.directory / name, self.stack, stub)
        system.go_live()
        system.start_redis()
        system.start_web()
        return system

    def program(self, name: str, listeners: int) -> Program:
        """Return a program with so many listeners, made once."""
        if name not in self.programs:
            owner = get_user_model().objects.create(username=f"talker of {name}")
            program = Program.objects.create(owner=owner, title=name)
            with connection.cursor() as cursor:
                values: dict[str, Any] = {
                    "name": f"{name}-",
                    "count": listeners,
                    "program": program.id,
                }
                cursor.execute(CROWD, values)
            self.programs[name] = program
        return self.programs[name]

    def tell(
        self, what: str, value: float, unit: str, *, most: float = 0, least: float = 0
    ) -> None:
        """Print a figure and its bound, and remember whether it keeps to the bound."""
        kept = (not most or value <= most) and value >= least
        self.kept &= kept
        bound = f"at most {most:,g}" if most else f"at least {least:,g}"
        print(f"{'ok ' if kept else 'NOT'} {what}: {value:,.2f} {unit} ({bound})", flush=True)


def promise_1(promise: Promise) -> None:
    """Ten threads, as in 2019."""
    system = promise.system("ten")
    with system.worker(10) as worker:
        for size, most in ((100, 0.6), (1_000, 0.6), (10_000, 3.0)):
            program = promise.program(f"{size}", size)
            runs = [ours.measure(system, worker, program, size) for _ in range(5)]
            took = statistics.median(run.recorded for run in runs)
            promise.tell(f"{size:,}", took, "s", most=most)
            promise.tell("  exactly once", sum(run.exactly_once for run in runs), "runs", least=5)


def promise_2(promise: Promise) -> None:
    """Forty threads, sustained."""
    system = promise.system("forty")
    with system.worker(40) as worker:
        run = ours.measure(system, worker, promise.program("100000", 100_000), 100_000)
    promise.tell("100,000 by 40 threads", 100_000 / run.recorded, "/s", least=6_000)
    promise.tell("  worker's CPU", run.cpu * 10, "µs a send", most=100)
    promise.tell("  exactly once", run.exactly_once, "", least=1)


def promise_4(promise: Promise) -> None:
    """A million."""
    system = promise.system("million", latency_ms=SLOW_MS)
    with system.worker(40) as worker:
        few = [
            ours.measure(system, worker, promise.program("10000", 10_000), 10_000) for _ in range(3)
        ]
        many = ours.measure(system, worker, promise.program("million", 1_000_000), 1_000_000)
    of_few = statistics.median(run.cpu for run in few) * 100
    promise.tell("a million: worker's CPU", many.cpu, "µs a send", most=1.1 * of_few)
    promise.tell("  peak RSS", many.peak_mb, "MB", most=200)
    promise.tell("  exactly once", many.exactly_once, "", least=1)
    promise.tell("  rate", 1e6 / many.recorded, "/s", least=6_000)


def promise_5(promise: Promise) -> None:
    """How soon after an upload sending begins, and how much longer the upload takes for it."""
    system = promise.system("soon", latency_ms=50)
    program = promise.program("one", 1)
    with system.worker(10) as worker:
        firsts = sorted(ours.measure(system, worker, program, 1).first for _ in range(100))
    promise.tell("upload → first: median", statistics.median(firsts) * 1e3, "ms", most=30)
    promise.tell("upload → first: p99", firsts[98] * 1e3, "ms", most=200)
    settings.REDIS_URL = system.env["REDIS_URL"]
    channel.publisher.cache_clear()
    with_signal = saving(program)
    post_save.disconnect(sender=Talk, dispatch_uid=SIGNAL)
    without = saving(program)
    post_save.connect(signals.notify_listeners, sender=Talk, dispatch_uid=SIGNAL)
    promise.tell("an upload costs more by", (with_signal - without) * 1e3, "ms", most=5)


def saving(program: Program) -> float:
    """Return the median of the seconds that saving a talk, with what its signals do, takes."""
    took = []
    for _ in range(200):
        began = time.perf_counter()
        with transaction.atomic():
            Talk.objects.create(program=program, title="Hello")
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def promise_6(promise: Promise) -> None:
    """Latencies as FCM has them: a few answers take 1 s or 10 s."""
    system = promise.system("as-fcm", latency_ms=AS_FCM_MS, tails=AS_FCM)
    program = promise.program("20000", 20_000)
    with system.worker(10) as worker:
        runs = [ours.measure(system, worker, program, 20_000) for _ in range(3)]
    last = statistics.median(run.last for run in runs)
    promise.tell("the last of 20,000 leaves after", last, "s", most=3.9)


def promise_7(promise: Promise) -> None:
    """A hundred uploads at once."""
    system = promise.system("hundred")
    programs = [promise.program(f"one of 100-{number}", 1_000) for number in range(100)]
    uploads = [system.uploader(program) for program in programs]
    with system.worker(40) as worker, ThreadPoolExecutor(100) as pool:
        used = worker.usage()
        began = time.time()
        answers = list(pool.map(lambda upload: upload(), uploads))
        talks = [answer.json()["id"] for answer in answers]
        mine = Notification.objects.filter(talk__in=talks)
        while mine.filter(state=Notification.State.DONE).count() < len(talks):
            time.sleep(0.05)
        took = time.time() - began
        cpu = worker.usage().cpu - used.cpu
    counted = system.stub.counts()
    right = [counted[str(each.id)] for each in mine]
    promise.tell("100 uploads of 1,000 at once", took, "s", most=15)
    promise.tell("  worker's CPU", cpu * 10, "µs a send", most=120)
    once = sum((each["targets"], each["again"]) == (1_000, 0) for each in right)
    promise.tell("  exactly once", once, "talks", least=100)


def promise_8(promise: Promise) -> None:
    """A talk for a hundred while one for a million is sent."""
    system = promise.system("few-among-many")
    large, small = promise.program("million", 1_000_000), promise.program("100", 100)
    with system.worker(10) as worker:
        talk = system.upload(large).json()["id"]
        time.sleep(3)
        runs = [ours.measure(system, worker, small, 100) for _ in range(3)]
        promise.tell("100 while a million is sent", max(run.recorded for run in runs), "s", most=2)
        Notification.objects.filter(talk=talk).cancel(reason="enough", now=timezone.now())


def promise_9(promise: Promise) -> None:
    """The rate: 60,000 a minute, for a minute and a half."""
    system = promise.system("rate", latency_ms=50)
    system.env["NOTIFICATIONS_MAX_PER_MINUTE"] = "60000"
    with system.worker(10) as worker:
        ours.measure(system, worker, promise.program("90000", 90_000), 90_000)
    (counted,) = system.stub.counts().values()
    seconds = counted["by_second"][1:-1]  # whole ones
    minutes = [sum(seconds[start : start + 60]) for start in range(len(seconds) - 59)]
    promise.tell("the busiest minute", max(minutes), "sends", most=60_000)
    promise.tell("the quietest minute", min(minutes), "sends", least=59_400)
    promise.tell("the busiest second", max(counted["by_second"]), "sends", most=2_000)


PROMISES: dict[str, Callable[[Promise], None]] = {
    name.removeprefix("promise_"): promise
    for name, promise in list(globals().items())
    if name.startswith("promise_")
}


def main() -> int:
    """Return 1 when a promise is not kept."""
    parser = argparse.ArgumentParser("python -m benchmarks.promises", description=__doc__)
    parser.add_argument("numbers", nargs="+", choices=PROMISES)
    options = parser.parse_args()
    call_command("migrate", verbosity=0)
    kept = True
    for number in options.numbers:
        with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
            promise = Promise(Path(directory), stack)
            print(f"--- {number}: {PROMISES[number].__doc__}")
            PROMISES[number](promise)
            kept &= promise.kept
        call_command("flush", interactive=False, verbosity=0)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())

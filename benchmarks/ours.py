"""Radiotalk, measured end to end: from an upload over HTTP until its last result is recorded."""

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.db import connection

from benchmarks.fcm import Stub
from benchmarks.measuring import Usage, usage
from notifications.models import Notification
from programs.models import Program
from testbed import local_settings
from testbed.process import LOOPBACK, Child, listening, wait_until
from testbed.system import Deployment, pid_of

LOOK_SECONDS = 0.01  # between looks whether a notification is done: the precision of `recorded`
DEADLINE_SECONDS = 600.0
CONNECTING_SECONDS = 1.0  # for a new worker, which connects to FCM before there is a talk


class Bench(Deployment):
    """Radiotalk as the tests run it, but with the stub of FCM, and the web as in production."""

    def __init__(self, directory: Path, stack: ExitStack, stub: Stub) -> None:
        directory.mkdir()
        fcm = local_settings.settings(stub.url, stub.ca_file, stub.service_account_file)
        super().__init__(directory, stack, fcm=fcm)
        self.stub = stub

    def start_web(self, **env: str) -> Child:
        """Return the web by granian: Django's own server takes ten connections at once."""
        self.web_port = self.reserve_port()
        options = f"--host {LOOPBACK} --port {self.web_port} --workers 1 --blocking-threads 8"
        command = [sys.executable, "-m", "granian", "--interface", "wsgi", *options.split()]
        web = self.launch("web", [*command, "radiotalk.wsgi:application"], **env)
        return listening(web, self.web_port)

    @contextmanager
    def worker(self, threads: int) -> Iterator["Worker"]:
        """Yield the active worker with so many threads; stop it at the end."""
        statements = self.directory / f"{len(self.children)}-statements"
        command = [sys.executable, "-m", "benchmarks.worker", str(statements)]
        child = self.launch("worker", [*command, "--max-workers", str(threads)])
        try:
            wait_until(lambda: "lease.acquired" in child.log.read_text(), child)
            time.sleep(CONNECTING_SECONDS)
            yield Worker(child, statements)
        finally:
            child.stop()


@dataclass(frozen=True)
class Worker:
    """A running worker, measured from outside."""

    child: Child
    statements_file: Path

    def usage(self) -> Usage:
        """Return the CPU time and memory that the worker has used so far."""
        return usage(pid_of(self.child))

    def statements(self) -> int:
        """Return how many statements the worker has sent to the database so far."""
        time.sleep(0.25)  # the worker writes the file every 0.1 s
        return int(self.statements_file.read_text() or 0)


@dataclass(frozen=True)
class Measured:
    """What came of one upload; `first`, `last` and `recorded` are seconds since its answer."""

    first: float
    last: float
    recorded: float
    cpu: float  # seconds, of the worker
    database_cpu: float
    peak_mb: float
    statements: int
    turnaround: tuple[float, float]  # seconds: median and 99th percentile
    targets: int
    exactly_once: bool


def measure(system: Bench, worker: Worker, program: Program, targets: int) -> Measured:
    """Upload a talk, and return what came of it once its notification is done."""
    statements, used, database = worker.statements(), worker.usage(), database_cpu()
    answer = system.upload(program)
    answered_at = time.time()
    notification = Notification.objects.get(talk=answer.json()["id"])
    done = Notification.objects.filter(id=notification.id, state=Notification.State.DONE)
    while not done.exists():
        if time.time() > answered_at + DEADLINE_SECONDS:
            raise TimeoutError(worker.child.last_lines())
        time.sleep(LOOK_SECONDS)
    recorded_at = time.time()
    now = worker.usage()
    database_now = database_cpu()
    notification.refresh_from_db()
    counted = system.stub.counts()[notification.tag]
    return Measured(
        first=counted["first_at"] - answered_at,
        last=counted["last_at"] - answered_at,
        recorded=recorded_at - answered_at,
        cpu=now.cpu - used.cpu,
        database_cpu=database_now - database,
        peak_mb=now.peak_mb,
        statements=worker.statements() - statements,
        turnaround=counted["turnaround"],
        targets=targets,
        exactly_once=(counted["targets"], counted["again"]) == (targets, 0)
        and notification.sent_count == targets,
    )


def database_cpu() -> float:
    """Return the CPU seconds that PostgreSQL's present processes have used."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE pid IS NOT NULL")
        return sum(usage(pid).cpu for (pid,) in cursor.fetchall())

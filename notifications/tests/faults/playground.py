"""Where random rounds are played: each part is a process that can be killed, stopped and frozen."""

import json
import os
import signal
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

import redis

from fcm_emulator import oauth
from fcm_emulator.process import running
from notifications.tests.faults import name_server
from testbed import pgbouncer
from testbed.own_engines import crash
from testbed.postgresql import Cluster
from testbed.process import LOOPBACK, Child, eventually
from testbed.redis import running_redis
from testbed.system import System, pid_of

# The pool of a worker: small, so that the bound of what may be unknown is one.
THREADS = 2
LATENCY_MS = 230
LEASE_TTL_SECONDS = 2

STOP_SECONDS = 240.0  # a deadline for a busy machine, not an expectation

SIGNALS = {
    "kill": signal.SIGKILL,
    "stop": signal.SIGTERM,
    "hang up": signal.SIGHUP,
    "quit": signal.SIGQUIT,
    "freeze": signal.SIGSTOP,
}

Undo = Callable[[], None]


class Playground:
    """All parts, whole; `breaks` breaks one and returns how to make it whole again.

    The database must be the round's own, of `cluster`, whenever something is done here.
    """

    def __init__(self, directory: Path, cluster: Cluster, stack: ExitStack) -> None:
        self.cluster = cluster
        self.directory = directory
        self.system = System(directory, stack, latency_ms=LATENCY_MS)
        self.system.env |= {
            "NOTIFICATIONS_LEASE_TTL": str(LEASE_TTL_SECONDS),
            "DJANGO_SETTINGS_MODULE": f"{__package__}.settings_names",
            name_server.SILENCE: str(directory / "name-server-is-silent"),
        }
        self.pooled = self._pooled(stack)
        self.workers: list[Child] = []
        self.exit_codes: list[int] = []
        self.redis = stack.enter_context(ExitStack())
        self.start_redis()
        self.system.web_port = self.system.reserve_port()
        self.start_web()

    def _pooled(self, stack: ExitStack) -> dict[str, str]:
        """Return the settings of a web behind PgBouncer, none where that is not installed."""
        if pgbouncer.program() is None:
            return {}
        database = urlsplit(self.system.env["DATABASE_URL"])
        url = stack.enter_context(
            pgbouncer.running_pgbouncer(self.cluster.port, pool_mode="transaction")
        )
        return {"DATABASE_URL": f"{url}{database.path}"}

    # --- Parts ---------------------------------------------------------------------------------

    def start_redis(self) -> None:
        """Start Redis, where it always was."""
        url = self.redis.enter_context(running_redis(port=self.system.redis_port))
        with redis.Redis.from_url(url) as client:
            self.redis_pid = int(client.info("server")["process_id"])

    def start_web(self) -> None:
        """Start the web, where it always was. Without a database it ends at once."""
        address = f"{LOOPBACK}:{self.system.web_port}"
        self.web = self.system.start("runserver", "--noreload", address, **self.pooled)

    def start_fcm(self) -> None:
        """Start the emulator, where it always was; it goes on in its journal."""
        port = self.system.fcm.port
        again = running(self.directory / "fcm", latency_ms=LATENCY_MS, port=port)
        self.system.fcm = self.system.stack.enter_context(again)

    def start_worker(self, number: int) -> None:
        """Start a worker in this place; who was there before may be finishing still."""
        worker = self.system.start(
            "listen_notifications", "--standby", "--max-workers", str(THREADS)
        )
        self.workers[number : number + 1] = [worker]

    # --- Breaking --------------------------------------------------------------------------------

    def breaks(self, part: str, way: str) -> Undo:
        """Break a part in this way; return how to make it whole again."""
        if part == "postgresql":
            return self._break_postgresql(way)
        if part == "key":
            return self._rotate_key()
        if part == "name server":
            return self._silence_name_server()
        pid, start = self._process(part)
        if pid is None:  # it has ended, or is only about to be started
            return self.start_missing
        send(pid, SIGNALS[way])
        return (lambda: send(pid, signal.SIGCONT)) if way == "freeze" else start

    def _break_postgresql(self, way: str) -> Undo:
        if way == "kill":
            crash(self.cluster)
        else:
            self.cluster.stop()
        return self.cluster.start

    def _rotate_key(self) -> Undo:
        file = self.system.fcm.service_account_file
        other = file.with_suffix(".new")
        oauth.write_service_account(other, json.loads(file.read_text())["token_uri"])
        other.replace(file)
        return lambda: None  # it is whole at once

    def _silence_name_server(self) -> Undo:
        silence = Path(self.system.env[name_server.SILENCE])
        silence.touch()
        return silence.unlink

    def _process(self, part: str) -> tuple[int | None, Undo]:
        """Return the process of a part, and how to start it again."""
        if part == "redis":
            return self.redis_pid, self._restart_redis
        if part == "fcm":
            return self.system.fcm.process.pid, self._restart_fcm
        if part == "web":
            return running_pid(self.web), self._restart_web
        number = int(part.removeprefix("worker ")) - 1
        return running_pid(self.workers[number]), lambda: self.start_worker(number)

    def _restart_redis(self) -> None:
        self.redis.close()  # what is left of the one that was killed
        self.start_redis()

    def _restart_fcm(self) -> None:
        process = self.system.fcm.process
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        self.start_fcm()

    def _restart_web(self) -> None:
        self.web.wrapper.wait(STOP_SECONDS)
        self.start_web()

    # --- The end of a round ----------------------------------------------------------------------

    def keep_logs_in(self, directory: Path) -> None:
        """Have what starts from now on log there."""
        directory.mkdir()
        self.system.directory = directory

    def start_missing(self) -> None:
        """Start the web and each worker that does not run, as a supervisor would."""
        if self.web.wrapper.poll() is not None:
            self.start_web()
        for number, worker in enumerate(self.workers):
            if worker.wrapper.poll() is not None:
                self.start_worker(number)

    def stop_workers(self) -> list[Child]:
        """Stop all workers that were started in this round; return them, ended."""
        ended = [each for each in self.system.children if each.name == "listen_notifications"]
        for worker in ended:
            wait_until_it_listens(worker)
            worker.wrapper.terminate()
        for worker in ended:
            worker.wrapper.wait(STOP_SECONDS)
            worker.stop()  # closes the pipe; before, that would be a second SIGTERM
        return ended

    def forget(self) -> None:
        """Let go of all that has ended."""
        ended = [each for each in self.system.children if each.wrapper.poll() is not None]
        for child in ended:
            child.stop()
            self.system.children.remove(child)
        self.workers.clear()


def wait_until_it_listens(worker: Child) -> None:
    """Return once a worker that was just started hears signals, or has ended."""
    assert eventually(
        lambda: worker.wrapper.poll() is not None or "worker.started" in worker.log.read_text()
    )


def running_pid(child: Child) -> int | None:
    """Return the pid of the command, None when it has ended."""
    try:
        return pid_of(child)
    except (IndexError, OSError):
        return None


def send(pid: int, signum: signal.Signals) -> None:
    """Send a signal to a process, if it is still there."""
    with suppress(ProcessLookupError):
        os.kill(pid, signum)

"""Where `make demo` plays: web, worker, Redis and the emulator of FCM, in one fresh directory.

Unlike `testbed.system` it needs no Django in its own process: it uses commands, HTTP and SQLite.
"""

import os
from contextlib import ExitStack
from pathlib import Path

from testbed import local_settings, report
from testbed.process import LOOPBACK, free_port, listening, wait_until
from testbed.processes import Processes
from testbed.redis import running_redis

LATENCY_MS = 230  # what one send to FCM took in 2019


class Stage(Processes):
    """The processes of the demo, and the files and ports at which it looks from outside."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.database = directory / "demo.sqlite3"
        self.journal = directory / "journal.jsonl"
        # Not `reserve_port`, which needs Linux: the demo runs on every laptop.
        self.emulator_port, self.web_port = free_port(), free_port()
        self.address = f"http://{LOOPBACK}:{self.web_port}"
        env = {
            **os.environ,
            **local_settings.of_emulator(directory / "emulator", self.emulator_port),
            "DATABASE_URL": f"sqlite:///{self.database}",
            "MEDIA_ROOT": str(directory / "media"),
        }
        super().__init__(directory, stack, env)

    def start_engines(self) -> None:
        """Start Redis and the emulator, which writes the credentials that the others check for."""
        self.env["REDIS_URL"] = self.stack.enter_context(running_redis())
        options = {
            "--port": self.emulator_port,
            "--latency": LATENCY_MS,
            "--directory": self.directory / "emulator",
            "--journal": self.journal,
        }
        values = [str(part) for option in options.items() for part in option]
        listening(self.start("fcm_emulator", "--tls", *values), self.emulator_port)

    def start_radiotalk(self) -> None:
        """Start the web and the worker, both at once."""
        web = self.start("runserver", "--noreload", f"{LOOPBACK}:{self.web_port}")
        worker = self.start("listen_notifications")
        listening(web, self.web_port)
        wait_until(lambda: report.has_worker(self.database), worker)

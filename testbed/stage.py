"""Where `make demo` plays: web, worker, Redis and the emulator of FCM, in one fresh directory."""

import os
from contextlib import ExitStack
from pathlib import Path

from testbed import local_settings, report
from testbed.process import LOOPBACK, Child, free_port, listens, start, wait_until
from testbed.redis import running_redis

LATENCY_MS = 230  # what one send to FCM took in 2019


class Stage:
    """The settings and the processes; `running` stops them in the reverse order of their start."""

    def __init__(self, directory: Path, running: ExitStack) -> None:
        self.directory = directory
        self.running = running
        self.database = directory / "demo.sqlite3"
        self.journal = directory / "journal.jsonl"
        self.emulator_port, self.web_port = free_port(), free_port()
        self.address = f"http://{LOOPBACK}:{self.web_port}"
        self.children: list[Child] = []
        self.env = {
            **os.environ,
            **local_settings.settings(directory / "emulator", self.emulator_port),
            "DATABASE_URL": f"sqlite:///{self.database}",
            "MEDIA_ROOT": str(directory / "media"),
            "PYTHONUNBUFFERED": "1",
        }

    def manage(self, *arguments: str) -> str:
        """Return what `manage.py ARGUMENTS` printed."""
        return local_settings.manage(*arguments, env=self.env)

    def start(self, name: str, *arguments: str) -> Child:
        """Return the started `manage.py ARGUMENTS`, to be stopped at the end."""
        log = self.directory / f"{name}.log"
        child = start(name, local_settings.manage_command(*arguments), log=log, env=self.env)
        self.running.callback(child.stop)
        self.children.append(child)
        return child

    def start_engines(self) -> None:
        """Start Redis and the emulator; it writes the credentials that the others check for."""
        self.env["REDIS_URL"] = self.running.enter_context(running_redis())
        options = {
            "--port": self.emulator_port,
            "--latency": LATENCY_MS,
            "--directory": self.directory / "emulator",
            "--journal": self.journal,
        }
        values = [str(part) for option in options.items() for part in option]
        emulator = self.start("emulator", "fcm_emulator", "--tls", *values)
        wait_until(lambda: listens(self.emulator_port), emulator)

    def start_radiotalk(self) -> None:
        """Start the web and the worker, both at once."""
        web = self.start("web", "runserver", "--noreload", f"{LOOPBACK}:{self.web_port}")
        worker = self.start("worker", "listen_notifications")
        wait_until(lambda: listens(self.web_port), web)
        wait_until(lambda: report.has_worker(self.database), worker)

    def check(self) -> None:
        """Raise ProcessFailed when one of the processes has ended."""
        for child in self.children:
            child.check()

    def last_lines(self) -> str:
        """Return the end of every log, to be shown to a person."""
        return "\n\n".join(f"--- {child.name}\n{child.last_lines()}" for child in self.children)

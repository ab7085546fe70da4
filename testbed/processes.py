"""The processes of one Radiotalk: they share their settings, and stop in the reverse order.

`make demo` (stage.py), `make run` (run.py), the tests (system.py) and the benchmarks
(benchmarks/ours.py) all start their processes by this class.
"""

import socket
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from testbed import local_settings
from testbed.process import LOOPBACK, Child, start


class Processes:
    """Start processes whose environment is `env` and whose logs are in `directory`.

    When `stack` closes, it stops them all, the one that was started last first.
    """

    def __init__(self, directory: Path, stack: ExitStack, env: Mapping[str, str]) -> None:
        self.directory = directory
        self.stack = stack
        self.env = {**env, "PYTHONUNBUFFERED": "1"}  # a log shows at once what was logged
        self.children: list[Child] = []
        self._started: Counter[str] = Counter()

    def launch(self, name: str, command: Sequence[str | Path], **env: str) -> Child:
        """Return the started command; `env` adds settings for this process alone."""
        child = start(
            name, command, log=self._new_log(name), env=self.env | env, cwd=local_settings.ROOT
        )
        self.stack.callback(self.end, child)
        self.children.append(child)
        return child

    def start(self, *arguments: str, **env: str) -> Child:
        """Return the started `manage.py ARGUMENTS`, as `launch` does."""
        return self.launch(arguments[0], local_settings.manage_command(*arguments), **env)

    def manage(self, *arguments: str) -> str:
        """Return what `manage.py ARGUMENTS` printed; raise ProcessFailed when it fails."""
        return local_settings.manage(*arguments, env=self.env)

    def end(self, child: Child) -> None:
        """Stop a process when `stack` closes; a subclass may have less patience."""
        child.stop()

    def reserve_port(self) -> int:
        """Return a free port of loopback that nobody else is given until `stack` closes.

        A server that sets SO_REUSEADDR, as this socket does, can listen there all the same:
        on Linux, since this socket never listens.
        """
        reservation = self.stack.enter_context(socket.socket())
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reservation.bind((LOOPBACK, 0))
        port: int = reservation.getsockname()[1]
        return port

    def check(self) -> None:
        """Raise ProcessFailed when one of the processes has ended."""
        for child in self.children:
            child.check()

    def last_lines(self) -> str:
        """Return the end of every log, to be shown to a person."""
        return "\n\n".join(f"--- {child.name}\n{child.last_lines()}" for child in self.children)

    def _new_log(self, name: str) -> Path:
        """Return a file that no process of this name logs to yet."""
        self._started[name] += 1
        nth = self._started[name]
        return self.directory / (f"{name}.log" if nth == 1 else f"{name}-{nth}.log")

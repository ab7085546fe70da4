"""Child processes that end with this one: started, waited for until they serve, stopped."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

WRAPPER = Path(__file__).with_name("end_with_parent.py")
LOOPBACK = "127.0.0.1"
POLL_SECONDS = 0.01  # how often readiness is looked at; a start takes 20 ms and more
READY_SECONDS = 180.0  # a deadline for a machine that stands still at times, not an expectation
GRACE_SECONDS = 60.0  # between the request to stop and the kill
WRAPPER_SECONDS = 120.0  # a deadline for the wrapper, after the kill
LAST_LINES = 15  # how much of a log a person is shown


class ProcessFailed(RuntimeError):
    """A child process ended or never became ready; the message shows its last lines."""


@dataclass(frozen=True)
class Child:
    """A running command, the file that has its output, and its wrapper."""

    name: str
    log: Path
    wrapper: subprocess.Popen[bytes]

    def last_lines(self) -> str:
        """Return the end of what the command wrote, to be shown to a person."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-LAST_LINES:]) or "(it wrote nothing)"

    def check(self) -> None:
        """Raise ProcessFailed when the command has ended."""
        code = self.wrapper.poll()
        if code is not None:
            raise ProcessFailed(f"{self.name} ended with exit code {code}:\n{self.last_lines()}")

    def stop(self) -> int:
        """Return the exit code, once the command has stopped."""
        if self.wrapper.stdin is not None:
            self.wrapper.stdin.close()
        return self.wrapper.wait(GRACE_SECONDS + WRAPPER_SECONDS)


def start(
    name: str,
    command: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    user: str | None = None,
    stop_signal: signal.Signals = signal.SIGTERM,
) -> Child:
    """Return the started command; its output goes to the file `log`.

    The command is in a session of its own: Ctrl-C in a terminal reaches only this process, which
    stops its children in order.
    """
    wrapper = [sys.executable, "-I", "-S", str(WRAPPER), "--grace", str(GRACE_SECONDS)]
    wrapper += ["--stop-signal", str(int(stop_signal))] + (["--user", user] if user else [])
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*wrapper, *map(str, command)],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=cwd,
            start_new_session=True,
        )
    return Child(name, log, process)


def eventually(condition: Callable[[], bool], *, seconds: float = READY_SECONDS) -> bool:
    """Return whether `condition()` came true within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def wait_until(ready: Callable[[], bool], child: Child) -> None:
    """Return once `ready()`; raise ProcessFailed when the child ended before, or took too long."""

    def alive_and_ready() -> bool:
        child.check()
        return ready()

    if not eventually(alive_and_ready, seconds=READY_SECONDS):
        raise ProcessFailed(
            f"{child.name} was not ready after {READY_SECONDS:.0f} s:\n{child.last_lines()}"
        )


def listening(child: Child, port: int) -> Child:
    """Return the child once it listens on `port`; raise ProcessFailed as `wait_until` does."""
    wait_until(lambda: listens(port), child)
    return child


@contextmanager
def serving(child: Child, ready: Callable[[], bool]) -> Iterator[Child]:
    """Yield the child once it is `ready()`; stop it at the end, also when it is never ready."""
    try:
        wait_until(ready, child)
        yield child
    finally:
        child.stop()


def free_port() -> int:
    """Return a TCP port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Return whether somebody accepts connections on this port of loopback."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0

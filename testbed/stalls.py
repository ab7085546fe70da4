"""Stop processes at random while a command runs, as a slow machine does.

    python -m testbed.stalls --seed 1 --longest 30 -- make test

Every few seconds a process below the command, or the command itself, gets SIGSTOP, and SIGCONT up
to `--longest` seconds later. A test must pass all the same. A process that somebody else has
stopped is left alone: tests stop processes as well. It needs Linux, whose /proc it reads.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NamedTuple

LOOK_SECONDS = 0.05  # between looks whether a stall is over
STOPS_SECONDS = 1.0  # a process that was not seen to stand by then has ended
SHOWN = 100  # characters of a command line
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# A CPU burner ends with its parent, however that ends.
BURNER = """
import os
parent = os.getppid()
while os.getppid() == parent:
    for _ in range(1_000_000):
        pass
"""


class Process(NamedTuple):
    """A process of this machine; no later process has the same pid and start."""

    pid: int
    start: str  # in clock ticks since the machine started
    parent: int
    state: str  # T for stopped, Z for ended

    @property
    def command(self) -> str:
        """Return the command line for a person."""
        with suppress(OSError):
            arguments = Path(f"/proc/{self.pid}/cmdline").read_text(errors="replace")
            return " ".join(arguments.replace("\0", " ").split())[:SHOWN]
        return ""


def process(pid: int) -> Process | None:
    """Return the process as it is now, None when there is none."""
    try:
        # The name, in parentheses, may have anything in it.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return Process(pid, start=fields[19], parent=int(fields[1]), state=fields[0])


def family(pid: int) -> Iterator[Process]:
    """Yield the process and all below it."""
    found = [process(int(entry.name)) for entry in Path("/proc").glob("[0-9]*")]
    children: dict[int, list[Process]] = {}
    for each in found:
        if each:
            children.setdefault(each.parent, []).append(each)
    above = [each for each in found if each and each.pid == pid]
    while above:
        each = above.pop()
        yield each
        above += children.get(each.pid, [])


def is_stopped_by_another(pid: int) -> bool:
    """Return whether SIGSTOP came to a process that was stopped already: it is pending there."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("ShdPnd:"):
                return bool(int(line.split()[1], 16) & 1 << (signal.SIGSTOP - 1))
    return False


@dataclass
class Stall:
    """One process that stands still, and when it goes on, in seconds of the monotonic clock."""

    process: Process
    command: str
    begun: float
    until: float
    seconds: float = 0.0  # how long it stood still, once it is over

    def begin(self) -> None:
        """Stop the process, and return when it stands: what writes to a disk does that first."""
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGSTOP)
        deadline = time.monotonic() + STOPS_SECONDS
        while not self.stands and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS / 10)

    @property
    def stands(self) -> bool:
        """Return whether the process is there and stopped."""
        there = process(self.process.pid)
        return bool(there and there.start == self.process.start and there.state == "T")

    def is_over(self, now: float) -> bool:
        """Return whether the time is up, or the process has ended or was sent on by somebody."""
        return now >= self.until or not self.stands

    def end(self, now: float) -> None:
        """Let the process go on, unless somebody else has stopped it meanwhile."""
        self.seconds = now - self.begun
        if self.stands and not is_stopped_by_another(self.process.pid):
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, signal.SIGCONT)

    def __str__(self) -> str:
        """Return a line for a table."""
        return f"{self.seconds:6.1f} s  {self.process.pid:>7}  {self.command}"


def stall(command: subprocess.Popen[bytes], options: argparse.Namespace) -> list[Stall]:
    """Stop processes at random until the command ends; return who stood still."""
    decide = random.Random(options.seed)
    standing: list[Stall] = []
    over: list[Stall] = []
    due = time.monotonic() + decide.expovariate(1 / options.every)
    try:
        while command.poll() is None:
            now = time.monotonic()
            for each in [each for each in standing if each.is_over(now)]:
                each.end(now)
                standing.remove(each)
                over.append(each)
            if now >= due:
                due = now + decide.expovariate(1 / options.every)
                there = [each for each in family(command.pid) if each.state not in "TZX"]
                if there:
                    # Every second time one that works: most processes only wait.
                    working = [each for each in there if each.state == "R"] or there
                    chosen = decide.choice(decide.choice((there, working)))
                    until = now + decide.uniform(0, options.longest)
                    standing.append(Stall(chosen, chosen.command, now, until))
                    standing[-1].begin()
            time.sleep(LOOK_SECONDS)
    finally:
        for each in standing:
            each.end(time.monotonic())
    return over + standing


@contextmanager
def burners(count: int) -> Iterator[None]:
    """Keep so many CPUs busy until the end."""
    burning = [subprocess.Popen([sys.executable, "-c", BURNER]) for _ in range(count)]
    try:
        yield
    finally:
        for each in burning:
            each.kill()
            each.wait()


def run(options: argparse.Namespace) -> int:
    """Return the command's exit code, or 128 + the signal that ended it."""
    command = subprocess.Popen(options.command)

    def forward(number: int, _frame: FrameType | None) -> None:
        # The terminal gives Ctrl-C to the command as well.
        if number != signal.SIGINT or not sys.stdin.isatty():
            command.send_signal(number)

    for number in FORWARDED:
        signal.signal(number, forward)
    stalls = stall(command, options)
    print(f"{len(stalls)} processes stood still (seed {options.seed}):", *stalls, sep="\n")
    return command.returncode if command.returncode >= 0 else 128 - command.returncode


def main() -> int:
    """Run the command among stalls and burners; return its exit code."""
    parser = argparse.ArgumentParser(prog="stalls", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    parser.add_argument("--longest", type=float, default=30.0, help="seconds of one stall at most")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two, on average")
    parser.add_argument("--burners", type=int, default=0, help="CPU burners beside the command")
    parser.add_argument("command", nargs="+", metavar="COMMAND")
    options = parser.parse_args()
    with burners(options.burners):
        return run(options)


if __name__ == "__main__":
    sys.exit(main())

"""An emulator as a process of its own, beside a test or a benchmark.

    with fcm_emulator.process.running(tmp_path, latency_ms=230) as fcm:
        send_to(fcm.url, fcm.ca_file, fcm.service_account_file)
        assert [entry["verdict"] for entry in fcm.entries()] == ["accepted"]

The emulator listens when the block starts and is gone when the block ends. It also ends when this
process is killed: its stdin is a pipe that only this process holds open.
"""

import contextlib
import json
import select
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .journal import Entry, read

START_SECONDS: Final = 180.0  # a deadline for a loaded machine, where making keys takes one
STOP_SECONDS: Final = 60.0
PROJECT_ROOT: Final = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class EmulatorProcess:
    """A running emulator; `process` is for tests that stop, continue or kill it."""

    url: str
    ca_file: Path | None
    service_account_file: Path
    journal: Path
    process: subprocess.Popen[str]

    @property
    def port(self) -> int:
        """Return the TCP port of loopback on which it listens."""
        return int(self.url.rpartition(":")[2])

    def entries(self) -> list[Entry]:
        """Return the lines of the journal so far."""
        return read(self.journal)


@contextlib.contextmanager
def running(
    directory: Path,
    *,
    tls: bool = True,
    port: int = 0,
    latency_ms: float = 0,
    journal_file: Path | None = None,
) -> Iterator[EmulatorProcess]:
    """Yield an emulator that listens; its files are in the directory, and stay there."""
    command = [sys.executable, "-m", "fcm_emulator", "--stop-with-stdin"]
    command += ["--port", str(port), "--latency", str(latency_ms)]
    command += ["--directory", str(directory.resolve())]
    command += ["--tls"] if tls else []
    command += ["--journal", str(journal_file.resolve())] if journal_file else []
    with subprocess.Popen(  # noqa: S603 (our own module)
        command, cwd=PROJECT_ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            _wait_until_it_listens(process)
            yield _described(directory, process)
        finally:
            _stop(process)


def _wait_until_it_listens(process: subprocess.Popen[str]) -> None:
    """Return when it has printed its line; raise RuntimeError when it ends or takes too long."""
    assert process.stdout is not None  # noqa: S101 (for the type checker: it is a pipe)
    ready, _, _ = select.select([process.stdout], [], [], START_SECONDS)
    if not ready or not process.stdout.readline():
        raise RuntimeError("The FCM emulator did not start; its stderr says why.")


def _described(directory: Path, process: subprocess.Popen[str]) -> EmulatorProcess:
    endpoint = json.loads((directory / "endpoint.json").read_text())
    return EmulatorProcess(
        url=endpoint["url"],
        ca_file=Path(endpoint["ca_file"]) if endpoint["ca_file"] else None,
        service_account_file=Path(endpoint["service_account_file"]),
        journal=Path(endpoint["journal"]),
        process=process,
    )


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:  # perhaps a test has stopped it with SIGSTOP
        process.kill()

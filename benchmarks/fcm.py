"""Starts the stub of FCM as a process of its own, and reads what the stub counted."""

import json
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radiotalk.settings import BASE_DIR

# Answers as FCM gives them: most after this, 1 % after 1 s, 0.2 % after 10 s.
AS_FCM_MS = 100
AS_FCM = ("1:1000", "0.2:10000")


@dataclass(frozen=True)
class Stub:
    """A running stub."""

    url: str
    ca_file: Path
    service_account_file: Path
    process: subprocess.Popen[str]

    def counts(self) -> dict[str, dict[str, Any]]:
        """Return what was sent so far, by notification."""
        context = ssl.create_default_context(cafile=str(self.ca_file))
        with urllib.request.urlopen(f"{self.url}/counts", context=context) as answer:  # noqa: S310
            return dict(json.load(answer))


@contextmanager
def running_stub(
    directory: Path, *, latency_ms: float, tails: Sequence[str] = ()
) -> Iterator[Stub]:
    """Yield a stub that listens; `tails` are slower answers, each as PERCENT:MS."""
    command = [sys.executable, "-m", "benchmarks.stub", "--directory", str(directory)]
    command += ["--latency", str(latency_ms), *(f"--tail={tail}" for tail in tails)]
    with subprocess.Popen(  # noqa: S603
        command, cwd=BASE_DIR, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None  # noqa: S101
            endpoint = json.loads(process.stdout.readline())
            yield Stub(
                endpoint["url"],
                Path(endpoint["ca_file"]),
                Path(endpoint["service_account_file"]),
                process,
            )
        finally:
            process.terminate()

"""A process's CPU time and memory, measured from outside by /proc; and tables in Markdown."""

import os
from dataclasses import dataclass
from pathlib import Path

TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """CPU seconds used so far by a process and its threads, and its peak RSS in MB."""

    user: float
    system: float
    peak_mb: float

    @property
    def cpu(self) -> float:
        """Return user and system time together, in seconds."""
        return self.user + self.system


def usage(pid: int) -> Usage:
    """Return what the process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    peak = 0.0
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            peak = int(line.split()[1]) / 1024
    return Usage(int(fields[11]) * TICK_SECONDS, int(fields[12]) * TICK_SECONDS, peak)


def table(headings: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown."""
    lines = [headings, ["---"] + ["--:"] * (len(headings) - 1), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)

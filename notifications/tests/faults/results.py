"""A table at the end of `make faults`: each fault, and whether what is promised held.

A plugin: `pytest -p notifications.tests.faults.results`.
"""

from itertools import groupby
from pathlib import PurePath

import pytest

VERDICTS = {"passed": "holds", "failed": "FAILED", "error": "BROKEN", "skipped": "skipped"}

# Where it broke, what broke, and how it went.
Row = tuple[str, str, str, float]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table below pytest's own report."""
    terminalreporter.section("faults")
    for part, rows in groupby(sorted(rows_of(terminalreporter)), key=lambda row: row[0]):
        terminalreporter.write_line(part)
        for _part, fault, verdict, seconds in rows:
            terminalreporter.write_line(f"  {verdict:<8}{seconds:6.1f} s  {fault}")


def rows_of(reporter: pytest.TerminalReporter) -> list[Row]:
    """Return a row for each test that was run."""
    return [
        (part_of(report.nodeid), fault_of(report.nodeid), verdict, report.duration)
        for category, verdict in VERDICTS.items()
        for report in reporter.stats.get(category, [])
    ]


def part_of(nodeid: str) -> str:
    """Return what a test's module is about: `test_worker.py` is about the worker."""
    return PurePath(nodeid.partition("::")[0]).stem.removeprefix("test_").replace("_", " ")


def fault_of(nodeid: str) -> str:
    """Return a test's name as a sentence, with its parameters as they are."""
    name, bracket, parameters = nodeid.rpartition("::")[2].partition("[")
    return (
        name.removeprefix("test_").replace("_", " ")
        + (" " if bracket else "")
        + bracket
        + parameters
    )

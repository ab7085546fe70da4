"""What came of a posted talk, counted from outside: in the emulator's journal and the database."""

import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.table import Table

from fcm_emulator.journal import Entry


@dataclass(frozen=True)
class Tally:
    """How often the devices of a talk's listeners were reached; times in seconds.

    `first` and `last` are arrivals at FCM; `done` is when the last answer was in the send log.
    """

    dry_run: bool
    targets: int
    validated: int
    delivered: int
    twice: int
    missing: int
    recorded: int
    upload_to_first: float
    first_to_last: float
    upload_to_done: float

    @property
    def is_right(self) -> bool:
        """Return whether each device was reached exactly once, and in a dry run none."""
        reached = (self.targets, 0) if self.dry_run else (0, self.targets)
        return (
            (self.validated, self.delivered) == reached
            and self.twice == self.missing == 0
            and self.recorded == self.targets > 0
        )


def tally(
    entries: Iterable[Entry],
    *,
    dry_run: bool,
    targets: set[str],
    recorded: int,
    uploaded_at: float,
    finished_at: float,
) -> Tally:
    """Return the count of one talk's journal entries; both moments are Unix time."""
    taken = [entry for entry in entries if entry["verdict"] in ("accepted", "validated")]
    times = Counter(entry["token"] for entry in taken)
    verdicts = Counter(entry["verdict"] for entry in taken)
    moments = [entry["at"] for entry in taken] or [uploaded_at]
    return Tally(
        dry_run=dry_run,
        targets=len(targets),
        validated=verdicts["validated"],
        delivered=verdicts["accepted"],
        twice=sum(count > 1 for count in times.values()),
        missing=len(targets - set(times)),
        recorded=recorded,
        upload_to_first=min(moments) - uploaded_at,
        first_to_last=max(moments) - min(moments),
        upload_to_done=finished_at - uploaded_at,
    )


def of_talk(entries: Iterable[Entry], talk_id: int) -> list[Entry]:
    """Return the journal entries that announce this talk."""
    return [entry for entry in entries if (entry["data"] or {}).get("talk_id") == str(talk_id)]


def select(database: Path, query: str, *values: object) -> list[tuple[Any, ...]]:
    """Return the rows that a query of the SQLite file finds."""
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query, values).fetchall()


def registered(database: Path) -> set[str]:
    """Return the tokens of all devices."""
    return {token for (token,) in select(database, "SELECT token FROM notifications_devicetoken")}


def recorded(database: Path, talk_id: int) -> int:
    """Return how many devices this talk has reached as the send log says."""
    query = """
        SELECT count(*) FROM notifications_delivery d
        JOIN notifications_notification n ON n.id = d.notification_id
        WHERE n.talk_id = ? AND d.outcome IN ('sent', 'simulated')
    """
    return int(select(database, query, talk_id)[0][0])


def finished_at(database: Path, talk_id: int) -> float:
    """Return the Unix time at which the last answer for this talk was in the send log."""
    query = "SELECT finished_at FROM notifications_notification WHERE talk_id = ?"
    text = select(database, query, talk_id)[0][0]
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def has_worker(database: Path) -> bool:
    """Return whether a worker holds the lease."""
    return bool(select(database, "SELECT 1 FROM notifications_workerlease WHERE holder <> ''"))


def table(tallies: Iterable[Tally]) -> Table:
    """Return the tallies to print, one column each."""
    shown = Table()
    shown.add_column("")
    rows: dict[str, list[str]] = {}
    for each in tallies:
        shown.add_column("dry run" if each.dry_run else "live", justify="right")
        for name, value in cells(each).items():
            rows.setdefault(name, []).append(value)
    for name, values in rows.items():
        shown.add_row(name, *values)
    return shown


def cells(each: Tally) -> dict[str, str]:
    """Return the figures of a tally by their names in the table."""
    return {
        "devices": f"{each.targets:,}",
        "validated": f"{each.validated:,}",
        "delivered": f"{each.delivered:,}",
        "twice": f"{each.twice:,}",
        "missing": f"{each.missing:,}",
        "recorded": f"{each.recorded:,}",
        "upload → first": f"{each.upload_to_first:.2f} s",
        "first → last": f"{each.first_to_last:.2f} s",
        "upload → all answered": f"{each.upload_to_done:.2f} s",
    }

"""The chart of the last hour, as the numbers of an inline SVG: no library, no script."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext_lazy as _

from notifications.models import SendingMinute

MINUTES = 60
HEIGHT = 100.0  # of the drawing, in units of its own; the page stretches the drawing
WIDTH = 600.0
GAP = 2.0  # between two columns
LEAST_HEIGHT = 0.8  # of a rectangle: one answer among thousands can still be seen

SERIES: list[tuple[str, Any]] = [
    ("sent", _("sent")),
    ("simulated", _("simulated")),
    ("rejected", _("rejected")),
    ("unknown", _("unknown")),
    ("other", _("other")),
]


@dataclass(frozen=True, slots=True)
class Segment:
    """A rectangle of one series."""

    name: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Column:
    """One minute: its rectangles from the ground up, and its numbers by series."""

    at: datetime
    x: float
    width: float
    total: int
    counts: dict[str, int]
    segments: list[Segment]


@dataclass(frozen=True)
class Minutes:
    """The last hour, minute by minute; `top` is the number at the upper edge."""

    columns: list[Column]
    top: int
    height = HEIGHT
    width = WIDTH
    series = SERIES

    @property
    def half(self) -> int:
        """Return the number beside the middle line."""
        return self.top // 2

    @property
    def total(self) -> int:
        """Return how many answers there were in the hour."""
        return sum(column.total for column in self.columns)

    @property
    def busy(self) -> list[Column]:
        """Return the minutes that had answers, newest first: the rows of the table."""
        return [column for column in reversed(self.columns) if column.total]

    @property
    def busiest(self) -> Column:
        """Return the minute with the most answers."""
        return max(self.columns, key=lambda column: column.total)


def minutes(rows: Sequence[SendingMinute], *, now: datetime) -> Minutes:
    """Return the chart of the hour that ends with the minute of `now`."""
    by_minute = {row.minute: row for row in rows}
    last = now.replace(second=0, microsecond=0)
    times = [last - timedelta(minutes=ago) for ago in range(MINUTES - 1, -1, -1)]
    counts = [counts_of(by_minute.get(at)) for at in times]
    top = nice(max(sum(each.values()) for each in counts))
    step = WIDTH / MINUTES
    columns = [
        Column(
            at=at,
            x=round(nth * step + GAP / 2, 2),
            width=round(step - GAP, 2),
            total=sum(each.values()),
            counts=each,
            segments=stack(each, top=top),
        )
        for nth, (at, each) in enumerate(zip(times, counts, strict=True))
    ]
    return Minutes(columns=columns, top=top)


def counts_of(row: SendingMinute | None) -> dict[str, int]:
    """Return a minute's numbers by series; zeros for one in which nothing was sent."""
    return {name: getattr(row, name) if row else 0 for name, _label in SERIES}


def stack(counts: dict[str, int], *, top: int) -> list[Segment]:
    """Return the rectangles of a column, one upon the other, none too low to be seen."""
    segments, ground = [], HEIGHT
    for name, count in counts.items():
        if count:
            height = max(HEIGHT * count / top, LEAST_HEIGHT)
            ground -= height
            segments.append(Segment(name, round(ground, 2), round(height, 2)))
    return segments


def nice(value: int) -> int:
    """Return the least of 10, 20, 50, 100, 200, … that is not below the value."""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if factor * step >= value and factor * step >= 10:
                return factor * step
        step *= 10

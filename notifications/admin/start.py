"""The start page's own part: how much went out, and how the last notifications did."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from notifications.models import Notification, SendingMinute

from . import charts
from .progress import Progress

LATEST = 8  # notifications on the start page


@dataclass(frozen=True, slots=True)
class StartPage:
    """What the start page shows besides what the banner knows, for two statements."""

    chart: charts.Minutes
    latest: list[Progress]
    now: datetime

    @property
    def last_minute(self) -> int:
        """Return how many answers were recorded in the last full minute."""
        return self.chart.columns[-2].total

    @property
    def per_second(self) -> float:
        """Return how many answers a second that were."""
        return self.last_minute / 60


def start_page(*, now: datetime) -> StartPage:
    """Return what the start page shows."""
    since = now.replace(second=0, microsecond=0) - timedelta(minutes=charts.MINUTES - 1)
    rows = SendingMinute.objects.filter(minute__gte=since)
    latest = Notification.objects.select_related("talk__program").order_by("-id")[:LATEST]
    return StartPage(
        chart=charts.minutes(list(rows), now=now),
        latest=[Progress(row, now) for row in latest],
        now=now,
    )

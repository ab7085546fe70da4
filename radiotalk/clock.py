"""What time it is: the database's clock alone counts, since hosts do not agree on the time."""

import threading
import time
from datetime import UTC, datetime, timedelta

from django.db import connection

# How long what the database told is gone on from, for what columns hold by default.
TOLD_FOR_SECONDS = 30.0


def now() -> datetime:
    """Return the time, as the database tells it; SQLite has its process's clock."""
    if connection.vendor != "postgresql":
        return datetime.now(UTC)
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        told: datetime = cursor.fetchone()[0]
    return told


class Clock:
    """The database's time without asking each time: what it told last, and how long ago that was.

    A clock set on this host changes nothing, since the monotonic clock tells how long ago. It is
    never ahead of the database's, and behind by no more than the way from there took.
    """

    def __init__(self) -> None:
        self._started_at: datetime | None = None  # the time when the monotonic clock was 0
        self._told_at = 0.0  # by the monotonic clock

    def learn(self) -> datetime:
        """Ask the database."""
        told = now()
        self._told_at = time.monotonic()
        self._started_at = told - timedelta(seconds=self._told_at)
        return self._started_at

    def now(self, *, told_for: float | None = None) -> datetime:
        """Return the time; ask the database the first time, and where it told long ago."""
        started_at = self._started_at
        if told_for is not None and time.monotonic() >= self._told_at + told_for:
            started_at = None
        return (started_at or self.learn()) + timedelta(seconds=time.monotonic())


of_the_thread = threading.local()


def by_default() -> datetime:
    """Return the time that a column holds by default; many rows at once cost one question.

    The database's own default would cost three times as much a row (measured): Django can then not
    hand over many rows as arrays.
    """
    if connection.vendor != "postgresql":
        return now()
    if not hasattr(of_the_thread, "clock"):
        of_the_thread.clock = Clock()
    try:
        told: datetime = of_the_thread.clock.now(told_for=TOLD_FOR_SECONDS)
    except Exception:  # noqa: BLE001  (without a database nothing is saved either)
        return datetime.now(UTC)
    return told

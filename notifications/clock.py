"""What time it is: the database's clock alone counts, since hosts do not agree on the time.

What a column holds by default is the database's time too (`db_default=Now()`).
"""

import time
from datetime import UTC, datetime, timedelta

from django.db import connection


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

    A clock set on this host changes nothing, since the monotonic clock tells how long ago.
    """

    def __init__(self) -> None:
        self._started_at: datetime | None = None  # the time when the monotonic clock was 0

    def learn(self) -> datetime:
        """Ask the database; the clock is ahead of it by no more than the way there takes."""
        asked_at = timedelta(seconds=time.monotonic())
        self._started_at = now() - asked_at
        return self._started_at

    def now(self) -> datetime:
        """Return the time; the database is asked only the first time."""
        started_at = self._started_at or self.learn()
        return started_at + timedelta(seconds=time.monotonic())

"""Sessions that wait for another's lock: a test waits for them, or cancels what they wait with."""

from typing import Final

from django.db import connection

WAITING: Final = (
    "FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def somebody_waits_for_a_lock() -> bool:
    """Return whether a session of this database waits for another's lock."""
    return asked("count(*)") > 0


def cancel_what_waits_for_a_lock() -> int:
    """Cancel the statements that wait for another's lock; return how many they were."""
    return asked("count(pg_cancel_backend(pid))")


def asked(counted: str) -> int:
    """Return this count over the sessions that wait now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(f"SELECT {counted} {WAITING}")
        return int(cursor.fetchone()[0])

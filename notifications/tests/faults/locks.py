"""Whether a session waits for another's lock: a test waits for this before it goes on."""

from django.db import connection


def somebody_waits_for_a_lock() -> bool:
    """Return whether a session of this database waits for another's lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(cursor.fetchone()[0])

"""Locks of other sessions: how long they are waited for, and who holds them."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Final

from django.apps import apps
from django.conf import settings
from django.db import Error, connection, transaction

# Of the worker's statements. It is less than WatchdogSec= of deploy/systemd/: a worker whose
# statement waits is not killed.
LONGEST_STATEMENT_SECONDS: Final = 45

# Probes give up after a second, by default.
BRIEFLY: Final = "500ms"
# Any statement of the worker's ends before, also that of a claim, which locks its notification.
PATIENTLY: Final = f"{LONGEST_STATEMENT_SECONDS + 5}s"

# Who keeps others out of our tables, or of their rows, and the first words of its last statement. A
# lock on a table keeps others out as soon as it is asked for. PostgreSQL does not list locks on
# rows. So whoever has been writing for longer than the worker waits, and does not wait for a lock
# itself, is taken for their holder.
HOLDERS: Final = r"""
    SELECT string_agg(DISTINCT concat_ws(': ', 'pid ' || activity.pid,
        substring(query from '^\s*([A-Za-z_".]+(?:\s+[A-Za-z_".]+){0,2})')
    ), ', ')
    FROM pg_locks JOIN pg_stat_activity AS activity USING (pid)
    WHERE relation = ANY(%s::regclass[]) AND activity.datname = current_database()
      AND pid <> pg_backend_pid() AND (
        mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
        OR mode IN ('RowShareLock', 'RowExclusiveLock')
        AND wait_event_type IS DISTINCT FROM 'Lock'
        AND clock_timestamp() - xact_start >= %s * interval '1 millisecond'
    )
"""


def worker_waits() -> int:
    """Return for how many milliseconds the worker waits for a lock at most.

    That is well before its lease ends: it renews the lease in between, and the loop turns. Else a
    standby would take over, and what is in flight would be unknown.
    """
    return int(settings.NOTIFICATIONS_LEASE_TTL * 1000 // 3)


def others_wait() -> int:
    """Return for how many milliseconds web and commands wait for a lock at most.

    That is longer than the worker: a pause that waits for the worker, which waits itself, gets its
    turn. Whoever waits longer keeps requests waiting that need no lock: threads are few.
    """
    return int(settings.NOTIFICATIONS_LEASE_TTL * 1000 // 2)


@contextmanager
def waiting_briefly() -> Iterator[None]:
    """Let statements that only look wait for a lock no longer than a moment.

    They have a transaction, since a pooler may forget what a session sets. Within another one the
    wait stays as short until that one's end.
    """
    with transaction.atomic() if connection.vendor == "postgresql" else nullcontext():
        wait_at_most(BRIEFLY)
        yield


def wait_patiently() -> None:
    """Wait for the worker until the end of this transaction, which stops what it sends.

    An operator who stops the sending must not be turned away because the database is slow.
    """
    wait_at_most(PATIENTLY)


def wait_at_most(timeout: str) -> None:
    """Let the rest of this transaction wait for a lock no longer than this; SQLite has no locks."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [timeout])


def holders() -> str:
    """Return who keeps others out of our tables now, "" as far as this role cannot see it."""
    tables = [model._meta.db_table for model in apps.get_models()]
    with suppress(Error), connection.cursor() as cursor:  # it is only for people to read
        cursor.execute(HOLDERS, [tables, worker_waits()])
        return cursor.fetchone()[0] or ""
    return ""

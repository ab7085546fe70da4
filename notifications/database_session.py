"""What safety rests on in each session with PostgreSQL: set as soon as the session is connected.

The session sets it by a statement. As startup parameters (libpq's `options`) the values would be
lost where DATABASE_URL has options of its own, and PgBouncer refuses such a session.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate, pre_migrate
from django.dispatch import receiver

from notifications import locks

# A version of PostgreSQL that does not know a parameter has no use for it.
SET = """
    SELECT set_config(name, value, false)
    FROM unnest(%s::text[], %s::text[]) AS wanted (name, value)
    WHERE current_setting(name, true) IS NOT NULL
"""


def wanted() -> dict[str, str]:
    """Return PostgreSQL's parameters with their values, times in milliseconds."""
    return {
        # A claim is on the disk before its first byte is sent, whatever the server's default.
        "synchronous_commit": "on",
        # A process that is frozen within a transaction would keep its locks, and nobody could take
        # over; PostgreSQL ends its transaction when its lease is over as well.
        "idle_in_transaction_session_timeout": str(settings.NOTIFICATIONS_LEASE_TTL * 1000),
        # A lock that somebody keeps, a migration say, does not make web or commands hang.
        "lock_timeout": str(locks.others_wait()),
        # What is read after a lock was granted is what was committed before.
        "default_transaction_isolation": "read committed",
        # Compiling a plan takes longer than any query here.
        "jit": "off",
    }


def apply(connection: BaseDatabaseWrapper, values: dict[str, str]) -> None:
    """Set these parameters until the session ends."""
    with connection.cursor() as cursor:
        cursor.execute(SET, [list(values), list(values.values())])


@contextmanager
def or_closed(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Close the connection if this fails: Django would go on with it as it is."""
    try:
        yield
    except Error:
        connection.close()
        raise


# A migration that waits for a lock has everybody wait behind it, the worker's claims too. So it
# gives up soon; run it again.
MIGRATING = {"lock_timeout": "5000"}  # milliseconds


@receiver(pre_migrate, dispatch_uid="a_migration_waits_briefly")
def begin_to_migrate(using: str, **kwargs: Any) -> None:
    """Let migrations wait for a lock only briefly."""
    if connections[using].vendor == "postgresql":
        apply(connections[using], MIGRATING)


@receiver(post_migrate, dispatch_uid="a_migration_has_waited")
def end_migrating(using: str, **kwargs: Any) -> None:
    """Let this process wait as before: a test goes on after it."""
    if connections[using].vendor == "postgresql":
        apply(connections[using], wanted())


@receiver(connection_created, dispatch_uid="what_safety_rests_on_is_set")
def begin(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Set what safety rests on, in a session that was just connected."""
    if connection.vendor == "postgresql":
        with or_closed(connection):
            apply(connection, wanted())

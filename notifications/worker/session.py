"""The worker's sessions with PostgreSQL: what its safety rests on is set, and asked back.

A pooler in transaction mode gives each transaction another server connection, so what a session
sets does not stay with it, and comes upon others. Behind any pooler the worker therefore rests on
nothing that was set, and wants a role whose sessions begin with the right values.
"""

from typing import Any

from django.db import OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from notifications import database_session, locks

# `reset_val` is what the server connection began with, whatever was set since.
ASK = "SELECT name, setting, reset_val FROM pg_settings WHERE name = ANY(%s)"


class UnsafeSessionError(OperationalError):
    """The session lacks what safety rests on. For the worker the database is then away."""


def wanted() -> dict[str, str]:
    """Return what the worker's sessions need: its own limits too, and none of its role's."""
    return database_session.wanted() | {
        "statement_timeout": str(locks.LONGEST_STATEMENT_SECONDS * 1000),
        "lock_timeout": str(locks.worker_waits()),
        "idle_session_timeout": "0",
        "transaction_timeout": "0",
    }


def open_safely() -> None:
    """Connect, and from now on let no session be used that lacks what safety rests on."""
    connection.close()  # it may have been connected before
    connection_created.connect(make_safe)
    connection.ensure_connection()


def make_safe(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Set what safety rests on, ask it back, and raise UnsafeSessionError if it is not there."""
    if connection.vendor != "postgresql":
        return
    with database_session.or_closed(connection):
        pooled = is_pooled(connection)
        if not pooled:
            database_session.apply(connection, wanted())
        if lacking := what_lacks(connection, pooled=pooled):
            raise UnsafeSessionError(what_to_do(connection, lacking, pooled=pooled))


def is_pooled(connection: BaseDatabaseWrapper) -> bool:
    """Return whether a pooler stands between: it gives its clients keys of its own."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return bool(cursor.fetchone()[0] != connection.connection.info.backend_pid)


def what_lacks(connection: BaseDatabaseWrapper, *, pooled: bool) -> dict[str, str]:
    """Return the parameters that have other values than the worker needs, with what it needs."""
    needed = wanted()
    with connection.cursor() as cursor:
        cursor.execute(ASK, [list(needed)])
        return {
            name: needed[name]
            for name, setting, reset_val in cursor.fetchall()
            if (reset_val if pooled else setting) != needed[name]
        }


def what_to_do(connection: BaseDatabaseWrapper, lacking: dict[str, str], *, pooled: bool) -> str:
    """Return what is wrong, and what to do, for an operator."""
    if not pooled:
        return f"PostgreSQL does not keep what the worker's session sets: {', '.join(lacking)}."
    with connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(session_user)")
        role = cursor.fetchone()[0]
    statements = [f"ALTER ROLE {role} SET {name} = '{lacking[name]}';" for name in lacking]
    return (
        "a connection pooler stands between the worker and PostgreSQL, so what the worker's "
        "session sets would be lost. Connect the worker to PostgreSQL directly. Or let its role's "
        f"sessions begin with it: {' '.join(statements)} Then have the pooler connect anew "
        "(PgBouncer: RECONNECT)."
    )

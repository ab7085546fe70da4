"""What the database's errors say: it is away, it canceled a statement, or a table is missing."""

from typing import Final

from django.db import InterfaceError, InternalError, OperationalError

# What Django raises while the database is away, full, read-only or locked by somebody; its other
# errors are the fault of what was asked.
DATABASE_AWAY: Final = (OperationalError, InterfaceError, InternalError)

# SQLSTATEs of a statement that PostgreSQL canceled: it took too long, or somebody wanted it; it
# waited too long for a lock. Nothing of its transaction was committed.
QUERY_CANCELED: Final = "57014"
LOCK_NOT_AVAILABLE: Final = "55P03"
UNDEFINED_TABLE: Final = "42P01"
INSUFFICIENT_PRIVILEGE: Final = "42501"


def was_canceled(error: BaseException) -> bool:
    """Return whether PostgreSQL is there, and canceled the statement that raised this."""
    return sqlstate(error) in (QUERY_CANCELED, LOCK_NOT_AVAILABLE)


def waited_too_long(error: BaseException) -> bool:
    """Return whether the statement that raised this had waited too long for a lock."""
    return sqlstate(error) == LOCK_NOT_AVAILABLE


def lacks_tables(error: BaseException) -> bool:
    """Return whether a table is missing, as while a backup is restored in place."""
    return sqlstate(error) == UNDEFINED_TABLE


def is_forbidden(error: BaseException) -> bool:
    """Return whether this role may not do what was asked: not yet, while a backup is restored.

    The tables come first, and then what roles may do with them.
    """
    return sqlstate(error) == INSUFFICIENT_PRIVILEGE


def sqlstate(error: BaseException) -> str:
    """Return PostgreSQL's code of the error, "" without one."""
    return getattr(error.__cause__, "sqlstate", None) or ""

"""Gives the evidence to each invariant's check, in one view of the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import connection, transaction

from . import (
    bounded_doubt,
    dry_run,
    fast,
    never_twice,
    nobody_missing,
    one_post,
    one_writer,
    quiet,
    right_person,
    true_log,
)
from .evidence import Evidence, Given, Journal, in_flight
from .report import Report

CHECKS = (
    never_twice.check,
    nobody_missing.check,
    true_log.check,
    dry_run.check,
    one_post.check,
    one_writer.check,
    right_person.check,
    bounded_doubt.check,
    fast.check,
    quiet.check,
)


def verify(journal: Path | None = None, *, given: Given | None = None) -> Report:
    """Return what the checks find; without the journal, what the database alone shows.

    The answer is complete when all is quiet: what is in flight is left out, with a remark. Raise
    UnusableEvidenceError when a file cannot be used.
    """
    # Read before the transaction, which must not idle meanwhile.
    read = Journal(journal) if journal else None
    with snapshot():
        evidence = Evidence(journal=read, given=given or Given(), in_flight=in_flight())
        return Report(tuple(check(evidence) for check in CHECKS))


@contextmanager
def snapshot() -> Iterator[None]:
    """Let all queries within see the database as of one moment, while others go on writing.

    On SQLite the others wait: every transaction of Radiotalk there is a writer's.
    """
    nested = connection.in_atomic_block
    with transaction.atomic(), server_side_cursors():
        if connection.vendor == "postgresql" and not nested:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
                cursor.execute("SET LOCAL statement_timeout = 0")
        yield


@contextmanager
def server_side_cursors() -> Iterator[None]:
    """Have long results read piece by piece, within a transaction; the settings say never."""
    name = "DISABLE_SERVER_SIDE_CURSORS"
    theirs = connection.settings_dict.get(name, False)
    connection.settings_dict[name] = False
    try:
        yield
    finally:
        connection.settings_dict[name] = theirs

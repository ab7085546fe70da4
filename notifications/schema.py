"""Whether the database has the schema of this code: what is asked before the worker starts.

/readyz asks as well, every few seconds: the migrations of the code are read from the disk once, and
those of the database are two small statements.
"""

from collections.abc import Iterable
from functools import cache

from django.db import connection
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

Name = tuple[str, str]  # of an app and of a migration


def problem() -> str:
    """Return what does not fit, and what to do about it; "" when the schema is this code's."""
    known = migrations()
    applied = frozenset(MigrationRecorder(connection).applied_migrations())
    replaced = {name for migration in known.values() for name in migration.replaces}
    lacking = {name for name, each in known.items() if not is_applied(name, each, applied)}
    apps = {app for app, _ in known}  # rows of an app that is not installed any more say nothing
    later = {name for name in applied - known.keys() - replaced if name[0] in apps}
    told = []
    if lacking:
        told.append(f"The database lacks {listed(lacking)}: `manage.py migrate` applies them.")
    if later:
        told.append(
            f"The database has {listed(later)} that this code does not know: run the release that "
            "brought them."
        )
    return " ".join(told)


@cache
def migrations() -> dict[Name, Migration]:
    """Return the migrations of this code, by name."""
    return MigrationLoader(None).disk_migrations


def is_applied(name: Name, migration: Migration, applied: frozenset[Name]) -> bool:
    """Return whether the database has a migration, or all those that it replaces."""
    replaced = migration.replaces
    return name in applied or (bool(replaced) and applied.issuperset(replaced))


def listed(names: Iterable[Name]) -> str:
    """Return how many they are, with the name of one."""
    ordered = sorted(names, key=lambda name: (name[0] != "notifications", name))
    first = ".".join(ordered[0])
    if len(ordered) == 1:
        return f"1 migration ({first})"
    return f"{len(ordered)} migrations ({first} and {len(ordered) - 1} more)"

"""What our commands have in common: a database that is not as they need it is told in one line."""

from contextlib import suppress
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError, Error, InterfaceError, OperationalError, connection

from notifications import locks, schema
from notifications.database_errors import is_forbidden, waited_too_long

from .errors import Failed, OtherSchema

LOCKED = "Another session of the database keeps locked what this command needs"
FORBIDDEN = "The database does not let this command's role do this"


class DatabaseCommand(BaseCommand):
    """A command that uses the database."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run; raise OtherSchema or Failed where a statement fails by the database's state."""
        try:
            return super().execute(*args, **options)
        except (DatabaseError, InterfaceError) as error:
            if waited_too_long(error):
                raise Failed(f"{LOCKED} ({locks.holders() or 'unknown'}). Try again.") from error
            if told := schema_problem():
                raise OtherSchema(told) from error
            if is_forbidden(error):
                role = connection.settings_dict["USER"]
                raise Failed(f"{FORBIDDEN} ({role}): {str(error).splitlines()[0]}") from error
            if isinstance(error, OperationalError | InterfaceError):
                raise Failed(f"The database does not answer: {str(error).strip()}") from error
            raise


def schema_problem() -> str:
    """Return what does not fit in the database's schema; "" when it does not answer as well."""
    with suppress(Error):
        return schema.problem()
    return ""

"""The API tokens in plain text of the releases before, in the table of `rest_framework.authtoken`.

A migration has copied them hashed. The code of the release before reads them until it is stopped,
so they are deleted later: by the command that deletes what is old, and with their account.
"""

from typing import Any

from django.contrib.auth.models import User
from django.db import connection
from django.db.models.signals import pre_delete
from django.dispatch import receiver

TABLE = "authtoken_token"


def forget() -> int:
    """Delete all of them, and return how many they were."""
    return deleted("")


def count() -> int:
    """Return how many there are."""
    with connection.cursor() as cursor:
        if TABLE not in connection.introspection.table_names(cursor):
            return 0
        cursor.execute(f"SELECT COUNT(*) FROM {TABLE}")  # noqa: S608  (our own word)
        return int(cursor.fetchone()[0])


@receiver(pre_delete, sender=User)
def forget_those_of(instance: User, **kwargs: Any) -> None:
    """Delete an account's, which no model deletes, and which would keep the account."""
    deleted(" WHERE user_id = %s", instance.pk)


def deleted(where: str, *values: int) -> int:
    """Delete rows of the table, if there is one, and return how many they were."""
    with connection.cursor() as cursor:
        if TABLE not in connection.introspection.table_names(cursor):
            return 0
        cursor.execute(f"DELETE FROM {TABLE}{where}", values)  # noqa: S608  (our own words)
        return int(cursor.rowcount)

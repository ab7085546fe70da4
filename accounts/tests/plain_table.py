"""The table of `rest_framework.authtoken`, as a database has it that an earlier release made."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from django.contrib.auth.models import User
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from radiotalk import clock


@contextmanager
def plain_table() -> Iterator[None]:
    """Have the table, which that app's own migration makes, for a while."""
    first = import_module("rest_framework.authtoken.migrations.0001_initial").Migration
    before = MigrationExecutor(connection).loader.project_state()
    with connection.schema_editor() as editor:
        first("0001_initial", "authtoken").apply(before, editor)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE authtoken_token")


def plain_token(user: User, letter: str) -> str:
    """Return a token that an earlier release has given the user."""
    key = letter * 40
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO authtoken_token (key, user_id, created) VALUES (%s, %s, %s)",
            [key, user.pk, clock.now()],
        )
    return key

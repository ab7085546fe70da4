"""A random word that the database makes: the default of a column that must never repeat a value.

It is made in the database, and not in Python, since the code of the release before inserts rows as
well while a release is brought in. No sequence makes it, so no restore of a backup repeats it.
"""

from typing import Any

from django.db.models import CharField, Expression


class RandomWord(Expression):
    """A word that no row had before, in this database or in one that it is a backup of."""

    output_field = CharField()
    allowed_default = True

    def as_postgresql(self, *args: Any, **kwargs: Any) -> tuple[str, list[Any]]:
        """Return the SQL for it; the generator is PostgreSQL's own since 13."""
        return "replace(gen_random_uuid()::text, '-', '')", []

    def as_sqlite(self, *args: Any, **kwargs: Any) -> tuple[str, list[Any]]:
        """Return the SQL for it."""
        return "lower(hex(randomblob(16)))", []

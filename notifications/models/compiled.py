"""Statements of the ORM that are compiled once, for the few that run many times a second.

Django takes longer to compile such a statement than PostgreSQL takes to run it. What changes from
one execution to the next is `Given` by name:

    TITLE = Select(lambda: Talk.objects.filter(id=Given("id", BigAutoField())).values_list("title"))
    TITLE(id=7)  # [("Hello",)]
"""

from collections.abc import Callable, Mapping
from typing import Any

from django.db import connection
from django.db.models import Expression, Field, QuerySet
from django.db.models.sql import UpdateQuery


class Given(Expression):
    """A parameter of a statement, whose value comes with each execution."""

    def __init__(self, name: str, field: "Field[Any, Any]") -> None:
        super().__init__(output_field=field)
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """Return a placeholder; this object stands among the parameters until it has a value."""
        return "%s", (self,)

    def value(self, values: Mapping[str, Any]) -> Any:
        """Return the value as the database takes it; raise KeyError when none was given."""
        return self.output_field.get_db_prep_value(values[self.name], connection)


class Statement:
    """What both kinds share: it is compiled for a database when it is first executed there."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._compiled: dict[str, tuple[str, tuple[Any, ...], Any]] = {}  # by vendor

    def _execute(self, cursor: Any, values: Mapping[str, Any]) -> Any:
        """Execute, and return the ORM's compiler of the statement."""
        if connection.vendor not in self._compiled:
            compiler = self._query().get_compiler(connection=connection)
            sql, parameters = compiler.as_sql()
            self._compiled[connection.vendor] = sql, tuple(parameters), compiler
        sql, parameters, compiler = self._compiled[connection.vendor]
        cursor.execute(
            sql,
            [each.value(values) if isinstance(each, Given) else each for each in parameters],
        )
        return compiler

    def _query(self) -> Any:
        raise NotImplementedError


class Select(Statement):
    """A query, made by a function that returns `….values_list(…)`."""

    def __init__(self, make: Callable[[], "QuerySet[Any, Any]"]) -> None:
        super().__init__(make)

    def __call__(self, **values: Any) -> list[tuple[Any, ...]]:
        """Return the rows."""
        with connection.cursor() as cursor:
            compiler = self._execute(cursor, values)
            rows = cursor.fetchall()
        converters = compiler.get_converters([column for column, *_ in compiler.select])
        if converters:  # on SQLite, which has no times
            rows = [tuple(row) for row in compiler.apply_converters(rows, converters)]
        return list(rows)

    def _query(self) -> Any:
        return self._make().query


class Update(Statement):
    """A conditional UPDATE, made by a function that returns a queryset and the new values."""

    def __init__(self, make: Callable[[], tuple["QuerySet[Any, Any]", dict[str, Any]]]) -> None:
        super().__init__(make)

    def __call__(self, **values: Any) -> int:
        """Return how many rows were changed."""
        with connection.cursor() as cursor:
            self._execute(cursor, values)
            return int(cursor.rowcount)

    def _query(self) -> Any:
        rows, changes = self._make()
        query = rows.query.chain(UpdateQuery)
        query.add_update_values(changes)
        return query

"""Statements of the ORM that are compiled once, for the few that run many times a second.

Django takes longer to compile such a statement than PostgreSQL takes to run it. What changes from
one execution to the next is `Given` by name:

    TITLE = Select(lambda: Talk.objects.filter(id=Given("id", BigAutoField())).values_list("title"))
    TITLE(id=7)  # [("Hello",)]
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Expression, Field, QuerySet
from django.db.models.sql import UpdateQuery
from django.db.transaction import TransactionManagementError


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


class Compiled(NamedTuple):
    """A statement as one kind of database takes it, and how its rows become Python's values."""

    sql: str
    parameters: tuple[Any, ...]
    compiler: Any  # the ORM's
    locks: bool  # until the transaction ends
    converters: Mapping[int, Any]  # by column; on SQLite, which has no times, there are some

    @classmethod
    def of(cls, query: Any) -> "Compiled":
        """Compile a query of the ORM's for the database that is connected."""
        compiler = query.get_compiler(connection=connection)
        sql, parameters = compiler.as_sql()
        columns = [column for column, *_ in compiler.select or ()]  # an UPDATE has none
        return cls(
            sql=sql,
            parameters=tuple(parameters),
            compiler=compiler,
            locks=query.select_for_update,
            converters=compiler.get_converters(columns),
        )

    def converted(self, rows: list[tuple[Any, ...]]) -> Iterable[tuple[Any, ...]]:
        """Return the rows with Python's values."""
        if not self.converters:
            return rows
        return map(tuple, self.compiler.apply_converters(rows, self.converters))


class Statement:
    """What both kinds share: it is compiled for a database when it is first executed there."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._compiled: dict[str, Compiled] = {}  # by vendor

    def _execute(self, cursor: Any, values: Mapping[str, Any]) -> "Compiled":
        """Execute, and return what was executed.

        Django asks for a transaction only when it compiles a SELECT FOR UPDATE: without one, what
        is locked is free again at once.
        """
        if connection.vendor not in self._compiled:
            self._compiled[connection.vendor] = Compiled.of(self._query())
        compiled = self._compiled[connection.vendor]
        if compiled.locks and not connection.in_atomic_block:
            raise TransactionManagementError(
                "select_for_update cannot be used outside of atomic()."
            )
        cursor.execute(
            compiled.sql,
            [
                each.value(values) if isinstance(each, Given) else each
                for each in compiled.parameters
            ],
        )
        return compiled

    def _query(self) -> Any:
        raise NotImplementedError


class Select(Statement):
    """A query, made by a function that returns `….values_list(…)`."""

    def __init__(self, make: Callable[[], "QuerySet[Any, Any]"]) -> None:
        super().__init__(make)

    def __call__(self, **values: Any) -> list[tuple[Any, ...]]:
        """Return the rows."""
        with connection.cursor() as cursor:
            compiled = self._execute(cursor, values)
            rows = cursor.fetchall()
        return list(compiled.converted(rows))

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

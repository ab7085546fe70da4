"""A database that is away, for the code of this process alone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from django.db import connection


@contextmanager
def database_raising(error: type[Exception], *, after: int = 0) -> Iterator[None]:
    """Let each statement raise this error, but for so many before, as when the database is away."""
    statements = count()

    def fail(execute: Callable[..., Any], *args: Any) -> Any:
        if next(statements) < after:
            return execute(*args)
        raise error("host=db.internal password=hunter-two")

    with connection.execute_wrapper(fail):
        yield

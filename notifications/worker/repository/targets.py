"""Which of some devices are targets now: the query of every claim, compiled once.

Django takes 0.7 ms to compile it and PostgreSQL 0.1 ms to run it for a hundred (measured).
"""

import functools
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from notifications.models import DeviceToken
from notifications.models.id_lookup import array_of

# What a Target is made of, in its order.
Row = tuple[int, str, str, datetime]
COLUMNS = ("id", "kind", "token", "refreshed_at")

# They stand in the compiled query for what each claim puts there.
SOME_ID = -1
SOME_TIME = datetime(1, 1, 1, tzinfo=UTC)


def among(device_ids: Collection[int], program_id: int, *, cutoff: datetime) -> Iterable[Row]:
    """Return those of the devices that are the program's targets now, in order of their ids."""
    if not device_ids:
        return []
    if connection.vendor != "postgresql":
        found = DeviceToken.objects.audience_among(device_ids, program_id, cutoff=cutoff)
        return found.values_list(*COLUMNS)
    sql, samples = compiled()
    values: dict[Any, Any] = {
        array_of([SOME_ID]): array_of(device_ids),
        SOME_ID: program_id,
        SOME_TIME: cutoff,
    }
    with connection.cursor() as cursor:
        cursor.execute(sql, [values.get(sample, sample) for sample in samples])
        rows: list[Row] = cursor.fetchall()
    return rows


@functools.cache
def compiled() -> tuple[str, tuple[Any, ...]]:
    """Return the query as Django writes it, with its parameters for some devices.

    Raise RuntimeError when a claim could not put its own in their place: it would find nobody.
    """
    sample = DeviceToken.objects.audience_among([SOME_ID], SOME_ID, cutoff=SOME_TIME)
    query = sample.values_list(*COLUMNS).query
    sql, parameters = query.get_compiler(connection=connection).as_sql()
    if not {array_of([SOME_ID]), SOME_ID, SOME_TIME} <= set(parameters):
        raise RuntimeError("The audience is asked for in a way that cannot be compiled ahead.")
    return sql, tuple(parameters)

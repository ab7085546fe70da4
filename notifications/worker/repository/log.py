"""The table of the send log: reads the lines that exist, and writes new ones in bulk."""

from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from operator import itemgetter
from typing import NamedTuple

from django.db import connection

from notifications.models import Delivery
from notifications.models.id_lookup import array_of


class Entry(NamedTuple):
    """A line of the send log, to be written."""

    notification_id: int
    device_id: int
    outcome: str
    error_code: str
    message_id: str
    attempts: int
    next_attempt_at: datetime | None
    unreached: int = 0


# 0.3 µs of the worker's CPU a line, where Django's bulk_create takes 30 (measured).
COPY = """
    COPY notifications_delivery (
        notification_id, device_id, outcome, error_code, message_id, attempts, next_attempt_at,
        unreached, at, note
    ) FROM STDIN (FORMAT BINARY)
"""
COPY_TYPES = [
    "int8", "int8", "text", "text", "text", "int2", "timestamptz", "int2", "timestamptz", "text",
]  # fmt: skip

# OFFSET 0: each line is looked up, whatever the planner believes of the log's size.
KNOWN = """
    SELECT wanted.notification_id, wanted.device_id, line.outcome, line.attempts
    FROM unnest(%s::bigint[], %s::bigint[]) AS wanted (notification_id, device_id)
    CROSS JOIN LATERAL
         (SELECT outcome, attempts FROM notifications_delivery
          WHERE notification_id = wanted.notification_id AND device_id = wanted.device_id
          OFFSET 0) AS line
"""

Key = tuple[int, int]  # notification, device
Known = tuple[str, int]  # outcome, attempts
key: Callable[[Entry], Key] = itemgetter(0, 1)  # by which the log knows the line of an entry

# What an answer changes of a line that is there already.
ANSWERED_FIELDS = [
    "outcome", "error_code", "message_id", "attempts", "unreached", "next_attempt_at", "at",
]  # fmt: skip


def known(entries: Collection[Entry]) -> dict[Key, Known]:
    """Return the outcome and attempts of each target that has a line already."""
    if connection.vendor == "postgresql":
        ids = [
            array_of(entry.notification_id for entry in entries),
            array_of(entry.device_id for entry in entries),
        ]
        with connection.cursor() as cursor:
            cursor.execute(KNOWN, ids)
            rows = cursor.fetchall()
    else:
        found = Delivery.objects.filter(
            notification__in={entry.notification_id for entry in entries},
            device__in={entry.device_id for entry in entries},
        )
        rows = list(found.values_list("notification_id", "device_id", "outcome", "attempts"))
    return {(notification, device): (outcome, at) for notification, device, outcome, at in rows}


def add(entries: Collection[Entry], *, now: datetime) -> None:
    """Write lines for targets that have none. The caller has locked the notification."""
    if connection.vendor != "postgresql":
        Delivery.objects.bulk_create(deliveries(entries, now=now))
    elif entries:
        copy_in(entries, now=now)


def copy_in(entries: Iterable[Entry], *, now: datetime) -> None:
    """Have PostgreSQL copy the lines in.

    Django leaves psycopg's errors of a COPY as they are; the worker knows an outage by Django's.
    """
    with (
        connection.wrap_database_errors,
        connection.cursor() as cursor,
        cursor.copy(COPY) as copy,
    ):
        copy.set_types(COPY_TYPES)
        for entry in entries:
            copy.write_row((*entry, now, ""))


def replace(entries: Collection[Entry], *, now: datetime) -> None:
    """Write these over the lines of the same targets; this is rare, so the ORM does it."""
    Delivery.objects.bulk_create(
        deliveries(entries, now=now),
        update_conflicts=True,
        unique_fields=["notification", "device"],
        update_fields=ANSWERED_FIELDS,
    )


def deliveries(entries: Iterable[Entry], *, now: datetime) -> list[Delivery]:
    """Return the entries as rows for Django."""
    return [Delivery(**entry._asdict(), at=now) for entry in entries]

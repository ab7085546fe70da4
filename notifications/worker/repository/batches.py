"""The table of batches: writes what was claimed, all batches of a claim at once."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from notifications.models import Batch


class NewBatch(NamedTuple):
    """A batch to be written. Only one of first attempts says between which device ids it lies."""

    after_id: int | None
    upto_id: int | None
    targets: list[int]  # device ids


# Django takes ten times as long for the same (measured).
INSERT = """
    INSERT INTO notifications_batch
        (notification_id, after_id, upto_id, targets, size, state, epoch, worker, claimed_at)
    SELECT %(notification)s, after_id, upto_id, targets, jsonb_array_length(targets), %(state)s,
           %(epoch)s, %(worker)s, %(now)s
    FROM jsonb_to_recordset(%(batches)s::jsonb)
         AS batch (after_id bigint, upto_id bigint, targets jsonb)
    RETURNING id, (targets -> 0)::bigint
"""


def add(
    batches: Sequence[NewBatch], notification_id: int, *, epoch: int, worker: str, now: datetime
) -> list[int]:
    """Return the ids of the batches, once they are written as claimed by the worker."""
    if not batches:
        return []
    if connection.vendor != "postgresql":
        return [
            batch.id
            for batch in Batch.objects.bulk_create(
                Batch(
                    **each._asdict(),
                    notification_id=notification_id,
                    size=len(each.targets),
                    epoch=epoch,
                    worker=worker,
                    claimed_at=now,
                )
                for each in batches
            )
        ]
    values: dict[str, Any] = {
        "notification": notification_id,
        "state": Batch.State.SENDING.value,
        "epoch": epoch,
        "worker": worker,
        "now": now,
        "batches": json.dumps([each._asdict() for each in batches]),
    }
    with connection.cursor() as cursor:
        cursor.execute(INSERT, values)
        ids = {first: batch_id for batch_id, first in cursor.fetchall()}
    return [ids[each.targets[0]] for each in batches]

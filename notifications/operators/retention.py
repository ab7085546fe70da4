"""How long the send log is kept: what is older is deleted, in steps that hold up nobody.

Only the log of notifications that have ended is deleted. Their counters stay, and `pruned_at` says
since when the log no longer adds up to them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef

from notifications.models import Batch, Delivery, Notification
from notifications.models.batch import BatchQuerySet

# Rows per transaction: it takes some 20 ms, and a sending worker's inserts do not wait for it.
STEP_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class Step:
    """What one transaction deleted."""

    notification_id: int
    deliveries: int
    batches: int


def prune(*, ended_before: datetime, now: datetime) -> Iterator[Step]:
    """Delete the log of what ended before `ended_before`, and yield after each step.

    The caller may stop after any step: the next call goes on there.
    """
    for notification_id in with_a_log(ended_before):
        notification = Notification.objects.filter(id=notification_id)
        notification.filter(pruned_at=None).update(pruned_at=now)
        after = 0
        while True:
            upto = nth_device(notification_id, after=after)
            yield delete_deliveries(notification_id, after=after, upto=upto)
            if upto is None:
                break
            after = upto
        while step := delete_batches(notification_id):
            yield step


def with_a_log(ended_before: datetime) -> list[int]:
    """Return the ids of notifications that ended before then and have something to delete."""
    deliveries = Delivery.objects.filter(notification=OuterRef("pk"))
    batches = closed_batches().filter(notification=OuterRef("pk"))
    ended = Notification.objects.filter(
        state__in=Notification.ENDED_STATES, finished_at__lt=ended_before
    )
    found = ended.filter(Exists(deliveries) | Exists(batches)).order_by("id")
    return list(found.values_list("id", flat=True))


def nth_device(notification_id: int, *, after: int) -> int | None:
    """Return the id of the device with which a full step ends, None when fewer are left."""
    left = Delivery.objects.filter(notification_id=notification_id, device__gt=after)
    return left.order_by("device_id").values_list("device_id", flat=True)[STEP_ROWS - 1 :].first()


def delete_deliveries(notification_id: int, *, after: int, upto: int | None) -> Step:
    """Delete the lines of the devices after one, up to and with another (None: to the end)."""
    lines = Delivery.objects.filter(notification_id=notification_id, device__gt=after)
    if upto is not None:
        lines = lines.filter(device__lte=upto)
    count, _by_model = lines.delete()
    return Step(notification_id, count, 0)


def delete_batches(notification_id: int) -> Step | None:
    """Delete a step's worth of batches; return None when there are none."""
    with transaction.atomic():
        batches = closed_batches().filter(notification=notification_id)
        ids = list(batches.order_by("id").values_list("id", flat=True)[:STEP_ROWS])
        Batch.objects.filter(id__in=ids).delete()
    return Step(notification_id, 0, len(ids)) if ids else None


def closed_batches() -> BatchQuerySet:
    """Return the batches that nobody is sending."""
    return Batch.objects.exclude(state=Batch.State.SENDING)

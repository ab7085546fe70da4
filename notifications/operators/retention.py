"""How long the send log is kept: what is older goes, in steps that hold up nobody.

Only of notifications that have ended; their counters stay, and `pruned_at` says that the log no
longer tells the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef

from notifications.models import Batch, Delivery, Notification
from notifications.models.batch import BatchQuerySet

# Rows a transaction: some 20 ms, in which a sending worker's inserts do not wait.
STEP_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class Step:
    """What one transaction deleted."""

    notification_id: int
    deliveries: int
    batches: int


def prune(*, ended_before: datetime, now: datetime) -> Iterator[Step]:
    """Delete the log of what ended before then, and yield after each step.

    It can be left at any step: the next call goes on there.
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
    """Return the notifications that ended before then and have something to delete."""
    deliveries = Delivery.objects.filter(notification=OuterRef("pk"))
    batches = closed_batches().filter(notification=OuterRef("pk"))
    ended = Notification.objects.filter(
        state__in=Notification.ENDED_STATES, finished_at__lt=ended_before
    )
    found = ended.filter(Exists(deliveries) | Exists(batches)).order_by("id")
    return list(found.values_list("id", flat=True))


def nth_device(notification_id: int, *, after: int) -> int | None:
    """Return the device with which a full step ends, None when fewer are left."""
    left = Delivery.objects.filter(notification_id=notification_id, device__gt=after)
    return left.order_by("device_id").values_list("device_id", flat=True)[STEP_ROWS - 1 :].first()


def delete_deliveries(notification_id: int, *, after: int, upto: int | None) -> Step:
    """Delete the lines of the devices after one, up to another or to the end."""
    lines = Delivery.objects.filter(notification_id=notification_id, device__gt=after)
    if upto is not None:
        lines = lines.filter(device__lte=upto)
    count, _by_model = lines.delete()
    return Step(notification_id, count, 0)


def delete_batches(notification_id: int) -> Step | None:
    """Delete a step's worth of batches; None when there are none."""
    with transaction.atomic():
        batches = closed_batches().filter(notification=notification_id)
        ids = list(batches.order_by("id").values_list("id", flat=True)[:STEP_ROWS])
        Batch.objects.filter(id__in=ids).delete()
    return Step(notification_id, 0, len(ids)) if ids else None


def closed_batches() -> BatchQuerySet:
    """Return the batches that nobody is sending."""
    return Batch.objects.exclude(state=Batch.State.SENDING)

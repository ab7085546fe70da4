"""Recovery: closes the batches of earlier epochs; their unanswered targets become unknown."""

import itertools
from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from notifications import reasons
from notifications.models import Batch, Delivery, Notification
from notifications.models.delivery import WORKER_LOST

from ..held import tell_held
from ..lease import Lease
from .results import count

# A notification is held when this many workers in a row have died while sending it, with no answer
# recorded.
MOST_CRASHES = 3
POISON = reasons.WORKERS_DIED % {"count": MOST_CRASHES}


class Recovery:
    """Done once at the beginning of each epoch."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease

    def recover(self, *, in_flight: Collection[int], now: datetime) -> dict[int, int]:
        """Close what earlier epochs left; return how many targets are unknown, by notification.

        `in_flight` are batches that this process is still sending, or whose answers it holds: it
        lost touch with the database and not with FCM, so their results will be written.
        """
        with transaction.atomic():
            self._lease.fence()
            left = Batch.objects.claimed_before(self._lease.epoch).exclude(id__in=in_flight)
            by_notification = itertools.groupby(
                left.order_by("notification_id"), key=lambda batch: batch.notification_id
            )
            # Our own batches are left because the database was away: no worker died.
            died = left.exclude(worker=self._lease.holder)
            crashed = list(died.values_list("notification_id", flat=True).distinct().order_by())
            unknown = {
                notification_id: self._lose(notification_id, list(batches), now=now)
                for notification_id, batches in by_notification
            }
            Notification.objects.filter(id__in=crashed).note_crash()
            return unknown

    def hold_poison(self, *, now: datetime) -> list[int]:
        """Hold the notifications over which one worker after the other died; return their ids.

        Otherwise no other notification would ever be sent.
        """
        poison = Notification.objects.filter(
            state__in=Notification.ACTIVE_STATES, crashes__gte=MOST_CRASHES
        )
        ids = list(poison.order_by("id").values_list("id", flat=True))
        Notification.objects.filter(id__in=ids).hold(reason=POISON, now=now)
        for notification_id in ids:
            tell_held(notification_id, POISON)
        return ids

    @staticmethod
    def _lose(notification_id: int, batches: list[Batch], *, now: datetime) -> int:
        """Mark the batches as lost, and each of their targets without an answer as unknown."""
        list(Notification.objects.select_for_update().filter(id=notification_id))
        targets = {device_id for batch in batches for device_id in batch.targets}
        known = Delivery.objects.of(notification_id, targets)
        retried = known.lose(now=now)
        unheard = targets - set(known.values_list("device_id", flat=True))
        Delivery.objects.bulk_create(
            Delivery(
                notification_id=notification_id,
                device_id=device_id,
                outcome=Delivery.Outcome.UNKNOWN,
                error_code=WORKER_LOST,
                at=now,
            )
            for device_id in sorted(unheard)
        )
        unknown = len(unheard) + retried
        count(notification_id, {"unknown": unknown, "retry": -retried}, now=now)
        Batch.objects.filter(id__in=[batch.id for batch in batches]).lose(now=now)
        return unknown

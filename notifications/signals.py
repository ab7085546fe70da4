"""When a talk is saved, its notification is written with it, and then the worker is woken."""

import logging
from typing import Any

from django.db import transaction
from django.db.models.signals import post_save
from django.dispatch import receiver

from programs.models import Talk
from radiotalk import clock

from . import caps, channel
from .models import Notification

logger = logging.getLogger(__name__)


@receiver(post_save, sender=Talk, dispatch_uid="notify_listeners_of_new_talk")
def notify_listeners(instance: Talk, created: bool, raw: bool, **kwargs: Any) -> None:
    """Write the talk's notification in the talk's transaction; publish once that is committed.

    Fixtures (`raw`) notify nobody. A failing Redis never fails the upload (`robust`): the worker
    looks into the database at every tick.
    """
    if created and not raw:
        now = clock.now()
        objection = caps.objection(instance.program_id, now=now)
        row = Notification.objects.create_for(instance, now=now, objection=objection)
        if row.state == Notification.State.HELD:
            told = {"notification": row.pk, "reason": row.reason}
            logger.warning("notification.held", extra=told)
        # No partial: when a robust callback fails, Django logs its name, which a partial lacks.
        transaction.on_commit(lambda: channel.publish(instance.pk), robust=True)

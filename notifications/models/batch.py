"""Batches: the unit of claiming. A batch remembers exactly which devices a worker claimed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TypeAlias

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class BatchState(models.TextChoices):
    """What a claim has come to.

    sending ──▶ done     every target has its delivery
       └──────▶ lost     the worker went away: a target without a delivery is `unknown`
    """

    SENDING = "sending", _("sending")
    DONE = "done", _("done")
    LOST = "lost", _("lost")


class BatchQuerySet(models.QuerySet["Batch"]):
    def claimed_before(self, epoch: int) -> BatchQuerySet:
        """Return what an earlier holder of the lease claimed and never closed."""
        return self.filter(state=BatchState.SENDING, epoch__lt=epoch)

    def close(self, batch_ids: Iterable[int], *, now: datetime) -> int:
        """Every target has its delivery: sending → done."""
        return self.filter(id__among=batch_ids, state=BatchState.SENDING).update(
            state=BatchState.DONE, finished_at=now
        )

    def lose(self, *, now: datetime) -> int:
        """The worker is gone, with the answers that it had not recorded: sending → lost."""
        return self.filter(state=BatchState.SENDING).update(state=BatchState.LOST, finished_at=now)


class Batch(models.Model):
    """The next few targets of a notification, claimed by one worker before the first byte leaves.

    A claimed batch is never sent again by the machine.
    """

    State: TypeAlias = BatchState

    notification = models.ForeignKey(
        "notifications.Notification",
        verbose_name=_("notification"),
        on_delete=models.CASCADE,
        related_name="batches",
        db_index=False,  # the unique constraint serves it
    )
    after_id = models.BigIntegerField(
        _("after device"),
        null=True,
        blank=True,
        help_text=_("The cursor it was claimed at; empty for a batch of retries."),
    )
    upto_id = models.BigIntegerField(_("up to device"), null=True, blank=True)
    targets = models.JSONField(_("targets"), help_text=_("The device ids that were claimed."))
    size = models.PositiveIntegerField(_("size"))
    state = models.CharField(_("state"), max_length=7, choices=State, default=State.SENDING)
    epoch = models.PositiveBigIntegerField(_("epoch"))
    worker = models.CharField(_("worker"), max_length=200)
    claimed_at = models.DateTimeField(_("claimed at"))
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    objects = BatchQuerySet.as_manager()

    class Meta:
        verbose_name = _("batch")
        verbose_name_plural = _("batches")
        ordering = ["-id"]
        constraints = [
            # No device can be in two first attempts: the cursor moves once from each place.
            models.UniqueConstraint(
                fields=["notification", "after_id"], name="batch_claimed_once_per_cursor"
            ),
        ]
        indexes = [
            # What is in flight (finish) or was left behind by a worker that is gone (recover).
            models.Index(
                fields=["notification"], condition=Q(state="sending"), name="batch_in_flight"
            ),
            # The operators' list of what workers left behind.
            models.Index(fields=["-id"], condition=Q(state="lost"), name="batch_lost"),
        ]

    def __str__(self) -> str:
        return f"{self.notification_id}/{self.id}"

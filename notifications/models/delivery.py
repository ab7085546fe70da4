"""Deliveries: the send log. One row says what became of one target of one notification."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TypeAlias

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from .control import MAX_REASON


class DeliveryOutcome(models.TextChoices):
    """What has become of a target.

    (first attempt) ──▶ sent | simulated | rejected | unknown | abandoned
            └─▶ retry ─┴─▶ the same, or skipped when it is no target any more

    `abandoned`: FCM had not accepted it when the notification ended, or after too many attempts.
    `retry` with `next_attempt_at` waits; without `next_attempt_at` it is being attempted. Only a
    late answer moves `unknown`, or an operator: to `retry` or to `abandoned`. An operator moves
    `rejected` to `retry` where FCM blamed our configuration, not the device.
    """

    SENT = "sent", _("sent")
    SIMULATED = "simulated", _("simulated")
    REJECTED = "rejected", _("rejected")
    RETRY = "retry", _("to be retried")
    UNKNOWN = "unknown", _("unknown")
    ABANDONED = "abandoned", _("abandoned")
    SKIPPED = "skipped", _("skipped")


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def of(self, notification_id: int, device_ids: Collection[int]) -> DeliveryQuerySet:
        """Return what is known of these targets of a notification."""
        return self.filter(notification_id=notification_id, device__in=device_ids)

    def due_for_retry(self, *, now: datetime) -> DeliveryQuerySet:
        """Return the retries whose time has come, the longest waiting first."""
        return self.filter(outcome=DeliveryOutcome.RETRY, next_attempt_at__lte=now).order_by(
            "next_attempt_at", "id"
        )

    def waiting_for_retry(self) -> DeliveryQuerySet:
        """Return the retries that are not claimed, whenever they are due."""
        return self.filter(outcome=DeliveryOutcome.RETRY, next_attempt_at__isnull=False)

    def claim_retry(self) -> int:
        """Claim these for another attempt; without `next_attempt_at` they are not claimed again."""
        return self.waiting_for_retry().update(attempts=F("attempts") + 1, next_attempt_at=None)

    def abandon(self, *, now: datetime) -> int:
        """No attempt will come in time any more: retry (waiting) → abandoned."""
        return self.waiting_for_retry().update(
            outcome=DeliveryOutcome.ABANDONED, next_attempt_at=None, at=now
        )

    def skip(self, *, now: datetime) -> int:
        """The device is no target any more: retry (waiting) → skipped."""
        return self.waiting_for_retry().update(
            outcome=DeliveryOutcome.SKIPPED, next_attempt_at=None, at=now
        )

    def lose(self, *, now: datetime) -> int:
        """The worker went away during the attempt: retry (claimed) → unknown."""
        return self.filter(outcome=DeliveryOutcome.RETRY, next_attempt_at=None).update(
            outcome=DeliveryOutcome.UNKNOWN, error_code=WORKER_LOST, at=now
        )

    def resend(self, *, note: str, now: datetime) -> int:
        """An operator accepts that some devices get it twice: unknown → retry (waiting)."""
        unknown = self.filter(outcome=DeliveryOutcome.UNKNOWN, device__isnull=False)
        return unknown.update(
            outcome=DeliveryOutcome.RETRY, next_attempt_at=now, note=note[:MAX_REASON]
        )

    def give_up_unknown(self, *, note: str) -> int:
        """An operator gives these up: unknown → abandoned."""
        return self.filter(outcome=DeliveryOutcome.UNKNOWN).update(
            outcome=DeliveryOutcome.ABANDONED, note=note[:MAX_REASON]
        )

    def retry_abandoned(self, *, now: datetime) -> int:
        """Attempt again what FCM had never accepted: abandoned → retry (waiting)."""
        return self.abandoned().update(outcome=DeliveryOutcome.RETRY, next_attempt_at=now)

    def retry_misconfigured(self, *, now: datetime | Now) -> int:
        """Attempt again where FCM blamed our configuration: rejected → retry (waiting)."""
        return self.misconfigured().update(outcome=DeliveryOutcome.RETRY, next_attempt_at=now)

    # A note says that an operator has settled a line: FCM may have accepted it, so it stays.

    def abandoned(self) -> DeliveryQuerySet:
        """Return what was given up, and FCM had never accepted."""
        return self.filter(outcome=DeliveryOutcome.ABANDONED, note="", device__isnull=False)

    def misconfigured(self) -> DeliveryQuerySet:
        """Return what FCM refused by mistake of ours, not of the device."""
        refused = self.filter(outcome=DeliveryOutcome.REJECTED, note="", device__isnull=False)
        return refused.exclude(error_code__in=OF_THE_DEVICE)

    # Whose listener was erased.

    def answered(self, *, now: datetime) -> DeliveryQuerySet:
        """Return the lines that no answer can change any more, so that they may lose their device.

        They are final and their notification has ended; or nobody has changed them for long.
        """
        ended = Q(notification__finished_at__isnull=False) & ~Q(outcome__in=OPEN_OUTCOMES)
        old = Q(at__lt=now - LATEST_ANSWER) & ~Q(outcome=DeliveryOutcome.RETRY)
        return self.filter(ended | old)

    def lose_device(self) -> int:
        """Forget which device these lines were for; what waits to be retried keeps it."""
        return self.exclude(outcome=DeliveryOutcome.RETRY).update(device=None)


# Longer than any answer is waited for, also by a worker that stood still meanwhile.
LATEST_ANSWER = timedelta(days=1)

# What a later answer may still change; everything else is final.
OPEN_OUTCOMES = [DeliveryOutcome.RETRY, DeliveryOutcome.UNKNOWN]

# The worker that had claimed the target went away before it recorded an answer.
WORKER_LOST = "WORKER_LOST"

# FCM's codes of a refused device. Whatever else is `rejected` blames our configuration.
OF_THE_DEVICE = ["UNREGISTERED", "SENDER_ID_MISMATCH", "INVALID_ARGUMENT"]


class Delivery(models.Model):
    """What became of one target of one notification."""

    Outcome: TypeAlias = DeliveryOutcome

    # All but what FCM accepted or found valid: few rows of a large log.
    NOT_SENT = [
        Outcome.REJECTED,
        Outcome.RETRY,
        Outcome.UNKNOWN,
        Outcome.ABANDONED,
        Outcome.SKIPPED,
    ]

    OPEN_OUTCOMES = OPEN_OUTCOMES

    notification = models.ForeignKey(
        "notifications.Notification",
        verbose_name=_("notification"),
        on_delete=models.CASCADE,
        related_name="deliveries",
        db_index=False,  # the unique constraint serves it; each index costs in each send
    )
    # The log outlives the device: no constraint in the database, nothing cascades over millions
    # of rows, and an answer for a device that was deleted meanwhile is still recorded.
    # Null once the listener was erased: nothing is attempted again there.
    device = models.ForeignKey(
        "notifications.DeviceToken",
        verbose_name=_("device"),
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        null=True,
        related_name="deliveries",
    )
    outcome = models.CharField(_("outcome"), max_length=9, choices=Outcome)
    message_id = models.CharField(_("FCM's message id"), max_length=255, blank=True)
    error_code = models.CharField(_("error code"), max_length=100, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=1)
    unreached = models.PositiveSmallIntegerField(
        _("of these unreached"), default=0, help_text=_("Attempts of which nothing left.")
    )
    next_attempt_at = models.DateTimeField(_("next attempt at"), null=True, blank=True)
    at = models.DateTimeField(_("at"))
    note = models.CharField(
        _("note"), max_length=MAX_REASON, blank=True, help_text=_("Who settled it, and why.")
    )

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["notification", "device"], name="delivery_once_per_notification_and_device"
            ),
        ]
        indexes = [
            # Which retries are due; and whether a notification has any left.
            models.Index(
                fields=["notification", "next_attempt_at"],
                condition=Q(outcome="retry"),
                name="delivery_to_retry",
            ),
            # The operators' list of what cannot be known, and its settling.
            models.Index(
                fields=["notification", "id"],
                condition=Q(outcome="unknown"),
                name="delivery_unknown",
            ),
            # The operators' log by outcome, and what went wrong, in groups. (The two outcomes that
            # the worker asks for have indexes of their own, and it shall use those.)
            models.Index(
                fields=["outcome", "-notification", "-device"],
                condition=Q(outcome__in=["rejected", "abandoned", "skipped"]),
                name="delivery_ended_unsent",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.notification_id} → {self.device_id}: {self.get_outcome_display()}"

"""How much went out in each minute: what charts read instead of counting the send log."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import models
from django.db.models import F
from django.utils.translation import gettext_lazy as _

# No chart shows older minutes; each new minute deletes them.
KEPT = timedelta(days=7)


class SendingMinuteQuerySet(models.QuerySet["SendingMinute"]):
    def add(self, answers: Mapping[str, int], *, now: datetime) -> None:
        """Count these answers, by outcome, into the minute of `now`."""
        counts = {name: answers.get(name, 0) for name in SendingMinute.COUNTED}
        counts["other"] = sum(answers.values()) - sum(counts.values())
        minute = now.replace(second=0, microsecond=0)
        more = {name: F(name) + count for name, count in counts.items() if count}
        if more and not self.filter(minute=minute).update(**more):
            # A worker that lost its lease may be recording its late answers at the same time.
            self.bulk_create([SendingMinute(minute=minute)], ignore_conflicts=True)
            self.filter(minute=minute).update(**more)
            self.filter(minute__lt=now - KEPT).delete()


class SendingMinute(models.Model):
    """The answers that were recorded in one minute."""

    COUNTED = ("sent", "simulated", "rejected", "unknown")

    minute = models.DateTimeField(_("minute"), unique=True)
    sent = models.PositiveIntegerField(_("sent"), default=0)
    simulated = models.PositiveIntegerField(_("simulated"), default=0)
    rejected = models.PositiveIntegerField(_("rejected"), default=0)
    unknown = models.PositiveIntegerField(_("unknown"), default=0)
    other = models.PositiveIntegerField(_("other"), default=0)

    objects = SendingMinuteQuerySet.as_manager()

    class Meta:
        verbose_name = _("minute of sending")
        verbose_name_plural = _("minutes of sending")

    def __str__(self) -> str:
        return f"{self.minute:%Y-%m-%d %H:%M}"

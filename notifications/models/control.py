"""What steers the sending: the operators' switch, and the lease of the one active worker."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Greatest, Now
from django.utils.translation import gettext_lazy as _

from accounts.who import MAX_NAME, Who
from radiotalk import clock

from .compiled import Select

MAX_REASON = 500  # characters
# The active worker renews its lease every half a second, and a standby announces itself every few
# seconds: one that has been silent for so long is taken for dead.
SILENT_AFTER = timedelta(seconds=30)
MAX_LIVE_MINUTES = 7 * 24 * 60  # an operator who wants longer goes live again


class SendingSwitchManager(models.Manager["SendingSwitch"]):
    def current(self) -> SendingSwitch:
        """Return the switch; until somebody has changed it, that is a dry run."""
        rows = CURRENT()  # asked by each claim
        return SendingSwitch.from_db(self.db, SWITCH_FIELDS, rows[0]) if rows else SendingSwitch()

    def change(
        self, *, changed_by: str, now: datetime, reason: str, **values: Any
    ) -> SendingSwitch:
        """Return the switch after setting `values`, with who did so, when and why.

        The reason of a pause has a field of its own, so that the reason for going live is kept.
        """
        why = {"reason" if "mode" in values else "paused_reason": reason}
        switch, _created = self.update_or_create(
            pk=SendingSwitch.ONLY_PK,
            defaults={**values, **why, "changed_by": changed_by, "changed_at": now},
        )
        return switch


class SendingSwitch(models.Model):
    """The operators' switch: one row that says whether anything may really be sent."""

    ONLY_PK = 1

    class Mode(models.TextChoices):
        DRY_RUN = "dry_run", _("dry run")
        LIVE = "live", _("live")

    id = models.PositiveSmallIntegerField(primary_key=True, default=ONLY_PK, editable=False)
    mode = models.CharField(_("mode"), max_length=7, choices=Mode, default=Mode.DRY_RUN)
    paused = models.BooleanField(
        _("paused"), default=False, help_text=_("Nothing new is claimed; nothing is lost.")
    )
    reason = models.CharField(_("reason"), max_length=MAX_REASON, blank=True)
    paused_reason = models.CharField(_("paused because"), max_length=MAX_REASON, blank=True)
    changed_by = models.CharField(_("changed by"), max_length=MAX_NAME, blank=True)
    changed_at = models.DateTimeField(_("changed at"), default=clock.by_default)
    live_until = models.DateTimeField(
        _("live until"), null=True, blank=True, help_text=_("Then it is a dry run again.")
    )
    live_by = models.CharField(_("live because of"), max_length=MAX_NAME, blank=True)
    # The account, since a name can be given to somebody else; none where a command named none.
    live_by_id = models.BigIntegerField(null=True, editable=False)
    max_audience = models.PositiveIntegerField(
        _("largest audience"),
        null=True,
        blank=True,
        help_text=_("A larger one is held until somebody else releases it."),
    )

    objects = SendingSwitchManager()

    class Meta:
        verbose_name = _("sending switch")
        verbose_name_plural = _("sending switch")
        permissions = [
            ("go_live", "Can go live"),
            ("set_dry_run", "Can turn back to dry run"),
            ("pause_sending", "Can pause sending"),
            ("resume_sending", "Can resume sending"),
            ("switch_program", "Can set a program to dry run, or back"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="sending_switch_is_one_row"),
        ]

    def __str__(self) -> str:
        return str(self.get_mode_display())

    @property
    def live_because_of(self) -> Who:
        """Return who went live last."""
        return Who(self.live_by or self.changed_by, self.live_by_id)

    def is_live(self, *, now: datetime) -> bool:
        """Return whether the operators' switch says live at `now`."""
        return self.mode == self.Mode.LIVE and (self.live_until is None or now < self.live_until)

    def live_seconds(self, *, now: datetime) -> float:
        """Return for how long it says live from `now` on: 0 for a dry run, infinity for no end."""
        if not self.is_live(now=now):
            return 0.0
        return (self.live_until - now).total_seconds() if self.live_until else math.inf


SWITCH_FIELDS = [field.attname for field in SendingSwitch._meta.concrete_fields]
CURRENT = Select(lambda: SendingSwitch.objects.values_list(*SWITCH_FIELDS))


class WorkerLeaseQuerySet(models.QuerySet["WorkerLease"]):
    """The moves of the lease, on the database's clock: hosts need not agree on the time."""

    def held(self) -> WorkerLease | None:
        """Return the lease with its holder (it may have expired), None when it is free."""
        return self.exclude(holder="").first()

    def acquire(self, *, holder: str, ttl: timedelta, settings: dict[str, Any]) -> int:
        """Take a lease that is free, expired or the taker's own; each taking raises its epoch.

        `settings` are the taker's, for people to see; those of the holder before are kept.
        """
        return self.filter(Q(holder__in=["", holder]) | Q(expires_at__lte=Now())).update(
            holder=holder,
            epoch=F("epoch") + 1,
            expires_at=Now() + ttl,
            heartbeat_at=Now(),
            acquired_at=Now(),
            settings=settings,
            settings_before=F("settings"),
            turnaround_median=None,
            turnaround_p99=None,
            fcm_away_seconds=None,
            fcm_away_code="",
        )

    def renew(self, *, holder: str, epoch: int, ttl: timedelta, **figures: Any) -> int:
        """Keep a lease that nobody took meanwhile, and show these figures of its worker."""
        return self.filter(holder=holder, epoch=epoch).update(
            expires_at=Now() + ttl, heartbeat_at=Now(), **figures
        )

    def give_back(self, *, holder: str, epoch: int) -> int:
        """Free the lease at once."""
        return self.filter(holder=holder, epoch=epoch).update(holder="", expires_at=Now())

    def knowing(self, *, epoch: Any, commits: Any) -> WorkerLeaseQuerySet:
        """Return the lease unless it was put back behind these, as no worker ever moves it."""
        return self.filter(epoch__gte=epoch, commits__gte=commits, remembered_epoch=None)

    def distrust(self, *, epoch: int) -> int:
        """Give the lease to nobody any more: a worker remembers this epoch, or more within it."""
        remembered = Greatest(Coalesce("remembered_epoch", 0), epoch)
        return self.update(remembered_epoch=remembered)

    def trust_again(self, *, leap: int) -> int:
        """Free the lease, further on than any worker has seen it before the database was put back.

        A worker that is still of that time finds that its epoch is over.
        """
        return self.update(
            holder="",
            expires_at=Now(),
            epoch=Greatest("epoch", Coalesce("remembered_epoch", 0)) + leap,
            commits=F("commits") + leap,
            remembered_epoch=None,
        )


class WorkerLease(models.Model):
    """Proof of being the one active worker; its epoch fences off every earlier holder."""

    name = models.CharField(_("name"), max_length=50, unique=True)
    holder = models.CharField(_("holder"), max_length=200, blank=True)
    epoch = models.PositiveBigIntegerField(_("epoch"), default=0)
    expires_at = models.DateTimeField(_("expires at"), default=clock.by_default)
    heartbeat_at = models.DateTimeField(_("heartbeat at"), null=True, blank=True)
    acquired_at = models.DateTimeField(_("acquired at"), null=True, blank=True)
    commits = models.PositiveBigIntegerField(
        _("commits"),
        default=0,
        db_default=0,
        help_text=_("Transactions under this lease so far. They only grow, unless it is restored."),
    )
    remembered_epoch = models.PositiveBigIntegerField(
        _("epoch that a worker remembers"),
        null=True,
        blank=True,
        help_text=_("While it is set nobody gets the lease: the database seems to be restored."),
    )
    turnaround_median = models.FloatField(
        _("turn-around, median"),
        null=True,
        blank=True,
        help_text=_("Seconds for which a stream to FCM stood idle lately, with more to send."),
    )
    turnaround_p99 = models.FloatField(_("turn-around, 99th percentile"), null=True, blank=True)
    fcm_away_seconds = models.FloatField(
        _("FCM away"),
        null=True,
        blank=True,
        help_text=_("For how many seconds FCM has not been reached, or has had no credentials."),
    )
    fcm_away_code = models.CharField(
        _("FCM away because"), max_length=100, blank=True, db_default=""
    )

    settings = models.JSONField(_("settings"), null=True, blank=True)
    settings_before = models.JSONField(
        _("settings before"), null=True, blank=True, help_text=_("Of the holder before this one.")
    )

    objects = WorkerLeaseQuerySet.as_manager()

    class Meta:
        verbose_name = _("worker lease")
        verbose_name_plural = _("worker leases")

    def __str__(self) -> str:
        return f"{self.name}: {self.holder or '–'}"

    @property
    def shows_a_key(self) -> bool:
        """Return whether the worker that has, or had, the lease shows the key by which it sends."""
        return bool((self.settings or {}).get("KEY"))


class StandbyQuerySet(models.QuerySet["Standby"]):
    def alive(self) -> StandbyQuerySet:
        """Return those that have given a sign of life lately, on the database's clock."""
        return self.filter(heartbeat_at__gt=Now() - SILENT_AFTER)

    def announce(self, *, holder: str, settings: dict[str, Any] | None = None) -> None:
        """Say that this worker waits, and with which settings, on the database's clock."""
        if not self.filter(holder=holder).update(heartbeat_at=Now(), settings=settings):
            self.create(holder=holder, since=Now(), heartbeat_at=Now(), settings=settings)

    def withdraw(self, *, holder: str) -> None:
        """Say that this worker waits no more, and delete the standbys that were forgotten."""
        gone = Q(heartbeat_at__lte=Now() - STANDBY_FORGOTTEN)
        self.filter(Q(holder=holder) | gone).delete()


# A standby that has been silent for so long is forgotten: nobody wants to know of it any more.
STANDBY_FORGOTTEN = timedelta(hours=1)


class Standby(models.Model):
    """A worker that waits for the lease. People see it; nothing is decided by it."""

    holder = models.CharField(_("worker"), max_length=200, unique=True)
    since = models.DateTimeField(_("since"))
    heartbeat_at = models.DateTimeField(_("heartbeat at"))
    settings = models.JSONField(_("settings"), null=True, blank=True)

    objects = StandbyQuerySet.as_manager()

    class Meta:
        verbose_name = _("standby")
        verbose_name_plural = _("standbys")

    def __str__(self) -> str:
        return self.holder

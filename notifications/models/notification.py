"""Notifications: what a posted talk owes its listeners, and how far that has come."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from notifications import reasons

from .batch import Batch
from .control import MAX_REASON
from .delivery import Delivery

if TYPE_CHECKING:
    from programs.models import Talk


class NotificationQuerySet(models.QuerySet["Notification"]):
    """The transitions; each returns how many notifications it moved."""

    def create_for(self, talk: Talk, *, now: datetime) -> Notification:
        """Return the new notification of `talk`, `pending`, or `expired` when the talk is old.

        An old talk (an import, a message of another producer) must not be announced late.
        """
        too_old = talk.posted_at < now - max_age()
        return self.create(
            talk=talk,
            title=talk.program.title,
            body=talk.title,
            cutoff=now,
            created_at=now,
            state=Notification.State.EXPIRED if too_old else Notification.State.PENDING,
            finished_at=now if too_old else None,
            reason=reasons.TALK_TOO_OLD if too_old else "",
        )

    def start(self, *, dry_run: bool, reason: str, epoch: int, now: datetime) -> int:
        """Freeze how it is sent: pending → sending."""
        return self.filter(state=Notification.State.PENDING).update(
            state=Notification.State.SENDING,
            dry_run=dry_run,
            reason=reason[:MAX_REASON],
            epoch=epoch,
            started_at=now,
        )

    def hold(
        self, *, reason: str, now: datetime, live_by: str | None = None, brake: str = ""
    ) -> int:
        """Stop until an operator has looked: pending, sending → held.

        With `live_by` it needs the approval of somebody else than who went live.
        """
        return self.filter(state__in=Notification.ACTIVE_STATES).update(
            state=Notification.State.HELD,
            reason=reason[:MAX_REASON],
            needs_approval=live_by is not None,
            live_by=live_by or "",
            **stopped(now),
            **({"brake": brake} if brake else {}),
        )

    def release(self, *, reason: str, approved_by: str = "") -> int:
        """Go on where it stopped: held → sending, or pending when it had not started."""
        held = self.filter(state=Notification.State.HELD)
        values: dict[str, Any] = {
            "reason": reason[:MAX_REASON],
            "approved_by": approved_by,
            "needs_approval": False,
            "crashes": 0,
            **GOING_ON,
        }
        started = held.filter(started_at__isnull=False).update(
            state=Notification.State.SENDING, **values
        )
        pending = held.filter(started_at=None).update(state=Notification.State.PENDING, **values)
        return started + pending

    def reopen(self, *, reason: str) -> int:
        """Something of it is to be attempted again: done → sending; the rest stays as it is."""
        return self.filter(state=Notification.State.DONE).update(
            state=Notification.State.SENDING, reason=reason[:MAX_REASON], finished_at=None
        )

    def note_stop(self, *, now: datetime) -> int:
        """Remember how far those that are being sent had come when the operators stopped all."""
        return self.filter(state=Notification.State.SENDING).update(**stopped(now))

    def note_going_on(self) -> int:
        """Forget the stop of those that are being sent again."""
        return self.filter(state=Notification.State.SENDING).update(**GOING_ON)

    def note_crash(self) -> int:
        """A worker died while it was sending these; an answer that is recorded starts anew."""
        return self.filter(state=Notification.State.SENDING).update(crashes=F("crashes") + 1)

    def finish(self, *, now: datetime) -> int:
        """Close those with nothing in flight and nothing to retry: sending → done."""
        in_flight = Batch.objects.filter(notification=OuterRef("pk"), state=Batch.State.SENDING)
        to_retry = Delivery.objects.filter(
            notification=OuterRef("pk"), outcome=Delivery.Outcome.RETRY
        )
        with transaction.atomic():
            # Locked by a statement of its own: one that had to wait for the lock would judge the
            # other tables as they were before it waited (READ COMMITTED), and miss a retry.
            list(self.order_by("id").select_for_update().values_list("id"))
            return (
                self.filter(state=Notification.State.SENDING)
                .exclude(Exists(in_flight))
                .exclude(Exists(to_retry))
                .update(state=Notification.State.DONE, finished_at=now)
            )

    def cancel(self, *, reason: str, now: datetime) -> int:
        """Send no more of it: pending, sending, held → cancelled."""
        return self._give_up(
            Notification.State.CANCELLED,
            among=[*Notification.ACTIVE_STATES, Notification.State.HELD],
            reason=reason,
            now=now,
        )

    def expire(self, *, reason: str, now: datetime) -> int:
        """Send no more of it, since it would come too late: pending, sending → expired."""
        return self._give_up(
            Notification.State.EXPIRED, among=Notification.ACTIVE_STATES, reason=reason, now=now
        )

    def _give_up(
        self,
        state: Notification.State,
        *,
        among: list[Notification.State],
        reason: str,
        now: datetime,
    ) -> int:
        """End these early; what waited to be retried is abandoned in the same transaction."""
        with transaction.atomic():
            rows = self.filter(state__in=among).order_by("id").select_for_update()
            ids = list(rows.values_list("id", flat=True))
            for notification_id in ids:
                self.model.objects.filter(id=notification_id).abandon_retries(now=now)
            return self.model.objects.filter(id__in=ids).update(
                state=state, reason=reason[:MAX_REASON], finished_at=now, **stopped(now)
            )

    def abandon_retries(self, *, now: datetime) -> int:
        """Give up this one notification's waiting retries, and return how many there were."""
        abandoned = Delivery.objects.filter(notification__in=self).abandon(now=now)
        self.update(
            retry_count=F("retry_count") - abandoned,
            abandoned_count=F("abandoned_count") + abandoned,
        )
        return abandoned


# What a notification that goes on again has forgotten.
GOING_ON: dict[str, None] = {"stopped_at": None, "sent_at_stop": None}


def stopped(now: datetime) -> dict[str, Any]:
    """Return what remembers the first stop, so that what went out after it can be told."""
    return {
        "stopped_at": Coalesce("stopped_at", now),
        "sent_at_stop": Coalesce("sent_at_stop", F("sent_count") + F("simulated_count")),
    }


def max_age() -> timedelta:
    """Return how old a notification may be and still be sent."""
    return timedelta(seconds=settings.NOTIFICATIONS_MAX_AGE)


class Notification(models.Model):
    """What a posted talk owes its listeners. Written in the transaction that writes the talk.

    pending ──▶ sending ──▶ done
       │  ▲      │   ▲
       │  └─held─┤───┘        held: an operator looks, then releases or cancels
       ▼    ▲    ▼
    (pending, sending or held) ──▶ cancelled       (pending, sending) ──▶ expired
    """

    class State(models.TextChoices):
        PENDING = "pending", _("pending")
        SENDING = "sending", _("sending")
        DONE = "done", _("done")
        HELD = "held", _("held")
        CANCELLED = "cancelled", _("cancelled")
        EXPIRED = "expired", _("expired")

    # The worker's business; everything else waits for an operator or is history.
    ACTIVE_STATES = [State.PENDING, State.SENDING]

    # Nothing more is sent of it.
    ENDED_STATES = [State.DONE, State.CANCELLED, State.EXPIRED]

    talk = models.OneToOneField(
        "programs.Talk",
        verbose_name=_("talk"),
        on_delete=models.SET_NULL,
        null=True,
        related_name="notification",
    )
    state = models.CharField(_("state"), max_length=9, choices=State, default=State.PENDING)
    dry_run = models.BooleanField(
        _("dry run"), null=True, help_text=_("Decided and frozen when its sending starts.")
    )
    title = models.CharField(_("title"), max_length=200)
    body = models.CharField(_("text"), max_length=200)
    cutoff = models.DateTimeField(
        _("cutoff"),
        default=timezone.now,
        help_text=_("Devices registered later are no targets."),
    )
    cursor = models.BigIntegerField(
        _("cursor"), default=0, help_text=_("The last device id that was claimed.")
    )
    epoch = models.PositiveBigIntegerField(
        _("epoch"), default=0, help_text=_("Of the lease under which it was last claimed from.")
    )
    audience_count = models.PositiveIntegerField(
        _("audience"), null=True, help_text=_("How many targets there were when it started.")
    )
    target_count = models.PositiveIntegerField(_("targets claimed"), default=0)
    sent_count = models.PositiveIntegerField(_("sent"), default=0)
    simulated_count = models.PositiveIntegerField(_("simulated"), default=0)
    rejected_count = models.PositiveIntegerField(_("rejected"), default=0)
    retry_count = models.PositiveIntegerField(_("to be retried"), default=0)
    unknown_count = models.PositiveIntegerField(_("unknown"), default=0)
    abandoned_count = models.PositiveIntegerField(_("abandoned"), default=0)
    skipped_count = models.PositiveIntegerField(_("skipped"), default=0)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    first_sent_at = models.DateTimeField(_("first sent at"), null=True, blank=True)
    last_sent_at = models.DateTimeField(_("last sent at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=MAX_REASON, blank=True)
    stopped_at = models.DateTimeField(
        _("stopped at"), null=True, blank=True, help_text=_("When nothing more was to be claimed.")
    )
    sent_at_stop = models.PositiveIntegerField(_("sent when it was stopped"), null=True, blank=True)
    needs_approval = models.BooleanField(
        _("needs approval"),
        default=False,
        help_text=_("Held for somebody else than who went live: its audience is too large."),
    )
    live_by = models.CharField(
        _("not to be approved by"),
        max_length=200,
        blank=True,
        help_text=_("Who had gone live when it was held for its audience."),
    )
    approved_by = models.CharField(_("approved by"), max_length=200, blank=True)
    brake = models.CharField(
        _("brake"),
        max_length=20,
        blank=True,
        help_text=_("The refusals that held it. Released, it is not held for them again."),
    )
    pruned_at = models.DateTimeField(
        _("pruned at"),
        null=True,
        blank=True,
        help_text=_("Since then its send log is no longer complete."),
    )
    crashes = models.PositiveSmallIntegerField(
        _("crashes"),
        default=0,
        help_text=_("Workers that died in a row while sending it, without an answer recorded."),
    )

    objects = NotificationQuerySet.as_manager()

    class Meta:
        verbose_name = _("notification")
        verbose_name_plural = _("notifications")
        ordering = ["-id"]
        permissions = [
            ("cancel_notification", "Can cancel notification"),
            ("hold_notification", "Can hold notification"),
            ("release_notification", "Can release notification"),
            ("retry_failed", "Can retry what failed"),
            ("settle_unknown", "Can settle what is unknown"),
        ]
        indexes = [
            # The worker's look for what is due, a few rows among all that ever were.
            models.Index(
                fields=["id"],
                condition=Q(state__in=["pending", "sending"]),
                name="notification_active",
            ),
            # The admin's list of one state, newest first; how many are in each open one.
            models.Index(fields=["state", "-id"], name="notification_by_state"),
            # What a person has to settle: the banner of every page asks.
            models.Index(
                fields=["id"], condition=Q(unknown_count__gt=0), name="notification_in_doubt"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.title}: {self.body}"

    def counts(self) -> dict[str, int]:
        """Return how many targets were claimed, and what became of them."""
        names = ["target", *Delivery.Outcome.values]
        return {name: getattr(self, f"{name}_count") for name in names}

    @property
    def sent_after_stop(self) -> int:
        """Return how many were recorded as sent after the stop: what was in flight then."""
        if self.sent_at_stop is None:
            return 0
        return self.sent_count + self.simulated_count - self.sent_at_stop

    @property
    def unclaimed_count(self) -> int | None:
        """Return how many of the audience were not claimed, None when it was never counted."""
        if self.audience_count is None:
            return None
        return max(self.audience_count - self.target_count, 0)

"""Notifications: what a posted talk owes its listeners, and how far that has come."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.who import MAX_NAME
from notifications import reasons
from programs.invisible import as_title
from radiotalk import clock

from . import transitions
from .control import MAX_REASON
from .delivery import Delivery
from .random_word import RandomWord
from .transitions import State

if TYPE_CHECKING:
    from programs.models import Talk


class NotificationQuerySet(transitions.Transitions):
    def create_for(self, talk: Talk, *, now: datetime, objection: str | None) -> Notification:
        """Return the new notification of `talk`: `pending`, or `held` for an `objection`.

        It is `expired` when the talk is old: an old talk (an import, a message of another producer)
        must not be announced late.
        """
        first: dict[str, Any]
        if talk.posted_at < now - max_age():
            first = {"state": State.EXPIRED, "reason": reasons.TALK_TOO_OLD, "finished_at": now}
        elif objection:
            stop = {"stopped_at": now, "sent_at_stop": 0}
            first = {"state": State.HELD, "reason": objection, **stop}
        else:
            first = {"state": State.PENDING, "counted_for": talk.program_id}
        return self.create(
            talk=talk,
            title=as_title(talk.program.title),
            body=as_title(talk.title),
            cutoff=now,
            created_at=now,
            **first,
        )

    def erase_texts(self) -> int:
        """Forget what these said; return how many there are."""
        return self.exclude(title="", body="").update(title="", body="")

    def counted_since(self, start: datetime, *, program_id: int) -> NotificationQuerySet:
        """Return what counts for the program's caps since then, newest first."""
        counted = self.filter(counted_for=program_id, created_at__gt=start)
        return counted.order_by("-created_at")


def max_age() -> timedelta:
    """Return how old a notification may be and still be sent."""
    return timedelta(seconds=settings.NOTIFICATIONS_MAX_AGE)


class Notification(models.Model):
    """What a posted talk owes its listeners. Written in the transaction that writes the talk."""

    State: TypeAlias = transitions.State
    ACTIVE_STATES = transitions.ACTIVE_STATES
    OPEN_STATES = transitions.OPEN_STATES
    ENDED_STATES = transitions.ENDED_STATES

    talk = models.OneToOneField(
        "programs.Talk",
        verbose_name=_("talk"),
        on_delete=models.SET_NULL,
        null=True,
        related_name="notification",
    )
    tag = models.CharField(
        _("tag"),
        max_length=64,  # bytes: APNs takes no longer collapse id
        db_default=RandomWord(),
        editable=False,
        help_text=_("What devices know it by. Numbers repeat after a restore, and this does not."),
    )
    state = models.CharField(_("state"), max_length=9, choices=State, default=State.PENDING)
    dry_run = models.BooleanField(
        _("dry run"), null=True, help_text=_("Decided and frozen when its sending starts.")
    )
    title = models.CharField(_("title"), max_length=200)
    body = models.CharField(_("text"), max_length=200)
    cutoff = models.DateTimeField(
        _("cutoff"),
        default=clock.by_default,
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
    created_at = models.DateTimeField(_("created at"), default=clock.by_default)
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    first_sent_at = models.DateTimeField(_("first sent at"), null=True, blank=True)
    last_sent_at = models.DateTimeField(_("last sent at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=MAX_REASON, blank=True)
    stopped_at = models.DateTimeField(
        _("stopped at"), null=True, blank=True, help_text=_("When nothing more was to be claimed.")
    )
    # When it was last let go on, by its own release or by the end of a pause.
    released_at = models.DateTimeField(null=True, editable=False)
    sent_at_stop = models.PositiveIntegerField(_("sent when it was stopped"), null=True, blank=True)
    needs_approval = models.BooleanField(
        _("needs approval"),
        default=False,
        help_text=_("Held until somebody else approves it: its audience is large."),
    )
    live_by = models.CharField(
        _("not to be approved by"),
        max_length=MAX_NAME,
        blank=True,
        help_text=_("Who had gone live, or wanted it sent again, when it was held."),
    )
    approved_by = models.CharField(_("approved by"), max_length=MAX_NAME, blank=True)
    # The accounts of those two, and of who asked for its release by a command: these are compared.
    live_by_id = models.BigIntegerField(null=True, editable=False)
    approved_by_id = models.BigIntegerField(null=True, editable=False)
    asked_by_id = models.BigIntegerField(null=True, editable=False)
    brake = models.CharField(
        _("brakes"),
        max_length=60,
        blank=True,
        help_text=_("The answers that held it. Released, it is not held for them again."),
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
    # The program for whose caps it counts. Null for one that the caps held, or that was too old.
    # No foreign key: it counts when its talk is deleted, too, and a deleted program has no caps.
    counted_for = models.BigIntegerField(null=True, editable=False)

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
        constraints = [
            models.UniqueConstraint(fields=["tag"], name="notification_tag_is_unique"),
        ]
        indexes = [
            # The worker's look for what is due: a few rows of a large table.
            models.Index(
                fields=["id"],
                condition=Q(state__in=["pending", "sending"]),
                name="notification_active",
            ),
            # The admin's list of one state, newest first; how many are in each open one.
            models.Index(fields=["state", "-id"], name="notification_by_state"),
            # The caps: what a program announced lately, newest first.
            models.Index(
                fields=["counted_for", "-created_at"],
                condition=Q(counted_for__isnull=False),
                name="notification_counted",
            ),
            # What a person has to settle: the banner on every page of the desk asks.
            models.Index(
                fields=["id"], condition=Q(unknown_count__gt=0), name="notification_in_doubt"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.shown_title}: {self.shown_body}"

    @property
    def shown_title(self) -> str:
        """Return the title for people; once it was erased, that it was."""
        return self.title or gettext("(erased)")

    @property
    def shown_body(self) -> str:
        """Return the text for people; once it was erased, that it was."""
        return self.body or gettext("(erased)")

    @property
    def waits_since(self) -> datetime:
        """Return when it was posted or last let go on; a pending one has waited since then."""
        return self.released_at or self.created_at

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

    @property
    def unsent_count(self) -> int | None:
        """Return how many of the audience wait or, once it has ended, were given up.

        Return None when the audience was never counted.
        """
        if self.unclaimed_count is None:
            return None
        has_ended = self.state in self.ENDED_STATES
        return self.unclaimed_count + (self.abandoned_count if has_ended else self.retry_count)

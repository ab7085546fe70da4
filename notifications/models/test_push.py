"""Test pushes: an operator's act that the worker carries out, one row and one POST each."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypeAlias

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts.who import MAX_NAME

# A test that comes much later confuses: one that no worker has taken by then is never sent.
TAKEN_WITHIN = timedelta(minutes=2)


class TestPushState(models.TextChoices):
    """How far a test has come.

    requested ──▶ claimed ──▶ sent, rejected or unknown    what FCM said
                     └──────▶ unknown                      the worker went away

    One that no worker takes within TAKEN_WITHIN stays `requested`.
    """

    REQUESTED = "requested", _("requested")
    CLAIMED = "claimed", _("claimed")
    SENT = "sent", _("sent")
    REJECTED = "rejected", _("rejected")
    UNKNOWN = "unknown", _("unknown")


class TestPushQuerySet(models.QuerySet["TestPush"]):
    def waiting(self) -> TestPushQuerySet:
        """Return what a worker may claim, the oldest first; a device that moved gets nothing."""
        return self.filter(
            state=TestPushState.REQUESTED,
            requested_at__gt=Now() - TAKEN_WITHIN,
            device__user=F("by_id"),
        ).order_by("requested_at")

    def claim(self, *, epoch: int, now: datetime) -> int:
        """A worker is about to send it: requested → claimed."""
        return self.filter(state=TestPushState.REQUESTED).update(
            state=TestPushState.CLAIMED, epoch=epoch, claimed_at=now
        )

    def answer(self, state: TestPushState, *, code: str, now: datetime) -> int:
        """Note what FCM said: claimed → its end; a late answer replaces `unknown`."""
        return self.filter(state__in=[TestPushState.CLAIMED, TestPushState.UNKNOWN]).update(
            state=state, code=code, answered_at=now
        )

    def claimed_before(self, epoch: int) -> TestPushQuerySet:
        """Return what an earlier holder of the lease claimed, and noted no answer of."""
        return self.filter(state=TestPushState.CLAIMED, epoch__lt=epoch)


class TestPush(models.Model):
    """A real push to a device of the operator's own, in a dry run and in a pause as well.

    The desk writes the row in the act's transaction; the worker claims it before the first byte,
    and never sends it again.
    """

    State: TypeAlias = TestPushState

    # The form's number, as in AnsweredForm: one answer is one row, and one POST at most.
    id = models.UUIDField(_("form"), primary_key=True)
    device = models.ForeignKey(
        "notifications.DeviceToken",
        verbose_name=_("device"),
        on_delete=models.CASCADE,
        related_name="tests",
    )
    by = models.CharField(_("by"), max_length=MAX_NAME)
    # The account, since a name can be given to somebody else; without one nothing is sent.
    by_id = models.BigIntegerField(null=True, editable=False)
    text = models.CharField(_("text"), max_length=500)
    requested_at = models.DateTimeField(_("requested at"))
    state = models.CharField(
        _("state"), max_length=9, choices=State, default=TestPushState.REQUESTED
    )
    epoch = models.PositiveBigIntegerField(_("epoch"), null=True, blank=True)
    claimed_at = models.DateTimeField(_("claimed at"), null=True, blank=True)
    answered_at = models.DateTimeField(_("answered at"), null=True, blank=True)
    code = models.CharField(_("error code"), max_length=100, blank=True)

    objects = TestPushQuerySet.as_manager()

    class Meta:
        verbose_name = _("test push")
        verbose_name_plural = _("test pushes")
        indexes = [
            # What the worker looks for at each tick, and at the beginning of an epoch.
            models.Index(
                fields=["state", "requested_at"],
                condition=Q(state__in=["requested", "claimed"]),
                name="test_push_open",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)

    def is_given_up(self, *, now: datetime) -> bool:
        """Return whether no worker has taken it, and none will."""
        return self.state == self.State.REQUESTED and now >= self.requested_at + TAKEN_WITHIN

    @property
    def is_going_on(self) -> bool:
        """Return whether nothing has come of it yet; it may have been given up."""
        return self.state in (self.State.REQUESTED, self.State.CLAIMED)

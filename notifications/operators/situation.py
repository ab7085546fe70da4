"""How the sending stands at one moment: what steers it, and what is open."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import OperationalError
from django.db.models import Count, Min, Q, Sum
from django.utils.translation import gettext as _

from notifications import locks, policy, reasons
from notifications.database_errors import waited_too_long
from notifications.models import Notification, SendingSwitch, WorkerLease
from notifications.models.control import SILENT_AFTER
from notifications.models.transitions import WAITS_SINCE, Transitions

State = Notification.State


@dataclass(frozen=True, slots=True)
class Situation:
    """What steers the sending at one moment: switch, what policy makes of it, and worker."""

    switch: SendingSwitch
    decision: policy.Decision
    lease: WorkerLease | None  # None until there has been a worker
    now: datetime

    @property
    def holder(self) -> WorkerLease | None:
        """Return the lease with its holder (who may have fallen silent), None when it is free."""
        return self.lease if self.lease and self.lease.holder else None

    @property
    def silence(self) -> timedelta | None:
        """Return how long ago a worker gave its last sign of life, None when that is not long.

        None as well when there has never been a worker.
        """
        if self.lease is None or self.lease.heartbeat_at is None:
            return None
        ago = self.now - self.lease.heartbeat_at
        return ago if ago > SILENT_AFTER else None

    @property
    def worker_is_silent(self) -> bool:
        """Return whether the holder of the lease has not renewed it for long."""
        return self.holder is not None and self.silence is not None

    @property
    def is_restored(self) -> bool:
        """Return whether a worker has found the database put back, and nobody has acted on it."""
        return self.lease is not None and self.lease.remembered_epoch is not None

    @property
    def verdict(self) -> str:
        """Return what happens to a talk posted now: the end of a sentence about the talk."""
        if self.is_restored:
            return _("waits: the database was put back to an earlier state")
        if self.switch.paused:
            return _("waits: sending is paused")
        if self.holder is None:
            return _("waits: no worker is active")
        if self.worker_is_silent:
            return _("waits: the worker %(worker)s has fallen silent") % {
                "worker": self.holder.holder
            }
        if self.decision.dry_run:
            return _("is validated by FCM and reaches nobody")
        return _("is sent to everybody")

    @property
    def because(self) -> str:
        """Return why that would happen."""
        if self.is_restored:
            return _("Run: manage.py sending restored --reason TEXT")
        if self.switch.paused:
            return self.switch.paused_reason or _("The sending switch is paused.")
        if self.holder is None or self.worker_is_silent:
            return _("Start a worker: manage.py listen_notifications --standby")
        return reasons.said(self.decision.reason)


def situation(*, now: datetime) -> Situation:
    """Return the situation of a program that is not set to dry run itself, in two queries."""
    switch = SendingSwitch.objects.current()
    lease = WorkerLease.objects.first()
    return Situation(
        switch=switch,
        decision=policy.decide(switch=switch, program_dry_run=False, now=now, lease=lease),
        lease=lease,
        now=now,
    )


@dataclass(frozen=True, slots=True)
class OpenNotifications:
    """How many notifications are in each open state, and what else waits for a person."""

    pending: int
    sending: int
    held: int
    waits_since: datetime | None  # when the longest wait of a pending one began
    unknown: int  # deliveries, of notifications in any state
    stuck_id: int | None  # the oldest of which nothing was claimed or answered for long
    lock_held_by: str | None = None  # the sessions ("" unknown) that keep the log locked, if any


def open_notifications() -> OpenNotifications:
    """Return what is open: one statement, two while anything is sent, over rows of indexes."""
    found = Notification.objects.filter(
        Q(state__in=Notification.OPEN_STATES) | Q(unknown_count__gt=0)
    ).aggregate(
        pending=Count("id", filter=Q(state=State.PENDING)),
        sending=Count("id", filter=Q(state=State.SENDING)),
        held=Count("id", filter=Q(state=State.HELD)),
        waits_since=Min(WAITS_SINCE, filter=Q(state=State.PENDING)),
        unknown=Sum("unknown_count", default=0),
    )
    if not found["sending"]:
        return OpenNotifications(**found, stuck_id=None)
    try:
        with locks.waiting_briefly():
            return OpenNotifications(**found, stuck_id=oldest(Notification.objects.stuck()))
    except OperationalError as error:
        if not waited_too_long(error):
            raise
    being_sent = Notification.objects.filter(state=State.SENDING)
    return OpenNotifications(**found, stuck_id=oldest(being_sent), lock_held_by=locks.holders())


def oldest(notifications: Transitions) -> int | None:
    """Return the number of the oldest of these."""
    return notifications.order_by("id").values_list("id", flat=True).first()

"""What would happen to a talk posted now, and why: command, admin page and banner tell the same."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from notifications import policy, reasons
from notifications.models import Notification, SendingSwitch, Standby, WorkerLease

OPEN_STATES = [*Notification.ACTIVE_STATES, Notification.State.HELD]

# A worker renews its lease every half a second.
SILENT_SECONDS = 30

# What is due is begun at once; something is wrong with what waits for so long.
WAITING_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Situation:
    """What steers the sending at one moment: switch, what policy makes of it, and worker."""

    switch: SendingSwitch
    decision: policy.Decision
    holder: WorkerLease | None
    now: datetime

    @property
    def worker_is_silent(self) -> bool:
        """Return whether whoever holds the lease has not renewed it for long."""
        if self.holder is None:
            return False
        heartbeat_at = self.holder.heartbeat_at
        return not heartbeat_at or self.now - heartbeat_at > timedelta(seconds=SILENT_SECONDS)

    @property
    def verdict(self) -> str:
        """Return what would happen to a talk posted now, to be read after these words."""
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
        if self.switch.paused:
            return self.switch.paused_reason or _("The sending switch is paused.")
        if self.holder is None or self.worker_is_silent:
            return _("Start a worker: manage.py listen_notifications --standby")
        return reasons.said(self.decision.reason)


def situation(*, now: datetime) -> Situation:
    """Return the situation of a program that is not set to dry run itself, in two queries."""
    switch = SendingSwitch.objects.current()
    return Situation(
        switch=switch,
        decision=policy.decide(switch=switch, program_dry_run=False, now=now),
        holder=WorkerLease.objects.held(),
        now=now,
    )


def status(*, now: datetime) -> dict[str, Any]:
    """Return the situation, and how many notifications are not history, by name."""
    current = situation(now=now)
    switch, decision, holder = current.switch, current.decision, current.holder
    return {
        "a_talk_posted_now": current.verdict,
        "because": current.because,
        "mode": SendingSwitch.Mode.DRY_RUN if decision.dry_run else SendingSwitch.Mode.LIVE,
        "live_until": switch.live_until,
        "paused": switch.paused,
        "paused_because": switch.paused_reason if switch.paused else None,
        "reason": switch.reason,
        "changed_by": switch.changed_by,
        "changed_at": switch.changed_at if switch.changed_by else None,
        "environment": settings.ENVIRONMENT,
        "worker": holder.holder if holder else None,
        "worker_epoch": holder.epoch if holder else None,
        "heartbeat_at": holder.heartbeat_at if holder else None,
        "standbys": [standby.holder for standby in Standby.objects.order_by("since")],
        "problems": problems(now=now),
        **{state.value: count(state) for state in OPEN_STATES},
    }


def problems(*, now: datetime) -> list[str]:
    """Return what is wrong with the worker, each with what to do; empty when it is healthy.

    A worker that has never been there is no problem until something waits for it.
    """
    found = []
    beats = WorkerLease.objects.exclude(heartbeat_at=None).values_list("heartbeat_at", flat=True)
    silent = [now - at for at in beats if at and now - at > timedelta(seconds=SILENT_SECONDS)]
    if silent:
        found.append(
            _(
                "The worker's last sign of life was %(seconds)d s ago. Look at its log, or start "
                "one: manage.py listen_notifications --standby"
            )
            % {"seconds": silent[0].total_seconds()}
        )
    waiting = oldest_due()
    if waiting and now - waiting.created_at > timedelta(seconds=WAITING_SECONDS):
        found.append(
            _("Notification %(number)s has been waiting for %(seconds)d s to be started.")
            % {"number": waiting.id, "seconds": (now - waiting.created_at).total_seconds()}
        )
    return found


def oldest_due() -> Notification | None:
    """Return what has waited longest to be started, None when nothing waits but for a resume."""
    if SendingSwitch.objects.current().paused:
        return None
    return Notification.objects.filter(state=Notification.State.PENDING).order_by("id").first()


def count(state: Notification.State) -> int:
    """Return how many notifications are in a state that is not history."""
    return Notification.objects.filter(state=state).count()

"""Acts on everything: pause, resume, dry run, live."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.acts import keep
from accounts.who import Who
from notifications import locks, policy, reasons
from notifications.models import Notification, SendingSwitch, WorkerLease
from notifications.models.notification import NotificationQuerySet

from .record import Refused

SENDING = [Notification.State.SENDING]


@transaction.atomic
def pause(*, by: Who, reason: str, now: datetime) -> SendingSwitch:
    """Claim nothing more until resumed; nothing is lost."""
    switch = change("paused", by=by, now=now, reason=reason, paused=True)
    # It waits for a claim that has begun; later claims see the pause.
    locked(SENDING).note_stop(now=now)
    return switch


@transaction.atomic
def resume(*, by: Who, reason: str, now: datetime) -> SendingSwitch:
    """Go on after a pause."""
    switch = change("resumed", by=by, now=now, reason=reason, paused=False)
    locked(Notification.ACTIVE_STATES).note_going_on()
    return switch


@transaction.atomic
def dry_run(*, by: Who, reason: str, now: datetime) -> SendingSwitch:
    """Let FCM validate from now on; what is being sent live is held before its next batch."""
    dry = SendingSwitch.Mode.DRY_RUN
    switch = change("dry_run", by=by, now=now, reason=reason, mode=dry, live_until=None)
    locked(SENDING).filter(dry_run=False).note_stop(now=now)
    return switch


@transaction.atomic
def go_live(
    *,
    by: Who,
    reason: str,
    now: datetime,
    until: datetime | None = None,
    max_audience: int | None = None,
) -> SendingSwitch:
    """Send for real, without an end or `until` then; raise Refused where that is not possible.

    A notification with more than `max_audience` targets is held when it starts. The limit of the
    settings holds as well, and wants to know by whose account it went live.
    """
    if objection := policy.live_objection(WorkerLease.objects.first()):
        about = {"objection": reasons.said(objection)}
        raise Refused(_("Not switched to live: %(objection)s") % about)
    if not reason.strip():
        raise Refused(_("Not switched to live: the reason is empty."))
    if settings.NOTIFICATIONS_APPROVAL_AUDIENCE and by.account_id is None:
        raise Refused(
            _(
                "Not switched to live: NOTIFICATIONS_APPROVAL_AUDIENCE is set, so it must be known "
                "whose act it is. Name the account: --as ACCOUNT."
            )
        )
    switch = change(
        "live",
        by=by,
        now=now,
        reason=reason,
        mode=SendingSwitch.Mode.LIVE,
        live_until=until,
        live_by=by.name,
        live_by_id=by.account_id,
        max_audience=max_audience,
    )
    if not switch.paused:
        locked(SENDING).note_going_on()
    return switch


def change(act: str, *, by: Who, reason: str, now: datetime, **values: Any) -> SendingSwitch:
    """Return the switch after setting `values`; keep the act, with how the switch stood before.

    The act comes first: the database lets nobody go live without (deploy/postgresql/roles.sql).
    """
    switch = SendingSwitch.objects.select_for_update().first() or SendingSwitch()
    before = shown(switch)
    for name, value in values.items():
        setattr(switch, name, value)
    keep(f"operator.{act}", by=by, reason=reason, before=before, after=shown(switch))
    return SendingSwitch.objects.change(changed_by=by.name, now=now, reason=reason, **values)


def shown(switch: SendingSwitch) -> dict[str, Any]:
    """Return how the switch stands, as JSON takes it."""
    return {
        "mode": str(switch.mode),
        "paused": switch.paused,
        "live_until": switch.live_until and switch.live_until.isoformat(),
        "max_audience": switch.max_audience,
    }


def locked(states: Collection[Notification.State]) -> NotificationQuerySet:
    """Return the notifications in these states, locked in the worker's order."""
    locks.wait_patiently()
    rows = Notification.objects.filter(state__in=states).order_by("id").select_for_update()
    return Notification.objects.filter(id__in=list(rows.values_list("id", flat=True)))

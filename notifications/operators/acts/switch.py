"""Acts on everything: pause, resume, dry run, live."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from notifications import locks, policy, reasons
from notifications.models import Notification, SendingSwitch
from notifications.models.notification import NotificationQuerySet

from .record import Refused, logged


@transaction.atomic
def pause(*, by: str, reason: str, now: datetime) -> SendingSwitch:
    """Claim nothing more until resumed; nothing is lost."""
    switch = SendingSwitch.objects.change(changed_by=by, now=now, reason=reason, paused=True)
    sending().note_stop(now=now)  # waits for a claim that has begun; later claims see the pause
    logged("paused", by, reason)
    return switch


@transaction.atomic
def resume(*, by: str, reason: str, now: datetime) -> SendingSwitch:
    """Go on after a pause."""
    switch = SendingSwitch.objects.change(changed_by=by, now=now, reason=reason, paused=False)
    sending().note_going_on()
    logged("resumed", by, reason)
    return switch


@transaction.atomic
def dry_run(*, by: str, reason: str, now: datetime) -> SendingSwitch:
    """Let FCM validate from now on; what is being sent live is held before its next batch."""
    switch = SendingSwitch.objects.change(
        changed_by=by, now=now, reason=reason, mode=SendingSwitch.Mode.DRY_RUN, live_until=None
    )
    sending().filter(dry_run=False).note_stop(now=now)
    logged("dry_run", by, reason)
    return switch


@transaction.atomic
def go_live(
    *,
    by: str,
    reason: str,
    now: datetime,
    until: datetime | None = None,
    max_audience: int | None = None,
) -> SendingSwitch:
    """Send for real, without an end or `until` then; raise Refused where that is not possible.

    A notification with more than `max_audience` targets is held when it starts.
    """
    if objection := policy.live_objection():
        about = {"objection": reasons.said(objection)}
        raise Refused(_("Not switched to live: %(objection)s") % about)
    if not reason.strip():
        raise Refused(_("Not switched to live: the reason is empty."))
    switch = SendingSwitch.objects.change(
        changed_by=by,
        now=now,
        reason=reason,
        mode=SendingSwitch.Mode.LIVE,
        live_until=until,
        live_by=by,
        max_audience=max_audience,
    )
    if not switch.paused:
        sending().note_going_on()
    logged("live", by, reason, until=until, max_audience=max_audience)
    return switch


def sending() -> NotificationQuerySet:
    """Return the notifications that are being sent, locked in the worker's order."""
    locks.wait_patiently()
    rows = (
        Notification.objects.filter(state=Notification.State.SENDING)
        .order_by("id")
        .select_for_update()
    )
    return Notification.objects.filter(id__in=list(rows.values_list("id", flat=True)))

"""What operators do to the sending: the one place, for the admin and for `manage.py sending`.

Each act is somebody's (`by`), for a `reason`, takes effect before the next batch is claimed, and
returns what happened. What cannot be done raises Refused, which says why and what to do instead.
Locks are taken in one order: the switch, notifications by id, the rest. The worker's is the same
but for the switch, which it reads and never locks.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from notifications import policy, reasons
from notifications.models import Delivery, Notification, SendingSwitch
from notifications.models.delivery import DeliveryQuerySet
from notifications.models.notification import NotificationQuerySet, max_age

logger = logging.getLogger(__name__)

State = Notification.State


class Refused(Exception):
    """An operator asked for what cannot be done; the message is for that person."""


@dataclass(frozen=True, slots=True)
class Stop:
    """How far a notification had come when it was stopped, in targets."""

    sent: int  # or simulated, as far as it is recorded
    in_flight: int  # claimed and without a recorded answer: these may still go out
    unsent: int | None  # never claimed; None when the audience was not counted

    def __str__(self) -> str:
        """Return what happened, for people."""
        told = _("stopped after %(sent)s; %(in_flight)s are in flight and may still go out") % {
            "sent": f"{self.sent:,}",
            "in_flight": f"{self.in_flight:,}",
        }
        if self.unsent is None:
            return told
        rest = _("%(unsent)s will not be sent") % {"unsent": f"{self.unsent:,}"}
        return f"{told}; {rest}"


# --- One notification ------------------------------------------------------------------------


@transaction.atomic
def cancel(notification_id: int, *, by: str, reason: str, now: datetime) -> Stop:
    """Send no more of it, for good; return how far it had come."""
    row = locked(notification_id)
    text = said(_("Cancelled by %(who)s"), by, reason)
    count = Notification.objects.filter(id=row.id).cancel(reason=text, now=now)
    return stopped(count, row, "cancelled", by, reason)


@transaction.atomic
def hold(notification_id: int, *, by: str, reason: str, now: datetime) -> Stop:
    """Send no more of it until it is released; return how far it had come."""
    row = locked(notification_id)
    text = said(_("Held by %(who)s"), by, reason)
    count = Notification.objects.filter(id=row.id).hold(reason=text, now=now)
    return stopped(count, row, "held", by, reason)


@transaction.atomic
def release(notification_id: int, *, by: str, reason: str) -> None:
    """Let a held notification go on where it stopped.

    One that is held for its large audience is released by somebody else than who went live.
    """
    row = locked(notification_id)
    if row.state != State.HELD:
        raise Refused(
            _("Notification %(number)s is %(state)s: only a held one can be released.")
            % {"number": row.id, "state": row.get_state_display()}
        )
    if row.needs_approval and by == row.live_by:
        raise Refused(
            _(
                "Notification %(number)s is held because its audience is larger than you allowed "
                "when you went live: somebody else must release it."
            )
            % {"number": row.id}
        )
    text = said(_("Released by %(who)s"), by, reason)
    approved_by = by if row.needs_approval else row.approved_by
    Notification.objects.filter(id=row.id).release(reason=text, approved_by=approved_by)
    logged("released", by, reason, notification=row.id)


@transaction.atomic
def retry_failed(notification_id: int, *, by: str, reason: str, now: datetime) -> int:
    """Attempt again what FCM never accepted, and return how many that are."""
    row = open_again(notification_id, now=now)
    failed = Delivery.objects.filter(notification=row)
    count = require_any(failed.retry_abandoned(now=now), row)
    recount(row, said(_("Retried by %(who)s"), by, reason), abandoned=-count, retry=count)
    logged("retried", by, reason, notification=row.id, count=count)
    return count


@transaction.atomic
def resend_unknown(
    notification_id: int,
    *,
    by: str,
    reason: str,
    now: datetime,
    device_ids: Collection[int] | None = None,
) -> int:
    """Attempt again what may have been delivered, and return how many that are.

    Whoever asks accepts that some get it twice (the tag then replaces the first on the device).
    """
    row = open_again(notification_id, now=now)
    text = said(_("Sent again by %(who)s"), by, reason)
    count = require_any(unknown_of(row, device_ids).resend(note=text, now=now), row)
    recount(row, text, unknown=-count, retry=count)
    logged("unknown.resent", by, reason, notification=row.id, count=count)
    return count


@transaction.atomic
def abandon_unknown(
    notification_id: int, *, by: str, reason: str, device_ids: Collection[int] | None = None
) -> int:
    """Leave it at that for what may or may not have been delivered; return how many that are."""
    row = locked(notification_id)
    text = said(_("Abandoned by %(who)s"), by, reason)
    count = require_any(unknown_of(row, device_ids).give_up_unknown(note=text), row)
    change(row, unknown=-count, abandoned=count)
    logged("unknown.abandoned", by, reason, notification=row.id, count=count)
    return count


# --- Everything ------------------------------------------------------------------------------


@transaction.atomic
def pause(*, by: str, reason: str, now: datetime) -> SendingSwitch:
    """Claim nothing more until resumed; nothing is lost."""
    switch = SendingSwitch.objects.change(changed_by=by, now=now, reason=reason, paused=True)
    sending().note_stop(now=now)  # waits for a claim that has begun, and later ones see the pause
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
    """Send for real, `until` then; hold what has more than `max_audience` targets."""
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


# --- What these have in common -----------------------------------------------------------------


def locked(notification_id: int) -> Notification:
    """Return the notification, locked until the transaction ends."""
    row = Notification.objects.select_for_update().filter(id=notification_id).first()
    if row is None:
        raise Refused(_("There is no notification %(number)s.") % {"number": notification_id})
    return row


def open_again(notification_id: int, *, now: datetime) -> Notification:
    """Return the locked notification, of which more may be attempted; raise Refused when not."""
    row = locked(notification_id)
    if row.state in (State.CANCELLED, State.EXPIRED):
        raise Refused(over(row))
    if row.created_at + max_age() < now:
        raise Refused(
            _("Notification %(number)s is older than %(age)s: nobody is told that late.")
            % {"number": row.id, "age": max_age()}
        )
    return row


def over(row: Notification) -> str:
    """Return that nothing more happens to a notification as it is."""
    return _("Notification %(number)s is %(state)s: nothing more is sent of it.") % {
        "number": row.id,
        "state": row.get_state_display(),
    }


def require_any(count: int, row: Notification) -> int:
    """Return the count; raise Refused when there was nothing left to be settled."""
    if not count:
        raise Refused(
            _("Notification %(number)s has nothing left for this: nothing was done.")
            % {"number": row.id}
        )
    return count


def stopped(count: int, row: Notification, act: str, by: str, reason: str) -> Stop:
    """Return how far the notification had come when it was locked and stopped.

    Raise Refused when `count` says that it was not, since nothing was going on any more.
    """
    if not count:
        raise Refused(over(row))
    counts = row.counts()
    claimed = counts.pop("target")
    stop = Stop(
        sent=counts["sent"] + counts["simulated"],
        in_flight=claimed - sum(counts.values()),
        unsent=row.unclaimed_count,
    )
    logged(act, by, reason, notification=row.id, sent=stop.sent, in_flight=stop.in_flight)
    return stop


def unknown_of(row: Notification, device_ids: Collection[int] | None) -> DeliveryQuerySet:
    """Return its deliveries that may be unknown: all, or those of the given devices."""
    deliveries = Delivery.objects.filter(notification=row)
    return deliveries if device_ids is None else deliveries.filter(device__in=device_ids)


def recount(row: Notification, reason: str, **by_outcome: int) -> None:
    """Count what is to be attempted again, and open the notification for it if it was done."""
    change(row, **by_outcome)
    if by_outcome["retry"]:
        Notification.objects.filter(id=row.id).reopen(reason=reason)


def change(row: Notification, **by_outcome: int) -> None:
    """Keep the counters those of the deliveries."""
    counters: dict[str, Any] = {
        f"{outcome}_count": F(f"{outcome}_count") + by for outcome, by in by_outcome.items()
    }
    Notification.objects.filter(id=row.id).update(**counters)


def sending() -> NotificationQuerySet:
    """Return what is being sent, locked in the worker's order."""
    rows = Notification.objects.filter(state=State.SENDING).order_by("id").select_for_update()
    return Notification.objects.filter(id__in=list(rows.values_list("id", flat=True)))


def said(what: str, by: str, reason: str) -> str:
    """Return who did what, and why if it was said."""
    told = what % {"who": by}
    return f"{told}: {reason}" if reason else f"{told}."


def logged(act: str, by: str, reason: str, **about: Any) -> None:
    """Write the act into the log."""
    logger.warning("operator.%s", act, extra={"by": by, "why": reason, **about})

"""Acts on one notification: stop it, let it go on, attempt again, settle what is unknown."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from accounts.acts import keep
from accounts.who import Who
from notifications import locks, reasons
from notifications.models import Delivery, Notification, SendingSwitch
from notifications.models.delivery import DeliveryQuerySet
from notifications.models.notification import max_age

from . import approval
from .record import Refused, said

State = Notification.State


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


@transaction.atomic
def cancel(notification_id: int, *, by: Who, reason: str, now: datetime) -> Stop:
    """Send no more of the notification, for good; return how far it had come."""
    row = locked(notification_id)
    text = said(_("Cancelled by %(who)s"), by, reason)
    count = Notification.objects.filter(id=row.id).cancel(reason=text, now=now)
    return stopped(count, row, "cancelled", by, reason)


@transaction.atomic
def hold(notification_id: int, *, by: Who, reason: str, now: datetime) -> Stop:
    """Send no more of the notification until it is released; return how far it had come."""
    row = locked(notification_id)
    text = said(_("Held by %(who)s"), by, reason)
    count = Notification.objects.filter(id=row.id).hold(reason=text, now=now)
    return stopped(count, row, "held", by, reason)


@transaction.atomic
def release(notification_id: int, *, by: Who, reason: str) -> None:
    """Let a held notification go on where it stopped.

    One with a large audience is released by another account than the one that went live, or that
    asked for it: the release is the approval.
    """
    row = held(notification_id)
    switch = SendingSwitch.objects.current()
    is_approval = approval.is_needed(row, switch)
    if is_approval and (objection := approval.objection(row, by, switch)):
        raise Refused(objection)
    approval.require_account(row, by)
    text = said(_("Released by %(who)s"), by, reason)
    Notification.objects.filter(id=row.id).release(
        reason=text, approved_by=by if is_approval else None
    )
    done("released", row, by, reason)


@transaction.atomic
def release_or_ask(notification_id: int, *, by: Who, reason: str) -> bool:
    """Release as a command does, and return whether it is released.

    What needs an approval stays held: an account in the desk has to approve it. Who asked cannot.
    """
    row = held(notification_id)
    approval.require_account(row, by)
    if not approval.is_needed(row, SendingSwitch.objects.current()):
        release(row.id, by=by, reason=reason)
        return True
    text = said(_("Release asked for by %(who)s"), by, reason)
    Notification.objects.filter(id=row.id).ask_for_release(reason=text, by=by)
    done("release.asked", row, by, reason)
    return False


@transaction.atomic
def retry_failed(notification_id: int, *, by: Who, reason: str, now: datetime) -> int:
    """Attempt again what FCM never accepted, and return how many deliveries that are."""
    row = open_again(notification_id, by=by, now=now)
    failed = Delivery.objects.filter(notification=row)
    abandoned = failed.retry_abandoned(now=now)
    rejected = failed.retry_misconfigured(now=now)
    count = require_any(abandoned + rejected, row)
    text = said(_("Retried by %(who)s"), by, reason)
    recount(row, text, by, now, abandoned=-abandoned, rejected=-rejected, retry=count)
    done("retried", row, by, reason, count=count)
    return count


@transaction.atomic
def resend_unknown(
    notification_id: int,
    *,
    by: Who,
    reason: str,
    now: datetime,
    device_ids: Collection[int] | None = None,
) -> int:
    """Attempt again what may have been delivered, and return how many deliveries that are.

    The operator accepts that some listeners get the notification twice. Both carry the same tag,
    so that on most devices the second one replaces the first.
    """
    row = open_again(notification_id, by=by, now=now)
    text = said(_("Sent again by %(who)s"), by, reason)
    count = require_any(unknown_of(row, device_ids).resend(note=text, now=now), row)
    recount(row, text, by, now, unknown=-count, retry=count)
    done("unknown.resent", row, by, reason, count=count)
    return count


@transaction.atomic
def abandon_unknown(
    notification_id: int, *, by: Who, reason: str, device_ids: Collection[int] | None = None
) -> int:
    """Attempt nothing more of what may have been delivered; return how many deliveries that are."""
    row = locked(notification_id)
    text = said(_("Abandoned by %(who)s"), by, reason)
    count = require_any(unknown_of(row, device_ids).give_up_unknown(note=text), row)
    change(row, unknown=-count, abandoned=count)
    done("unknown.abandoned", row, by, reason, count=count)
    return count


# --- What these have in common -----------------------------------------------------------------


def locked(notification_id: int) -> Notification:
    """Return the notification, locked until the transaction ends; raise Refused without one."""
    locks.wait_patiently()
    row = Notification.objects.select_for_update().filter(id=notification_id).first()
    if row is None:
        raise Refused(_("There is no notification %(number)s.") % {"number": notification_id})
    return row


def held(notification_id: int) -> Notification:
    """Return the notification, locked; raise Refused when it is not held."""
    row = locked(notification_id)
    if row.state != State.HELD:
        raise Refused(
            _("Notification %(number)s is %(state)s: only a held one can be released.")
            % {"number": row.id, "state": row.get_state_display()}
        )
    return row


def open_again(notification_id: int, *, by: Who, now: datetime) -> Notification:
    """Return the notification, locked; raise Refused when no more of it may be attempted."""
    row = locked(notification_id)
    approval.require_account(row, by)
    if row.state in (State.CANCELLED, State.EXPIRED):
        raise Refused(over(row))
    if row.created_at + max_age() < now:
        raise Refused(
            _("Notification %(number)s is older than %(age)s: nobody is told that late.")
            % {"number": row.id, "age": max_age()}
        )
    return row


def over(row: Notification) -> str:
    """Return the refusal of a notification that has ended, for people."""
    return _("Notification %(number)s is %(state)s: nothing more is sent of it.") % {
        "number": row.id,
        "state": row.get_state_display(),
    }


def require_any(count: int, row: Notification) -> int:
    """Return the count of what was done; raise Refused when it is 0."""
    if not count:
        raise Refused(
            _("Notification %(number)s has nothing left for this: nothing was done.")
            % {"number": row.id}
        )
    return count


def stopped(count: int, row: Notification, act: str, by: Who, reason: str) -> Stop:
    """Return how far the notification had come when it was locked, and log that it was stopped.

    `count` is what the transition returned. Raise Refused when it is 0: the notification had ended.
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
    done(act, row, by, reason, sent=stop.sent, in_flight=stop.in_flight)
    return stop


def unknown_of(row: Notification, device_ids: Collection[int] | None) -> DeliveryQuerySet:
    """Return the notification's deliveries whose unknowns are settled: all, or of these devices."""
    deliveries = Delivery.objects.filter(notification=row)
    return deliveries if device_ids is None else deliveries.filter(device__in=device_ids)


def recount(row: Notification, reason: str, by: Who, now: datetime, **by_outcome: int) -> None:
    """Change the counters, and reopen the notification when more is to be attempted.

    With a large audience and no approval it is held until another account than `by` releases it.
    """
    change(row, **by_outcome)
    if not by_outcome["retry"]:
        return
    rows = Notification.objects.filter(id=row.id)
    rows.reopen(reason=reason)
    if approval.is_needed(row, SendingSwitch.objects.current()):
        rows.hold(reason=reasons.WANTED_AGAIN % {"who": by}, now=now, live_by=by)


def change(row: Notification, **by_outcome: int) -> None:
    """Add to the notification's counters, so that they stay those of its deliveries."""
    counters: dict[str, Any] = {
        f"{outcome}_count": F(f"{outcome}_count") + by for outcome, by in by_outcome.items()
    }
    Notification.objects.filter(id=row.id).update(**counters)


def done(act: str, row: Notification, by: Who, reason: str, **figures: int) -> None:
    """Keep an act that is done, with the state before, when it was locked, and the state now."""
    state = Notification.objects.values_list("state", flat=True).get(id=row.id)
    keep(
        f"operator.{act}",
        by=by,
        reason=reason,
        about=f"notification {row.id}",
        before={"state": row.state},
        after={"state": state, **figures},
        notification=row.id,
        **figures,
    )

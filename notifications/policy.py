"""Dry run or live, with the reason: the one place that decides.

The worker asks when the sending of a notification starts, and freezes the answer onto the row.
Before each claim of a live notification it asks again: a switch turned back to dry run stops it.
Desk and `manage.py sending status` ask what would happen to a talk posted now.
"""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from . import reasons
from .models import SendingSwitch, WorkerLease


@dataclass(frozen=True, slots=True)
class Decision:
    """How a notification is sent, and why: as it is stored (notifications/reasons.py)."""

    dry_run: bool
    reason: str


def decide(
    *,
    switch: SendingSwitch,
    program_dry_run: bool,
    now: datetime,
    lease: WorkerLease | None = None,
) -> Decision:
    """Return live only when everything says so; else a dry run and the first thing against live.

    The worker decides by its own settings. Others, who need no key, say what it will decide: by the
    settings that it shows with its `lease`.
    """
    for objection in (
        live_objection(lease),
        switch_objection(switch, now=now),
        reasons.PROGRAM_DRY_RUN if program_dry_run else None,
    ):
        if objection:
            return Decision(dry_run=True, reason=objection)
    why = {"reason": switch.reason, "who": switch.live_because_of}
    return Decision(dry_run=False, reason=reasons.LIVE % why)


def audience_limit(switch: SendingSwitch) -> int | None:
    """Return above how many targets a live notification needs approval, None for no limit.

    Whoever goes live can lower the limit of the settings, and cannot raise it.
    """
    limits = (settings.NOTIFICATIONS_APPROVAL_AUDIENCE or None, switch.max_audience)
    return min((limit for limit in limits if limit is not None), default=None)


def audience_objection(
    switch: SendingSwitch, *, audience: int, approved_by_id: int | None
) -> str | None:
    """Return why a live notification waits for somebody's approval, None when it need not.

    `audience` may be cut off above the limit: only whether it is larger matters.
    """
    limit = audience_limit(switch)
    if limit is None or audience <= limit or is_approved(switch, approved_by_id=approved_by_id):
        return None
    about = {"limit": f"{limit:,}", "who": switch.live_because_of}
    if limit == settings.NOTIFICATIONS_APPROVAL_AUDIENCE:
        return reasons.NEEDS_APPROVAL % about
    return reasons.LARGE_AUDIENCE % about


def is_approved(switch: SendingSwitch, *, approved_by_id: int | None) -> bool:
    """Return whether another account has approved a notification than the one that went live."""
    return approved_by_id is not None and approved_by_id != switch.live_by_id


def approver_objection(switch: SendingSwitch, *, approved_by_id: int | None) -> str:
    """Return why an approved notification may not go on, "" when it may; each claim asks.

    Who approved may have gone live since: then one account alone would send it.
    """
    if not settings.NOTIFICATIONS_APPROVAL_AUDIENCE or approved_by_id is None:
        return ""
    if is_approved(switch, approved_by_id=approved_by_id):
        return ""
    return reasons.APPROVER_WENT_LIVE % {"who": switch.live_because_of}


def live_objection(lease: WorkerLease | None = None) -> str | None:
    """Return why nothing can be sent live, whatever the switch says; None when it can."""
    return environment_objection() or credentials_objection(lease)


def environment_objection() -> str | None:
    """Return why this environment may not send live, None when it may."""
    if settings.ENVIRONMENT == "production":
        return None
    return reasons.WRONG_ENVIRONMENT % {"name": settings.ENVIRONMENT}


def credentials_objection(lease: WorkerLease | None) -> str | None:
    """Return why nothing can be sent live: no key is named here or shown by the last worker."""
    if settings.GOOGLE_APPLICATION_CREDENTIALS or (lease and lease.shows_a_key):
        return None
    return reasons.NO_CREDENTIALS


def switch_objection(switch: SendingSwitch, *, now: datetime) -> str | None:
    """Return why the operators' switch is against sending, None when it is live."""
    if switch.is_live(now=now):
        return None
    if switch.mode == SendingSwitch.Mode.LIVE:
        return reasons.SWITCH_WAS_LIVE % {"until": f"{switch.live_until:%Y-%m-%d %H:%M}"}
    return reasons.SWITCH_DRY_RUN

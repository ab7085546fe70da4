"""Dry run or live, with the reason: the one place that decides.

The worker asks when the sending of a notification starts, and freezes the answer onto the row.
Before each claim of a live notification it asks again: a switch turned back to dry run stops it.
Desk and `manage.py sending status` ask what would happen to a talk posted now.
"""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from . import reasons
from .models import SendingSwitch


@dataclass(frozen=True, slots=True)
class Decision:
    """How a notification is sent, and why: as it is stored (notifications/reasons.py)."""

    dry_run: bool
    reason: str


def decide(*, switch: SendingSwitch, program_dry_run: bool, now: datetime) -> Decision:
    """Return live only when everything says so; else a dry run and the first thing against live."""
    for objection in (
        live_objection(),
        switch_objection(switch, now=now),
        reasons.PROGRAM_DRY_RUN if program_dry_run else None,
    ):
        if objection:
            return Decision(dry_run=True, reason=objection)
    why = {"reason": switch.reason, "who": switch.live_by or switch.changed_by}
    return Decision(dry_run=False, reason=reasons.LIVE % why)


def audience_objection(switch: SendingSwitch, *, audience: int, approved_by: str) -> str | None:
    """Return why a live notification waits for somebody's approval, None when it need not.

    `audience` may be cut off above the limit: only whether it is larger matters.
    """
    limit = switch.max_audience
    if limit is None or audience <= limit or approved_by:
        return None
    return reasons.LARGE_AUDIENCE % {"limit": f"{limit:,}", "who": switch.live_by}


def live_objection() -> str | None:
    """Return why nothing can be sent live here, whatever the switch says; None when it can."""
    return environment_objection() or credentials_objection()


def environment_objection() -> str | None:
    """Return why this environment may not send live, None when it may."""
    if settings.ENVIRONMENT == "production":
        return None
    return reasons.WRONG_ENVIRONMENT % {"name": settings.ENVIRONMENT}


def credentials_objection() -> str | None:
    """Return why nothing can be sent live (no credentials are named), None when it can."""
    if settings.GOOGLE_APPLICATION_CREDENTIALS:
        return None
    return reasons.NO_CREDENTIALS


def switch_objection(switch: SendingSwitch, *, now: datetime) -> str | None:
    """Return why the operators' switch is against sending, None when it is live."""
    if switch.is_live(now=now):
        return None
    if switch.mode == SendingSwitch.Mode.LIVE:
        return reasons.SWITCH_WAS_LIVE % {"until": f"{switch.live_until:%Y-%m-%d %H:%M}"}
    return reasons.SWITCH_DRY_RUN

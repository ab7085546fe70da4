"""Dry run or live, with the reason: the one place that decides.

Asked when the sending of a notification starts (and frozen onto it), before each further claim of a
live one (a switch turned back to dry run stops it), and by `manage.py sending status`.
"""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.utils.translation import gettext as _

from .models import SendingSwitch


@dataclass(frozen=True, slots=True)
class Decision:
    """How a notification is sent, and why."""

    dry_run: bool
    reason: str


def decide(*, switch: SendingSwitch, program_dry_run: bool, now: datetime) -> Decision:
    """Return live only when everything says so; else a dry run and the first thing against live."""
    for objection in (
        live_objection(),
        switch_objection(switch, now=now),
        _("The program is set to dry run.") if program_dry_run else None,
    ):
        if objection:
            return Decision(dry_run=True, reason=objection)
    return Decision(
        dry_run=False, reason=f"Live: {switch.reason} ({switch.live_by or switch.changed_by})"
    )


def audience_objection(switch: SendingSwitch, *, audience: int, approved_by: str) -> str | None:
    """Return why a live notification waits for somebody's approval, None when it need not.

    `audience` may be cut off above the limit: only whether it is larger matters.
    """
    limit = switch.max_audience
    if limit is None or audience <= limit or approved_by:
        return None
    return _(
        "Its audience is larger than the %(limit)s that %(who)s allowed when going live. "
        "Somebody else must release it, or cancel it."
    ) % {"limit": f"{limit:,}", "who": switch.live_by}


def live_objection() -> str | None:
    """Return why nothing could be sent live here whatever the switch says, None when it could."""
    return environment_objection() or credentials_objection()


def environment_objection() -> str | None:
    """Return why this environment may not send, None when it may."""
    if settings.ENVIRONMENT == "production":
        return None
    return _("ENVIRONMENT is %(name)s; only production may send.") % {"name": settings.ENVIRONMENT}


def credentials_objection() -> str | None:
    """Return why nothing can be sent without credentials, None when they are named."""
    if settings.GOOGLE_APPLICATION_CREDENTIALS:
        return None
    return _("GOOGLE_APPLICATION_CREDENTIALS is not set.")


def switch_objection(switch: SendingSwitch, *, now: datetime) -> str | None:
    """Return why the operators' switch is against sending, None when it is live."""
    if switch.is_live(now=now):
        return None
    if switch.mode == SendingSwitch.Mode.LIVE:
        return _("The sending switch was live until %(until)s UTC.") % {
            "until": f"{switch.live_until:%Y-%m-%d %H:%M}"
        }
    return _("The sending switch is set to dry run.")

"""Four eyes: a large audience is sent to by two accounts, of which one went live and one approves.

NOTIFICATIONS_APPROVAL_AUDIENCE says what is large; who goes live may set a lower limit. The worker
holds what is larger when it starts, and asks at each claim whether the two are still two
(policy.py). Accounts are compared by their numbers: a name can be given to somebody else.
"""

from django.conf import settings
from django.utils.translation import gettext as _

from accounts.who import Who
from notifications import policy
from notifications.models import Notification, SendingSwitch

from .record import Refused


def is_large(row: Notification) -> bool:
    """Return whether the settings want two accounts for what was started live."""
    limit = settings.NOTIFICATIONS_APPROVAL_AUDIENCE
    if not limit or row.dry_run is not False:
        return False  # what has not started is judged by the worker at its start
    return row.approved_by_id is not None or max(row.audience_count or 0, row.target_count) > limit


def is_needed(row: Notification, switch: SendingSwitch) -> bool:
    """Return whether somebody else has to approve before anything more of it is sent."""
    if row.needs_approval:
        return True
    return is_large(row) and not policy.is_approved(switch, approved_by_id=row.approved_by_id)


def objection(row: Notification, by: Who, switch: SendingSwitch) -> str:
    """Return why this account may not approve the notification, "" when it may."""
    if by.account_id is None:
        return _("Notification %(number)s is approved by an account, in the desk.") % {
            "number": row.id
        }
    involved = {row.live_by_id, row.asked_by_id}
    if switch.mode == SendingSwitch.Mode.LIVE:
        involved.add(switch.live_by_id)
    if by.account_id not in involved:
        return ""
    return _(
        "Notification %(number)s needs the approval of a second account, and yours is the one that "
        "went live or asked for it: somebody else must release it."
    ) % {"number": row.id}


def require_account(row: Notification, by: Who) -> None:
    """Raise Refused for an act on a large notification by nobody's account."""
    if by.account_id is None and (row.needs_approval or is_large(row)):
        raise Refused(
            _(
                "Notification %(number)s has a large audience, so it must be known whose act it "
                "is. Name the account: --as ACCOUNT."
            )
            % {"number": row.id}
        )

"""What `manage.py sending status` tells: what would happen to a talk posted now, and why."""

from datetime import datetime
from typing import Any

from django.conf import settings

from notifications import policy
from notifications.models import SendingSwitch, Standby

from .situation import open_notifications, situation
from .troubles import of_settings, problems


def status(*, now: datetime) -> dict[str, Any]:
    """Return the situation, what is wrong, and how many notifications are open, by name."""
    current, open_now = situation(now=now), open_notifications()
    standbys = list(Standby.objects.alive().order_by("since"))
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
        "needs_approval_above": policy.audience_limit(switch),
        "environment": settings.ENVIRONMENT,
        "worker": holder.holder if holder else None,
        "worker_epoch": holder.epoch if holder else None,
        "heartbeat_at": holder.heartbeat_at if holder else None,
        "fcm_away_seconds": holder.fcm_away_seconds if holder else None,
        "fcm_away_code": holder.fcm_away_code if holder else "",
        "worker_settings": holder.settings if holder else None,
        "standbys": [standby.holder for standby in standbys],
        "problems": problems(current, open_now),
        "remarks": [str(trouble) for trouble in of_settings(current, standbys)],
        "pending": open_now.pending,
        "sending": open_now.sending,
        "held": open_now.held,
    }

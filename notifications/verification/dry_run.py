"""I4: a dry run delivers nothing."""

from notifications.models import Notification

from .evidence import CHUNK, Evidence, told
from .report import Finding
from .sql import Rule

RULES = (
    Rule(
        "device {1} of notification {0} is 'sent', and that was no live notification",
        """
        SELECT d.notification_id, d.device_id
        FROM notifications_delivery d
        JOIN notifications_notification n ON n.id = d.notification_id AND n.dry_run IS NOT FALSE
        WHERE d.outcome = 'sent'
        """,
    ),
    Rule(
        "device {1} of notification {0} is 'simulated', and that was no dry run",
        """
        SELECT d.notification_id, d.device_id
        FROM notifications_delivery d
        JOIN notifications_notification n ON n.id = d.notification_id AND n.dry_run IS NOT TRUE
        WHERE d.outcome = 'simulated'
        """,
    ),
)


def check(evidence: Evidence) -> Finding:
    """Return what a dry run asked FCM to deliver.

    The journal proves this for every request: a request without `validate_only` must come neither
    from a dry run nor from a notification whose dry run is not decided yet. The database alone
    proves only that the send log of a dry run claims no send.
    """
    finding = Finding("I4", "a dry run is dry")
    for rule in RULES:
        rule.check(finding)
    if evidence.journal is None:
        finding.remark("from the log alone: what was asked of FCM only the journal shows")
        return finding
    live = set(
        Notification.objects.filter(dry_run=False).values_list("id", flat=True).iterator(CHUNK)
    )
    for (notification_id, token), requests in evidence.journal.requests.items():
        if notification_id in live:
            continue
        for request in requests:
            if not request.validate_only:
                finding.add(
                    f"notification {notification_id} is not live; {told(token)}: {request.verdict}"
                )
    return finding

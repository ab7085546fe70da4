"""I2: when all is quiet, every target has exactly one delivery, and it has come to an end."""

from notifications.models import DeviceToken, Notification

from .evidence import CHUNK, Evidence, Journal, told
from .report import Finding
from .sql import CLAIMED, Rule

ENDED = "('done', 'cancelled', 'expired')"

# Claims that have no line in the log with their device.
UNLOGGED = f"""
    {CLAIMED} AND b.state <> 'sending'
    EXCEPT SELECT notification_id, device_id FROM notifications_delivery
"""  # noqa: S608

RULES = (
    Rule(
        "device {1} of notification {0} has {2} deliveries",
        """
        SELECT notification_id, device_id, count(*)
        FROM notifications_delivery
        WHERE device_id IS NOT NULL
        GROUP BY notification_id, device_id
        HAVING count(*) > 1
        """,
    ),
    Rule(
        "device {1} of notification {0} was claimed, and has no delivery",
        f"""
        SELECT missing.notification_id, missing.device_id FROM ({UNLOGGED}) AS missing
        JOIN notifications_devicetoken device ON device.id = missing.device_id
        """,  # noqa: S608
    ),
    # The line of an erased listener's device does not say any more for which device it is.
    Rule(
        "notification {0} has {2} lines without a device, and {1} claims of devices that are gone",
        f"""
        SELECT notification_id, sum(claims), sum(lines) FROM (
            SELECT missing.notification_id, 1 AS claims, 0 AS lines FROM ({UNLOGGED}) AS missing
            LEFT JOIN notifications_devicetoken device ON device.id = missing.device_id
            WHERE device.id IS NULL
            UNION ALL
            SELECT d.notification_id, 0, 1
            FROM notifications_delivery d
            JOIN notifications_notification n ON n.id = d.notification_id AND n.pruned_at IS NULL
            WHERE d.device_id IS NULL
        ) AS each_one GROUP BY notification_id HAVING sum(claims) <> sum(lines)
        """,  # noqa: S608
    ),
    Rule(
        "notification {0} is done, and its batch {1} is still being sent",
        """
        SELECT n.id, b.id
        FROM notifications_notification n
        JOIN notifications_batch b ON b.notification_id = n.id AND b.state = 'sending'
        WHERE n.state = 'done'
        """,
    ),
    Rule(
        "notification {0} has ended, and device {1} still waits to be retried",
        f"""
        SELECT d.notification_id, d.device_id
        FROM notifications_delivery d
        JOIN notifications_notification n ON n.id = d.notification_id AND n.state IN {ENDED}
        WHERE d.outcome = 'retry' AND d.next_attempt_at IS NOT NULL
        """,  # noqa: S608
    ),
    Rule(
        "the retry of device {1} of notification {0} was claimed, and no batch has it",
        """
        SELECT d.notification_id, d.device_id
        FROM notifications_delivery d
        WHERE d.outcome = 'retry' AND d.next_attempt_at IS NULL AND NOT EXISTS (
            SELECT 1 FROM notifications_batch b
            WHERE b.notification_id = d.notification_id AND b.state = 'sending'
        )
        """,
    ),
)

# Today's audience, without devices that may have joined after the notification was created.
MISSED = Rule(
    "device {1} is in the audience of notification {0}, which is done, and has no delivery",
    """
    SELECT n.id, d.id
    FROM notifications_notification n
    JOIN programs_talk talk ON talk.id = n.talk_id
    JOIN programs_clip clip ON clip.program_id = talk.program_id
    JOIN notifications_devicetoken d ON d.user_id = clip.listener_id
    WHERE n.state = 'done' AND n.pruned_at IS NULL
      AND NOT clip.muted AND clip.created_at <= n.created_at
      AND d.disabled_at IS NULL AND d.created_at <= n.cutoff AND d.refreshed_at <= n.created_at
      AND NOT EXISTS (
        SELECT 1 FROM notifications_delivery x
        WHERE x.notification_id = n.id AND x.device_id = d.id
      )
    """,
)

# The error that FCM must have answered before a device is disabled, by `disabled_reason`.
SAID = {
    "FCM: unregistered": "UNREGISTERED",
    "FCM: mismatched": "SENDER_ID_MISMATCH",
    "FCM: invalid": "INVALID_ARGUMENT",
}


def check(evidence: Evidence) -> Finding:
    """Return which targets have no delivery, or one that is still open.

    The database proves that each claimed target has one delivery, and that none is left open.

    It does not prove that every target was claimed. There is no history of mutes or of devices that
    an operator enabled, so a device of today's audience may have joined since the sending: without
    the journal such devices are a remark and no violation. A device that left the audience since
    the sending cannot be found missing.

    The journal also proves that no device was disabled for an answer that FCM did not give: such a
    device would miss every later notification.

    Held notifications are a remark: they owe nothing before an operator has decided.
    """
    finding = Finding("I2", "nobody missing")
    for rule in RULES:
        rule.check(finding)
    if evidence.journal is None:
        doubtful = Finding("", "")
        MISSED.check(doubtful)
        finding.remark(
            f"{doubtful.violations:,} of today's audience have no delivery: they unmuted or were "
            f"enabled since, or were missed; such as {'; '.join(doubtful.examples)}",
            count=doubtful.violations,
        )
    else:
        MISSED.check(finding)
        check_disabled(finding, evidence.journal)
    active = Notification.objects.filter(state__in=Notification.ACTIVE_STATES).count()
    finding.remark(f"{active:,} notifications are still pending or being sent", count=active)
    held = Notification.objects.filter(state=Notification.State.HELD).count()
    finding.remark(f"{held:,} notifications are held until an operator decides", count=held)
    return finding


def check_disabled(finding: Finding, journal: Journal) -> None:
    """Count the devices that were disabled for an answer that FCM never gave."""
    answers = {
        (token, request.error)
        for (_notification_id, token), requests in journal.all()
        for request in requests
        if request.verdict == "refused"
    }
    disabled = DeviceToken.objects.filter(disabled_reason__startswith="FCM: ").order_by()
    for device_id, token, reason in disabled.values_list("id", "token", "disabled_reason").iterator(
        CHUNK
    ):
        if (token, SAID.get(reason)) not in answers:
            finding.add(
                f"device {device_id} ({told(token)}) is disabled: {reason!r}; FCM never said so"
            )

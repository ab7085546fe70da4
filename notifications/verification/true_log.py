"""I3: the send log says what FCM did, and the counters say what the send log says."""

from notifications.models import DeviceToken

from .evidence import Evidence, Journal, Line, Request, told
from .report import Finding
from .sql import CLAIMED, Rule

OUTCOMES = ("sent", "simulated", "rejected", "retry", "unknown", "abandoned", "skipped")
COUNTED = ", ".join(
    f"count(*) FILTER (WHERE outcome = '{outcome}') AS {outcome}" for outcome in OUTCOMES
)
DIFFERS = " OR ".join(f"n.{outcome}_count <> coalesce(d.{outcome}, 0)" for outcome in OUTCOMES)

RULES = (
    Rule(
        "the counters of notification {0} are not those of its deliveries",
        f"""
        SELECT n.id
        FROM notifications_notification n
        LEFT JOIN (
            SELECT notification_id, {COUNTED} FROM notifications_delivery GROUP BY notification_id
        ) AS d ON d.notification_id = n.id
        WHERE n.pruned_at IS NULL AND ({DIFFERS})
        """,  # noqa: S608
    ),
    Rule(
        "notification {0} counts {1} targets, and its batches hold {2}",
        """
        SELECT n.id, n.target_count, coalesce(b.targets, 0)
        FROM notifications_notification n
        LEFT JOIN (
            SELECT notification_id, sum(size) AS targets
            FROM notifications_batch WHERE after_id IS NOT NULL GROUP BY notification_id
        ) AS b ON b.notification_id = n.id
        WHERE n.pruned_at IS NULL AND n.target_count <> coalesce(b.targets, 0)
        """,
    ),
    Rule(
        "device {1} of notification {0} has a delivery, and nobody claimed it",
        f"""
        SELECT d.notification_id, d.device_id
        FROM notifications_delivery d
        JOIN notifications_notification n ON n.id = d.notification_id AND n.pruned_at IS NULL
        WHERE d.device_id IS NOT NULL
        EXCEPT {CLAIMED}
        """,  # noqa: S608
    ),
)

REFUSALS = (400, 401, 403, 404)


def check(evidence: Evidence) -> Finding:
    """Return where log and journal, or log and counters, contradict one another.

    `sent` ⇒ accepted, `simulated` ⇒ validated, `rejected` ⇒ refused; and accepted ⇒ `sent` or
    `unknown`, except where FCM answered 500 or 503 although it had accepted, and where an operator
    settled the delivery. Nothing is proved about devices that were deleted since: their tokens are
    gone.
    """
    finding = Finding("I3", "the log is true")
    for rule in RULES:
        rule.check(finding)
    if evidence.journal is None:
        finding.remark("from log and counters alone: what FCM did only the journal shows")
        return finding
    unlogged = set(evidence.journal.requests)
    denied = deleted = 0
    for line in evidence.lines():
        if line.token is None:
            deleted += 1
            continue
        key = (line.notification_id, line.token)
        unlogged.discard(key)
        requests = evidence.journal.requests.get(key, [])
        if contradiction := contradicts(line, requests):
            finding.add(
                f"device {line.device_id} ({told(line.token)}) of notification "
                f"{line.notification_id} is {line.outcome!r}, {contradiction}"
            )
        denied += is_denied(line, requests)
    check_unlogged(finding, evidence, evidence.journal, unlogged)
    check_unknown(finding, evidence.journal)
    strays = evidence.journal.strays
    if strays:
        finding.add_all(strays, [f"{strays:,} requests named no notification"])
    finding.remark(f"{denied:,} accepted behind a 500 or 503 and not sent again", count=denied)
    finding.remark(f"{deleted:,} of devices deleted since: their tokens are gone", count=deleted)
    return finding


def contradicts(line: Line, requests: list[Request]) -> str:
    """Return how FCM's journal contradicts a line of the log, "" when it does not."""
    proofs = {
        "sent": any(request.verdict == "accepted" for request in requests),
        "simulated": any(request.verdict == "validated" for request in requests),
        "rejected": any(
            request.verdict == "refused" and request.status in REFUSALS for request in requests
        ),
    }
    if not proofs.get(line.outcome, True):
        return "and FCM's journal has no such answer"
    taken = any(request.taken and not request.denied for request in requests)
    if taken and line.outcome not in ("sent", "simulated", "unknown") and not line.note:
        return "and FCM had accepted it"
    return ""


def is_denied(line: Line, requests: list[Request]) -> bool:
    """Return whether FCM accepted although it answered 500 or 503, and the log says otherwise."""
    return line.outcome not in ("sent", "simulated") and any(each.denied for each in requests)


def check_unlogged(
    finding: Finding, evidence: Evidence, journal: Journal, unlogged: set[tuple[int, str]]
) -> None:
    """Count what FCM took for devices that have no line in the send log."""
    known = device_ids({token for _notification_id, token in unlogged})
    gone = 0
    for notification_id, token in sorted(unlogged):
        if not any(request.taken for request in journal.requests[notification_id, token]):
            continue
        if token not in known:
            gone += 1
        elif (notification_id, known[token]) not in evidence.in_flight:
            finding.add(
                f"FCM accepted notification {notification_id} for {told(token)}, not logged"
            )
    finding.remark(f"{gone:,} accepted for devices that were deleted since", count=gone)
    waiting = len(evidence.in_flight)
    finding.remark(f"{waiting:,} still in flight, not looked at", count=waiting)


def check_unknown(finding: Finding, journal: Journal) -> None:
    """Count what FCM took for notifications that the database does not have."""
    for (word, token), requests in journal.unknown.items():
        if any(request.taken for request in requests):
            finding.add(
                f"FCM accepted notification {word!r} for {told(token)}, and there is none: it was "
                "deleted, or the database was put back to an earlier state"
            )


def device_ids(tokens: set[str]) -> dict[str, int]:
    """Return the device of each token that is registered."""
    ordered = sorted(tokens)
    return {
        token: device_id
        for start in range(0, len(ordered), 500)
        for token, device_id in DeviceToken.objects.filter(
            token__in=ordered[start : start + 500]
        ).values_list("token", "id")
    }

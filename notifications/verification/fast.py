"""I9: a posted talk reaches FCM at once."""

from notifications.models import Notification

from .evidence import CHUNK, Evidence
from .report import Finding


def check(evidence: Evidence) -> Finding:
    """Return how long notifications took to their first request at FCM.

    The times are figures in the report. They are a violation only where the caller gives a bound:
    a pause, a fault or a loaded machine delays for good reasons. The time is measured from the
    creation of the notification's row, a moment before the upload is answered.
    """
    finding = Finding("I9", "fast")
    if evidence.journal is None:
        finding.not_checked = "needs the journal"
        return finding
    first: dict[int, float] = {}
    for (notification_id, _token), requests in evidence.journal.requests.items():
        at = requests[0].at
        first[notification_id] = min(at, first.get(notification_id, at))
    created = Notification.objects.order_by().values_list("id", "created_at").iterator(CHUNK)
    waits = sorted(first[id] - at.timestamp() for id, at in created if id in first)
    if not waits:
        return finding
    p50, p99 = (waits[int(share * (len(waits) - 1))] for share in (0.5, 0.99))
    finding.remark(
        f"first request after {p50:.2f} s (p50), {p99:.2f} s (p99), {waits[-1]:.2f} s at most"
    )
    within = evidence.given.within
    if within is not None and p99 > within:
        late = sum(wait > within for wait in waits)
        finding.add_all(late, [f"{late} of {len(waits)} took over {within} s"])
    return finding

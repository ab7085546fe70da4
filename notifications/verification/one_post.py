"""I5: one attempt is one POST."""

from .evidence import Evidence, told
from .report import Finding


def check(evidence: Evidence) -> Finding:
    """Return the targets for which FCM saw more requests than attempts were claimed.

    An attempt of which no byte left this machine is not counted. Nor is a request that FCM answered
    401: FCM did not look at the message, and the same attempt is sent again with a newer access
    token. A library that repeats a request behind our back is found here, whatever FCM answered.
    """
    finding = Finding("I5", "one attempt, one POST")
    if evidence.journal is None:
        finding.not_checked = "needs the journal"
        return finding
    for line in evidence.lines():
        if line.token is None:
            continue
        requests = evidence.journal.requests.get((line.notification_id, line.token), [])
        posts = sum(request.status != 401 for request in requests)
        attempts = line.attempts - line.unreached
        if posts > attempts:
            finding.add(
                f"{posts} POSTs in {attempts} attempts at device {line.device_id} "
                f"({told(line.token)}) of notification {line.notification_id}"
            )
    return finding

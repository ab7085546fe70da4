"""I1: no notification is accepted live more than once for the same device."""

from collections import Counter
from itertools import pairwise

from notifications.models import Delivery

from .evidence import CHUNK, Evidence, Request, told
from .report import Finding
from .sql import CLAIMED, Rule

CLAIMED_ONCE = Rule(
    "device {1} of notification {0} was claimed {2} times for a first attempt",
    f"""
    SELECT notification_id, device_id, count(*)
    FROM ({CLAIMED}) AS claimed
    GROUP BY notification_id, device_id
    HAVING count(*) > 1
    """,  # noqa: S608
)


def check(evidence: Evidence) -> Finding:
    """Return how often FCM accepted a notification again for the same device.

    The journal proves this for every request that FCM saw. Two kinds are counted apart and are no
    violation. FCM accepted and answered 500 or 503 all the same: there a retry is the policy
    (NOTIFICATIONS_ON_5XX=retry), and by the same tag the second notification replaces the first on
    the device. Or an operator had it sent again, of which the send log keeps a note.

    The database alone proves only that no device was claimed twice for a first attempt.
    """
    finding = Finding("I1", "never twice")
    CLAIMED_ONCE.check(finding)
    if evidence.journal is None:
        finding.remark("from the claims alone: what FCM accepted only the journal shows")
        return finding
    settled = settled_by_operators()
    excused = resent = 0
    for (notification_id, token), requests in evidence.journal.all():
        again = repetitions(requests, on_5xx=evidence.given.on_5xx)
        excused += again[True]
        if (notification_id, token) in settled:
            resent += again[False]
        elif again[False]:
            finding.add_all(
                again[False],
                [f"notification {notification_id} was accepted again for {told(token)}"],
            )
    for talk_id, words in evidence.journal.words_of_talk.items():
        if len(words) > 1:
            finding.add(f"talk {talk_id} was announced by several notifications: {sorted(words)}")
    finding.remark(
        f"{excused:,} accepted again after a 500 or 503 that had accepted", count=excused
    )
    finding.remark(f"{resent:,} accepted again because an operator said so", count=resent)
    return finding


def settled_by_operators() -> set[tuple[int | str, str]]:
    """Return (notification, token) of each delivery that an operator has settled."""
    settled = Delivery.objects.exclude(note="").order_by()
    return set(settled.values_list("notification_id", "device__token").iterator(CHUNK))


def repetitions(requests: list[Request], *, on_5xx: str) -> Counter[bool]:
    """Return how many requests were accepted again, by whether the policy excuses that."""
    accepted = [request for request in requests if request.verdict == "accepted"]
    return Counter(
        on_5xx == "retry" and before.denied and before.tag == again.tag
        for before, again in pairwise(accepted)
    )

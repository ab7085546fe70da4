"""What crosses between the main thread and the lanes: ids and bytes, frozen."""

from datetime import datetime
from typing import NamedTuple

from notifications.fcm.outcomes import Verdict


class Target(NamedTuple):
    """One device to send to, and which attempt this is (1 for the first)."""

    device_id: int
    kind: str  # the name of the field that FCM wants it in: token or fid
    token: str
    refreshed_at: datetime | None = None  # as it was claimed; another one by now is another device
    attempt: int = 1
    unreached: int = 0  # of the earlier attempts, those of which nothing left


class Job(NamedTuple):
    """A claimed batch, ready to be sent: `head` + target + `tail` is the body of a request."""

    batch_id: int
    notification_id: int
    head: bytes
    tail: bytes
    targets: tuple[Target, ...]


class Result(NamedTuple):
    """What became of one attempt: whom it was for, and what FCM's answer means."""

    batch_id: int
    notification_id: int
    target: Target  # as it was attempted last: with a newer access token it is another attempt
    verdict: Verdict
    retry_after: float = 0  # seconds; 0 when FCM named none

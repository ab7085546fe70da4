"""The tuples that cross between the main thread and the lanes: ids and bytes."""

from datetime import datetime
from typing import NamedTuple

from notifications.fcm.outcomes import Verdict


class Target(NamedTuple):
    """One device to send to, and which attempt this is (1 for the first)."""

    device_id: int
    kind: str  # the name of the field that FCM wants it in: token or fid
    token: str
    refreshed_at: datetime | None = None  # when claimed; registering again changes it
    platform: str = ""  # android, ios or web
    attempt: int = 1
    unreached: int = 0  # how many earlier attempts never reached FCM


class Job(NamedTuple):
    """A claimed batch, ready to be sent: `head` + target + `tail` is the body of a request."""

    batch_id: int
    notification_id: int
    head: bytes
    tail: bytes
    targets: tuple[Target, ...]


class Result(NamedTuple):
    """What became of one attempt: its target, and what FCM's answer means."""

    batch_id: int
    notification_id: int
    target: Target  # its `attempt` counts one more if it was sent again with a new access token
    verdict: Verdict
    retry_after: float = 0  # seconds; 0 when FCM named none

    @classmethod
    def of(cls, job: Job, target: Target, verdict: Verdict, retry_after: float = 0) -> "Result":
        """Return the result of an attempt for one target of a job."""
        return cls(job.batch_id, job.notification_id, target, verdict, retry_after)

"""A fan-out: a notification that is being sent, as the main thread holds it in memory."""

import time
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import attrgetter

from django.conf import settings

from notifications import payload
from notifications.fcm.outcomes import NOT_YET, REFUSED, Meaning
from notifications.models import Delivery, Notification
from notifications.models.notification import max_age

from . import retry
from .brakes import Tally
from .repository import ClaimedBatch, Entry
from .work import Job, Result

# How old an encoded message may become. Its time to live was right when the message was encoded,
# so it is too long by at most this much.
ENCODED_FOR = timedelta(seconds=10)
PLATFORM = attrgetter("platform")  # of a Target


@dataclass
class Fanout:
    """What the worker must know to go on with a notification."""

    notification_id: int
    dry_run: bool
    head: bytes
    tail: bytes
    deadline: datetime
    encoded_at: datetime
    retry_5xx: bool
    exhausted: bool = False  # the whole audience is claimed
    retries_due: bool = False
    counted: bool = False  # nothing is left to count of its audience
    in_flight: Counter[str] = field(default_factory=Counter)  # by platform
    unwritten_retries: set[str] = field(default_factory=set)  # their platforms
    posted_at: float | None = None  # monotonic; until FCM has accepted it for the first target
    tally: Tally = field(default_factory=Tally)

    @classmethod
    def of(cls, notification: Notification, *, now: datetime) -> "Fanout":
        """Return what a started notification needs; raise ValueError if no message can be built."""
        head, tail = payload.encode(notification, now=now)
        tally, age = Tally.of(notification), (now - notification.created_at).total_seconds()
        return cls(
            notification_id=notification.id,
            dry_run=notification.dry_run is not False,
            head=head,
            tail=tail,
            deadline=notification.created_at + max_age(),
            counted=notification.audience_count is not None,
            retry_5xx=settings.NOTIFICATIONS_ON_5XX == "retry",
            tally=tally,
            encoded_at=now,
            posted_at=None if tally.blame.anybody_is_reached else time.monotonic() - age,
        )

    def encode(self, notification: Notification, *, now: datetime) -> None:
        """Build the message anew every ENCODED_FOR: less is left of its time to live."""
        if abs(now - self.encoded_at) >= ENCODED_FOR:
            self.head, self.tail = payload.encode(notification, now=now)
            self.encoded_at = now

    @property
    def has_work(self) -> bool:
        """Return whether there may be something to claim now."""
        return not self.exhausted or self.retries_due

    @property
    def seems_finished(self) -> bool:
        """Return whether memory knows nothing left to claim or await; the database decides."""
        return not self.has_work and not self.in_flight.total()

    def awaits_others(self, platforms: Collection[str]) -> bool:
        """Return whether devices of other platforms are in flight, or their retries not written."""
        in_flight = {platform for platform, count in self.in_flight.items() if count}
        return bool((in_flight | self.unwritten_retries).difference(platforms))

    def exhaust(self) -> None:
        """Note that a claim found the end: of the retries that are due, else of the audience."""
        if self.retries_due:
            self.retries_due = False
        else:
            self.exhausted = True

    def jobs(self, batches: tuple[ClaimedBatch, ...]) -> Iterator[Job]:
        """Yield each claimed batch as a job for a lane."""
        for batch in batches:
            self.in_flight.update(map(PLATFORM, batch.targets))
            yield Job(batch.id, self.notification_id, self.head, self.tail, batch.targets)

    def take(self, result: Result, *, now: datetime) -> Entry:
        """Return the line of the send log for a result, and count the result for the brakes."""
        target, verdict = result.target, result.verdict
        self.in_flight[target.platform] -= 1
        self.tally.count(verdict.meaning, target, verdict.code)
        if verdict.meaning is Meaning.ACCEPTED:  # as almost all are; what follows takes its time
            return Entry(
                self.notification_id, target.device_id, self._accepted, "", verdict.message_id,
                target.attempt, None, target.unreached,
            )  # fmt: skip
        unreached = target.unreached + (verdict.meaning is Meaning.UNREACHED)
        next_attempt_at = self._next_attempt_at(result, unreached, now=now)
        if next_attempt_at is not None:
            self.unwritten_retries.add(target.platform)
        return Entry(
            notification_id=self.notification_id,
            device_id=target.device_id,
            outcome=self._outcome(verdict.meaning, again=next_attempt_at is not None),
            error_code=verdict.code,
            message_id=verdict.message_id,
            attempts=target.attempt,
            unreached=unreached,
            next_attempt_at=next_attempt_at,
        )

    def _next_attempt_at(self, result: Result, unreached: int, *, now: datetime) -> datetime | None:
        """Return when to attempt again; None when the answer is final, or it would be too late.

        Attempts that never reached FCM are counted apart (`unreached`): an outage of the network
        must not use up the few attempts that FCM may answer with an error. One that FCM did not
        process is not among them: it was a POST, and the checker counts POSTs by attempts.
        """
        meaning = result.verdict.meaning
        if meaning not in NOT_YET or self._in_doubt(meaning):
            return None
        wait = retry.delay(
            meaning,
            attempt=unreached
            if meaning is Meaning.UNREACHED
            else result.target.attempt - unreached,
            retry_after=result.retry_after,
        )
        at = None if wait is None else now + timedelta(seconds=wait)
        return at if at is None or at < self.deadline else None

    @property
    def _accepted(self) -> str:
        return Delivery.Outcome.SIMULATED if self.dry_run else Delivery.Outcome.SENT

    def _outcome(self, meaning: Meaning, *, again: bool) -> str:
        if meaning in REFUSED or meaning is Meaning.MISCONFIGURED:
            return Delivery.Outcome.REJECTED
        if meaning not in NOT_YET or self._in_doubt(meaning):
            return Delivery.Outcome.UNKNOWN
        return Delivery.Outcome.RETRY if again else Delivery.Outcome.ABANDONED

    def _in_doubt(self, meaning: Meaning) -> bool:
        """Return whether the answer is a 5xx that NOTIFICATIONS_ON_5XX treats as `unknown`."""
        return meaning is Meaning.UNAVAILABLE and not self.retry_5xx

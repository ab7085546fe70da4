"""Claiming: decides how many targets of which notification go to the lanes now."""

import time
from datetime import datetime

from django.conf import settings
from django.db import OperationalError

from notifications import failpoints

from .fanout import Fanout
from .ledger import Ledger
from .rate import Rate
from .repository import ClaimEnd, Claims
from .rotation import Rotation
from .sender import Sender
from .telemetry import Telemetry

# How many targets a claim takes at most: the first request leaves when the first claim is written.
MOST_A_CLAIM = 1_000


class Claiming:
    """Fills the lanes in the rotation's order, as far as lanes, ledger and rate allow."""

    def __init__(
        self,
        *,
        claims: Claims,
        sender: Sender,
        rate: Rate,
        rotation: Rotation,
        ledger: Ledger,
        telemetry: Telemetry,
    ) -> None:
        self._claims = claims
        self._sender = sender
        self._rate = rate
        self._rotation = rotation
        self._ledger = ledger
        self._telemetry = telemetry
        self.more = False  # there may be something left to claim
        self.throttled = False  # the rate says wait

    @property
    def can_go_on(self) -> bool:
        """Return whether more can be claimed at once."""
        return self.more and not self.throttled and self._room > 0

    def claim(self, now: datetime) -> bool:
        """Fill the lanes: from the notification whose turn it is, then from the next ones.

        Return whether one of them has nothing left to claim now.
        """
        self.more = self.throttled = False
        waiting = self._rotation.in_turn()
        for fanout in waiting:
            limit = self._limit()
            if not limit:
                self.more = True
                break
            end = self._claim_from(fanout, limit, now)
            if end is ClaimEnd.PAUSED:
                self._sender.give_up()
                break
            self.more |= end is ClaimEnd.OPEN
        self._sender.expect(more=self.more and not self.throttled)
        return not all(fanout.has_work for fanout in waiting)

    def slow_down(self) -> None:
        """Send less a minute from now on: FCM answered 429."""
        if self._rate.lower(time.monotonic()):
            self._telemetry.throttled()

    @property
    def _room(self) -> int:
        return self._ledger.room(in_flight=self._sender.in_flight)

    def _limit(self) -> int:
        """Return how many targets may be claimed now; 0 while there is no room, or the rate waits.

        A kill of the worker will leave no more targets unknown than the ledger's bound.
        """
        return min(room, MOST_A_CLAIM, self._allowance()) if (room := self._room) else 0

    def _allowance(self) -> int:
        """Return how many targets the rate allows; 0 while they would only fill a tiny batch."""
        allowance = self._rate.allowance(time.monotonic())
        self.throttled = allowance < min(settings.NOTIFICATIONS_BATCH_SIZE, self._rate.capacity)
        return 0 if self.throttled else allowance

    def _claim_from(self, fanout: Fanout, limit: int, now: datetime) -> ClaimEnd:
        """Hand up to `limit` targets of one notification to the lanes; return how that ended."""
        failpoints.reach("before_claim", fanout.notification_id)
        ask = self._claims.retries if fanout.retries_due else self._claims.first_attempts
        try:
            with self._telemetry.claim_seconds.time():
                claim = ask(
                    fanout.notification_id,
                    size=settings.NOTIFICATIONS_BATCH_SIZE,
                    limit=limit,
                    now=now,
                )
        except OperationalError:  # somebody keeps its row locked, say
            self._rotation.put_last(fanout)
            raise
        self._rotation.served(fanout)
        failpoints.reach("after_claim", fanout.notification_id)
        if claim.end is ClaimEnd.CLOSED:
            self._rotation.drop(fanout.notification_id)
        elif claim.end is ClaimEnd.EXHAUSTED:
            fanout.exhaust()
        jobs = list(fanout.jobs(claim.batches))
        for job in jobs:
            self._ledger.open(job, fanout)
            self._rate.spend(len(job.targets))
        self._sender.send(jobs)
        return claim.end

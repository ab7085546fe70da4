"""Claiming: decides how many targets of which notification go to the lanes now."""

import time
from datetime import datetime

from django.conf import settings

from notifications import failpoints

from .fanout import Fanout
from .ledger import Ledger
from .rate import Rate
from .repository import ClaimEnd, Claims
from .rotation import Rotation
from .sender import Sender
from .timer import Timer

# How often lanes are refilled: a claim costs the same for one target as for some hundred.
CLAIM_SECONDS = 0.03


class Claiming:
    """Fills the lanes in the rotation's order, as far as lanes, ledger and rate allow."""

    def __init__(
        self, *, claims: Claims, sender: Sender, rate: Rate, rotation: Rotation, ledger: Ledger
    ) -> None:
        self._claims = claims
        self._sender = sender
        self._rate = rate
        self._rotation = rotation
        self._ledger = ledger
        self.timer = Timer(CLAIM_SECONDS)
        self.hurry = False  # more can be claimed as soon as the timer allows
        self.throttled = False  # the rate says wait

    def claim(self, now: datetime) -> bool:
        """Fill the lanes: from the notification whose turn it is, then from the next ones.

        Return whether one of them has nothing left to claim now.
        """
        self.throttled = False
        waiting = self._rotation.in_turn()
        self.hurry = bool(waiting)
        if not (self.hurry and self.timer.due()):
            return False
        self.hurry = False
        self.timer.restart()
        for fanout in waiting:
            size, limit = self._room()
            if not limit:
                break
            self._claim_from(fanout, size, limit, now)
        return not all(fanout.has_work for fanout in waiting)

    def slow_down(self) -> None:
        """Send less a minute from now on: FCM answered 429."""
        self._rate.lower(time.monotonic())

    def _room(self) -> tuple[int, int]:
        """Return a size of batches, and how many targets may be claimed in batches of that size.

        The lanes have room for that many, the rate allows them, and a kill of the worker would
        leave no more targets unknown than the ledger's bound.
        """
        size, count = self._sender.portions(settings.NOTIFICATIONS_BATCH_SIZE)
        allowed = self._ledger.room(in_flight=self._sender.in_flight)
        self.hurry |= allowed < size * count
        room = min(size * count, allowed)
        return size, min(room, self._allowance()) if room else 0

    def _allowance(self) -> int:
        """Return how many targets the rate allows; 0 while they would only fill a tiny batch."""
        allowance = self._rate.allowance(time.monotonic())
        self.throttled = allowance < min(settings.NOTIFICATIONS_BATCH_SIZE, self._rate.capacity)
        return 0 if self.throttled else allowance

    def _claim_from(self, fanout: Fanout, size: int, limit: int, now: datetime) -> None:
        """Claim up to `limit` targets of one notification, and hand them to the lanes."""
        failpoints.reach("before_claim", fanout.notification_id)
        claim = (self._claims.retries if fanout.retries_due else self._claims.first_attempts)(
            fanout.notification_id, size=size, limit=limit, now=now
        )
        self._rotation.served(fanout)
        failpoints.reach("after_claim", fanout.notification_id)
        if claim.end is ClaimEnd.CLOSED:
            self._rotation.drop(fanout.notification_id)
        elif claim.end is ClaimEnd.EXHAUSTED:
            fanout.exhaust()
        self.hurry |= claim.end is ClaimEnd.OPEN
        for job in fanout.jobs(claim.batches):
            self._ledger.open(job, fanout)
            self._rate.spend(len(job.targets))
            self._sender.send(job)

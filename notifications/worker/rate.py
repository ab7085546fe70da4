"""How many targets may be sent to now: FCM's quota a minute, spread evenly; less after a 429."""

from dataclasses import dataclass, field

# A 429 halves the rate for everybody; it comes back in small steps, as FCM's guidance asks.
# https://firebase.google.com/docs/cloud-messaging/throttling-and-quotas
LOWERED_BY = 2.0
RECOVERY_SECONDS = 60.0  # from the lowest back to the full rate
LEAST_SHARE = 0.01
# The bucket's size. What it holds comes out of the minute's quota, or a minute would exceed that.
BURSTS_PER_SECOND = 4
# FCM may answer a whole burst with 429: within this time that is one sign, not hundreds.
ONE_SIGN_SECONDS = 1.0


@dataclass
class Rate:
    """A token bucket that holds a quarter of a second; `now` is in seconds of a monotonic clock.

    So after a start or a pause the sending is ahead of the even rate by a quarter of a second at
    most. No minute gets more than the quota; a minute with enough to send gets 99.5 % of it.
    """

    per_minute: int
    share: float = 1.0  # of the full rate, at present
    _tokens: float = field(init=False)
    _at: float | None = None
    _lowered_at: float | None = None

    def __post_init__(self) -> None:
        self._tokens = self.burst

    @property
    def burst(self) -> int:
        """Return what may go out at once; at least 1, or a small quota could never be used."""
        return max(self.per_minute // (60 * BURSTS_PER_SECOND), 1)

    @property
    def capacity(self) -> int:
        """Return what the bucket can hold at present."""
        return max(int(self.burst * self.share), 1)

    @property
    def per_second(self) -> float:
        """Return how fast the bucket fills: a burst and a minute together keep the quota."""
        return (self.per_minute + 1 - self.burst) / 60.0

    def allowance(self, now: float) -> int:
        """Return how many may be sent at `now`."""
        elapsed = self._elapsed(now)
        self.share = self.share_at(now)
        self._at = now
        earned = elapsed * self.per_second * self.share
        self._tokens = min(self._tokens + earned, self.capacity)
        return max(int(self._tokens), 0)

    def share_at(self, now: float) -> float:
        """Return which share of the full rate is allowed at `now`; from any thread."""
        return min(1.0, self.share + self._elapsed(now) / RECOVERY_SECONDS)

    def spend(self, sends: int) -> None:
        """Take what was claimed out of the bucket."""
        self._tokens -= sends

    def lower(self, now: float) -> bool:
        """Slow down for everybody, since FCM said 429; return False when that was done just now."""
        if self._lowered_at is not None and now - self._lowered_at < ONE_SIGN_SECONDS:
            return False
        self.share = max(self.share / LOWERED_BY, LEAST_SHARE)
        self._lowered_at = now
        return True

    def _elapsed(self, now: float) -> float:
        """Return the seconds since somebody asked what may be sent."""
        return 0.0 if self._at is None else max(now - self._at, 0.0)

"""Turn-around: how long a stream stands idle between an answer and the next request on it.

A stream for which nothing is left to send, or for which the rate says wait, does not count.
"""

from collections import deque
from collections.abc import Iterable

# Of so many requests of each lane, the latest, the figures are made.
REMEMBERED = 100
# Requests that are older do not count any more; until then Prometheus has read the figures.
LATELY_SECONDS = 60.0


class Turnaround:
    """The streams of one lane; the lane alone changes it."""

    def __init__(self) -> None:
        self._idle_since: deque[float] = deque()
        self._waits: deque[tuple[float, float]] = deque(maxlen=REMEMBERED)  # when it ended, seconds

    def freed(self, streams: int, *, now: float) -> None:
        """Note that so many streams are idle, and that something is left to send."""
        self._idle_since.extend([now] * streams)

    def used(self, *, now: float) -> None:
        """Note that one of them, if there is one, has a request."""
        if self._idle_since:
            self._waits.append((now, now - self._idle_since.popleft()))

    def forget(self) -> None:
        """Note that nothing is left to send: idle streams do not wait for us."""
        self._idle_since.clear()

    def waits(self, *, now: float) -> list[float]:
        """Return the latest waits, in seconds; from any thread."""
        waits = self._waits.copy()  # by one call, into which no lane comes
        return [wait for ended_at, wait in waits if now - ended_at <= LATELY_SECONDS]


def figures(lanes: Iterable[Turnaround], *, now: float) -> dict[str, float | None]:
    """Return median and 99th percentile of all lanes together, in seconds, as WorkerLease has them.

    They are None when no stream was used twice lately.
    """
    waits = sorted(wait for lane in lanes for wait in lane.waits(now=now))
    return {
        "turnaround_median": waits[len(waits) // 2] if waits else None,
        "turnaround_p99": waits[len(waits) * 99 // 100] if waits else None,
    }

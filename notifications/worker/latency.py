"""Latency: how long FCM takes to answer, as a histogram of one lane.

A time begins when a lane gives the request to its connection, and ends when the lane reads the
answer. So it includes a handshake that the request had to wait for, and up to 10 ms for which the
lane lets answers gather. A request that timed out counts with the time that was waited for it: an
FCM that answers nobody must not look like one that answers quickly. Requests that were not sent, or
whose connection or stream was ended, do not count: their times say nothing of how slow FCM is.
Counting one costs less than half a microsecond.
"""

import time
from bisect import bisect_left
from collections.abc import Iterable
from typing import NamedTuple

# Upper ends in seconds. FCM takes some 0.23 s; a fraction of its answers takes 10 to 30 s.
BOUNDS = (
    0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 15.0, 20.0,
    30.0,
)  # fmt: skip


class Histogram(NamedTuple):
    """How many answers lie between the bounds, and their seconds in all."""

    counts: list[int]
    seconds: float


class Latency:
    """The answers of one lane; the lane alone changes it."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS) + 1)
        self._seconds = 0.0

    def note(self, began: Iterable[float]) -> None:
        """Count requests that were answered or timed out just now; `began` is monotonic."""
        now, counts = time.monotonic(), self._counts
        times = [now - at for at in began]
        for seconds in times:
            counts[bisect_left(BOUNDS, seconds)] += 1
        self._seconds += sum(times)

    def read(self) -> Histogram:
        """Return what was counted so far; from any thread."""
        return Histogram(self._counts.copy(), self._seconds)


def in_all(lanes: Iterable[Latency]) -> Histogram:
    """Return the answers of all lanes together."""
    counts, seconds = zip(*(lane.read() for lane in lanes), strict=True)
    return Histogram([sum(each) for each in zip(*counts, strict=True)], sum(seconds))

"""Telemetry: the worker's metrics for Prometheus; every one of them is defined here.

The parts on the main thread tell what they did, once for a whole claim or record and never for a
single send. All else is read from memory when Prometheus asks: a scrape has a thread of its own,
which touches neither the database nor a lock of the lanes.
"""

import time
from collections import Counter
from collections.abc import Collection, Iterator
from datetime import datetime
from itertools import accumulate
from operator import itemgetter

import prometheus_client
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from notifications.fcm.credentials import AccessToken
from notifications.models import Delivery, SendingSwitch
from notifications.models.delivery import WORKER_LOST

from .latency import BOUNDS
from .lease import Lease
from .rate import Rate
from .repository import Entry
from .sender import Sender

PREFIX = "radiotalk_sending"

# Seconds. A claim or a record takes 5 ms; PostgreSQL cancels a statement after 45 s.
DATABASE_BOUNDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 45.0)
# Seconds. At once is some 50 ms, and FCM's answer takes 230 ms; a pause, an approval or an outage
# may last until the talk is too old.
FIRST_BOUNDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)

# Codes come from FCM's answers, which are untrusted: so many are told apart, the rest is OTHER.
MOST_ERRORS = 50
OTHER = "OTHER"

OUTCOME_AND_ERROR = itemgetter(Entry._fields.index("outcome"), Entry._fields.index("error_code"))
# What an attempt can come to; the other outcomes are decided without one.
OUTCOMES = (
    Delivery.Outcome.SENT,
    Delivery.Outcome.SIMULATED,
    Delivery.Outcome.REJECTED,
    Delivery.Outcome.RETRY,
    Delivery.Outcome.UNKNOWN,
    Delivery.Outcome.ABANDONED,
)


class Telemetry:
    """What the main thread tells."""

    def __init__(self) -> None:
        self.registry = prometheus_client.CollectorRegistry()
        prometheus_client.ProcessCollector(registry=self.registry)
        self._results = self._counter("results", "Recorded results of attempts.", "outcome")
        for outcome in OUTCOMES:  # a counter that begins with its first event would hide it
            self._results.labels(outcome.value)
        self._errors = self._counter(
            "errors", "Those of the results that have an error code.", "outcome", "error"
        )
        self._known_errors: set[str] = set()
        self._throttled = self._counter(
            "throttled", "How often FCM's 429 halved the rate; all within a second are one."
        )
        self.claim_seconds = self._histogram(
            "claim", "How long the transaction of a claim took.", DATABASE_BOUNDS
        )
        self.record_seconds = self._histogram(
            "record", "How long the transaction that records results took.", DATABASE_BOUNDS
        )
        self.first_accepted_seconds = self._histogram(
            "first_accepted",
            "From a talk's upload until FCM accepted it for the first device; any wait included.",
            FIRST_BOUNDS,
        )
        self.waiting_since: float | None = None  # monotonic, as is the next one
        self.live_until = 0.0

    def recorded(self, entries: Collection[Entry]) -> None:
        """Count results that are in the send log now."""
        for (outcome, error), count in Counter(map(OUTCOME_AND_ERROR, entries)).items():
            self._count(outcome, error, count)

    def lost(self, targets: int) -> None:
        """Count targets that are unknown since a worker died."""
        self._count(Delivery.Outcome.UNKNOWN, WORKER_LOST, targets)

    def throttled(self) -> None:
        """Count that a 429 halved the rate."""
        self._throttled.inc()

    def looked(self, *, waits_since: datetime | None, switch: SendingSwitch, now: datetime) -> None:
        """Note what a look saw: when the longest wait for a start began, and the switch."""
        at = time.monotonic()
        self.waiting_since = at - (now - waits_since).total_seconds() if waits_since else None
        self.live_until = at + switch.live_seconds(now=now)

    def _count(self, outcome: str, error: str, count: int) -> None:
        self._results.labels(outcome).inc(count)
        if error:
            self._errors.labels(outcome, self._bounded(error)).inc(count)

    def _bounded(self, error: str) -> str:
        if len(self._known_errors) < MOST_ERRORS:
            self._known_errors.add(error)
        return error if error in self._known_errors else OTHER

    def _counter(self, name: str, about: str, *labels: str) -> prometheus_client.Counter:
        return prometheus_client.Counter(
            f"{PREFIX}_{name}_total", about, labels, registry=self.registry
        )

    def _histogram(
        self, name: str, about: str, bounds: tuple[float, ...]
    ) -> prometheus_client.Histogram:
        return prometheus_client.Histogram(
            f"{PREFIX}_{name}_seconds", about, buckets=bounds, registry=self.registry
        )


class Readings(Collector):
    """What a scrape reads from the parts, on its own thread."""

    def __init__(
        self,
        *,
        telemetry: Telemetry,
        sender: Sender,
        lease: Lease,
        rate: Rate,
        access: AccessToken,
    ) -> None:
        self._telemetry = telemetry
        self._sender = sender
        self._lease = lease
        self._rate = rate
        self._access = access

    def collect(self) -> Iterator[Metric]:
        in_flight = self._sender.requests()
        yield gauge("in_flight", "Requests without an answer.", sum(in_flight))
        yield gauge("lanes", "Threads that send.", len(in_flight))
        yield gauge("lanes_busy", "Those with a request in flight.", sum(map(bool, in_flight)))
        yield gauge(
            "rate_allowed",
            "Requests a second that the rate allows; less than the quota after a 429.",
            self._rate.share_at(time.monotonic()) * self._rate.per_minute / 60,
        )
        yield from self._of_the_active_worker()
        yield self._latency()
        yield self._token_refreshes()

    def _of_the_active_worker(self) -> Iterator[Metric]:
        """Yield what only the worker with the lease knows."""
        epoch, now = self._lease.epoch, time.monotonic()
        yield gauge("lease_epoch", "The epoch of the lease; 0 while this worker has none.", epoch)
        if not epoch:
            return
        since = self._telemetry.waiting_since
        yield gauge(
            "queue_age_seconds",
            "The longest time that a notification has waited to be started; 0 when none waits.",
            0.0 if since is None else now - since,
        )
        yield gauge(
            "live_left_seconds",
            "For how long the switch says live: 0 for a dry run, +Inf for no end.",
            max(self._telemetry.live_until - now, 0.0),
        )

    def _latency(self) -> Metric:
        counts, seconds = self._sender.latency()
        bounds = [*map(str, BOUNDS), "+Inf"]
        return HistogramMetricFamily(
            f"{PREFIX}_answer_seconds",
            "How long FCM took to answer, or a request took to time out, as a lane sees it.",
            buckets=list(zip(bounds, accumulate(counts), strict=True)),
            sum_value=seconds,
        )

    def _token_refreshes(self) -> Metric:
        family = CounterMetricFamily(
            f"{PREFIX}_token_refreshes",
            "How often Google was asked for an access token, by what came of it.",
            labels=["result"],
        )
        for result, count in self._access.refreshes.copy().items():
            family.add_metric([result], count)
        return family


def gauge(name: str, about: str, value: float) -> Metric:
    """Return a gauge without labels."""
    return GaugeMetricFamily(f"{PREFIX}_{name}", about, value=value)

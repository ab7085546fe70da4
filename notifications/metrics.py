"""What Prometheus reads at /metrics: taken from the database, where web and worker meet.

What nobody knows at the moment is left out, so that no figure outlives what it was true of.
"""

import logging
from collections.abc import Iterator

from django.db import Error
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from radiotalk import clock

from . import locks
from .models import Notification, WorkerLease
from .operators.situation import OpenNotifications, Situation, open_notifications, situation

logger = logging.getLogger(__name__)


class SendingCollector(Collector):
    """A handful of small queries; none counts over the send log."""

    def describe(self) -> list[Metric]:
        """Name nothing at registration: that would query before the database is there."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield whether the database answers, and what it knows, all of it or nothing."""
        known: list[Metric] = []
        try:
            with locks.waiting_briefly():
                known = list(self.of_the_database())
        except Error as error:
            logger.warning("scrape.failed", extra={"error": type(error).__name__})
        yield GaugeMetricFamily(
            "radiotalk_database_up",
            "Whether the database answers this web process, with its tables there and not locked.",
            value=bool(known),
        )
        yield from known

    def of_the_database(self) -> Iterator[Metric]:
        open_now, found = open_notifications(), situation(now=clock.now())
        yield self.by_state(open_now)
        yield self.oldest_pending(open_now, found)
        yield GaugeMetricFamily(
            "radiotalk_unknown_deliveries",
            "Deliveries that may or may not have arrived, until an operator settles them.",
            value=open_now.unknown,
        )
        yield GaugeMetricFamily(
            "radiotalk_stuck",
            "Whether nothing of a notification went out for over a minute, or the log is locked.",
            value=open_now.stuck_id is not None,
        )
        yield self.switch(found)
        if found.lease and found.lease.heartbeat_at:
            yield GaugeMetricFamily(
                "radiotalk_worker_heartbeat_seconds",
                "Since the worker's last sign.",
                value=(found.now - found.lease.heartbeat_at).total_seconds(),
            )
            yield GaugeMetricFamily(
                "radiotalk_worker_active", "Whether the lease is held.", value=bool(found.holder)
            )
        if found.holder and not found.worker_is_silent:
            yield from self.active_worker(found.holder)

    def by_state(self, open_now: OpenNotifications) -> Metric:
        family = GaugeMetricFamily(
            "radiotalk_notifications", "Notifications that are not history.", labels=["state"]
        )
        for state in Notification.OPEN_STATES:
            family.add_metric([state.value], getattr(open_now, state.value))
        return family

    def oldest_pending(self, open_now: OpenNotifications, found: Situation) -> Metric:
        since = open_now.waits_since
        age = (found.now - since).total_seconds() if since else 0.0
        return GaugeMetricFamily(
            "radiotalk_oldest_pending_seconds",
            "The longest time that a notification has waited to be started; 0 when none waits.",
            value=age,
        )

    def switch(self, found: Situation) -> Metric:
        family = GaugeMetricFamily("radiotalk_switch", "The operators' switch.", labels=["is"])
        family.add_metric(["live"], float(found.switch.is_live(now=found.now)))
        family.add_metric(["paused"], float(found.switch.paused))
        return family

    def active_worker(self, lease: WorkerLease) -> Iterator[Metric]:
        """Yield what is true only for as long as the worker with the lease gives signs of life."""
        yield GaugeMetricFamily(
            "radiotalk_fcm_away_seconds",
            "For how long FCM has taken nothing: it is not reached, or there are no credentials, "
            "or it refuses them; else 0.",
            value=lease.fcm_away_seconds or 0.0,
        )
        yield self.turnaround(lease)
        yield self.settings(lease)

    def turnaround(self, lease: WorkerLease) -> Metric:
        family = GaugeMetricFamily(
            "radiotalk_turnaround_seconds",
            "How long a stream to FCM stood idle lately, with more to send.",
            labels=["quantile"],
        )
        for quantile, value in (("0.5", lease.turnaround_median), ("0.99", lease.turnaround_p99)):
            if value is not None:
                family.add_metric([quantile], value)
        return family

    def settings(self, lease: WorkerLease) -> Metric:
        family = GaugeMetricFamily(
            "radiotalk_worker_setting",
            "The active worker's settings that are numbers.",
            labels=["name"],
        )
        for name, value in (lease.settings or {}).items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                family.add_metric([name], value)
        return family


registry = CollectorRegistry()
registry.register(SendingCollector())


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer with the state of the sending in Prometheus' text format, also without a database."""
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

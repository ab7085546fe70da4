"""The worker's metrics: what the parts tell, and what a scrape reads without the database."""

import threading
import time
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from django.utils import timezone
from prometheus_client import generate_latest

from notifications.models import SendingSwitch
from notifications.worker.latency import BOUNDS, Latency, in_all
from notifications.worker.rate import RECOVERY_SECONDS, Rate
from notifications.worker.repository import Entry
from notifications.worker.telemetry import MOST_ERRORS, Readings, Telemetry

NOW = timezone.now()


def entry(outcome: str, error: str = "") -> Entry:
    """Return a line of the log with this outcome."""
    return Entry(1, 1, outcome, error, "", 1, None)


def value(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    """Return what a scrape reads, None where it reads nothing of this name."""
    return telemetry.registry.get_sample_value(f"radiotalk_sending_{name}", labels)


def scraped(*, epoch: int = 1, rate: Rate | None = None, lanes: int = 2) -> Telemetry:
    """Return the telemetry of a worker in this epoch, one of whose lanes has requests in flight."""
    telemetry = Telemetry()
    times = [Latency() for _ in range(lanes)]
    times[0].note([time.monotonic() - 0.22])
    parts: dict[str, Any] = {
        "sender": SimpleNamespace(
            requests=lambda: [7] + [0] * (lanes - 1), latency=lambda: in_all(times)
        ),
        "lease": SimpleNamespace(epoch=epoch),
        "rate": rate or Rate(600_000),
        "access": SimpleNamespace(refreshes={"given": 3, "CREDENTIALS_REFUSED": 1}),
    }
    telemetry.registry.register(Readings(telemetry=telemetry, **parts))
    return telemetry


# --- What the main thread tells ------------------------------------------------------------------


def test_each_result_is_counted_by_its_outcome_and_its_error() -> None:
    telemetry = Telemetry()

    telemetry.recorded([entry("sent"), entry("sent"), entry("rejected", "UNREGISTERED")])
    telemetry.recorded([entry("sent")])

    assert value(telemetry, "results_total", outcome="sent") == 3
    assert value(telemetry, "results_total", outcome="rejected") == 1
    assert value(telemetry, "errors_total", outcome="rejected", error="UNREGISTERED") == 1


def test_a_first_unknown_is_an_increase_since_every_outcome_begins_with_zero() -> None:
    telemetry = Telemetry()

    for outcome in ("sent", "simulated", "rejected", "retry", "unknown", "abandoned"):
        assert value(telemetry, "results_total", outcome=outcome) == 0


def test_targets_that_a_dead_worker_left_are_counted_as_unknown() -> None:
    telemetry = Telemetry()

    telemetry.lost(12)

    assert value(telemetry, "results_total", outcome="unknown") == 12
    assert value(telemetry, "errors_total", outcome="unknown", error="WORKER_LOST") == 12


def test_an_fcm_that_answers_with_ever_new_codes_does_not_fill_prometheus() -> None:
    telemetry = Telemetry()

    telemetry.recorded([entry("rejected", f"CODE_{number}") for number in range(10_000)])
    telemetry.recorded([entry("rejected", "CODE_0")])

    page = generate_latest(telemetry.registry).decode()
    lines = [line for line in page.splitlines() if "errors_total{" in line]
    assert len(lines) == MOST_ERRORS + 1
    assert value(telemetry, "errors_total", outcome="rejected", error="CODE_0") == 2
    others = value(telemetry, "errors_total", outcome="rejected", error="OTHER")
    assert others == 10_000 - MOST_ERRORS


# --- What a scrape reads -------------------------------------------------------------------------


def test_a_scrape_asks_no_database_and_may_come_on_any_thread() -> None:
    telemetry = scraped()  # and pytest-django lets this test have none
    pages: list[bytes] = []

    thread = threading.Thread(target=lambda: pages.append(generate_latest(telemetry.registry)))
    thread.start()
    thread.join()

    assert b"radiotalk_sending_in_flight 7.0" in pages[0]


def test_lanes_and_what_they_have_in_flight_are_told() -> None:
    telemetry = scraped(lanes=10)

    assert value(telemetry, "in_flight") == 7
    assert value(telemetry, "lanes") == 10
    assert value(telemetry, "lanes_busy") == 1


def test_the_rate_is_told_as_it_is_now_though_nothing_was_sent_since_a_429() -> None:
    rate = Rate(600_000)
    rate.allowance(time.monotonic())
    rate.lower(time.monotonic())
    telemetry = scraped(rate=rate)

    halved = value(telemetry, "rate_allowed")
    rate.allowance(time.monotonic() - 2 * RECOVERY_SECONDS)

    assert halved == pytest.approx(5_000, rel=0.2)
    assert value(telemetry, "rate_allowed") == 10_000


def test_token_refreshes_are_told_by_what_came_of_them() -> None:
    telemetry = scraped()

    assert value(telemetry, "token_refreshes_total", result="given") == 3
    assert value(telemetry, "token_refreshes_total", result="CREDENTIALS_REFUSED") == 1


def test_the_queue_is_as_old_as_the_oldest_that_waits() -> None:
    telemetry = scraped()
    telemetry.looked(waits_since=NOW - timedelta(minutes=5), switch=SendingSwitch(), now=NOW)

    assert cast(float, value(telemetry, "queue_age_seconds")) >= 300

    telemetry.looked(waits_since=None, switch=SendingSwitch(), now=NOW)

    assert value(telemetry, "queue_age_seconds") == 0


@pytest.mark.parametrize(
    ("switch", "least", "most"),
    [
        (SendingSwitch(mode="dry_run"), 0, 0),
        (SendingSwitch(mode="live", live_until=NOW - timedelta(seconds=1)), 0, 0),
        (SendingSwitch(mode="live", live_until=NOW + timedelta(hours=1)), 1, 3600),
        (SendingSwitch(mode="live"), float("inf"), float("inf")),
    ],
)
def test_the_time_to_the_end_of_live_is_told(
    switch: SendingSwitch, least: float, most: float
) -> None:
    telemetry = scraped()

    telemetry.looked(waits_since=None, switch=switch, now=NOW)

    assert least <= cast(float, value(telemetry, "live_left_seconds")) <= most


def test_a_standby_tells_nothing_of_a_queue_that_it_does_not_see() -> None:
    telemetry = scraped(epoch=0)

    assert value(telemetry, "lease_epoch") == 0
    assert value(telemetry, "queue_age_seconds") is None
    assert value(telemetry, "live_left_seconds") is None


# --- Latency -------------------------------------------------------------------------------------


def test_answer_times_of_all_lanes_are_one_histogram() -> None:
    telemetry = scraped()

    assert value(telemetry, "answer_seconds_count") == 1
    assert value(telemetry, "answer_seconds_bucket", le="0.2") == 0
    assert value(telemetry, "answer_seconds_bucket", le="20.0") == 1
    assert cast(float, value(telemetry, "answer_seconds_sum")) >= 0.22


def test_an_answer_slower_than_every_bound_is_counted_all_the_same() -> None:
    lane = Latency()

    lane.note([time.monotonic() - 10 * BOUNDS[-1]])

    assert lane.read().counts == [0] * len(BOUNDS) + [1]

"""The worker's metrics over HTTP: on loopback alone, and never at the worker's expense."""

import logging
import socket

import pytest
import requests
from prometheus_client import CollectorRegistry, Counter

from notifications.worker import scraping
from testbed.process import LOOPBACK, eventually, free_port, listens


@pytest.fixture
def registry() -> CollectorRegistry:
    """Return a registry with one counter."""
    registry = CollectorRegistry()
    Counter("talks_total", "Talks.", registry=registry).inc(3)
    return registry


def test_prometheus_reads_the_metrics_at_the_port(registry: CollectorRegistry) -> None:
    port = free_port()

    scraping.serve(registry, port=port)

    assert eventually(lambda: listens(port))
    answer = requests.get(f"http://{LOOPBACK}:{port}/metrics", timeout=60)
    assert "talks_total 3.0" in answer.text


def test_they_are_read_at_loopback_and_at_no_other_address(registry: CollectorRegistry) -> None:
    port = free_port()

    scraping.listen(registry, port)

    assert listens(port)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.2", port)) != 0


def test_without_a_port_nothing_is_served(
    registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scraping, "listen", pytest.fail)

    scraping.serve(registry, port=0)


def test_a_port_that_is_taken_is_a_warning_that_says_what_to_do(
    registry: CollectorRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()

        scraping.listen(registry, taken.getsockname()[1])

    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.WARNING, "metrics.failed")
    assert record.__dict__["error"] == "Address already in use"
    assert "METRICS_PORT" in record.__dict__["then"]

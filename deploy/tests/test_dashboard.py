"""The dashboard, with a real Prometheus that reads a real fan-out: no panel stays empty."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from testbed.ci import must_be_there
from testbed.prometheus import (
    DASHBOARD,
    DEPLOYED,
    MISSING,
    Prometheus,
    panels,
    program,
    running_prometheus,
)
from testbed.system import System, add_listeners, go_live_for_the_evening, post

pytestmark = pytest.mark.engines

LISTENERS = 3_000  # more than there are streams, or there is no turn-around
GONE = 7
METRIC = re.compile(r"\b(?:radiotalk[_:]|process_)[a-z0-9_:]+")
LONG_AGO_SECONDS = 600  # when the test had not begun


@contextmanager
def read_by_prometheus(system: System, directory: Path) -> Iterator[Prometheus]:
    """Yield a Prometheus that reads this system's web and worker, both of which it starts."""
    if not program("prometheus"):
        (pytest.fail if must_be_there() else pytest.skip)(MISSING)
    worker_port = system.reserve_port()
    system.start_web()
    system.start_worker(METRICS_PORT=str(worker_port))
    with running_prometheus(
        directory, web_port=system.web_port, worker_port=worker_port
    ) as prometheus:
        system.wait(lambda: prometheus.value("sum(up)") == 2)
        yield prometheus


def test_every_query_of_the_dashboard_shows_something_of_a_fan_out(
    system: System, tmp_path: Path
) -> None:
    go_live_for_the_evening()
    program = system.listeners(LISTENERS)
    add_listeners(program, GONE, name="gone-{}-unregistered")

    with read_by_prometheus(system, tmp_path / "prometheus") as prometheus:
        post(program)
        system.wait_until_settled()
        results = 'radiotalk_sending_results_total{outcome="%s"}'
        system.wait(lambda: prometheus.value(results % "sent") == LISTENERS)
        assert prometheus.value(results % "rejected") == GONE
        assert prometheus.value("radiotalk_sending_answer_seconds_count") == LISTENERS + GONE
        assert prometheus.value("radiotalk_sending_first_accepted_seconds_count") == 1

        queries = [(panel.title, query) for panel in panels() for query in panel.queries]
        assert len(queries) > 20

        def empty() -> list[tuple[str, str]]:
            return [
                (title, query.expression)
                for title, query in queries
                if not prometheus.range(query.expression, seconds=LONG_AGO_SECONDS)
            ]

        # The figures of a fan-out reach Prometheus a few readings later, by way of the lease.
        system.wait(lambda: not empty())

        errors = next(panel for panel in panels() if panel.title == "Errors within 5 minutes")
        (series,) = prometheus.range(errors.queries[0].expression, seconds=LONG_AGO_SECONDS)
        assert max(count for _, count in series.points) == GONE

        files = (DASHBOARD, *DEPLOYED.glob("*.rules.yml"))
        used = {name for file in files for name in METRIC.findall(file.read_text())}
        assert used - prometheus.names() == set()
        assert {rule["health"] for rule in prometheus.rules()} == {"ok"}

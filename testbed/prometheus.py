"""A Prometheus of our own that reads a running Radiotalk by deploy/prometheus, gone at the end.

It is not among the wheels. Debian's package is `prometheus`, which brings promtool as well.
"""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import requests

from radiotalk.settings import BASE_DIR
from testbed.process import LOOPBACK, ProcessFailed, free_port, serving, start

DEPLOYED = BASE_DIR / "deploy" / "prometheus"
DASHBOARD = BASE_DIR / "deploy" / "grafana" / "radiotalk.json"
MISSING = "Prometheus is not installed: apt-get install prometheus"
REQUEST_SECONDS = 60
# What stands for $__rate_interval, which Grafana computes from how often Prometheus reads.
RATE_INTERVAL = "15s"


class Series(NamedTuple):
    """One line of a graph: its labels, and its points as (Unix time, value)."""

    labels: dict[str, str]
    points: list[tuple[float, float]]


class Query(NamedTuple):
    """One query of a panel, as Prometheus takes it, and how Grafana names its series."""

    expression: str
    legend: str


class Panel(NamedTuple):
    """One panel of the dashboard."""

    title: str
    kind: str
    unit: str
    place: dict[str, int]  # x, y, w and h of 24 columns
    queries: list[Query]


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus, asked as Grafana asks."""

    url: str

    def value(self, expression: str) -> float | None:
        """Return what an expression without labels is now, None while it is nothing."""
        result = self._ask("query", query=expression)["result"]
        return float(result[0]["value"][1]) if result else None

    def range(self, expression: str, *, seconds: float) -> list[Series]:
        """Return the graph of an expression for the last so many seconds."""
        end = time.time()
        data = self._ask("query_range", query=expression, start=end - seconds, end=end, step=1)
        return [
            Series(each["metric"], [(at, float(value)) for at, value in each["values"]])
            for each in data["result"]
        ]

    def names(self) -> set[str]:
        """Return the names of all metrics and of what rules have recorded."""
        return set(self._ask("label/__name__/values"))

    def rules(self) -> list[dict[str, Any]]:
        """Return the rules, each with its health and its alerts."""
        return [rule for group in self._ask("rules")["groups"] for rule in group["rules"]]

    def _ask(self, what: str, **parameters: Any) -> Any:
        address = f"{self.url}/api/v1/{what}"
        answer = requests.get(address, params=parameters, timeout=REQUEST_SECONDS).json()
        if answer["status"] != "success":
            raise ValueError(f"{parameters}: {answer['error']}")
        return answer["data"]


def program(name: str) -> str | None:
    """Return where `prometheus` or `promtool` is, None when it is not installed."""
    return shutil.which(name)


@contextmanager
def running_prometheus(directory: Path, *, web_port: int, worker_port: int) -> Iterator[Prometheus]:
    """Yield a Prometheus that reads web and worker every second, with our rules."""
    found = program("prometheus")
    if found is None:
        raise ProcessFailed(MISSING)
    shutil.copytree(DEPLOYED, directory)
    config = directory / "prometheus.yml"
    text = config.read_text()
    for deployed, ours in {
        "127.0.0.1:8000": f"{LOOPBACK}:{web_port}",
        "127.0.0.1:9464": f"{LOOPBACK}:{worker_port}",
        "interval: 15s": "interval: 1s",
    }.items():
        text = text.replace(deployed, ours)
    config.write_text(text)
    port = free_port()
    prometheus = Prometheus(f"http://{LOOPBACK}:{port}")
    options = [f"--config.file={config}", f"--storage.tsdb.path={directory / 'data'}"]
    options += [f"--web.listen-address={LOOPBACK}:{port}"]
    child = start("Prometheus", [found, *options], log=directory / "log", cwd=directory)
    with serving(child, lambda: is_ready(prometheus)):
        yield prometheus


def is_ready(prometheus: Prometheus) -> bool:
    """Return whether it answers queries."""
    try:
        return requests.get(f"{prometheus.url}/-/ready", timeout=REQUEST_SECONDS).ok
    except requests.ConnectionError:
        return False


def panels() -> list[Panel]:
    """Return the panels of the dashboard."""
    return [
        Panel(
            title=panel["title"],
            kind=panel["type"],
            unit=panel["fieldConfig"]["defaults"]["unit"],
            place=panel["gridPos"],
            queries=[
                Query(each["expr"].replace("$__rate_interval", RATE_INTERVAL), each["legendFormat"])
                for each in panel["targets"]
            ],
        )
        for panel in json.loads(DASHBOARD.read_text())["panels"]
    ]

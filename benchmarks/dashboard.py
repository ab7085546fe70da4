"""The picture of the dashboard, after a fan-out: a part of `make screenshots`.

System and Prometheus are real, and so are panels, queries and answers (deploy/grafana). Only the
drawing is ours and not Grafana's.
"""

import math
import re
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import django

django.setup()

import matplotlib as mpl  # noqa: E402

mpl.use("Agg")

from django.core.management import call_command  # noqa: E402
from matplotlib import pyplot  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

from radiotalk.settings import BASE_DIR  # noqa: E402
from testbed.prometheus import (  # noqa: E402
    Panel,
    Prometheus,
    Query,
    panels,
    running_prometheus,
)
from testbed.system import System, add_listeners, go_live_for_the_evening  # noqa: E402

IMAGE = BASE_DIR / "docs" / "images" / "dashboard.png"
LISTENERS = 15_000
GONE = 150  # of them have uninstalled the app
PER_MINUTE = 30_000  # so slow that there is something to see
BEFORE_SECONDS = 20
AFTER_SECONDS = 20
COLUMNS = 24  # of the dashboard
INCHES = (16, 22)
LABEL = re.compile(r"\{\{(\w+)\}\}")  # in the name that Grafana gives a series


def main() -> int:
    """Send, let Prometheus look on, and draw what it saw; return 0."""
    call_command("migrate", verbosity=0)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        system = System(Path(name), stack, latency_ms=230)
        system.env["NOTIFICATIONS_MAX_PER_MINUTE"] = str(PER_MINUTE)
        worker_port = system.reserve_port()
        system.start_redis()
        go_live_for_the_evening()
        program = system.listeners(LISTENERS)
        add_listeners(program, GONE, name="gone-{}-unregistered")
        system.start_web()
        system.start_worker(METRICS_PORT=str(worker_port))
        with running_prometheus(
            Path(name) / "prometheus", web_port=system.web_port, worker_port=worker_port
        ) as prometheus:
            began = time.monotonic()
            time.sleep(BEFORE_SECONDS)
            system.upload(program)
            system.wait_until_settled()
            time.sleep(AFTER_SECONDS)
            draw(prometheus, seconds=time.monotonic() - began)
    return 0


def draw(prometheus: Prometheus, *, seconds: float) -> None:
    """Draw each panel at its place in the dashboard."""
    figure = pyplot.figure(figsize=INCHES)
    shown = panels()
    rows = max(panel.place["y"] + panel.place["h"] for panel in shown)
    for panel in shown:
        axes = figure.add_axes(place(panel, rows))
        axes.set_title(panel.title, fontsize=10, loc="left")
        (draw_stat if panel.kind == "stat" else draw_series)(axes, panel, prometheus, seconds)
    save(figure)


def place(panel: Panel, rows: int) -> tuple[float, float, float, float]:
    """Return left, bottom, width and height of a panel's axes, as shares of the picture."""
    x, y, w, h = (panel.place[side] for side in "xywh")
    margin, title = 1 / COLUMNS, 1 / rows
    return (
        x / COLUMNS + margin,
        1 - (y + h) / rows + title,
        w / COLUMNS - 1.5 * margin,
        (h - 2.5) / rows,
    )


def draw_stat(axes: Axes, panel: Panel, prometheus: Prometheus, seconds: float) -> None:
    """Write the latest value."""
    (query,) = panel.queries
    value = prometheus.value(query.expression)
    text = "no data" if value is None else f"{value:,.1f} s" if panel.unit == "s" else f"{value:g}"
    axes.text(0.5, 0.5, text, fontsize=20, ha="center", va="center")
    axes.axis("off")


def draw_series(axes: Axes, panel: Panel, prometheus: Prometheus, seconds: float) -> None:
    """Draw each series of each query over the time."""
    end = time.time()
    for query in panel.queries:
        for labels, points in prometheus.range(query.expression, seconds=seconds):
            if all(math.isnan(value) for _, value in points):
                continue
            times, values = [at - end for at, _ in points], [value for _, value in points]
            axes.plot(times, values, label=legend(query, labels))
    axes.set_xlim(-seconds, 0)
    axes.set_ylim(bottom=0)
    axes.set_ylabel({"s": "seconds", "cps": "a second"}.get(panel.unit, ""), fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, loc="upper left")


def legend(query: Query, labels: dict[str, str]) -> str:
    """Return the name of a series, as Grafana makes it."""
    return LABEL.sub(lambda found: labels.get(found[1], ""), query.legend)


def save(figure: Figure) -> None:
    """Write the picture."""
    figure.savefig(IMAGE, dpi=60)
    pyplot.close(figure)


if __name__ == "__main__":
    sys.exit(main())

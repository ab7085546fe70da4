"""docs/benchmarks.md and its plots, made of what `benchmarks.bench` measured.

    python -m benchmarks.report

makes them once more from var/bench.json.
"""

import json
import os
import platform
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import limit
from benchmarks.measuring import table
from radiotalk.settings import BASE_DIR, VAR_DIR

PAGE = BASE_DIR / "docs" / "benchmarks.md"
PLOTS = BASE_DIR / "docs" / "images"
BEGIN, END = "<!-- measured by make bench: begin -->\n", "<!-- measured by make bench: end -->\n"
PACKAGES = ("django", "psycopg", "hpack", "firebase-admin", "fcm-django", "granian")

# Listeners, and the seconds that the version of 2019 took: 10 at a time, 230 ms a send.
YEAR_2019 = {100: 2.39, 1_000: 23.16, 10_000: 233.37}

Result = dict[str, Any]
Groups = dict[tuple[str, int, int], list[Result]]  # by way, latency, size


def machine() -> dict[str, str]:
    """Return the machine's cores, and the versions of what was measured on it."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return {
        "cores": f"{os.cpu_count()} × {cpu}",
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def grouped(results: Iterable[Result]) -> Groups:
    """Return the results, the rounds of each measurement together."""
    groups: Groups = defaultdict(list)
    for result in results:
        groups[result["way"], result["latency"], result["size"]].append(result)
    return groups


def median(rounds: list[Result], figure: Callable[[Result], float]) -> float:
    """Return the median of a figure over the rounds."""
    return statistics.median(figure(each) for each in rounds)


def seconds(value: float) -> str:
    """Return seconds as text, with decimals where they matter."""
    return f"{value:.2f} s" if value < 100 else f"{value:.0f} s"


def row(way: str, size: int, rounds: list[Result]) -> list[str]:
    """Return the cells of one way at one size, in the order of HEADINGS."""
    wall = median(rounds, lambda each: each["recorded"])
    shown = [
        way,
        f"{size:,}",
        seconds(wall),
        f"{size / wall:,.0f}",
        f"{median(rounds, lambda each: each['cpu'] / size * 1e6):,.0f}",
        f"{median(rounds, lambda each: each['peak_mb']):.0f}",
    ]
    if "first" not in rounds[0]:
        return [*shown, "–", seconds(median(rounds, lambda each: each["spread"])), "–", "–", "–"]
    return [
        *shown,
        f"{median(rounds, lambda each: each['first']) * 1e3:.0f} ms",
        seconds(median(rounds, lambda each: each["last"] - each["first"])),
        f"{median(rounds, lambda each: each['statements'] / size * 1e3):.0f}",
        f"{median(rounds, lambda each: each['database_cpu'] / size * 1e6):.0f}",
        limit.turnaround(rounds),
    ]


HEADINGS = [
    "way", "targets", "all recorded", "sends/s", "CPU µs a send", "peak RSS, MB", "upload → first",
    "first → last", "SQL / 1,000", "PostgreSQL µs a send", "turn-around, ms",
]  # fmt: skip


def tables(groups: Groups) -> str:
    """Return a table for each latency."""
    parts = []
    for latency in sorted({latency for _way, latency, _size in groups}, reverse=True):
        rows = [
            row(way, size, rounds)
            for (way, of, size), rounds in sorted(groups.items(), key=lambda item: item[0][2])
            if of == latency
        ]
        parts += [f"### {latency} ms a send", "", table(HEADINGS, rows), ""]
    return "\n".join(parts)


def against_2019(groups: Groups) -> str:
    """Return a table of Radiotalk beside the version of 2019, both with ten at a time."""
    rows = []
    for size, then in YEAR_2019.items():
        ours = groups.get(("Radiotalk, 10 threads", 230, size))
        if ours:
            now = median(ours, lambda each: each["recorded"])
            rows.append([f"{size:,}", f"{then:.2f} s", seconds(now), f"{then / now:.0f} ×"])
    return table(["listeners", "2019, 10 at a time", "now, 10 threads", "faster"], rows)


def ratios(groups: Groups) -> str:
    """Return how much faster Radiotalk is than the other ways, from the best rates of this run."""

    def best(ways: Iterable[str]) -> float:
        rates = [
            size / median(rounds, lambda each: each["recorded"])
            for (way, latency, size), rounds in groups.items()
            if latency == 230 and way in ways
        ]
        return max(rates, default=0.0)

    ways = {way for way, _latency, _size in groups}
    peers = {way for way in ways if not way.startswith("Radiotalk")}
    ten, sdk_ten = best({"Radiotalk, 10 threads"}), best({"firebase-admin send, 10 threads"})
    forty, any_sdk = best({"Radiotalk, 40 threads"}), best(peers)
    if not (sdk_ten and any_sdk):
        return ""
    return (
        f"With ten threads each: {ten:,.0f}/s to {sdk_ten:,.0f}/s of firebase-admin's `send`, "
        f"{ten / sdk_ten:.0f} times. With forty: {forty:,.0f}/s to {any_sdk:,.0f}/s of the best of "
        f"all other ways, {forty / any_sdk:.1f} times."
    )


def plots(groups: Groups) -> list[str]:
    """Write the plots; return the lines of the page that show them, none without matplotlib."""
    try:
        import matplotlib
    except ImportError:
        return []
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "radiotalk"  # the same drawing is the same file
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4.5))
    for way in sorted({way for way, _latency, _size in groups}):
        points = sorted(
            (size, median(rounds, lambda each: each["recorded"]))
            for (of, latency, size), rounds in groups.items()
            if of == way and latency == 230
        )
        if points:
            axes.plot(*zip(*points, strict=True), marker="o", label=way)
    axes.plot(
        *zip(*YEAR_2019.items(), strict=True), marker="x", ls="--", label="2019, 10 at a time"
    )
    axes.set(xscale="log", yscale="log", xlabel="targets", ylabel="seconds", title="230 ms a send")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)
    save(figure, "benchmark-time.svg")

    figure, axes = pyplot.subplots(figsize=(8, 3))
    costs = {
        way: median(rounds, lambda each: each["cpu"] / each["targets"] * 1e6)
        for (way, latency, size), rounds in sorted(groups.items(), key=lambda item: item[0][2])
        if latency == 230
    }
    axes.barh(list(costs), list(costs.values()))
    axes.set(xlabel="CPU µs a send, 230 ms, the largest number of targets measured")
    save(figure, "benchmark-cpu.svg")
    return [
        "![Seconds by targets](images/benchmark-time.svg)",
        "",
        "![CPU a send](images/benchmark-cpu.svg)",
        "",
    ]


def save(figure: Any, name: str) -> None:
    """Write a plot into docs/images."""
    figure.tight_layout()
    figure.savefig(PLOTS / name, metadata={"Date": None})


def write(file: Path) -> None:
    """Replace the measured part of the page by the results in this file."""
    content = json.loads(file.read_text())
    groups = grouped(content["results"])
    rounds = max(len(each) for each in groups.values())
    told = ", ".join(f"{name} {value}" for name, value in content["machine"].items())
    measured = "\n".join(
        [
            f"Medians of {rounds} rounds in which the ways took turns. {told}.",
            "",
            "### Beside a client in C",
            "",
            limit.told(content["limits"]),
            "",
            "### Beside the libraries that one would take instead",
            "",
            ratios(groups),
            "",
            against_2019(groups),
            "",
            *plots(groups),
            tables(groups),
        ]
    )
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{measured}\n{END}{after}")


if __name__ == "__main__":
    write(VAR_DIR / "bench.json")

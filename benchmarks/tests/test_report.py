"""What the benchmarks say is what was measured."""

from typing import Any

from benchmarks import limit, report
from benchmarks.stub import Latency, Tally, tail


def results(way: str, *seconds: float, size: int = 1_000, **more: Any) -> list[report.Result]:
    """Return a round for each number of seconds."""
    shared = {"way": way, "latency": 230, "size": size, "targets": size, "peak_mb": 80.0}
    return [{**shared, "recorded": each, "cpu": 0.1, "spread": 1.0, **more} for each in seconds]


def test_the_median_of_the_rounds_is_shown() -> None:
    groups = report.grouped(results("fcm-django", 3.0, 1.0, 2.0))

    ((way, _latency, size), rounds), *others = groups.items()

    assert others == []
    assert report.row(way, size, rounds)[:6] == [
        "fcm-django",
        "1,000",
        "2.00 s",
        "500",
        "100",
        "80",
    ]


def test_the_ratio_is_of_the_best_rates_in_the_same_run() -> None:
    groups = report.grouped(
        [
            *results("Radiotalk, 10 threads", 0.5),
            *results("Radiotalk, 40 threads", 0.1),
            *results("firebase-admin send, 10 threads", 25.0),
            *results("fcm-django", 2.0),
        ]
    )

    told = report.ratios(groups)

    assert "2,000/s to 40/s of firebase-admin's `send`, 50 times" in told
    assert "10,000/s to 500/s of the best of all other ways, 20.0 times" in told


def test_2019_stands_beside_ours() -> None:
    groups = report.grouped(results("Radiotalk, 10 threads", 2.5, size=10_000))

    assert "| 10,000 | 233.37 s | 2.50 s | 93 × |" in report.against_2019(groups)


def test_a_share_of_the_answers_is_slow() -> None:
    latency = Latency(0.1, [tail("1:1000"), tail("0.2:10000")])

    drawn = [latency.draw() for _ in range(100_000)]

    assert 800 < drawn.count(1.0) < 1200
    assert 130 < drawn.count(10.0) < 270
    assert set(drawn) == {0.1, 1.0, 10.0}


def test_a_target_that_is_sent_to_again_is_counted() -> None:
    tally = Tally()

    for target in (b"a", b"b", b"a"):
        tally.add(target, "client")

    told = tally.told()
    assert (told["requests"], told["targets"], told["again"]) == (3, 2, 1)
    assert sum(told["by_second"]) == 3


def test_a_stream_is_idle_from_an_answer_to_the_next_request_on_its_connection() -> None:
    tally = Tally()
    tally.add(b"a", "one")
    tally.answered("one")
    tally.add(b"b", "another")
    assert tally.waits == []

    tally.add(b"c", "one")

    (wait,) = tally.waits
    assert wait >= 0


def beside_h2load(case: limit.Case, ours: float, theirs: float) -> dict[str, Any]:
    """Return a round in which both needed so many seconds."""
    shared = {"cpu": 1.0, "targets": case.targets, "turnaround": (0.01, 0.02)}
    return {
        "case": case.name,
        "ours": {**shared, case.figure: ours, "recorded": ours},
        "h2load": {**shared, case.figure: theirs, "recorded": theirs},
    }


def test_ratios_to_h2load_are_of_medians() -> None:
    time, rate, last = limit.CASES
    limits = [beside_h2load(time, ours, 2.0) for ours in (3.0, 2.5, 9.0)]
    limits += [beside_h2load(rate, 20.0, 10.0), beside_h2load(last, 8.0, 4.0)]

    told = limit.told(limits)

    assert f"| {time.name} | 1.50 | 3.00 | 100 | 10 / 20 | 2.00 |" in told
    assert f"| {rate.name} | 0.50 |" in told
    assert f"| {last.name} | 2.00 |" in told


def test_without_h2load_the_page_says_what_to_install() -> None:
    assert "apt-get install nghttp2-client" in limit.told([])

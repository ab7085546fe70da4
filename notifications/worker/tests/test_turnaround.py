"""The turn-around: how long streams stand idle with something left to send."""

import pytest

from notifications.worker.turnaround import LATELY_SECONDS, REMEMBERED, Turnaround, figures

NOTHING = {"turnaround_median": None, "turnaround_p99": None}


def test_a_wait_lasts_from_an_answer_to_the_next_request() -> None:
    lane = Turnaround()

    lane.freed(2, now=10.0)
    lane.used(now=10.5)
    lane.freed(1, now=11.0)
    lane.used(now=12.0)

    # The stream that is idle for the longest time is used first.
    assert lane.waits(now=12.0) == [0.5, 2.0]


def test_a_stream_that_was_never_used_before_did_not_wait() -> None:
    lane = Turnaround()

    lane.used(now=10.0)

    assert lane.waits(now=10.0) == []
    assert figures([lane], now=10.0) == NOTHING


def test_what_is_idle_while_nothing_is_left_to_send_did_not_wait() -> None:
    lane = Turnaround()
    lane.freed(3, now=10.0)

    lane.forget()
    lane.used(now=3600.0)

    assert lane.waits(now=3600.0) == []


def test_median_and_percentile_are_of_all_lanes() -> None:
    quick, slow = Turnaround(), Turnaround()
    for _ in range(99):
        quick.freed(1, now=0.0)
        quick.used(now=0.001)
    slow.freed(1, now=0.0)
    slow.used(now=5.0)

    assert figures([quick, slow], now=5.0) == {"turnaround_median": 0.001, "turnaround_p99": 5.0}


def test_only_the_latest_count() -> None:
    lane = Turnaround()
    for wait in (1.0, 0.0):
        for _ in range(REMEMBERED):
            lane.freed(1, now=0.0)
            lane.used(now=wait)

    assert set(lane.waits(now=1.0)) == {0.0}


def test_a_fan_out_that_is_over_is_not_told_for_ever_nor_together_with_the_next() -> None:
    lane = Turnaround()
    lane.freed(1, now=0.0)
    lane.used(now=5.0)
    over = 5.0 + LATELY_SECONDS + 1

    assert figures([lane], now=over - 2)["turnaround_median"] == 5.0
    assert figures([lane], now=over) == NOTHING

    lane.freed(1, now=over)
    lane.used(now=over + 0.004)

    assert lane.waits(now=over + 0.004) == [pytest.approx(0.004)]

"""The rate: never above the quota, never stuck, slower for everybody after a 429."""

import random
from itertools import pairwise

import pytest

from notifications.worker.rate import LEAST_SHARE, Rate

STEP_SECONDS = 0.02
QUOTAS = [1, 2, 7, 59, 60, 61, 100, 119, 600, 1499, 60_000, 600_000]


def spend_all(rate: Rate, *, seconds: float, start: float = 0.0) -> list[tuple[float, int]]:
    """Return when how many were sent by a worker that always takes all it may."""
    sends = []
    for step in range(round(seconds / STEP_SECONDS)):
        now = start + step * STEP_SECONDS
        if allowance := rate.allowance(now):
            rate.spend(allowance)
            sends.append((now, allowance))
    return sends


def most_within(sends: list[tuple[float, int]], *, seconds: float) -> int:
    """Return the most that was sent in any window of this length."""
    window, first, most = 0, 0, 0
    for now, count in sends:
        window += count
        while sends[first][0] <= now - seconds + STEP_SECONDS / 2:
            window -= sends[first][1]
            first += 1
        most = max(most, window)
    return most


@pytest.mark.parametrize("quota", QUOTAS)
def test_no_minute_gets_more_than_the_quota(quota: int) -> None:
    sends = spend_all(Rate(quota), seconds=200)

    assert most_within(sends, seconds=60) <= quota


@pytest.mark.parametrize("quota", QUOTAS)
def test_no_minute_gets_more_than_the_quota_after_a_pause(quota: int) -> None:
    rate = Rate(quota)
    before = spend_all(rate, seconds=30)

    after = spend_all(rate, seconds=90, start=40)

    assert most_within(before + after, seconds=60) <= quota


@pytest.mark.parametrize("quota", QUOTAS)
def test_nearly_all_of_the_quota_is_used(quota: int) -> None:
    sends = spend_all(Rate(quota), seconds=600)

    assert sum(count for _, count in sends) >= 0.96 * 10 * quota


@pytest.mark.parametrize("quota", QUOTAS)
def test_no_second_gets_more_than_two_seconds_worth(quota: int) -> None:
    sends = spend_all(Rate(quota), seconds=30)

    assert most_within(sends, seconds=1) <= max(2 * quota / 60, 1)


@pytest.mark.parametrize("quota", QUOTAS)
def test_a_start_is_no_burst(quota: int) -> None:
    sends = spend_all(Rate(quota), seconds=10)

    assert most_within(sends, seconds=0.1) <= max(0.4 * quota / 60, 2)


@pytest.mark.parametrize("quota", [6_000, 60_000, 600_000])
def test_every_minute_that_could_use_it_gets_the_quota_within_one_percent(quota: int) -> None:
    sends = spend_all(Rate(quota), seconds=180)

    for start in range(0, 120, 7):
        minute = sum(count for now, count in sends if start <= now < start + 60)
        assert 0.99 * quota <= minute <= quota


def test_what_is_saved_in_an_hour_is_one_burst() -> None:
    rate = Rate(600_000)
    rate.allowance(0)

    assert rate.allowance(3600) == 2_500


@pytest.mark.parametrize("quota", QUOTAS)
def test_the_bucket_fills_up_at_every_rate(quota: int) -> None:
    # Otherwise whoever waits for a full bucket waits for ever: a quota of 100 once did.
    rate = Rate(quota)
    rate.spend(rate.allowance(0))

    for turn in range(1, 21):
        rate.lower(300 * (turn - 1))
        assert rate.allowance(300 * turn) == rate.capacity


def test_a_clock_that_stands_still_gives_nothing() -> None:
    rate = Rate(600)
    rate.spend(rate.allowance(5))

    assert rate.allowance(5) == 0


def test_a_clock_that_went_back_takes_nothing_away() -> None:
    rate = Rate(600)

    assert rate.allowance(5) == rate.allowance(4) == 2


def test_a_429_halves_the_rate() -> None:
    rate = Rate(600_000)

    rate.lower(0)

    assert rate.allowance(0) == 1_250


def test_many_429_of_one_burst_are_one_sign() -> None:
    rate = Rate(600_000)

    for number in range(500):
        rate.lower(number / 1000)

    assert rate.share == 0.5


def test_further_429_lower_it_further() -> None:
    rate = Rate(600_000)

    rate.lower(0)
    rate.lower(1)

    assert rate.share == 0.25


def test_it_never_stops_altogether() -> None:
    rate = Rate(600_000)

    for second in range(1000):
        rate.lower(second)

    assert rate.share == LEAST_SHARE
    assert rate.allowance(1000) == 25


def test_it_comes_back_in_small_steps_within_a_minute() -> None:
    rate = Rate(600_000)
    rate.allowance(0)
    rate.lower(0)

    shares = []
    for second in range(1, 62):
        rate.allowance(second)
        shares.append(rate.share)

    assert shares == sorted(shares)
    assert max(later - earlier for earlier, later in pairwise(shares)) < 0.02
    assert shares[-1] == 1.0


def test_the_quota_holds_while_it_is_lowered_and_recovers() -> None:
    rate, chance = Rate(6000), random.Random(1)
    sends = []
    for step in range(10_000):
        now = step * STEP_SECONDS
        if chance.random() < 0.01:
            rate.lower(now)
        allowance = rate.allowance(now)
        rate.spend(allowance)
        sends.append((now, allowance))

    assert most_within(sends, seconds=60) <= 6000

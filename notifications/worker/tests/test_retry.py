"""The retry ladder: when to attempt again, by meaning and attempt."""

import pytest

from notifications.fcm.outcomes import Meaning
from notifications.worker import retry


def least(low: float, high: float) -> float:
    """Draw no jitter."""
    return low


def most(low: float, high: float) -> float:
    """Draw all of the jitter."""
    return high


@pytest.mark.parametrize(
    ("meaning", "waits"),
    [
        (Meaning.UNREACHED, [1, 2, 4, 8, 16, 32, 60, 60, 60]),
        (Meaning.NOT_PROCESSED, [1, 2, 4, 8, 16, 32, 60, 60, 60]),
        (Meaning.THROTTLED, [60, 120, 240, 480, 960, 1920, 3600, 3600]),
        (Meaning.UNAVAILABLE, [10, 20, 40, 80, 160, None, None]),
        (Meaning.CREDENTIALS_REFUSED, [0, 0, 0]),
    ],
)
def test_the_ladder_of_each_meaning(meaning: Meaning, waits: list[float | None]) -> None:
    for attempt, wait in enumerate(waits, start=1):
        delay = retry.delay(meaning, attempt=attempt, retry_after=0, uniform=least)

        assert delay == wait, f"attempt {attempt}"


@pytest.mark.parametrize(
    "meaning",
    [Meaning.UNREACHED, Meaning.THROTTLED, Meaning.UNAVAILABLE, Meaning.CREDENTIALS_REFUSED],
)
def test_jitter_stretches_a_wait_by_a_quarter_at_most(meaning: Meaning) -> None:
    wait = retry.delay(meaning, attempt=3, retry_after=7, uniform=least)
    stretched = retry.delay(meaning, attempt=3, retry_after=7, uniform=most)

    assert wait is not None
    assert stretched == pytest.approx(1.25 * wait)


def test_what_failed_together_does_not_return_together() -> None:
    waits = {retry.delay(Meaning.UNREACHED, attempt=6, retry_after=0) for _ in range(100)}

    assert len(waits) > 90
    assert all(wait is not None and 32 <= wait <= 40 for wait in waits)


@pytest.mark.parametrize("retry_after", [1, 30, 90, 21_599])
def test_a_throttled_one_comes_no_sooner_than_fcm_said(retry_after: float) -> None:
    wait = retry.delay(Meaning.THROTTLED, attempt=1, retry_after=retry_after, uniform=least)

    assert wait == retry_after


def test_an_unavailable_fcm_gets_the_time_that_it_asked_for() -> None:
    assert retry.delay(Meaning.UNAVAILABLE, attempt=1, retry_after=45, uniform=least) == 45


def test_an_unavailable_fcm_is_never_asked_again_within_ten_seconds() -> None:
    assert retry.delay(Meaning.UNAVAILABLE, attempt=1, retry_after=1, uniform=least) == 10


def test_a_wait_is_bounded_however_many_attempts_there_were() -> None:
    wait = retry.delay(Meaning.THROTTLED, attempt=30_000, retry_after=0, uniform=most)

    assert wait == 4500


@pytest.mark.parametrize("meaning", [Meaning.THROTTLED, Meaning.UNAVAILABLE])
def test_a_retry_after_of_a_day_is_a_day(meaning: Meaning) -> None:
    assert retry.delay(meaning, attempt=1, retry_after=86_400, uniform=least) == 86_400

"""Answers that blame the configuration: few never hold a notification, nor across platforms."""

from collections import Counter

import pytest

from notifications.fcm.outcomes import Meaning
from notifications.reasons import ADVICE
from notifications.worker.blame import Blame, Blamed, by_platform, reason_at_the_end
from notifications.worker.work import Target

ACCEPTED, MISCONFIGURED, UNREGISTERED = (
    Meaning.ACCEPTED,
    Meaning.MISCONFIGURED,
    Meaning.UNREGISTERED,
)


class Answers:
    """Counts answers for devices 1, 2, 3 …."""

    def __init__(self) -> None:
        self.blame = Blame()
        self.devices = 0

    def come(
        self, meaning: Meaning, count: int, platform: str = "android", code: str = "NOT_FOUND"
    ) -> "Answers":
        """Count so many, each for another device."""
        for _ in range(count):
            self.devices += 1
            self.blame.count(meaning, Target(self.devices, "token", "t", platform=platform), code)
        return self

    def unreached(self, *, lanes: int = 1) -> set[str]:
        """Return the platforms that are not reached."""
        return set(self.blame.unreached(lanes=lanes))


def answers(meaning: Meaning, count: int, platform: str = "android", **given: str) -> Answers:
    """Return so many answers."""
    return Answers().come(meaning, count, platform, **given)


def test_after_twenty_in_a_row_nobody_is_reached() -> None:
    assert not answers(MISCONFIGURED, 19).unreached()
    assert answers(MISCONFIGURED, 20).unreached()


def test_with_more_lanes_more_come_before_the_first_one_that_is_reached() -> None:
    given = answers(MISCONFIGURED, 199)

    assert not given.unreached(lanes=10)
    assert given.come(MISCONFIGURED, 1).unreached(lanes=10)


def test_where_others_were_reached_before_one_listener_s_many_devices_do_not_hold_it() -> None:
    given = answers(ACCEPTED, 10_000).come(MISCONFIGURED, 199)

    assert not given.unreached()
    assert given.come(MISCONFIGURED, 1).unreached()


def test_one_device_that_was_reached_in_between_lets_it_go_on() -> None:
    assert not answers(MISCONFIGURED, 19).come(ACCEPTED, 1).come(MISCONFIGURED, 19).unreached()


def test_refusals_of_devices_in_between_do_not_hide_that_nobody_is_reached() -> None:
    assert answers(MISCONFIGURED, 10).come(UNREGISTERED, 5).come(MISCONFIGURED, 10).unreached()


def test_a_device_that_is_answered_again_and_again_counts_once() -> None:
    one = Answers()
    for _ in range(100):
        one.devices = 0
        one.come(MISCONFIGURED, 1)

    assert not one.unreached()


def test_the_platforms_that_are_not_reached_are_named_but_not_those_of_a_single_stray() -> None:
    iphones = answers(MISCONFIGURED, 300, "ios")
    assert iphones.unreached() == {"ios"}
    assert iphones.come(MISCONFIGURED, 1, "android").unreached() == {"ios"}
    assert iphones.come(MISCONFIGURED, 1, "android").unreached() == {"ios", "android"}


def test_with_more_lanes_more_strays_are_none_of_their_platforms() -> None:
    iphones = answers(MISCONFIGURED, 300, "ios").come(MISCONFIGURED, 19, "android")

    assert iphones.unreached(lanes=10) == {"ios"}
    assert iphones.come(MISCONFIGURED, 1, "android").unreached(lanes=10) == {"ios", "android"}


def test_a_device_that_is_reached_ends_what_was_known_of_the_platforms_that_follow() -> None:
    given = answers(MISCONFIGURED, 20, "ios")
    given.blame.others_follow = frozenset({"ios"})

    given.come(ACCEPTED, 1)

    assert given.blame.others_follow == frozenset()


@pytest.mark.parametrize("code", sorted(set(ADVICE) - {"CREDENTIALS_REFUSED"}))
def test_the_reason_names_the_code_and_says_what_to_do(code: str) -> None:
    given = answers(ACCEPTED, 1000, "web").come(UNREGISTERED, 5, "web")
    given.come(MISCONFIGURED, 200, "web", code=code)

    reason = given.blame.reason(given.blame.unreached(lanes=1))

    assert reason.startswith("Nobody on web is reached: 200 of the last 205 answers there")
    assert code in reason
    assert ADVICE[code] in reason
    assert "release" in reason


def at_the_end(reached: int, *, others: int = 0, **blaming: int) -> str:
    """Return why a notification is held at its end: so many androids reached, others refused."""
    blamed = Counter({Blamed(platform, "NOT_FOUND"): count for platform, count in blaming.items()})
    all_of_them = by_platform(blamed) + Counter(android=reached + others)
    return reason_at_the_end(blamed, all_of_them, reached=reached > 0)


@pytest.mark.parametrize(
    ("accepted", "blaming", "held"),
    [
        (2998, 2, False),  # what the issue had planted
        (100, 9, False),  # few, whatever their share
        (9, 9, False),
        (41, 10, False),  # many, and a small share
        (39, 10, True),
        (0, 1, False),  # a single device never says that all is wrong
        (0, 2, True),  # nobody was reached
    ],
)
def test_at_the_end_number_and_share_decide(accepted: int, blaming: int, held: bool) -> None:
    assert bool(at_the_end(accepted, android=blaming)) is held


def test_at_the_end_each_platform_is_judged_by_itself() -> None:
    reason = at_the_end(1001, android=2, ios=10)

    assert reason.startswith("10 of 10 answers for ios blame")


def test_where_nobody_was_reached_at_all_the_platforms_are_judged_together() -> None:
    assert at_the_end(0, android=1, ios=1, web=1).startswith("3 of 3 answers for android, ios, web")
    assert not at_the_end(1, ios=1, web=1)


def test_two_that_blame_us_among_many_that_are_gone_do_not_hold_it() -> None:
    assert not at_the_end(0, others=100, android=2)
    assert not at_the_end(0, others=100, ios=2)


def test_many_of_one_platform_hold_it_whatever_became_of_the_others() -> None:
    assert at_the_end(0, others=100, ios=12).startswith("12 of 12 answers for ios")

"""Answers that blame the configuration: few never hold a notification, nor across platforms."""

import pytest

from notifications.fcm.outcomes import Meaning
from notifications.reasons import ADVICE
from notifications.worker.blame import Blame
from notifications.worker.work import Target

ACCEPTED, MISCONFIGURED, UNREGISTERED = (
    Meaning.ACCEPTED,
    Meaning.MISCONFIGURED,
    Meaning.UNREGISTERED,
)
THIRD_PARTY = "THIRD_PARTY_AUTH_ERROR"


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

    def hold(self, *, final: bool = False) -> bool:
        """Return whether the notification must be held."""
        return bool(self.blame.reason(final=final, lanes=1))


def answers(meaning: Meaning, count: int, platform: str = "android", **given: str) -> Answers:
    """Return so many answers."""
    return Answers().come(meaning, count, platform, **given)


def test_twenty_in_a_row_hold_it_at_once() -> None:
    assert not answers(MISCONFIGURED, 19).hold()
    assert answers(MISCONFIGURED, 20).hold()


def test_with_more_lanes_more_come_before_the_first_one_that_is_reached() -> None:
    given = answers(MISCONFIGURED, 199)

    assert not given.blame.reason(final=False, lanes=10)
    assert given.come(MISCONFIGURED, 1).blame.reason(final=False, lanes=10)


def test_where_others_were_reached_before_one_listener_s_many_devices_do_not_hold_it() -> None:
    given = answers(ACCEPTED, 10_000).come(MISCONFIGURED, 199)

    assert not given.hold()
    assert given.come(MISCONFIGURED, 1).hold()


def test_one_device_that_was_reached_in_between_lets_it_go_on() -> None:
    assert not answers(MISCONFIGURED, 19).come(ACCEPTED, 1).come(MISCONFIGURED, 19).hold()


def test_refusals_of_devices_in_between_do_not_hide_that_nobody_is_reached() -> None:
    assert answers(MISCONFIGURED, 10).come(UNREGISTERED, 5).come(MISCONFIGURED, 10).hold()


def test_a_device_that_is_answered_again_and_again_counts_once() -> None:
    one = Answers()
    for _ in range(100):
        one.devices = 0
        one.come(MISCONFIGURED, 1)

    assert not one.hold()
    assert not one.hold(final=True)


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
    given = answers(MISCONFIGURED, blaming).come(ACCEPTED, accepted)

    assert given.hold(final=True) is held


def test_at_the_end_each_platform_is_judged_by_itself() -> None:
    given = answers(ACCEPTED, 1000).come(MISCONFIGURED, 10, "ios").come(ACCEPTED, 1)

    assert not given.hold()
    assert given.hold(final=True)
    assert "10 of 10 answers for ios" in given.blame.reason(final=True, lanes=1)


def test_two_that_blame_us_among_many_that_are_gone_do_not_hold_it() -> None:
    assert not answers(UNREGISTERED, 100).come(MISCONFIGURED, 2).hold(final=True)


def test_a_third_party_s_refusal_says_nothing_of_the_other_platforms() -> None:
    apns = answers(MISCONFIGURED, 20, "ios", code=THIRD_PARTY)
    project = answers(MISCONFIGURED, 20, "ios", code="PERMISSION_DENIED")

    assert apns.blame.platforms_alone(lanes=1) == {"ios"}
    assert project.blame.platforms_alone(lanes=1) == set()


def test_it_goes_on_for_the_other_platforms_that_follow() -> None:
    apns = answers(MISCONFIGURED, 20, "ios", code=THIRD_PARTY)
    assert apns.hold()

    apns.blame.others_follow = True

    assert not apns.hold()
    assert not apns.come(MISCONFIGURED, 1000, "ios", code=THIRD_PARTY).hold()
    assert apns.hold(final=True)


@pytest.mark.parametrize("others_follow", [False, True])
def test_one_device_of_another_code_does_not_make_it_everybodys_trouble(
    others_follow: bool,
) -> None:
    apns = answers(MISCONFIGURED, 20, "ios", code=THIRD_PARTY).come(MISCONFIGURED, 1, "ios")
    apns.blame.others_follow = others_follow

    assert apns.hold() is not others_follow
    assert apns.blame.platforms_alone(lanes=1) == (set() if others_follow else {"ios"})


def test_the_others_that_follow_hold_it_when_they_are_not_reached_either() -> None:
    all_of_it = answers(MISCONFIGURED, 20, "ios", code=THIRD_PARTY)
    all_of_it.blame.others_follow = True

    assert all_of_it.come(MISCONFIGURED, 20, "android", code="PERMISSION_DENIED").hold()


@pytest.mark.parametrize("code", sorted(set(ADVICE) - {"CREDENTIALS_REFUSED"}))
def test_the_reason_names_the_code_and_says_what_to_do(code: str) -> None:
    reason = answers(MISCONFIGURED, 20, "web", code=code).blame.reason(final=False, lanes=1)

    assert reason.startswith("20 of 20 answers for web")
    assert code in reason
    assert ADVICE[code] in reason
    assert "release" in reason


def test_who_was_reached_before_a_retry_is_remembered() -> None:
    retried = answers(MISCONFIGURED, 2)
    assert retried.hold(final=True)

    retried.blame.anybody_is_reached = True

    assert not retried.hold(final=True)

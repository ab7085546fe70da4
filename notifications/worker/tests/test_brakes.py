"""The brakes: each threshold at its edge, and which devices may be disabled when."""

import pytest

from notifications.fcm.outcomes import Meaning
from notifications.models import Notification
from notifications.worker.brakes import Tally
from notifications.worker.work import Target


def device(device_id: int) -> Target:
    """Return a device that was sent to."""
    return Target(device_id, "token", f"t{device_id}")


def tally(**counts: int) -> Tally:
    """Return the tally of so many answers, by meaning, for devices 1, 2, 3 …."""
    counted, device_id = Tally(), 0
    for meaning, count in counts.items():
        for _ in range(count):
            device_id += 1
            answer(counted, meaning, device_id)
    return counted


def answer(counted: Tally, meaning: str, device_id: int) -> None:
    """Count one answer."""
    counted.count(Meaning(meaning), device(device_id))


def ids(to_disable: dict[Meaning, list[Target]]) -> dict[Meaning, list[int]]:
    """Return which devices are to_disable of what."""
    return {meaning: [each.device_id for each in those] for meaning, those in to_disable.items()}


@pytest.mark.parametrize(
    "counts",
    [
        {},
        {"accepted": 1000},
        {"unregistered": 99},  # too few to judge by
        {"accepted": 80, "unregistered": 20},  # 20 % is not more than 20 %
        {"accepted": 800, "unregistered": 200},
        {"mismatched": 9},
        {"accepted": 40, "mismatched": 10},
        {"invalid": 12},
        {"accepted": 13, "invalid": 13},
        {"unknown": 1000},
    ],
    ids=str,
)
def test_it_goes_on_below_the_threshold(counts: dict[str, int]) -> None:
    assert tally(**counts).objection() is None


@pytest.mark.parametrize(
    ("counts", "code"),
    [
        ({"unregistered": 100}, "UNREGISTERED"),
        ({"accepted": 79, "unregistered": 21}, "UNREGISTERED"),
        ({"accepted": 799, "unregistered": 201}, "UNREGISTERED"),
        ({"mismatched": 10}, "SENDER_ID_MISMATCH"),
        ({"accepted": 39, "mismatched": 10}, "SENDER_ID_MISMATCH"),
        ({"invalid": 13}, "INVALID_ARGUMENT"),
        ({"accepted": 12, "invalid": 13}, "INVALID_ARGUMENT"),
    ],
    ids=str,
)
def test_it_stops_at_the_threshold(counts: dict[str, int], code: str) -> None:
    objection = tally(**counts).objection()

    assert objection is not None
    assert code in objection.reason


def test_the_objection_says_how_many_of_how_many_and_what_to_do() -> None:
    objection = tally(accepted=79, unregistered=21).objection()

    assert objection is not None
    assert objection.reason.startswith("21 of 100 answers are UNREGISTERED")
    assert "release or cancel" in objection.reason


@pytest.mark.parametrize("meaning", ["unregistered", "mismatched", "invalid"])
def test_a_brake_that_an_operator_released_holds_no_more(meaning: str) -> None:
    first = tally(**{meaning: 100}).objection()
    assert first is not None

    released = tally(**{meaning: 100})
    released.seen = frozenset({first.brake})

    assert released.objection() is None


def test_a_released_brake_leaves_the_others_on() -> None:
    released = tally(invalid=100)
    released.seen = frozenset({Meaning.UNREGISTERED})

    assert released.objection() is not None


def test_a_service_account_that_google_refuses_stops_it_at_once_and_each_time() -> None:
    refused = tally(accepted=1000, credentials_refused=1)
    refused.seen = frozenset(Meaning)

    objection = refused.objection()

    assert objection is not None
    assert "CREDENTIALS_REFUSED" in objection.reason
    assert "Google refused the service account" in objection.reason
    assert not objection.brake  # nothing to be remembered: it is certain


def test_answers_that_blame_the_configuration_stop_it() -> None:
    objection = tally(misconfigured=20).objection(blamed="Nobody is reached")

    assert objection is not None
    assert objection.reason == "Nobody is reached"
    assert objection.brake == "misconfigured"


def test_answers_that_blame_the_configuration_are_forgotten_once_they_were_seen() -> None:
    released = Tally.of(Notification(brake="misconfigured", rejected_count=20))

    for device_id in range(1_000):
        answer(released, "misconfigured", device_id)

    assert not released.blame.devices  # which would grow with the audience
    assert not released.blame.unreached(lanes=1)
    assert not released.blame.anybody_is_refused


def test_those_whose_users_have_younger_registrations_speak_for_no_mistake() -> None:
    after_a_change_over = tally(unregistered=400, accepted=400)
    assert after_a_change_over.objection() is not None

    after_a_change_over.excuse(set(range(1, 361)))

    assert after_a_change_over.objection() is None
    assert len(after_a_change_over.superseded) == 360
    assert len(after_a_change_over.to_disable(final=False)[Meaning.UNREGISTERED]) == 40


def test_nobody_is_disabled_while_old_registrations_outnumber_those_reached() -> None:
    misconfigured = tally(unregistered=1_200)

    misconfigured.excuse(set(range(1, 1_001)))

    assert misconfigured.objection() is None  # 200 of 1,200: the others may be reached yet
    assert misconfigured.to_disable(final=False) == {}


@pytest.mark.parametrize("users", [50, 300])
def test_many_old_registrations_of_everybody_hide_no_mistake_in_the_end(users: int) -> None:
    misconfigured = tally(unregistered=8 * users)

    misconfigured.excuse(set(range(1, 7 * users + 1)))

    objection = misconfigured.objection(final=True)
    assert objection is not None
    assert objection.reason.startswith(f"{users} of {users} answers")


def test_those_without_a_younger_registration_speak_for_a_mistake_as_before() -> None:
    misconfigured = tally(unregistered=400)

    misconfigured.excuse(set(range(1, 201)))

    objection = misconfigured.objection()
    assert objection is not None
    assert objection.reason.startswith("200 of 400 answers")


def test_a_change_over_does_not_make_a_few_that_were_uninstalled_many() -> None:
    # The old tokens, which have lower numbers, are answered before the younger registrations.
    after_a_change_over = tally(unregistered=10_000)

    after_a_change_over.excuse(set(range(1, 9_901)))

    assert after_a_change_over.objection() is None


@pytest.mark.parametrize("meaning", ["unreached", "throttled", "unavailable"])
def test_an_outage_does_not_hide_what_the_others_say(meaning: str) -> None:
    assert tally(unregistered=21, accepted=79, **{meaning: 10_000}).objection() is not None


@pytest.mark.parametrize("accepted", [0, 98])
def test_nobody_is_disabled_before_a_brake_could_have_judged(accepted: int) -> None:
    counted = tally(unregistered=1, accepted=accepted)

    assert counted.to_disable(final=False) == {}
    assert ids(counted.to_disable(final=True)) == {Meaning.UNREGISTERED: [1]}


def test_an_unregistered_device_is_disabled_under_way() -> None:
    counted = tally(unregistered=1, accepted=99)

    assert ids(counted.to_disable(final=False)) == {Meaning.UNREGISTERED: [1]}


def test_a_device_is_convicted_once() -> None:
    counted = tally(unregistered=1, accepted=99)
    counted.to_disable(final=False)

    assert counted.to_disable(final=True) == {}


@pytest.mark.parametrize("final", [False, True])
def test_an_invalid_device_stays_while_nobody_was_sent_the_same_body(final: bool) -> None:
    assert tally(invalid=12, unknown=100).to_disable(final=final) == {}


@pytest.mark.parametrize("order", [["accepted", "invalid"], ["invalid", "accepted"]])
def test_an_invalid_device_may_be_disabled_once_the_body_was_accepted(order: list[str]) -> None:
    counted = Tally()
    for device_id, meaning in enumerate(order):
        answer(counted, meaning, device_id)

    assert ids(counted.to_disable(final=True)) == {Meaning.INVALID: [order.index("invalid")]}


def test_an_invalid_device_waits_for_a_batch_of_answers() -> None:
    assert tally(accepted=1, invalid=12).to_disable(final=False) == {}
    assert tally(accepted=13, invalid=12).to_disable(final=False)


def test_a_mismatched_device_waits_until_all_answers_are_in() -> None:
    counted = tally(accepted=100, mismatched=1)

    assert counted.to_disable(final=False) == {}
    assert ids(counted.to_disable(final=True)) == {Meaning.MISMATCHED: [101]}


def test_nobody_is_mismatched_where_nobody_is_reached() -> None:
    # With the key of another project every device of a small program would be disabled.
    assert tally(mismatched=9).to_disable(final=True) == {}


@pytest.mark.parametrize(
    "meaning", sorted(set(Meaning) - {"unregistered", "mismatched", "invalid"})
)
def test_no_other_answer_convicts_a_device(meaning: Meaning) -> None:
    counted = tally(accepted=10)
    answer(counted, meaning, 99)

    assert counted.to_disable(final=True) == {}

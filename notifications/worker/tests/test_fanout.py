"""A fan-out: which line of the send log comes of each result, and when it is attempted again."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notifications.fcm.outcomes import Meaning, Verdict
from notifications.worker.fanout import Fanout
from notifications.worker.repository import ClaimedBatch
from notifications.worker.work import Result, Target

NOW = datetime(2026, 11, 23, 22, 37, tzinfo=UTC)
TARGETS = tuple(Target(number, "token", f"t{number}") for number in range(3))


def fanout(**values: Any) -> Fanout:
    """Return a live one with an hour to go."""
    given: dict[str, Any] = {
        "notification_id": 7,
        "dry_run": False,
        "head": b"{",
        "tail": b"}",
        "deadline": NOW + timedelta(hours=1),
        "encoded_at": NOW,
        "retry_5xx": True,
    }
    return Fanout(**(given | values))


def result(meaning: Meaning, **values: Any) -> Result:
    """Return what became of a first attempt for device 5."""
    of_the_answer = ("code", "message_id", "retry_after")
    told = {name: values.pop(name) for name in of_the_answer if name in values}
    retry_after = told.pop("retry_after", 0)
    given: dict[str, Any] = {"device_id": 5, "kind": "token", "token": "t"}
    return Result(1, 7, Target(**(given | values)), Verdict(meaning, **told), retry_after)


@pytest.mark.parametrize(
    ("meaning", "outcome"),
    [
        (Meaning.ACCEPTED, "sent"),
        (Meaning.UNREGISTERED, "rejected"),
        (Meaning.MISMATCHED, "rejected"),
        (Meaning.INVALID, "rejected"),
        (Meaning.UNKNOWN, "unknown"),
        (Meaning.UNREACHED, "retry"),
        (Meaning.NOT_PROCESSED, "retry"),
        (Meaning.THROTTLED, "retry"),
        (Meaning.UNAVAILABLE, "retry"),
        (Meaning.MISCONFIGURED, "rejected"),
        (Meaning.CREDENTIALS_REFUSED, "retry"),
    ],
)
def test_each_meaning_has_its_outcome(meaning: Meaning, outcome: str) -> None:
    entry = fanout().take(result(meaning), now=NOW)

    assert entry.outcome == outcome
    assert (entry.next_attempt_at is None) == (outcome != "retry")


def test_a_dry_run_that_fcm_found_valid_is_simulated() -> None:
    entry = fanout(dry_run=True).take(result(Meaning.ACCEPTED), now=NOW)

    assert entry.outcome == "simulated"


def test_the_entry_says_what_fcm_said() -> None:
    told = result(Meaning.THROTTLED, attempt=3, code="QUOTA_EXCEEDED", message_id="m")

    entry = fanout().take(told, now=NOW)

    assert (entry.notification_id, entry.device_id, entry.attempts) == (7, 5, 3)
    assert (entry.error_code, entry.message_id) == ("QUOTA_EXCEEDED", "m")


def test_a_retry_waits_for_as_long_as_fcm_asked() -> None:
    entry = fanout().take(result(Meaning.THROTTLED, retry_after=600), now=NOW)

    assert entry.next_attempt_at is not None
    assert timedelta(seconds=600) <= entry.next_attempt_at - NOW <= timedelta(seconds=750)


@pytest.mark.parametrize("meaning", [Meaning.UNREACHED, Meaning.THROTTLED, Meaning.UNAVAILABLE])
def test_what_would_come_after_the_deadline_is_abandoned(meaning: Meaning) -> None:
    nearly_over = fanout(deadline=NOW + timedelta(seconds=1))

    entry = nearly_over.take(result(meaning), now=NOW)

    assert (entry.outcome, entry.next_attempt_at) == ("abandoned", None)


def test_an_outage_of_the_network_does_not_use_up_what_fcm_may_refuse() -> None:
    after_an_outage = result(Meaning.UNAVAILABLE, attempt=10, unreached=9)

    entry = fanout().take(after_an_outage, now=NOW)

    assert entry.outcome == "retry"
    assert (entry.attempts, entry.unreached) == (10, 9)


def test_what_did_not_leave_is_counted() -> None:
    entry = fanout().take(result(Meaning.UNREACHED, attempt=3, unreached=2), now=NOW)

    assert entry.unreached == 3


def test_an_unavailable_fcm_is_given_up_after_five_retries() -> None:
    entry = fanout().take(result(Meaning.UNAVAILABLE, attempt=6), now=NOW)

    assert entry.outcome == "abandoned"


def test_who_fears_doubles_has_a_5xx_recorded_as_unknown() -> None:
    entry = fanout(retry_5xx=False).take(result(Meaning.UNAVAILABLE), now=NOW)

    assert (entry.outcome, entry.next_attempt_at) == ("unknown", None)


@pytest.mark.parametrize("meaning", [Meaning.UNREACHED, Meaning.THROTTLED])
def test_who_fears_doubles_has_the_rest_retried_all_the_same(meaning: Meaning) -> None:
    assert fanout(retry_5xx=False).take(result(meaning), now=NOW).outcome == "retry"


def test_what_our_credentials_kept_from_being_sent_is_attempted_at_once_when_released() -> None:
    entry = fanout().take(result(Meaning.CREDENTIALS_REFUSED), now=NOW)

    assert entry.next_attempt_at == NOW


def test_a_wrong_configuration_is_noted_with_its_code() -> None:
    stopped = fanout()

    for device_id in range(20):
        blaming = result(Meaning.MISCONFIGURED, code="PERMISSION_DENIED", device_id=device_id)
        stopped.take(blaming, now=NOW)

    blame = stopped.tally.blame
    assert "PERMISSION_DENIED" in blame.reason(blame.unreached(lanes=1))


def test_many_refusals_stop_it() -> None:
    stopped = fanout()

    for device_id in range(100):
        stopped.take(result(Meaning.UNREGISTERED, device_id=device_id), now=NOW)

    objection = stopped.tally.objection()
    assert objection is not None
    assert "UNREGISTERED" in objection.reason


def test_good_answers_do_not_stop_it() -> None:
    going = fanout()

    going.take(result(Meaning.ACCEPTED), now=NOW)

    assert going.tally.objection() is None


def test_a_job_carries_the_body_and_the_targets_of_its_batch() -> None:
    jobs = list(fanout().jobs((ClaimedBatch(3, TARGETS),)))

    assert [(job.batch_id, job.notification_id, job.targets) for job in jobs] == [(3, 7, TARGETS)]
    assert (jobs[0].head, jobs[0].tail) == (b"{", b"}")


def test_what_is_in_flight_is_counted_until_it_is_answered() -> None:
    going = fanout()
    list(going.jobs((ClaimedBatch(3, TARGETS),)))
    assert going.in_flight.total() == 3

    going.take(result(Meaning.ACCEPTED), now=NOW)

    assert going.in_flight.total() == 2


def test_it_seems_finished_only_with_nothing_to_claim_and_nothing_in_flight() -> None:
    going = fanout()
    list(going.jobs((ClaimedBatch(3, TARGETS[:1]),)))
    assert not going.seems_finished

    going.exhaust()
    assert not going.seems_finished

    going.take(result(Meaning.ACCEPTED), now=NOW)
    assert going.seems_finished


def test_the_end_of_the_retries_is_not_the_end_of_the_audience() -> None:
    going = fanout(retries_due=True)

    going.exhaust()

    assert going.has_work
    assert not going.retries_due

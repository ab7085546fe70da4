"""Why a listener did or did not get a talk: each answer, from its facts."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from notifications.models import Delivery, DeviceToken, Notification
from notifications.operators.why import Answer, Facts, Verdict, explain, headline
from programs.models import Clip, Program, Talk

User = get_user_model()

NINE = datetime(2026, 11, 25, 21, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LONG_AGO = NINE - timedelta(days=30)

TALK = Talk(pk=7, title="Owls", program=Program(pk=1, title="Night Radio"), posted_at=NINE)


def notification(**values: Any) -> Notification:
    """Return a notification that was sent from nine to a minute later, live."""
    usual: dict[str, Any] = {
        "pk": 7,
        "state": "done",
        "dry_run": False,
        "cutoff": NINE,
        "created_at": NINE,
        "started_at": NINE,
        "finished_at": NINE + MINUTE,
        "cursor": 1000,
    }
    return Notification(**usual | values)


def device(**values: Any) -> DeviceToken:
    """Return a device that was there long before nine."""
    usual: dict[str, Any] = {
        "pk": 5,
        "token": "abcdefgh",
        "created_at": LONG_AGO,
        "refreshed_at": LONG_AGO,
    }
    return DeviceToken(**usual | values)


def delivery(outcome: str, **values: Any) -> Delivery:
    """Return a line of the log."""
    return Delivery(pk=9, outcome=outcome, at=NINE + MINUTE, **values)


def facts(**values: Any) -> Facts:
    """Return the facts of a listener who follows the program with one device."""
    usual: dict[str, Any] = {
        "listener": "lena",
        "talk": TALK,
        "notification": notification(),
        "clip": Clip(muted=False, created_at=LONG_AGO),
        "devices": [device()],
    }
    return Facts(**usual | values)


def answer(**values: Any) -> Answer:
    """Return the answer to these facts."""
    return explain(facts(**values))


def logged(outcome: str, row: Notification | None = None, **values: Any) -> Answer:
    """Return the answer when the log has this line."""
    return answer(notification=row or notification(), deliveries={5: delivery(outcome, **values)})


# --- What the log says ----------------------------------------------------------------------------


def test_got_it() -> None:
    told = logged("sent")

    assert told.verdict is Verdict.GOT_IT
    assert told.sentence == "lena got “Owls”. FCM accepted it at 2026-11-25 21:01:00 UTC."


def test_a_dry_run_delivered_nothing_and_says_why_it_was_one() -> None:
    told = logged("simulated", notification(reason="The program is set to dry run."))

    assert told.verdict is Verdict.DRY_RUN
    assert "did not get" in told.sentence
    assert "The program is set to dry run." in told.sentence


def test_fcm_refused_it() -> None:
    told = logged("rejected", error_code="UNREGISTERED")

    assert told.verdict is Verdict.REFUSED
    assert "UNREGISTERED" in told.sentence


def test_what_is_unknown_is_neither_yes_nor_no() -> None:
    told = logged("unknown", error_code="CONNECTION_LOST")

    assert told.verdict is Verdict.UNKNOWN
    assert told.sentence.startswith("It is not known whether lena got “Owls”.")


def test_what_is_tried_again_is_not_yet_a_no() -> None:
    told = logged("retry", error_code="UNAVAILABLE")

    assert told.verdict is Verdict.TO_BE_RETRIED
    assert told.sentence.startswith("lena has not got “Owls” yet.")


def test_given_up() -> None:
    assert logged("abandoned", error_code="UNAVAILABLE").verdict is Verdict.ABANDONED


def test_an_operator_gave_it_up_and_is_named() -> None:
    told = logged("abandoned", note="Abandoned by anna: enough")

    assert "Abandoned by anna: enough" in told.sentence


def test_no_target_any_more_at_the_second_attempt() -> None:
    assert logged("skipped").verdict is Verdict.SKIPPED


def test_one_device_of_two_is_enough_and_both_are_told() -> None:
    told = answer(
        devices=[device(), device(pk=6)],
        deliveries={5: delivery("rejected", error_code="UNREGISTERED"), 6: delivery("sent")},
    )

    assert told.verdict is Verdict.GOT_IT
    assert [finding.verdict for finding in told.findings] == [Verdict.REFUSED, Verdict.GOT_IT]


def test_the_log_outweighs_that_the_listener_has_unclipped_since() -> None:
    told = answer(clip=None, deliveries={5: delivery("sent")})

    assert told.verdict is Verdict.GOT_IT
    assert len(told.findings) == 1


# --- What the log does not have -------------------------------------------------------------------


def test_nobody_was_notified_of_a_talk_without_a_notification() -> None:
    assert answer(notification=None).verdict is Verdict.NO_NOTIFICATION


@pytest.mark.parametrize("state", ["done", "sending", "cancelled"])
def test_not_clipped_is_the_reason_whatever_else_there_is(state: str) -> None:
    told = answer(clip=None, notification=notification(state=state, cursor=4))

    assert told.verdict is Verdict.NOT_CLIPPED
    assert "does not follow the program now" in told.sentence


def test_not_clipped_without_a_device() -> None:
    assert answer(clip=None, devices=[]).verdict is Verdict.NOT_CLIPPED


def test_muted() -> None:
    told = answer(clip=Clip(muted=True, created_at=LONG_AGO), devices=[])

    assert told.verdict is Verdict.MUTED


def test_clipped_only_after_it_was_sent() -> None:
    told = answer(clip=Clip(muted=False, created_at=NINE + 2 * MINUTE))

    assert told.verdict is Verdict.NOT_CLIPPED_THEN
    assert "followed the program only at 2026-11-25 21:02:00 UTC" in told.sentence


def test_no_device() -> None:
    told = answer(devices=[])

    assert told.verdict is Verdict.NO_DEVICE
    assert len(told.findings) == 1


def test_a_device_registered_after_the_talk_was_posted() -> None:
    told = answer(devices=[device(created_at=NINE + MINUTE)])

    assert told.verdict is Verdict.REGISTERED_LATER
    assert "registered at 2026-11-25 21:01:00 UTC, after the talk was posted" in told.sentence


def test_a_disabled_device_with_since_when_and_why() -> None:
    told = answer(devices=[device(disabled_at=LONG_AGO, disabled_reason="FCM: unregistered")])

    assert told.verdict is Verdict.DISABLED
    assert "disabled since 2026-10-26 21:00:00 UTC: FCM: unregistered." in told.sentence


def test_a_device_that_was_disabled_only_later_is_no_reason() -> None:
    told = answer(devices=[device(disabled_at=NINE + 5 * MINUTE, disabled_reason="x")])

    assert told.verdict is Verdict.NO_TARGET_THEN


def test_a_device_that_was_registered_anew_may_have_been_somebody_elses() -> None:
    assert answer(devices=[device(refreshed_at=NINE + MINUTE)]).verdict is Verdict.MOVED


def test_in_flight() -> None:
    told = answer(notification=notification(state="sending"), in_flight=frozenset({5}))

    assert told.verdict is Verdict.IN_FLIGHT


@pytest.mark.parametrize(
    ("state", "verdict"),
    [
        ("pending", Verdict.NOT_CLAIMED_YET),
        ("sending", Verdict.NOT_CLAIMED_YET),
        ("held", Verdict.HELD),
        ("cancelled", Verdict.CANCELLED),
        ("expired", Verdict.EXPIRED),
    ],
)
def test_the_sending_had_not_come_to_the_device(state: str, verdict: Verdict) -> None:
    row = notification(state=state, cursor=4, reason="The reason.")

    told = answer(notification=row)

    assert told.verdict is verdict
    assert "yet" in told.sentence or "The reason." in told.sentence


def test_the_sending_had_passed_a_device_that_was_no_target() -> None:
    told = answer(notification=notification(state="cancelled", cursor=1000))

    assert told.verdict is Verdict.NO_TARGET_THEN


def test_of_a_pruned_log_nothing_is_claimed() -> None:
    told = answer(notification=notification(pruned_at=NINE + 90 * 1440 * MINUTE))

    assert told.verdict is Verdict.PRUNED
    assert told.sentence.startswith("It is not known whether lena got “Owls”.")


def test_every_verdict_has_a_headline() -> None:
    told = {headline(verdict, facts()) for verdict in Verdict}

    assert all("lena" in text and "Owls" in text for text in told)

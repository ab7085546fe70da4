"""The policy: live only when everything says so; each objection alone makes it a dry run."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import Settings

from notifications.models import SendingSwitch, WorkerLease
from notifications.policy import Decision, decide, live_objection

NOW = datetime(2026, 11, 23, 22, 37, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("production")


def live(**values: Any) -> SendingSwitch:
    """Return a switch that says live."""
    return SendingSwitch(mode="live", reason="launch", changed_by="anna", **values)


def decision(*, switch: SendingSwitch | None = None, program_dry_run: bool = False) -> Decision:
    """Return what is decided at NOW."""
    return decide(switch=switch or live(), program_dry_run=program_dry_run, now=NOW)


def test_it_is_live_when_nothing_speaks_against_it() -> None:
    assert decision() == Decision(dry_run=False, reason="Live: launch (anna)")


@pytest.mark.parametrize("environment", ["development", "staging", "", "Production"])
def test_no_other_environment_sends(settings: Settings, environment: str) -> None:
    settings.ENVIRONMENT = environment

    decided = decision()

    assert decided.dry_run
    assert decided.reason == f"ENVIRONMENT is {environment}; only production may send."


def test_nothing_is_sent_without_credentials(settings: Settings) -> None:
    settings.GOOGLE_APPLICATION_CREDENTIALS = ""

    assert decision() == Decision(True, "GOOGLE_APPLICATION_CREDENTIALS is not set.")


def test_the_key_that_a_worker_shows_counts_where_none_is_named(settings: Settings) -> None:
    settings.GOOGLE_APPLICATION_CREDENTIALS = ""

    for shown, objection in (
        (None, "GOOGLE_APPLICATION_CREDENTIALS is not set."),
        ({"FCM": "fcm.googleapis.com:443"}, "GOOGLE_APPLICATION_CREDENTIALS is not set."),
        ({"KEY": "…a1b2c3"}, None),
    ):
        assert live_objection(WorkerLease(settings=shown)) == objection


def test_nothing_is_sent_while_the_switch_says_dry_run() -> None:
    switch = live()
    switch.mode = SendingSwitch.Mode.DRY_RUN

    assert decision(switch=switch) == Decision(True, "The sending switch is set to dry run.")


def test_a_switch_that_was_never_touched_is_a_dry_run() -> None:
    assert decision(switch=SendingSwitch()).dry_run


def test_nothing_is_sent_for_a_program_set_to_dry_run() -> None:
    assert decision(program_dry_run=True) == Decision(True, "The program is set to dry run.")


def test_the_switch_is_live_until_its_time() -> None:
    switch = live(live_until=NOW + timedelta(microseconds=1))

    assert not decision(switch=switch).dry_run


def test_the_switch_is_a_dry_run_from_its_time_on() -> None:
    decided = decision(switch=live(live_until=NOW))

    assert decided == Decision(True, "The sending switch was live until 2026-11-23 22:37 UTC.")


def test_a_switch_with_an_unknown_mode_is_a_dry_run() -> None:
    switch = live()
    switch.mode = "LIVE"

    assert decision(switch=switch).dry_run


def test_the_first_objection_is_told(settings: Settings) -> None:
    settings.ENVIRONMENT = "staging"
    settings.GOOGLE_APPLICATION_CREDENTIALS = ""

    decided = decision(switch=SendingSwitch(), program_dry_run=True)

    assert decided.reason.startswith("ENVIRONMENT")

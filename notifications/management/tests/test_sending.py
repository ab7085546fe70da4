"""`manage.py sending`: the operators' switch on the command line."""

import getpass
import json
import os
import socket
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone
from pytest_django import Settings

from notifications.management.commands import sending
from notifications.models import Delivery, SendingSwitch, WorkerLease
from notifications.models.control import MAX_LIVE_MINUTES
from notifications.operators import status
from notifications.tests.factories import (
    DeliveryFactory,
    NotificationFactory,
    SendingSwitchFactory,
    WorkerLeaseFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("production")]


def run(*arguments: str) -> Any:
    """Return what the command tells a script."""
    out = StringIO()
    call_command("sending", *arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_untouched_it_is_a_dry_run() -> None:
    assert run("status")["mode"] == "dry_run"


def test_live_says_who_and_why_and_until_when() -> None:
    told = run("live", "--reason", "launch", "--for", "5")

    switch = SendingSwitch.objects.current()
    assert (told["mode"], told["reason"]) == ("live", "launch")
    assert switch.changed_by == told["changed_by"]
    assert switch.live_until
    assert switch.live_until > timezone.now()


def test_live_ends_after_eight_hours_unless_said_otherwise() -> None:
    before = timezone.now()

    told = run("live", "--reason", "launch")

    until = SendingSwitch.objects.get().live_until
    assert until
    assert timedelta() <= until - before - timedelta(hours=8) < timedelta(minutes=1)
    assert told["live_until"] == str(until)


def test_dry_run_ends_live() -> None:
    SendingSwitchFactory.create()

    assert run("dry-run")["mode"] == "dry_run"


def test_a_pause_does_not_change_why_it_is_live() -> None:
    run("live", "--reason", "launch")

    paused = run("pause", "--reason", "too loud")
    resumed = run("resume")

    assert (paused["paused"], paused["because"]) == (True, "too loud")
    assert (resumed["paused"], resumed["reason"], resumed["mode"]) == (False, "launch", "live")


def test_status_says_what_would_happen_and_why() -> None:
    SendingSwitchFactory.create()
    without_worker = run("status")
    WorkerLeaseFactory.create()

    with_worker = run("status")

    assert without_worker["a_talk_posted_now"] == "waits: no worker is active"
    assert "listen_notifications" in without_worker["because"]
    assert with_worker["a_talk_posted_now"] == "is sent to everybody"
    assert with_worker["because"] == "Live: a test (anna)"


def test_status_is_read_by_a_person() -> None:
    out = StringIO()

    call_command("sending", "status", stdout=out)

    assert "a talk posted now" in out.getvalue()


def test_after_a_restore_one_command_says_what_it_did_and_what_is_next() -> None:
    pending = NotificationFactory.create()
    WorkerLeaseFactory.create(epoch=5)

    told = run("restored", "--reason", "last night's backup")

    assert (told["paused"], told["cancelled"]) == (True, [pending.id])
    assert told["epoch"] == WorkerLease.objects.get().epoch > 5
    assert "cancelled now: 1." in told["told"]
    assert "sending resume" in told["next"]
    assert run("restored", "--reason", "again")["cancelled"] == []
    assert run("resume")["paused"] is False


@pytest.mark.parametrize(
    "arguments",
    [
        ("live", "--reason", " "),
        ("restored", "--reason", " "),
        ("live", "--reason", "launch", "--for", "0"),
        ("live", "--reason", "launch", "--for", str(MAX_LIVE_MINUTES + 1)),
        ("live", "--reason", "launch", "--for", "5000000000"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_changes_nothing(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError) as refused:
        run(*arguments)

    assert refused.value.returncode == 2
    assert not SendingSwitch.objects.exists()


@pytest.mark.parametrize("environment", ["development", "staging"])
def test_nothing_goes_live_outside_production(settings: Settings, environment: str) -> None:
    settings.ENVIRONMENT = environment

    with pytest.raises(CommandError, match="only production may send"):
        run("live", "--reason", "launch")

    assert not SendingSwitch.objects.exists()


def test_lost_credentials_do_not_keep_an_operator_from_pausing(settings: Settings) -> None:
    settings.GOOGLE_APPLICATION_CREDENTIALS = "/nowhere.json"

    sending.Command(stdout=StringIO()).run_from_argv(["manage.py", "sending", "pause"])

    assert SendingSwitch.objects.current().paused


def test_a_database_that_is_away_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(**options: Any) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(status, "status", away)

    with pytest.raises(CommandError, match="The database does not answer: connection refused"):
        run("status")


def test_a_user_without_a_name_is_known_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr(getpass, "getuser", nameless)

    assert run("pause")["changed_by"].startswith("uid ")


def test_names_and_reasons_that_are_not_utf_8_keep_no_operator_from_pausing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    latin = os.fsdecode(b"caf\xe9")
    monkeypatch.setattr(socket, "gethostname", lambda: latin)

    told = run("pause", "--reason", latin)

    assert told["changed_by"].endswith("@caf\N{REPLACEMENT CHARACTER}")
    assert SendingSwitch.objects.current().paused_reason == "caf\N{REPLACEMENT CHARACTER}"


# --- One notification, and what is unknown ---------------------------------------------------


def unknown() -> Delivery:
    """Return the unknown delivery of a finished notification."""
    notification = NotificationFactory.create(state="done", target_count=1, unknown_count=1)
    return DeliveryFactory.create(notification=notification, outcome="unknown")


def test_a_cancelled_notification_says_how_far_it_came() -> None:
    notification = NotificationFactory.create(state="sending", target_count=5, sent_count=3)

    told = run("cancel", str(notification.id), "--reason", "wrong title")

    assert told["told"].startswith("stopped after 3; 2 are in flight")


def test_a_held_notification_is_released_by_its_number() -> None:
    notification = NotificationFactory.create(state="sending", started_at=timezone.now())
    run("hold", str(notification.id))

    run("release", str(notification.id), "--reason", "checked")

    notification.refresh_from_db()
    assert notification.state == "sending"


def test_what_cannot_be_done_is_refused_with_exit_code_2_and_says_why() -> None:
    with pytest.raises(CommandError, match="There is no notification 42") as refused:
        run("release", "42")

    assert refused.value.returncode == 2


def test_unknown_deliveries_are_listed_without_their_tokens() -> None:
    delivery = unknown()

    (row,) = run("unknown", "list")

    assert delivery.device
    assert (row["notification"], row["device"]) == (delivery.notification_id, delivery.device_id)
    assert row["token"] == f"…{delivery.device.token[-6:]}"


def test_nothing_unknown_is_sent_again_unless_duplicates_are_accepted() -> None:
    number = str(unknown().notification_id)

    with pytest.raises(CommandError, match="--i-accept-duplicates"):
        run("unknown", "resend", number, "--reason", "they wait for it")
    run("unknown", "resend", number, "--reason", "they wait for it", "--i-accept-duplicates")

    delivery = Delivery.objects.get()
    assert delivery.outcome == "retry"
    assert delivery.note.endswith("they wait for it")


def test_unknown_deliveries_are_abandoned_for_a_reason() -> None:
    number = str(unknown().notification_id)

    with pytest.raises(CommandError, match="--reason is empty"):
        run("unknown", "abandon", number, "--reason", " ")
    run("unknown", "abandon", number, "--reason", "too late anyway")

    assert Delivery.objects.get().outcome == "abandoned"


def test_status_says_what_is_wrong_and_what_to_do() -> None:
    WorkerLeaseFactory.create(heartbeat_at=timezone.now() - timedelta(seconds=45))

    (problem,) = run("status")["problems"]

    assert "manage.py listen_notifications" in problem


def test_a_script_learns_of_problems_by_the_exit_code() -> None:
    WorkerLeaseFactory.create(heartbeat_at=timezone.now())
    run("status", "--check")

    WorkerLease.objects.update(heartbeat_at=timezone.now() - timedelta(seconds=45))
    with pytest.raises(SystemExit) as end:
        run("status", "--check")

    assert end.value.code == 1


# --- The list -----------------------------------------------------------------------------------


def test_the_newest_notifications_are_listed_first() -> None:
    old, new = (NotificationFactory.create(state="done", sent_count=5) for _ in range(2))

    rows = run("list")

    assert [row["notification"] for row in rows] == [new.id, old.id]
    assert (rows[0]["state"], rows[0]["sent"]) == ("done", 5)
    assert [row["notification"] for row in run("list", "--limit", "1")] == [new.id]


def test_the_list_may_be_of_some_states() -> None:
    held = NotificationFactory.create(state="held", reason="Held by anna")
    NotificationFactory.create(state="done")

    (row,) = run("list", "--state", "held", "--state", "pending")

    assert (row["notification"], row["reason"]) == (held.id, "Held by anna")

"""Retention: the log of what ended long ago goes, and nothing else."""

from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from axes.models import AccessFailureLog, AccessLog
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from accounts import plain_tokens
from accounts.models import ApiToken
from notifications.models import AnsweredForm, Batch, Delivery, Notification, SendingMinute
from notifications.operators import retention
from notifications.tests.factories import BatchFactory, DeliveryFactory, NotificationFactory
from programs.models import Talk

pytestmark = pytest.mark.django_db

NOW = timezone.now()


def ended(*, days_ago: int, lines: int = 1, state: str = "done") -> Notification:
    """Return a notification that ended so many days ago, with its log."""
    notification = NotificationFactory.create(
        state=state, finished_at=NOW - timedelta(days=days_ago), sent_count=lines
    )
    for _ in range(lines):
        DeliveryFactory.create(notification=notification)
    BatchFactory.create(notification=notification, state=Batch.State.DONE)
    return notification


def prune(days: int = 30) -> list[retention.Step]:
    """Return the steps of a whole run."""
    return list(retention.prune(ended_before=NOW - timedelta(days=days), now=NOW))


def test_what_ended_long_ago_is_deleted_and_the_rest_stays() -> None:
    old, new = ended(days_ago=40), ended(days_ago=10)

    prune()

    assert set(Delivery.objects.values_list("notification", flat=True)) == {new.id}
    assert set(Batch.objects.values_list("notification", flat=True)) == {new.id}
    assert old.deliveries.count() == 0


def test_the_counters_stay_and_it_says_that_the_log_is_pruned() -> None:
    old, new = ended(days_ago=40, lines=3), ended(days_ago=10)

    prune()

    old.refresh_from_db()
    new.refresh_from_db()
    assert (old.sent_count, old.state, old.pruned_at) == (3, "done", NOW)
    assert new.pruned_at is None


@pytest.mark.parametrize("state", ["pending", "sending", "held"])
def test_what_has_not_ended_is_kept_however_old_it_is(state: str) -> None:
    ended(days_ago=400, state=state)

    assert prune() == []
    assert Delivery.objects.count() == 1


@pytest.mark.parametrize("state", ["done", "cancelled", "expired"])
def test_each_way_of_ending_is_pruned(state: str) -> None:
    ended(days_ago=40, state=state)

    prune()

    assert Delivery.objects.count() == 0


def test_no_step_deletes_more_than_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "STEP_ROWS", 2)
    ended(days_ago=40, lines=5)

    steps = prune()

    assert [step.deliveries for step in steps if not step.batches] == [2, 2, 1]


def test_a_run_that_was_interrupted_is_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "STEP_ROWS", 2)
    ended(days_ago=40, lines=5)
    next(iter(retention.prune(ended_before=NOW, now=NOW)))
    assert Delivery.objects.count() == 3

    prune()

    assert (Delivery.objects.count(), Batch.objects.count()) == (0, 0)


def test_a_batch_in_flight_is_kept() -> None:
    notification = ended(days_ago=40, state="cancelled")
    in_flight = BatchFactory.create(notification=notification)

    prune()

    assert list(Batch.objects.all()) == [in_flight]


@pytest.mark.parametrize("name", ["prune", "prune_deliveries"])
def test_the_command_says_what_it_deleted(name: str) -> None:
    ended(days_ago=40, lines=3)
    out = StringIO()

    call_command(name, "--older-than", "30", stdout=out)

    assert out.getvalue().splitlines()[0] == "4 lines and batches of the send log deleted."


def test_without_days_the_setting_says_them(settings: Settings) -> None:
    settings.RETENTION_DAYS = 20
    old, new = ended(days_ago=25), ended(days_ago=15)

    call_command("prune", stdout=StringIO())

    assert (old.deliveries.count(), new.deliveries.count()) == (0, 1)


def test_a_dry_run_counts_and_deletes_nothing() -> None:
    ended(days_ago=40, lines=3)
    out = StringIO()

    call_command("prune", "--older-than", "30", "--dry-run", stdout=out)

    assert out.getvalue().splitlines()[0] == "4 lines and batches of the send log would go."
    assert Delivery.objects.count() == 3


def test_each_kind_is_forgotten_as_often_as_a_dry_run_counts() -> None:
    old, new = NOW - timedelta(days=40), NOW - timedelta(days=10)
    here = User.objects.create_user("here")
    ended(days_ago=40, lines=3)
    Talk.objects.all().delete()
    for at in (old, new):
        AnsweredForm.objects.create(id=uuid4(), by="mia", asked="Hold?", at=at)
        SendingMinute.objects.create(minute=at)
        [line] = LogEntry.objects.log_actions(here.pk, [here], CHANGE)
        LogEntry.objects.filter(pk=line.pk).update(action_time=at)
    SendingMinute.objects.create(minute=NOW)
    for end in (old, NOW + timedelta(hours=1)):
        Session.objects.create(session_key=uuid4().hex, expire_date=end)
    for life in (timedelta(days=-1), timedelta(days=1)):
        ApiToken.objects.create(here, expiry=life)
    for model in (AccessFailureLog, AccessLog):
        for at in (old, NOW):
            model.objects.filter(pk=model.objects.create(username="here").pk).update(
                attempt_time=at
            )
    ages = retention.Ages(before=NOW - timedelta(days=30), now=NOW)

    counted = [kind.count(ages) for kind in retention.KINDS]
    gone = [sum(kind.forget(ages)) for kind in retention.KINDS]

    assert counted == gone == [4, 1, 0, 1, 1, 0, 2, 1, 1, 0, 1, 1]
    assert (AnsweredForm.objects.count(), SendingMinute.objects.count()) == (1, 1)
    assert LogEntry.objects.count() == 1
    assert Session.objects.count() == ApiToken.objects.count() == 1
    assert [kind.count(ages) for kind in retention.KINDS] == [0] * len(retention.KINDS)


def test_the_text_of_a_talk_that_is_there_stays() -> None:
    notification = ended(days_ago=400)

    call_command("prune", stdout=StringIO())

    notification.refresh_from_db()
    assert notification.body == Talk.objects.get().title


def test_lines_that_have_lost_their_device_go_as_well() -> None:
    old = ended(days_ago=40, lines=2)
    old.deliveries.update(device=None)

    prune()

    assert old.deliveries.count() == 0


def test_the_command_refuses_to_delete_today() -> None:
    with pytest.raises(CommandError, match="'0' is no whole number from 1"):
        call_command("prune", "--older-than", "0")


def test_ctrl_c_says_how_far_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(**values: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(retention, "prune", interrupted)
    out = StringIO()

    with pytest.raises(SystemExit, match="130"):
        call_command("prune", "--older-than", "30", stdout=out)

    assert "the next run goes on there" in out.getvalue()


def test_api_tokens_that_let_nobody_in_go_too() -> None:
    gone, here = User.objects.create_user("gone", is_active=False), User.objects.create_user("here")
    for user in (gone, here):
        ApiToken.objects.create(user)

    call_command("prune_deliveries", "--older-than", "30", stdout=StringIO())

    assert [token.user for token in ApiToken.objects.all()] == [here]


def test_and_so_do_those_in_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten: list[str] = []

    def forget() -> int:
        forgotten.append("all")
        return 1

    monkeypatch.setattr(plain_tokens, "forget", forget)

    call_command("prune_deliveries", "--older-than", "30", stdout=StringIO())

    assert forgotten == ["all"]

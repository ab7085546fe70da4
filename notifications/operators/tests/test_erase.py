"""A person is forgotten: nothing that is left names them, and everything else stays true."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.db.models import Model
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.models import Act
from accounts.sessions import sessions_of
from accounts.who import Who, on_this_host
from notifications import caps
from notifications.models import (
    AnsweredForm,
    Delivery,
    ErasedDevice,
    Notification,
)
from notifications.operators import acts, erase, personal
from notifications.tests.factories import DeliveryFactory, DeviceTokenFactory, NotificationFactory
from notifications.tests.faults.locks import somebody_waits_for_a_lock
from programs.limits import take_program, take_storage
from programs.models import Clip, Program, Talk
from programs.tests.factories import ClipFactory, ProgramFactory, TalkFactory, UserFactory
from testbed.process import eventually

pytestmark = pytest.mark.django_db

NOW = timezone.now()
DEADLINE_SECONDS = 120.0  # for a busy machine, no expectation
# Each is found in no other row, nor in a word of ours.
NAME, SHOW, TALK, SECRET = "wilhelmina", "Rhododendron hour", "Xylophones", "token-of-wilhelmina"


@pytest.fixture
def person() -> User:
    """Return somebody who talks, listens, and was seen by operators."""
    user = User.objects.create_user(NAME, f"{NAME}@example.com", "correct horse battery")
    program = ProgramFactory.create(owner=user, title=SHOW)
    talk = TalkFactory.create(program=program, title=TALK, idempotency_key="k", content_digest="d")
    Notification.objects.update(state="done", finished_at=NOW)
    ClipFactory.create(program=program)
    ClipFactory.create(listener=user)
    device = DeviceTokenFactory.create(user=user, token=SECRET)
    heard = NotificationFactory.create(state="done", finished_at=NOW, sent_count=1, target_count=1)
    DeliveryFactory.create(device=device, notification=heard)
    operator = UserFactory.create(username="mia", is_staff=True)
    for row in (user, program, talk, talk.notification, device):
        LogEntry.objects.log_actions(operator.pk, [row], CHANGE, change_message=f"{NAME} asked")
    AnsweredForm.objects.create(id=uuid4(), by="mia (admin)", asked=f"Hold: {talk.notification}")
    session = SessionStore()
    session["_auth_user_id"] = str(user.pk)
    session.create()
    return user


def erased(user: User) -> list[erase.Step]:
    """Return the steps of a whole erasing."""
    return list(erase.erase(user, now=NOW))


def everything() -> Iterator[tuple[str, str]]:
    """Yield each value of the whole database, with the table that has it."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608
            yield from ((table, str(value)) for row in cursor.fetchall() for value in row)


def test_nothing_that_is_left_names_the_person(person: User) -> None:
    names = (NAME, SHOW, TALK, SECRET)
    assert {name for name in names for _table, value in everything() if name in value} == set(names)

    erased(person)

    left = [(table, value) for table, value in everything() if any(name in value for name in names)]
    assert left == []
    assert [
        model for model, _kept in personal.kept() if personal.rows(model, person).exists()
    ] == []
    assert not sessions_of(person).exists()


def test_the_send_log_keeps_its_line_without_the_device(person: User) -> None:
    erased(person)

    line = Delivery.objects.get()
    assert (line.device_id, line.outcome) == (None, "sent")
    assert line.notification.sent_count == 1


def test_others_keep_what_is_theirs(person: User) -> None:
    listener = Clip.objects.get(program__owner=person).listener
    heard = Clip.objects.get(listener=person).program

    erased(person)

    assert User.objects.filter(pk=listener.pk).exists()
    assert Program.objects.filter(pk=heard.pk).exists()
    assert Notification.objects.exclude(body="").exists()


def test_what_was_said_of_a_talk_that_is_gone_already_is_forgotten(person: User) -> None:
    program = Program.objects.get(owner=person)
    Talk.objects.filter(program=program).delete()
    Program.objects.filter(pk=program.pk).update(title="Another title by now")

    erased(person)

    assert not Notification.objects.filter(title=SHOW).exists()


def test_another_program_of_the_same_title_keeps_what_was_said(person: User) -> None:
    other = TalkFactory.create(program=ProgramFactory.create(title=SHOW), title="Not hers")
    Talk.objects.filter(pk=other.pk).delete()

    erased(person)

    assert Notification.objects.get(body="Not hers").title == SHOW


def test_recordings_go_when_it_is_committed(
    person: User, django_capture_on_commit_callbacks: Any
) -> None:
    recording = Path(Talk.objects.get(program__owner=person).audio.path)

    with django_capture_on_commit_callbacks(execute=True):
        erased(person)
        assert recording.exists()

    assert not recording.exists()


def test_a_recording_that_is_away_is_no_hindrance(
    person: User, django_capture_on_commit_callbacks: Any
) -> None:
    Path(Talk.objects.get(program__owner=person).audio.path).unlink()

    with django_capture_on_commit_callbacks(execute=True):
        erased(person)

    assert not User.objects.filter(pk=person.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_when_the_database_says_no_the_recording_stays(
    person: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = Path(Talk.objects.get(program__owner=person).audio.path)
    monkeypatch.setattr(Talk.objects.all().__class__, "delete", broken)

    with pytest.raises(RuntimeError):
        erased(person)

    assert recording.exists()
    assert Notification.objects.filter(body=TALK).exists()


def broken(*arguments: object, **named: object) -> None:
    raise RuntimeError


@pytest.mark.parametrize("state", ["pending", "sending", "held"])
def test_what_was_still_to_be_sent_is_cancelled_first(person: User, state: str) -> None:
    number = Notification.objects.get(body=TALK).pk
    Notification.objects.filter(pk=number).update(state=state, finished_at=None)

    steps = erased(person)

    notification = Notification.objects.get(pk=number)
    assert (notification.state, notification.reason) == ("cancelled", "Cancelled by its owner.")
    assert (notification.title, notification.body) == ("", "")
    assert str(notification) == "(erased): (erased)"
    assert steps[0] == ("notifications cancelled", 1)
    assert acts_kept() == [("operator.cancelled", "its owner", f"notification {number}")]


def acts_kept() -> list[tuple[str, str, str]]:
    """Return what operators did, by whom, about what."""
    return list(Act.objects.order_by("id").values_list("name", "account_name", "about"))


def staff(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_staff=True)
    user.refresh_from_db()


def acted(user: User) -> None:
    Act.objects.create(name="operator.paused", account_id=user.pk, account_name=NAME)


def was_staff(user: User) -> None:
    LogEntry.objects.log_actions(user.pk, [UserFactory.create()], CHANGE)


@pytest.mark.parametrize("becomes", [staff, acted, was_staff])
def test_an_operators_account_is_not_erased(person: User, becomes: Callable[[User], None]) -> None:
    becomes(person)

    with pytest.raises(acts.Refused, match="Deactivate it instead"):
        erased(person)

    assert Talk.objects.filter(program__owner=person).exists()


def test_who_has_the_name_of_a_former_operator_is_erased(person: User) -> None:
    AnsweredForm.objects.create(id=uuid4(), by=f"{NAME} (admin)", asked="Pause all?")

    erased(person)

    assert not User.objects.filter(pk=person.pk).exists()


def test_an_erasing_that_broke_off_goes_on(person: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erase, "STEP_TALKS", 1)
    TalkFactory.create_batch(2, program__owner=person)
    next(iter(step for step in erase.erase(person, now=NOW) if step.what == "talks"))
    assert Talk.objects.filter(program__owner=person).count() == 2

    erased(person)

    assert not User.objects.filter(pk=person.pk).exists()


def test_what_broke_off_in_the_log_is_done_by_prune(person: User) -> None:
    for step in erase.erase(person, now=NOW):
        if step.what == "account":
            break
    assert Delivery.objects.get().device_id is not None

    call_command("prune", stdout=StringIO())

    assert Delivery.objects.get().device_id is None


def test_a_large_log_is_erased_in_slices(person: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erase, "STEP_ROWS", 2)
    device = person.devices.get()
    for _ in range(4):
        of = NotificationFactory.create(state="done", finished_at=NOW)
        DeliveryFactory.create(device=device, notification=of)

    steps = erased(person)

    assert [rows for what, rows in steps if what == "lines of the send log"] == [2, 2, 1]
    assert not Delivery.objects.filter(device__isnull=False).exists()


@pytest.mark.parametrize("outcome", ["unknown", "retry"])
def test_a_line_that_an_answer_may_change_keeps_its_device_for_a_day(
    person: User, outcome: str
) -> None:
    Delivery.objects.update(outcome=outcome, at=NOW)

    erased(person)

    assert Delivery.objects.get().device_id is not None
    assert ErasedDevice.objects.exists()
    list(erase.forget_devices(now=NOW + timedelta(days=1, hours=1)))
    # What waits to be retried is skipped by the worker, which then lets go of it, too.
    assert (Delivery.objects.get().device_id is None) == (outcome == "unknown")


def test_the_numbers_of_devices_go_a_day_later(person: User) -> None:
    erased(person)
    assert ErasedDevice.objects.count() == 1

    list(erase.forget_devices(now=NOW + timedelta(days=1, hours=1)))

    assert ErasedDevice.objects.count() == 0


def test_nothing_is_attempted_again_for_a_line_without_a_device(person: User) -> None:
    number = Delivery.objects.get().notification_id
    Delivery.objects.update(device=None, outcome="abandoned")
    with pytest.raises(acts.Refused):
        acts.retry_failed(number, by=Who("mia", 1), reason="", now=NOW)

    Delivery.objects.update(outcome="unknown")
    with pytest.raises(acts.Refused):
        acts.resend_unknown(number, by=Who("mia", 1), reason="", now=NOW)


# --- The command ----------------------------------------------------------------------------------


def test_the_command_says_what_will_go_and_wants_the_name_again(
    person: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.input", lambda question: "somebody")
    out = StringIO()

    with pytest.raises(CommandError, match="another name"):
        call_command("erase_user", NAME, stdout=out)

    assert "         1  programs\n" in out.getvalue()
    assert User.objects.filter(pk=person.pk).exists()


@pytest.mark.parametrize("yes", [True, False])
def test_the_command_erases_and_tells_how_far_it_is(
    person: User, monkeypatch: pytest.MonkeyPatch, yes: bool
) -> None:
    monkeypatch.setattr("builtins.input", lambda question: NAME)
    out = StringIO()

    call_command("erase_user", NAME, *(["--yes"] if yes else []), stdout=out)

    assert out.getvalue().splitlines()[-5:] == [
        "talks: 1", "clips: 1", "clips: 2", "account: 1", "lines of the send log: 1",
    ]  # fmt: skip


def test_the_command_is_an_act_that_names_nobody(person: User) -> None:
    number = Notification.objects.get(body=TALK).pk
    Notification.objects.filter(pk=number).update(state="held", finished_at=None)

    call_command("erase_user", NAME, "--yes", stdout=StringIO())

    by = on_this_host().name
    assert acts_kept() == [
        ("operator.cancelled", by, f"notification {number}"),
        ("operator.user_erased", by, f"account {person.pk}"),
    ]
    assert Notification.objects.get(pk=number).reason == f"Cancelled by {by}."


def test_there_is_no_act_of_an_account_that_stays(
    person: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erase, "keep", broken)

    with pytest.raises(RuntimeError):
        call_command("erase_user", NAME, "--yes", stdout=StringIO())

    assert User.objects.filter(pk=person.pk).exists()


@pytest.mark.parametrize("becomes", [staff, was_staff])
def test_the_command_refuses_whom_it_does_not_know_and_operators(
    person: User, becomes: Callable[[User], None]
) -> None:
    with pytest.raises(CommandError, match="no account 'nobody'"):
        call_command("erase_user", "nobody", "--yes")
    becomes(person)
    with pytest.raises(CommandError, match="Deactivate it instead"):
        call_command("erase_user", NAME, "--yes")


# --- Beside others --------------------------------------------------------------------------------


def erasing(user: User) -> tuple[threading.Thread, list[str]]:
    """Return a thread that erases the account on a connection of its own, and how that ended."""
    ended: list[str] = []

    def run() -> None:
        try:
            erase.erase_account(user, now=NOW)
            ended.append("erased")
        except (DatabaseError, acts.Refused) as error:
            ended.append(str(error))
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, ended


@pytest.mark.engines
@pytest.mark.django_db(transaction=True)
def test_an_upload_is_waited_for(settings: Settings) -> None:
    settings.NOTIFICATIONS_PER_PROGRAM_PER_HOUR = 6
    program = ProgramFactory.create()

    with transaction.atomic():  # locks what a talk that is posted locks
        caps.objection(program.pk, now=NOW)
        thread, ended = erasing(program.owner)
        assert eventually(somebody_waits_for_a_lock)
        take_storage(program.owner_id)
    thread.join(DEADLINE_SECONDS)

    assert ended == ["erased"]


@pytest.mark.engines
@pytest.mark.django_db(transaction=True)
def test_a_program_that_is_added_at_this_moment_is_erased_as_the_others() -> None:
    owner = ProgramFactory.create().owner

    with transaction.atomic():
        take_program(owner.pk)
        thread, ended = erasing(owner)
        assert eventually(somebody_waits_for_a_lock)
        ProgramFactory.create(owner=owner, title=SHOW)
        said = Notification.objects.create(title=SHOW, body=TALK, state="done")
    thread.join(DEADLINE_SECONDS)

    assert ended == ["erased"]
    assert not Program.objects.exists()
    assert Notification.objects.get(pk=said.pk).title == ""


def test_an_account_with_ever_new_programs_is_refused(
    person: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erase, "lock", lambda user: None)

    with pytest.raises(acts.Refused, match="erase it again"):
        erased(person)

    assert User.objects.filter(pk=person.pk).exists()


# --- The table ------------------------------------------------------------------------------------


def leads_to_accounts() -> set[str]:
    """Return each model from which a path of foreign keys leads to an account."""
    found: set[type[Model]] = set()
    new: set[type[Model]] = {User}
    while new:
        found |= new
        new = {
            each.related_model
            for model in new
            for each in model._meta.get_fields(include_hidden=True)
            if each.auto_created and not each.concrete and isinstance(each.related_model, type)
            if not each.related_model._meta.auto_created  # the rows of a many-to-many go along
        } - found
    return {model._meta.label for model in found}


def test_each_model_that_leads_to_an_account_has_a_decision() -> None:
    installed = {model._meta.label for model in apps.get_models()}
    assert leads_to_accounts() - set(personal.TABLE) == set()
    # An act names its account by a number alone, so that it stays when the account goes.
    assert set(personal.TABLE) & installed - leads_to_accounts() == {"accounts.Act"}


def test_no_export_tells_a_secret() -> None:
    secrets = {"password", "token", "key", "digest", "token_key", "data", "secret"}

    assert [each for _model, each in personal.kept() if secrets & set(each.told)] == []


def test_what_operators_changed_and_deleted_before_names_nobody(
    person: User, admin_client: Client
) -> None:
    """Acts cannot be changed, so they must not have the person's words in the first place."""
    program, clip = Program.objects.get(owner=person), Clip.objects.get(listener=person)
    form = {"owner": person.pk, "title": f"{SHOW} II", "description": f"By {NAME}"}
    page = f"/admin/programs/program/{program.pk}/change/"
    assert admin_client.post(page, form).status_code == 302
    page = f"/admin/programs/clip/{clip.pk}/delete/"
    assert admin_client.post(page, {"post": "yes"}).status_code == 302

    erased(person)

    left = [(table, value) for table, value in everything() if NAME in value or SHOW in value]
    assert left == []

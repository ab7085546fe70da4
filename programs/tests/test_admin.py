"""The admin is as careful with programs, talks and clips as the API, and quick with many rows."""

from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from programs.admin import ProgramAdmin
from programs.models import Clip, Program, Talk
from programs.tests.clients import overtaken_by
from programs.tests.factories import ClipFactory, ProgramFactory, TalkFactory, UserFactory
from programs.tests.recordings import Files, recording, wav

pytestmark = pytest.mark.django_db
SESSION_USER_AND_BANNER = 6  # queries


def post_talk(admin_client: Client, program: Program, content: bytes, **more: Any) -> Any:
    audio = SimpleUploadedFile("talk.mp3", content)
    form = {"program": program.pk, "title": "Hello", "audio": audio, **more}
    return admin_client.post("/admin/programs/talk/add/", form)


def test_a_talk_is_posted_with_its_length_and_its_true_extension(
    admin_client: Client, program: Program
) -> None:
    answer = post_talk(admin_client, program, wav(0.5))

    assert answer.status_code == 302
    talk = Talk.objects.get()
    assert talk.duration == 0.5
    assert str(talk.audio.name).endswith(".wav")


def test_a_form_that_is_sent_twice_posts_one_talk(
    admin_client: Client, program: Program, files: Files
) -> None:
    page = admin_client.get("/admin/programs/talk/add/")
    once = page.context["adminform"].form["once"].value()

    post_talk(admin_client, program, wav(0.5), once=once)
    again = post_talk(admin_client, program, wav(0.5), once=once)

    assert "This form was sent before" in again.content.decode()
    assert Talk.objects.get().idempotency_key == str(once)
    assert len(files()) == 1


def test_of_two_clicks_at_once_the_constraint_lets_one_pass(
    admin_client: Client, program: Program, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("programs.admin.is_posted", lambda program, *, key: False)
    once = uuid4()

    post_talk(admin_client, program, wav(0.5), once=once)
    again = post_talk(admin_client, program, wav(0.5), once=once)

    assert again.status_code == 302
    assert Talk.objects.count() == 1
    assert len(files()) == 1


@pytest.mark.parametrize("content", [b"", b"text", recording("speech.mp3")[:-9]], ids=len)
def test_a_bad_recording_is_refused_and_leaves_nothing(
    admin_client: Client, program: Program, files: Files, content: bytes
) -> None:
    answer = post_talk(admin_client, program, content)

    assert list(answer.context["adminform"].form.errors) == ["audio"]
    assert not Talk.objects.exists()
    assert files() == []


def test_the_title_of_a_posted_talk_can_be_corrected(admin_client: Client) -> None:
    talk = TalkFactory.create()

    admin_client.post(f"/admin/programs/talk/{talk.pk}/change/", {"title": "Corrected"})

    talk.refresh_from_db()
    assert talk.title == "Corrected"
    assert talk.audio


def test_a_new_title_does_not_undo_an_operators_dry_run(
    admin_client: Client, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    overtaken_by(
        monkeypatch, ProgramAdmin, "get_object", lambda: Program.objects.update(dry_run=True)
    )
    form = {"title": "Morning Radio", "owner": program.owner_id}

    admin_client.post(f"/admin/programs/program/{program.pk}/change/", form)

    program.refresh_from_db()
    assert (program.title, program.dry_run) == ("Morning Radio", True)


def test_deleting_a_program_counts_what_goes_with_it(
    admin_client: Client, program: Program, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(30):
        ClipFactory.create(program=program)
    TalkFactory.create(program=program)
    address = f"/admin/programs/program/{program.pk}/delete/"

    with django_assert_max_num_queries(SESSION_USER_AND_BANNER + 3):
        page = admin_client.get(address)
    answer = admin_client.post(address, {"post": "yes"})

    assert dict(page.context["model_count"]) == {"programs": 1, "talks": 1, "clips": 30}
    assert answer.status_code == 302
    assert not Program.objects.exists()
    assert not Clip.objects.exists()


def test_who_may_not_delete_talks_cannot_delete_them_with_their_program(
    client: Client, program: Program
) -> None:
    TalkFactory.create(program=program)
    helper = UserFactory.create(is_staff=True)
    helper.user_permissions.set(
        Permission.objects.filter(codename__in=["view_program", "delete_program"])
    )
    client.force_login(helper)

    client.post(f"/admin/programs/program/{program.pk}/delete/", {"post": "yes"})

    assert Program.objects.exists()


@pytest.mark.parametrize("factory", [ProgramFactory, TalkFactory, ClipFactory])
def test_a_list_costs_the_same_however_long_it_is(
    admin_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries, factory: type[Any]
) -> None:
    rows = factory.create_batch(30)

    with django_assert_max_num_queries(SESSION_USER_AND_BANNER + 5):
        page = admin_client.get(f"/admin/programs/{rows[0]._meta.model_name}/?q=u")

    assert page.status_code == 200


@pytest.mark.parametrize("model", ["program", "talk", "clip"])
def test_a_form_does_not_list_every_user_or_program(admin_client: Client, model: str) -> None:
    ProgramFactory.create(title="One of a million", owner__username="one-of-a-million")

    page = admin_client.get(f"/admin/programs/{model}/add/").content.decode()

    assert "of a million" not in page
    assert "of-a-million" not in page

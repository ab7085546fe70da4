"""What one user may have is bounded: programs, and bytes of recordings."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from programs import files as storing
from programs.models import Program, Talk
from programs.tests.clients import client_of
from programs.tests.factories import ProgramFactory, UserFactory
from programs.tests.recordings import Files, wav

PROGRAMS = "/api/v1/programs/"
RECORDING = wav()
NO_ROOM = "There is no room for this one: post a smaller one, or delete a talk first."


def upload(api: APIClient, program: Program, **headers: str) -> Any:
    form = {"title": "Hello", "audio": SimpleUploadedFile("talk.wav", RECORDING)}
    address = f"{PROGRAMS}{program.pk}/talks/"
    return api.post(address, form, format="multipart", headers=headers)


# --- Programs ------------------------------------------------------------------------------------


def test_one_program_too_many_is_refused_with_the_number(
    api: APIClient, user: User, settings: Settings
) -> None:
    settings.PROGRAMS_PER_USER = 3
    ProgramFactory.create_batch(3, owner=user)

    answer = api.post(PROGRAMS, {"title": "One more"})

    assert answer.status_code == 409
    told = "You have 3 programs, and nobody may have more: delete one first."
    assert answer.json() == {"detail": told}
    assert Program.objects.count() == 3


def test_who_deletes_a_program_may_have_another(
    api: APIClient, user: User, settings: Settings
) -> None:
    settings.PROGRAMS_PER_USER = 1
    program = ProgramFactory.create(owner=user)
    api.delete(f"{PROGRAMS}{program.pk}/")

    assert api.post(PROGRAMS, {"title": "Another"}).status_code == 201


def test_the_programs_of_others_do_not_count(api: APIClient, settings: Settings) -> None:
    settings.PROGRAMS_PER_USER = 1
    ProgramFactory.create_batch(3)

    assert api.post(PROGRAMS, {"title": "The first"}).status_code == 201


@pytest.mark.engines
@pytest.mark.django_db(transaction=True)
def test_programs_created_at_once_do_not_pass_the_limit_together(settings: Settings) -> None:
    settings.PROGRAMS_PER_USER = 3
    user = UserFactory.create()

    def create(_: int) -> int:
        try:
            return client_of(user).post(PROGRAMS, {"title": "At once"}).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        answers = sorted(pool.map(create, range(10)))

    assert answers == [201] * 3 + [409] * 7
    assert Program.objects.count() == 3


# --- Storage -------------------------------------------------------------------------------------


def test_a_talk_knows_the_bytes_of_its_recording(api: APIClient, program: Program) -> None:
    assert upload(api, program).status_code == 201

    assert Talk.objects.get().audio_bytes == len(RECORDING)


def test_a_recording_beyond_the_storage_is_refused_and_not_stored(
    api: APIClient, program: Program, settings: Settings, files: Files, user: User
) -> None:
    settings.AUDIO_MAX_BYTES_PER_USER = 2 * len(RECORDING)
    other = ProgramFactory.create(owner=user)
    assert upload(api, program).status_code == upload(api, other).status_code == 201

    answer = upload(api, program)

    assert answer.status_code == 413
    assert list(answer.json()) == ["audio"]
    assert answer.json()["audio"][0].endswith(NO_ROOM)
    assert Talk.objects.count() == len(files()) == 2


def test_the_limit_is_told_as_people_read_it(
    api: APIClient, program: Program, settings: Settings
) -> None:
    settings.AUDIO_MAX_BYTES_PER_USER = 512

    (told,) = upload(api, program).json()["audio"]

    assert told == f"The recordings of one user may have 512\xa0bytes in all. {NO_ROOM}"


def test_recordings_of_before_the_limit_count_as_nothing(
    api: APIClient, program: Program, settings: Settings
) -> None:
    settings.AUDIO_MAX_BYTES_PER_USER = len(RECORDING)
    Talk.objects.create(program=program, title="Old")

    assert upload(api, program).status_code == 201


def test_a_repeated_upload_is_answered_though_the_storage_is_full_by_now(
    api: APIClient, program: Program, settings: Settings
) -> None:
    settings.AUDIO_MAX_BYTES_PER_USER = len(RECORDING)
    key = {"Idempotency-Key": "morning-1"}
    first = upload(api, program, **key)

    assert upload(api, program, **key).json()["id"] == first.json()["id"]


def test_a_recording_that_another_overtook_is_refused_and_its_file_deleted(
    api: APIClient,
    program: Program,
    settings: Settings,
    files: Files,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.AUDIO_MAX_BYTES_PER_USER = len(RECORDING)
    assert upload(api, program).status_code == 201
    monkeypatch.setattr(storing, "check_storage", lambda owner_id, *, more: None)  # too early

    assert upload(api, program).status_code == 413
    assert Talk.objects.count() == len(files()) == 1


@pytest.mark.engines
@pytest.mark.django_db(transaction=True)
def test_uploads_at_once_do_not_pass_the_storage_together(settings: Settings, files: Files) -> None:
    settings.AUDIO_MAX_BYTES_PER_USER = 3 * len(RECORDING)
    user = UserFactory.create()
    programs = ProgramFactory.create_batch(2, owner=user)

    def post(number: int) -> int:
        try:
            return int(upload(client_of(user), programs[number % 2]).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        answers = sorted(pool.map(post, range(10)))

    assert answers == [201] * 3 + [413] * 7
    assert Talk.objects.count() == len(files()) == 3


def test_the_admin_says_that_there_is_no_room_and_shows_the_form_again(
    admin_client: Client, program: Program, settings: Settings, files: Files
) -> None:
    settings.AUDIO_MAX_BYTES_PER_USER = 512
    audio = SimpleUploadedFile("talk.wav", RECORDING)
    form = {"title": "Hello", "program": program.pk, "audio": audio}

    page = admin_client.post("/admin/programs/talk/add/", form)

    assert page.status_code == 200
    assert NO_ROOM in page.content.decode()
    assert not Talk.objects.exists()
    assert files() == []

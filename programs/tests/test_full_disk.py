"""A full disk: the app is told 507, the desk says it in words, and nothing is left behind."""

import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.files.storage import FileSystemStorage
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from programs.models import Program, Talk
from programs.tests.recordings import WAV_HERTZ, Files, wav
from testbed.small_disk import small_disk

CHUNK = 64 * 1024  # bytes that Django stores at once
RECORDING = wav((4 * CHUNK - 44) / WAV_HERTZ)  # four chunks, with the head of 44 bytes
# The disk has room for half of the recording, or for all but a part of its last chunk.
HALF, ALMOST = 2 * CHUNK, 4 * CHUNK - 8192

TOLD = "The server's disk is full"
ADD = "/admin/programs/talk/add/"


@pytest.fixture(params=[0, 2_500_000], ids=["upload on disk", "upload in memory"])
def where_uploads_wait(request: pytest.FixtureRequest, settings: Settings) -> None:
    """Run a test twice: Django keeps an upload in a temporary file, or in memory."""
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = request.param


@pytest.fixture(params=[HALF, ALMOST], ids=["half", "almost all"])
def room(request: pytest.FixtureRequest) -> int:
    """Run a test twice: there is room for half of a recording, or for almost all of it."""
    return int(request.param)


@pytest.fixture
def full_media(settings: Settings, room: int) -> Iterator[ExitStack]:
    """Let recordings be kept on a disk that is soon full; closed, it has room again."""
    yield from mounted(Path(settings.MEDIA_ROOT), room)


@pytest.fixture
def full_temp(settings: Settings, room: int) -> Iterator[ExitStack]:
    """Let uploads wait on a disk that is soon full; closed, it has room again."""
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 0
    yield from mounted(Path(settings.FILE_UPLOAD_TEMP_DIR), room)


def mounted(directory: Path, size: int) -> Iterator[ExitStack]:
    with ExitStack() as stack:
        if not stack.enter_context(small_disk(directory, size=size)):
            pytest.skip("only root can mount a small disk")
        yield stack


@pytest.fixture(params=[errno.ENOSPC, errno.EDQUOT], ids=errno.errorcode.get)
def full(request: pytest.FixtureRequest) -> OSError:
    """Return what the system says when the disk is full, and when a quota is used up."""
    return OSError(request.param, os.strerror(request.param))


@pytest.fixture
def media_that_refuses(monkeypatch: pytest.MonkeyPatch, full: OSError) -> None:
    """Let each recording be refused when it is written, as a network's file system does."""
    written: Callable[..., str] = FileSystemStorage._save  # type: ignore[attr-defined]

    def refuse(self: FileSystemStorage, name: str, content: Any) -> str:
        written(self, name, content)
        raise full

    monkeypatch.setattr(FileSystemStorage, "_save", refuse)


@pytest.fixture
def temp_that_refuses(monkeypatch: pytest.MonkeyPatch, settings: Settings, full: OSError) -> None:
    """Let an upload's first bytes be written, and refused."""
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 0

    def refuse(self: TemporaryUploadedFile, content: bytes) -> None:
        os.write(self.fileno(), content)
        raise full

    monkeypatch.setattr(TemporaryUploadedFile, "write", refuse, raising=False)


def form(**fields: Any) -> dict[str, Any]:
    return {"title": "Hello", "audio": SimpleUploadedFile("talk.wav", RECORDING), **fields}


def upload(api: APIClient, program: Program) -> Any:
    """Post the recording, always with the same key, and return the answer."""
    address = f"/api/v1/programs/{program.pk}/talks/"
    return api.post(address, form(), format="multipart", headers={"Idempotency-Key": "one"})


def assert_refused_and_nothing_left(answer: Any, files: Files) -> None:
    assert answer.status_code == 507
    assert answer.headers["Content-Type"] == "application/json"
    assert TOLD in answer.json()["detail"]
    assert_nothing_left(files)


def assert_nothing_left(files: Files) -> None:
    assert files() == []
    assert not Talk.objects.exists()
    assert not apps.get_model("notifications.Notification").objects.exists()


# --- The API -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("where_uploads_wait")
def test_a_recording_that_finds_no_room_is_507_and_posted_once_there_is(
    api: APIClient, program: Program, files: Files, full_media: ExitStack
) -> None:
    assert_refused_and_nothing_left(upload(api, program), files)

    full_media.close()

    assert upload(api, program).status_code == 201
    assert [path.read_bytes() for path in files()] == [RECORDING]


def test_an_upload_that_finds_no_room_to_wait_is_507_and_posted_once_there_is(
    api: APIClient, program: Program, files: Files, full_temp: ExitStack
) -> None:
    assert_refused_and_nothing_left(upload(api, program), files)

    full_temp.close()

    assert upload(api, program).status_code == 201
    assert [path.read_bytes() for path in files()] == [RECORDING]


@pytest.mark.usefixtures("temp_that_refuses")
def test_a_refused_upload_is_read_to_its_end_so_that_the_client_sees_the_answer(
    api: APIClient, program: Program
) -> None:
    assert upload(api, program).wsgi_request.META["wsgi.input"].read() == b""


@pytest.mark.usefixtures("where_uploads_wait", "media_that_refuses")
def test_a_recording_that_is_refused_after_it_was_written_is_507(
    api: APIClient, program: Program, files: Files
) -> None:
    assert_refused_and_nothing_left(upload(api, program), files)


@pytest.mark.usefixtures("temp_that_refuses")
def test_an_upload_that_is_refused_while_it_is_written_is_507(
    api: APIClient, program: Program, files: Files
) -> None:
    assert_refused_and_nothing_left(upload(api, program), files)


@pytest.mark.usefixtures("media_that_refuses")
def test_operators_are_told_which_disk_is_full(
    api: APIClient, program: Program, caplog: pytest.LogCaptureFixture, settings: Settings
) -> None:
    upload(api, program)

    [told] = [record for record in caplog.records if record.name.startswith("programs")]
    assert told.getMessage() == "disk.full"
    assert vars(told)["directory"] == str(settings.MEDIA_ROOT)


@pytest.mark.parametrize("full", [OSError(errno.EACCES, "denied")], ids=["no permission"])
@pytest.mark.usefixtures("media_that_refuses")
def test_another_error_of_the_disk_is_a_defect_and_leaves_nothing(
    api: APIClient, program: Program, files: Files
) -> None:
    with pytest.raises(PermissionError):
        upload(api, program)

    assert_nothing_left(files)


@pytest.fixture
def no_temp(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """Let Python find no directory into which it can write, the first time that it needs one."""
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 0
    settings.FILE_UPLOAD_TEMP_DIR = None
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/not/there"])


@pytest.mark.usefixtures("no_temp")
def test_an_upload_for_which_no_directory_has_room_is_507(
    api: APIClient, program: Program, files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    assert_refused_and_nothing_left(upload(api, program), files)

    [told] = [record for record in caplog.records if record.name.startswith("programs")]
    assert "/not/there" in vars(told)["directory"]


# --- The desk ------------------------------------------------------------------------------------


def assert_told_in_words_and_nothing_left(answer: Any, program: Program, files: Files) -> None:
    page = answer.content.decode()
    assert answer.status_code == 200
    assert TOLD in page.replace("&#x27;", "'")
    shown = answer.context["adminform"].form
    assert shown["title"].value() == "Hello"
    assert shown["description"].value() == "Good evening."
    assert f'<option value="{program.pk}" selected' in page
    assert_nothing_left(files)


def post_on_the_desk(client: Client, program: Program) -> Any:
    fields = form(program=program.pk, description="Good evening.")
    fields["audio"] = fields.pop("audio")  # last, as browsers send it
    return client.post(ADD, fields)


@pytest.mark.usefixtures("where_uploads_wait", "full_media")
def test_the_desk_says_that_a_recording_finds_no_room_and_keeps_what_was_typed(
    admin_client: Client, program: Program, files: Files
) -> None:
    answer = post_on_the_desk(admin_client, program)

    assert_told_in_words_and_nothing_left(answer, program, files)


@pytest.mark.usefixtures("full_temp")
def test_the_desk_says_that_an_upload_finds_no_room_and_keeps_what_was_typed(
    user: Any, program: Program, files: Files
) -> None:
    user.is_staff = user.is_superuser = True
    user.save()
    browser = Client(enforce_csrf_checks=True)  # by which Django reads the form before the desk
    browser.force_login(user)
    browser.cookies["csrftoken"] = "c" * 32
    fields = {"csrfmiddlewaretoken": "c" * 32, "program": program.pk}

    answer = browser.post(ADD, fields | {"description": "Good evening."} | form())

    assert_told_in_words_and_nothing_left(answer, program, files)


@pytest.mark.usefixtures("media_that_refuses")
def test_the_desk_says_that_a_recording_was_refused(
    admin_client: Client, program: Program, files: Files
) -> None:
    answer = post_on_the_desk(admin_client, program)

    assert_told_in_words_and_nothing_left(answer, program, files)


@pytest.mark.usefixtures("temp_that_refuses")
def test_the_desk_says_that_an_upload_was_refused(
    admin_client: Client, program: Program, files: Files
) -> None:
    answer = post_on_the_desk(admin_client, program)

    assert_told_in_words_and_nothing_left(answer, program, files)

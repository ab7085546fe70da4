"""/media/ serves recordings, and nothing else of MEDIA_ROOT or around it."""

import os
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client

from programs.audio import FORMATS
from programs.tests.factories import TalkFactory
from programs.tests.recordings import wav

NAME = "talks/2026/01/0123456789abcdef0123456789abcdef.wav"


@pytest.fixture
def recording() -> Path:
    """Return the file of a recording."""
    return put(NAME)


def put(name: str) -> Path:
    """Return a file of that name below MEDIA_ROOT."""
    file = Path(settings.MEDIA_ROOT) / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(wav())
    return file


def get(name: str = NAME, **headers: str) -> Any:
    """Return the answer to somebody who is not logged in."""
    return Client(raise_request_exception=False).get(f"/media/{name}", headers=headers)


def content_of(answer: Any) -> bytes:
    """Return the body of an answer."""
    return bytes(answer.getvalue())


@pytest.mark.django_db
def test_the_recording_of_a_talk_is_served_at_its_address() -> None:
    talk = TalkFactory.create()

    answer = Client().get(talk.audio.url)

    assert answer.status_code == 200
    assert content_of(answer) == Path(talk.audio.path).read_bytes()


def test_no_browser_runs_a_recording_as_a_page_of_ours(recording: Path) -> None:
    answer = get()

    assert content_of(answer) == wav()
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS


HEADERS = {
    "Content-Type": "audio/wav",
    "Content-Length": str(len(wav())),
    "Content-Disposition": 'inline; filename="0123456789abcdef0123456789abcdef.wav"',
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "public, max-age=86400, immutable",
}


@pytest.mark.parametrize("extension", sorted({each.extension for each in FORMATS.values()}))
def test_each_kind_of_recording_is_served_as_audio(extension: str) -> None:
    name = NAME.replace("wav", extension)
    put(name)

    answer = get(name)

    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("audio/")
    assert content_of(answer) == wav()


@pytest.mark.parametrize(
    "name",
    [
        ".env",
        "talks/.env",
        "index.html",
        NAME.replace("wav", "html"),
        NAME.replace("wav", "svg"),
        NAME.replace("wav", "WAV"),
        NAME.replace("talks", "notes"),
        NAME.replace("2026", "二〇二六"),
        NAME.replace("0123456789abcdef", "secret", 1),
        f"{NAME}.html",
        f"a/../{NAME}",
        f"backup/{NAME}",
    ],
)
def test_other_files_beside_the_recordings_are_not_there(recording: Path, name: str) -> None:
    put(name)

    assert get(name).status_code == 404


@pytest.mark.parametrize("name", ["", "talks", "talks/2026/01", "talks/2026/01/", f"{NAME}/"])
def test_directories_are_not_listed(recording: Path, name: str) -> None:
    assert get(name).status_code in (301, 404)
    assert get(f"{name}/").status_code == 404


@pytest.mark.parametrize(
    "name", [f"../media/{NAME}", f"%2e%2e/media/{NAME}", f"/{NAME}", f"{NAME}%00", f"{NAME}%0a"]
)
def test_a_name_that_leads_around_leads_nowhere(recording: Path, name: str) -> None:
    assert get(name).status_code == 404


def test_a_link_out_of_the_directory_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text("a private key")
    link = Path(settings.MEDIA_ROOT) / NAME
    link.parent.mkdir(parents=True)
    link.symlink_to(secret)

    assert get().status_code == 404


def test_a_directory_that_is_a_link_out_is_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / Path(NAME).name).write_bytes(wav())
    link = (Path(settings.MEDIA_ROOT) / NAME).parent
    link.parent.mkdir(parents=True)
    link.symlink_to(other)

    assert get().status_code == 404


def test_a_link_within_the_directory_is_followed(recording: Path) -> None:
    link = recording.with_name(f"{'f' * 32}.wav")
    link.symlink_to(recording)

    assert content_of(get(NAME.replace(recording.stem, link.stem))) == wav()


def test_the_directory_itself_may_be_a_link(recording: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "volume"
    media = Path(settings.MEDIA_ROOT)
    media.rename(elsewhere)
    media.symlink_to(elsewhere)

    assert content_of(get()) == wav()


def test_what_is_no_file_is_not_there() -> None:
    (Path(settings.MEDIA_ROOT) / NAME).mkdir(parents=True)
    pipe = Path(settings.MEDIA_ROOT) / NAME.replace("wav", "mp3")
    os.mkfifo(pipe)
    circle = Path(settings.MEDIA_ROOT) / NAME.replace("wav", "ogg")
    circle.symlink_to(circle)

    for extension in ("wav", "mp3", "ogg", "flac"):
        assert get(NAME.replace("wav", extension)).status_code == 404


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options", "trace"])
@pytest.mark.parametrize("name", [NAME, "x"])
def test_nothing_but_reading_is_answered(recording: Path, method: str, name: str) -> None:
    # A form is refused before its body is read for a CSRF token.
    client = Client(enforce_csrf_checks=True)

    answer: HttpResponse = getattr(client, method)(f"/media/{name}")

    assert answer.status_code == 405
    assert answer.headers["Allow"].startswith("GET, HEAD")


def test_a_head_has_no_body(recording: Path) -> None:
    answer: Any = Client().head(f"/media/{NAME}")

    assert (answer.status_code, content_of(answer)) == (200, b"")
    assert answer.headers["Content-Length"] == str(len(wav()))


def test_what_has_not_changed_is_not_sent_again(recording: Path) -> None:
    os.utime(recording, (1_700_000_000, 1_700_000_000))
    first = get()

    again = get(**{"If-Modified-Since": first.headers["Last-Modified"]})
    older = get(**{"If-Modified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"})

    assert content_of(first) == wav()
    assert first.headers["Last-Modified"] == "Tue, 14 Nov 2023 22:13:20 GMT"
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["Cache-Control"] == HEADERS["Cache-Control"]
    assert content_of(older) == wav()

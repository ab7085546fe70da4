"""A program or talk whose title nobody sees is refused, in the API and in the admin."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from rest_framework.test import APIClient

from programs.models import Program, Talk
from programs.tests.recordings import Files, wav

INVISIBLE = ["\u200b", "\ufeff \u200d", "\u00a0\u3000", "\u00ad", "\u202e", "\u3164", "\u115f",
             "\u2800", "\ufe0f\ufe0f", "\U000e0041", "\x7f"]  # fmt: skip
VISIBLE = [
    "\N{STUDIO MICROPHONE}\ufe0f",
    "ラジオ",
    "\u200fرادیو",
    "가\u3164",
    "¿",
    "\U0001fae8",
    "e\u0301",
]
REFUSAL = "Nobody would see this title: all its characters are invisible."
PROGRAMS = "/api/v1/programs/"

invisible = pytest.mark.parametrize("title", INVISIBLE, ids=ascii)


def talk_form(title: str, **more: Any) -> dict[str, Any]:
    return {"title": title, "audio": SimpleUploadedFile("talk.wav", wav()), **more}


@pytest.mark.parametrize("title", VISIBLE, ids=ascii)
def test_a_title_of_which_people_see_something_is_taken_as_it_is(
    api: APIClient, title: str
) -> None:
    assert api.post(PROGRAMS, {"title": title}).status_code == 201
    assert Program.objects.get().title == title


def refused(answer: Any) -> bool:
    """Return whether the API refused the title, or the admin shows the refusal in its form."""
    if answer.headers["Content-Type"].startswith("text/html"):
        form = answer.context["adminform"].form
        return bool(form.errors.get("title"))
    return answer.status_code == 400 and list(answer.json()) == ["title"]


@invisible
def test_the_api_takes_no_program_without_a_visible_title(api: APIClient, title: str) -> None:
    assert refused(api.post(PROGRAMS, {"title": title}))
    assert not Program.objects.exists()


@invisible
def test_the_api_takes_no_invisible_title_for_one_that_is_seen(
    api: APIClient, program: Program, title: str
) -> None:
    assert refused(api.patch(f"{PROGRAMS}{program.pk}/", {"title": title}))
    program.refresh_from_db()
    assert program.title != title


@invisible
def test_the_api_posts_no_talk_without_a_visible_title(
    api: APIClient, program: Program, files: Files, title: str
) -> None:
    form = talk_form(title)

    assert refused(api.post(f"{PROGRAMS}{program.pk}/talks/", form, format="multipart"))
    assert not Talk.objects.exists()
    assert files() == []


@invisible
def test_the_admin_takes_no_program_without_a_visible_title(
    admin_client: Client, program: Program, title: str
) -> None:
    form = {"title": title, "owner": program.owner_id}

    assert refused(admin_client.post("/admin/programs/program/add/", form))
    assert Program.objects.get() == program


@invisible
def test_the_admin_posts_no_talk_without_a_visible_title(
    admin_client: Client, program: Program, files: Files, title: str
) -> None:
    form = talk_form(title, program=program.pk)

    assert refused(admin_client.post("/admin/programs/talk/add/", form))
    assert not Talk.objects.exists()
    assert files() == []


def test_the_refusal_says_why(api: APIClient) -> None:
    assert api.post(PROGRAMS, {"title": "\u200b"}).json() == {"title": [REFUSAL]}

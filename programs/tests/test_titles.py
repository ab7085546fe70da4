"""A title is one line that people see as it is; another is refused, in the API and in the admin."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from rest_framework.test import APIClient

from programs.invisible import as_title, first_untitled
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


def tags(text: str) -> str:
    """Return the text in tag characters, which nobody sees."""
    return "".join(chr(0xE0000 + ord(each)) for each in text)


# Each hides something, breaks the line, or turns the text around it.
HIDDEN = {
    "a line feed": "Night\nRadio",
    "a tab": "Night\tRadio",
    "an escape": "Night\x1b[31mRadio",
    "a C1 control": "Night\x85Radio",
    "a line separator": "Night\u2028Radio",
    "a paragraph separator": "Night\u2029Radio",
    "an override": "Night \u202egpj.oidaR",
    "an embedding": "Night \u202aRadio\u202c",
    "an isolate": "Night \u2067Radio\u2069",
    "a zero width space": "Ni\u200bght",
    "a byte order mark": "Night\ufeff",
    "a soft hyphen": "Ra\u00addio",
    "a word joiner": "Night\u2060Radio",
    "an invisible plus": "Night\u2064Radio",
    "a joiner between Latin letters": "Ni\u200dght",
    "a non-joiner between Latin letters": "Ni\u200cght",
    "a second joiner": "می\u200c\u200cخواهم",
    "a joiner without a second emoji": "\U0001f468\u200d",
    "a selector of a Latin letter": "N\ufe0fight",
    "a second selector": "\u2764\ufe0f\ufe0f",
    "a mark without a letter from right to left": "Night \u200fRadio",
    "tags without a flag": "Night\U000e0067\U000e0062",
    "a flag without an end": "\U0001f3f4\U000e0067\U000e0062\U000e0065",
    "tags that hide a text": "\U0001f3f4"
    + "".join(chr(0xE0000 + ord(each)) for each in "attackers"),
    "an annotation": "Night\ufff9Radio",
}
# What scripts and emoji need.
NEEDED = {
    "Persian": "می\u200cخواهم",
    "Persian with a joiner at a word's end": "۱۳۸۷ ه\u200d.ش",
    "Sinhala": "ශ්\u200dරී",
    "Devanagari": "क्\u200dष",
    "Mongolian": "ᠮᠣᠩᠭᠣᠯ\u180e\u1820",
    "Arabic beside Latin": "رادیو C++\u200f!",
    "Arabic's number sign": "\u0600١٢",
    "a family": "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "a doctor of a skin": "\U0001f469\U0001f3fd\u200d\u2695\ufe0f",
    "a heart on fire": "\u2764\ufe0f\u200d\U0001f525",
    "a rainbow flag": "\U0001f3f3\ufe0f\u200d\U0001f308",
    "a keycap": "1\ufe0f\u20e3",
    "the flag of Scotland": "\U0001f3f4"
    + "".join(chr(0xE0000 + ord(each)) for each in "gbsct\x7f"),
    "an ideograph's variant": "葛\U000e0100飾",
    "Japanese": "深夜ラジオ　第42回",
    "a no-break space": "Night\u00a0Radio",
}
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


# --- One line, as it is seen ----------------------------------------------------------------------

hidden = pytest.mark.parametrize("title", HIDDEN.values(), ids=HIDDEN.keys())


@pytest.mark.parametrize("title", NEEDED.values(), ids=NEEDED.keys())
def test_what_scripts_and_emoji_need_is_taken_as_it_is(api: APIClient, title: str) -> None:
    assert api.post(PROGRAMS, {"title": title}).status_code == 201
    assert Program.objects.get().title == title
    assert as_title(title) == title


@hidden
def test_the_api_takes_no_program_that_hides_something_in_its_title(
    api: APIClient, title: str
) -> None:
    assert refused(api.post(PROGRAMS, {"title": title}))
    assert not Program.objects.exists()


@hidden
def test_the_api_posts_no_talk_that_hides_something_in_its_title(
    api: APIClient, program: Program, files: Files, title: str
) -> None:
    form = talk_form(title)

    assert refused(api.post(f"{PROGRAMS}{program.pk}/talks/", form, format="multipart"))
    assert files() == []


@hidden
def test_the_admin_takes_no_title_that_hides_something(
    admin_client: Client, program: Program, title: str
) -> None:
    programs = {"title": title, "owner": program.owner_id}
    talks = talk_form(title, program=program.pk)

    assert refused(admin_client.post("/admin/programs/program/add/", programs))
    assert refused(admin_client.post("/admin/programs/talk/add/", talks))


@hidden
def test_what_an_old_title_hides_is_taken_out_and_nothing_is_left(title: str) -> None:
    assert first_untitled(as_title(title)) is None


def test_the_refusal_names_the_code_point(api: APIClient) -> None:
    assert api.post(PROGRAMS, {"title": "Night \u202egpj.oidaR"}).json() == {
        "title": [
            "There is a character in the title that nobody sees, breaks its line or turns its "
            "text around (U+202E): leave it out."
        ]
    }


def test_an_old_title_is_still_read(api: APIClient, program: Program) -> None:
    Program.objects.filter(pk=program.pk).update(title="Night\nRadio")

    assert api.get(f"{PROGRAMS}{program.pk}/").json()["title"] == "Night\nRadio"
    change = {"description": "Owls"}
    assert api.patch(f"{PROGRAMS}{program.pk}/", change).status_code == 200

"""Programs and clips over HTTP: every user reads and clips, owners change."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from programs.api.views import ProgramViewSet
from programs.models import Clip, Program
from programs.tests.clients import overtaken_by
from programs.tests.factories import ClipFactory, ProgramFactory, TalkFactory, UserFactory
from programs.tests.recordings import Files

PROGRAMS = "/api/v1/programs/"


def address(program: Program, rest: str = "") -> str:
    return f"{PROGRAMS}{program.pk}/{rest}"


def titles(api: APIClient, **query: Any) -> list[str]:
    """Return the titles in the list, narrowed by `query`."""
    return [program["title"] for program in api.get(PROGRAMS, query).json()["results"]]


def overtaken_at_its_program(monkeypatch: pytest.MonkeyPatch, rival: Callable[[], Any]) -> None:
    """Have `rival` act after a request has read its program and before the request changes it."""
    overtaken_by(monkeypatch, ProgramViewSet, "get_object", rival)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["programs/", "programs/1/", "talks/1/", "programs/1/talks/"])
def test_who_is_not_logged_in_is_asked_to(path: str) -> None:
    answer = APIClient().get(f"/api/v1/{path}")

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Token"


def test_a_new_program_is_its_creators(api: APIClient, user: User) -> None:
    answer = api.post(PROGRAMS, {"title": "Night radio", "dry_run": True})

    assert answer.status_code == 201
    program = Program.objects.get()
    assert program.owner == user
    assert answer.json() == {
        "id": program.pk,
        "owner": "anna",
        "title": "Night radio",
        "description": "",
        "dry_run": True,
        "mine": True,
        "clipped": False,
        "muted": False,
        "created_at": answer.json()["created_at"],
    }


def test_the_owner_cannot_be_chosen(api: APIClient, user: User) -> None:
    api.post(PROGRAMS, {"title": "Night radio", "owner": UserFactory.create().username})

    assert Program.objects.get().owner == user


@pytest.mark.parametrize(
    "title", ["", " ", "t" * 201, "nul\x00", None, ["a"]], ids=lambda title: repr(title)[:9]
)
def test_a_bad_title_is_refused(api: APIClient, title: Any) -> None:
    answer = api.post(PROGRAMS, {"title": title})

    assert answer.status_code == 400
    assert "title" in answer.json()


def test_another_ones_program_can_be_read(api: APIClient, other_program: Program) -> None:
    answer = api.get(address(other_program))

    assert answer.status_code == 200
    assert answer.json()["mine"] is False


def test_an_owner_changes_the_program(api: APIClient, program: Program) -> None:
    answer = api.patch(address(program), {"dry_run": True})

    assert answer.status_code == 200
    program.refresh_from_db()
    assert program.dry_run


def test_its_own_dry_run_is_taken_away_again(api: APIClient, user: User) -> None:
    program = ProgramFactory.create(owner=user, dry_run=True)

    assert api.patch(address(program), {"dry_run": False}).status_code == 200

    program.refresh_from_db()
    assert not program.dry_run


def test_an_operators_dry_run_is_not(api: APIClient, user: User) -> None:
    program = ProgramFactory.create(owner=user, dry_run=True, dry_run_by_operator=True)

    answer = api.patch(address(program), {"title": "Day", "dry_run": False})

    program.refresh_from_db()
    assert answer.status_code == 403
    assert "only they can take it away" in answer.json()["detail"]
    assert (program.title != "Day", program.dry_run) == (True, True)
    assert api.patch(address(program), {"title": "Day"}).status_code == 200


def test_a_new_title_does_not_undo_an_operators_dry_run(
    api: APIClient, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    overtaken_at_its_program(monkeypatch, lambda: Program.objects.update(dry_run=True))

    assert api.patch(address(program), {"title": "Morning Radio"}).status_code == 200

    program.refresh_from_db()
    assert (program.title, program.dry_run) == ("Morning Radio", True)


def test_a_change_does_not_bring_back_a_deleted_program(
    api: APIClient, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    overtaken_at_its_program(monkeypatch, Program.objects.all().delete)

    assert api.patch(address(program), {"title": "Morning Radio"}).status_code == 404
    assert not Program.objects.exists()


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_another_ones_program_is_not_there_to_be_changed(
    api: APIClient, other_program: Program, method: str
) -> None:
    answer = getattr(api, method)(address(other_program), {"title": "Mine now"})

    assert answer.status_code == 404
    other_program.refresh_from_db()
    assert other_program.title != "Mine now"


def test_a_deleted_program_takes_its_talks_and_their_files(
    api: APIClient,
    program: Program,
    files: Files,
    django_capture_on_commit_callbacks: Any,
) -> None:
    TalkFactory.create(program=program)

    with django_capture_on_commit_callbacks(execute=True):
        answer = api.delete(address(program))

    assert answer.status_code == 204
    assert not Program.objects.exists()
    assert files() == []


@pytest.mark.parametrize("pk", ["0", "99999999999999999999999", "abc", "-1"])
def test_a_program_that_is_not_there_is_404(api: APIClient, pk: str) -> None:
    assert api.get(f"{PROGRAMS}{pk}/").status_code == 404


def test_a_clip_is_made_once_however_often_it_is_asked_for(
    api: APIClient, user: User, other_program: Program
) -> None:
    first = api.put(address(other_program, "clip/"))
    second = api.put(address(other_program, "clip/"))

    assert (first.status_code, second.status_code) == (201, 200)
    assert Clip.objects.get().listener == user
    assert first.json() == second.json()
    assert first.json()["muted"] is False


def test_a_clip_can_be_muted_and_unmuted(api: APIClient, other_program: Program) -> None:
    api.put(address(other_program, "clip/"), {"muted": True})
    assert Clip.objects.get().muted

    api.put(address(other_program, "clip/"), {"muted": False})
    assert not Clip.objects.get().muted


@pytest.mark.django_db(transaction=True)
def test_a_program_that_is_deleted_while_it_is_clipped_is_a_conflict(
    api: APIClient, other_program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    overtaken_at_its_program(monkeypatch, Program.objects.all().delete)

    assert api.put(address(other_program, "clip/")).status_code == 409
    assert not Clip.objects.exists()


def test_clipping_again_does_not_unmute(api: APIClient, user: User) -> None:
    clip = ClipFactory.create(listener=user, muted=True)

    api.put(address(clip.program, "clip/"))

    assert Clip.objects.get().muted


def test_an_unclip_touches_no_clip_of_others(api: APIClient, user: User) -> None:
    theirs = ClipFactory.create()
    ClipFactory.create(listener=user, program=theirs.program)

    answers = [api.delete(address(theirs.program, "clip/")) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [204, 204]
    assert Clip.objects.get() == theirs


def test_a_program_says_what_it_is_to_the_asking_user(api: APIClient, user: User) -> None:
    muted = ClipFactory.create(listener=user, muted=True).program
    clipped = ClipFactory.create(listener=user).program
    ClipFactory.create(program=clipped, muted=True)  # somebody else's

    seen = {each["id"]: each for each in api.get(PROGRAMS).json()["results"]}

    assert (seen[muted.pk]["clipped"], seen[muted.pk]["muted"]) == (True, True)
    assert (seen[clipped.pk]["clipped"], seen[clipped.pk]["muted"]) == (True, False)


def test_programs_can_be_narrowed(api: APIClient, user: User) -> None:
    ProgramFactory.create(title="Morning news", owner=user)
    ClipFactory.create(listener=user, program__title="Night jazz", program__owner__username="ben")
    ClipFactory.create(program__title="Noon talk")

    assert titles(api, mine=True) == ["Morning news"]
    assert titles(api, mine=False) == ["Noon talk", "Night jazz"]
    assert titles(api, clipped=True) == ["Night jazz"]
    assert titles(api, clipped=False) == ["Noon talk", "Morning news"]
    assert titles(api, title="NIGHT") == ["Night jazz"]
    assert titles(api, owner="ben") == ["Night jazz"]


def test_the_list_comes_in_pages(api: APIClient) -> None:
    ProgramFactory.create_batch(51)

    answer = api.get(PROGRAMS).json()

    assert (answer["count"], len(answer["results"])) == (51, 50)
    assert len(api.get(answer["next"]).json()["results"]) == 1


def test_fifty_programs_cost_two_queries(
    api: APIClient, user: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(50):
        ClipFactory.create(listener=user)

    with django_assert_num_queries(2):  # their number, and the programs with all that is said
        api.get(PROGRAMS)

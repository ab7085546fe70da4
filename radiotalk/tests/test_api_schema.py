"""Answers that generated requests do not come upon (test_schemathesis.py) are the schema's too."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.test import Client
from pytest_django import Settings

from accounts.models import ApiToken
from notifications.tests.database_away import database_raising
from programs.disk import DiskFullError
from programs.models import Program
from programs.tests.factories import ProgramFactory
from programs.tests.recordings import wav
from radiotalk.tests.test_schemathesis import AS_TOLD, PASSWORD, schema

Headers = dict[str, str]


@pytest.fixture
def anna(db: None) -> User:
    """Return the user who asks."""
    return User.objects.create_user("anna", password=PASSWORD)


@pytest.fixture
def token(anna: User) -> Headers:
    """Return the header by which anna is known."""
    return {"Authorization": f"Token {ApiToken.objects.create(anna)[1]}"}


@pytest.fixture
def program(anna: User, tmp_path: Path, settings: Settings) -> Program:
    """Return a program of anna's."""
    settings.MEDIA_ROOT = tmp_path
    return ProgramFactory.create(owner=anna)


def status(method: str, path: str, *, numbers: dict[str, int] | None = None, **asked: Any) -> int:
    """Ask, hold the answer against the schema, and return its status."""
    case = schema[f"/api/v1/{path}"][method].Case(path_parameters=numbers or {})
    answer = case.call_and_validate(checks=AS_TOLD, **asked)
    return int(answer.status_code)


def test_who_accepts_no_json(token: Headers) -> None:
    assert status("GET", "programs/", headers=token | {"Accept": "text/html"}) == 406


def test_a_body_of_no_length(token: Headers) -> None:
    asked = token | {"Transfer-Encoding": "chunked"}

    assert status("PUT", "devices/", headers=asked) == 411


def test_a_body_that_is_too_large(token: Headers) -> None:
    assert status("POST", "programs/", headers=token, json={"title": "o" * 2**21}) == 413


def test_a_session_without_its_header(anna: User) -> None:
    browser = Client()
    browser.force_login(anna)
    session = {"sessionid": browser.cookies["sessionid"].value}

    assert status("POST", "programs/", cookies=session, json={"title": "Owls"}) == 403


def test_a_program_too_many(token: Headers, program: Program, settings: Settings) -> None:
    settings.PROGRAMS_PER_USER = 1

    assert status("POST", "programs/", headers=token, json={"title": "Owls"}) == 409


@pytest.mark.django_db
def test_log_ins_after_too_many_failed() -> None:
    wrong = {"username": "anna", "password": "wrong"}
    for _ in range(5):
        assert status("POST", "auth/token/", json=wrong) == 400

    assert status("POST", "auth/token/", json=wrong) == 429


@pytest.mark.django_db
def test_a_database_that_is_away(token: Headers) -> None:
    with database_raising(OperationalError):
        assert status("GET", "programs/", headers=token) == 503


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"json": {"password": PASSWORD}}, 204),
        ({"json": {"password": "wrong"}}, 403),
        ({"json": {}}, 400),
        ({"json": ["password"]}, 400),
        ({"data": b"{", "content_type": "application/json"}, 400),
        ({"data": b"password=", "content_type": "text/plain"}, 415),
    ],
)
def test_erasing_an_account(token: Headers, body: dict[str, Any], told: int) -> None:
    """OpenAPI 3.0 knows no body of a DELETE, so that schemathesis sends none."""
    assert status("DELETE", "me/", headers=token, **body) == told


def posted(program: Program, headers: Headers, title: str = "Owls") -> int:
    """Post a talk, and return the answer's status."""
    body: Any = {"title": title, "audio": wav()}
    case = schema["/api/v1/programs/{program_id}/talks/"]["POST"].Case(
        path_parameters={"program_id": program.pk}, body=body, media_type="multipart/form-data"
    )
    return int(case.call_and_validate(headers=headers, checks=AS_TOLD).status_code)


def test_an_upload_that_is_repeated(token: Headers, program: Program) -> None:
    once = token | {"Idempotency-Key": "1"}

    assert posted(program, once) == 201
    assert posted(program, once) == 201
    assert posted(program, once, title="Mice") == 422


def test_an_upload_beyond_what_a_user_may_store(
    token: Headers, program: Program, settings: Settings
) -> None:
    settings.AUDIO_MAX_BYTES_PER_USER = 1

    assert posted(program, token) == 413


def test_an_upload_to_a_disk_that_is_full(
    token: Headers, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise DiskFullError

    monkeypatch.setattr("programs.api.posting.save_with_audio", full)

    assert posted(program, token) == 507

"""Every answer below /api/ is JSON, errors included, and a hostile request is never a 500."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import InterfaceError, InternalError, OperationalError
from django.utils.translation import override
from rest_framework.test import APIClient

from notifications.tests.database_away import database_raising


@pytest.mark.django_db
def test_json_nested_without_end_is_a_bad_request() -> None:
    answer = APIClient().post("/api/v1/auth/token/", "[" * 200_000, content_type="application/json")

    assert answer.status_code == 400


@pytest.mark.django_db
def test_json_of_megabytes_is_too_large_and_told_in_json() -> None:
    api = APIClient()
    api.force_authenticate(User.objects.create(username="anna"))

    answer = api.post("/api/v1/programs/", {"title": "Owls", "description": "d" * 3_000_000})

    assert answer.status_code == 413
    assert list(answer.json()) == ["detail"]


@pytest.mark.django_db
def test_half_a_surrogate_is_a_bad_request_and_can_be_quoted() -> None:
    api = APIClient()
    api.force_authenticate(User.objects.create(username="anna"))
    half = r'{"token": "t", "platform": "\ud800"}'

    answer = api.put("/api/v1/devices/", half, content_type="application/json")

    assert answer.status_code == 400
    assert list(answer.json()) == ["platform"]


@pytest.mark.parametrize("name", ["nothing", "a" * 300, "é" * 150, "%00", "../.env"])
def test_a_recording_that_cannot_be_is_not_found(name: str) -> None:
    assert APIClient().get(f"/media/{name}").status_code in (400, 404)


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/api/v1/nothing/", "/api/v2/programs/", "/api/"])
def test_an_address_that_is_not_there_is_told_in_json(address: str) -> None:
    with override("en"):  # the middleware's choice would stay active for the tests that follow
        answer = APIClient().get(address, headers={"Accept-Language": "ja"})

    assert answer.status_code == 404
    assert answer.json() == {"detail": "見つかりませんでした。"}


def test_a_page_that_is_not_there_is_told_as_a_page() -> None:
    answer = APIClient().get("/nothing/")

    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/html")


def asked_while_statements_raise(error: type[Exception], address: str) -> Any:
    """Return the answer to somebody with a token and a session, in Japanese."""
    api = APIClient(raise_request_exception=False)
    api.force_login(User.objects.create(username="anna", is_staff=True, is_superuser=True))
    with database_raising(error), override("en"):
        return api.get(address, headers={"Authorization": "Token secret", "Accept-Language": "ja"})


AWAY = (
    "データベースが応答しないか、ロックされています。"
    "ご依頼の処理は済んでいるかもしれません。もう一度行う前に確認してください。"
)


@pytest.mark.django_db
@pytest.mark.parametrize("error", [OperationalError, InterfaceError, InternalError])
def test_a_database_that_is_away_is_told_in_json(error: type[Exception]) -> None:
    answer = asked_while_statements_raise(error, "/api/v1/programs/")

    assert answer.status_code == 503
    assert answer.json() == {"detail": AWAY}


@pytest.mark.django_db
def test_a_page_without_a_database_says_so_in_words() -> None:
    answer = asked_while_statements_raise(OperationalError, "/admin/")

    assert answer.status_code == 503
    assert answer.content.decode() == AWAY


@pytest.mark.django_db
def test_a_defect_is_told_in_json_and_on_a_page_in_html() -> None:
    answer = asked_while_statements_raise(ZeroDivisionError, "/api/v1/programs/")
    assert list(answer.json()) == ["detail"]

    User.objects.all().delete()
    page = asked_while_statements_raise(ZeroDivisionError, "/admin/")
    assert (page.status_code, b"hunter-two" in page.content) == (500, False)


@pytest.mark.django_db
def test_whoever_is_nobody_is_asked_who_they_are() -> None:
    answer = APIClient().get("/api/v1/programs/")

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Token"


def test_the_page_of_the_api_brings_its_own_assets() -> None:
    page = APIClient().get("/api/v1/docs/").content.decode()

    assert "swagger-ui" in page
    assert "cdn" not in page

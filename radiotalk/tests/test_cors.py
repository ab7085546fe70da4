"""Pages of the listed origins may use the API with a token; no other page, and none by cookie."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

APP = "https://app.example"


@pytest.fixture(autouse=True)
def app(settings: Settings) -> None:
    """List one origin."""
    settings.CORS_ALLOWED_ORIGINS = [APP]


def preflight(client: Client, origin: str, address: str = "/api/v1/programs/") -> dict[str, str]:
    """Return the headers by which a browser learns what a page may do."""
    asked = client.options(
        address,
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type,idempotency-key",
        },
    )
    return {
        name.lower().removeprefix("access-control-"): value
        for name, value in asked.items()
        if name.lower().startswith("access-control-")
    }


def test_a_listed_page_may_send_what_apps_send(client: Client) -> None:
    told = preflight(client, APP)

    assert told["allow-origin"] == APP
    assert told["allow-headers"] == "authorization, content-type, idempotency-key"
    assert "POST" in told["allow-methods"]
    assert "allow-credentials" not in told


@pytest.mark.parametrize("origin", ["https://evil.example", "http://app.example", "null"])
def test_another_page_is_told_nothing(client: Client, origin: str) -> None:
    assert preflight(client, origin) == {}


def test_nothing_but_the_api_is_open(client: Client) -> None:
    for address in ("/admin/login/", "/metrics", "/media/x", "/apix/"):
        assert preflight(client, APP, address) == {}


@pytest.mark.django_db
def test_it_reads_where_a_talk_is_and_when_to_try_again(client: Client) -> None:
    client.force_login(User.objects.create(username="anna"))

    answer = client.get("/api/v1/programs/", headers={"Origin": APP})

    assert answer["Access-Control-Expose-Headers"] == "Location, Retry-After"


def test_nobody_is_listed_unless_said(client: Client, settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = []

    assert preflight(client, APP) == {}

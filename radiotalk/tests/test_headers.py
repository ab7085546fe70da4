"""What each answer says to browsers and proxies, on the wire."""

from pathlib import Path
from uuid import uuid4

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from .command_line import LAPTOP, SECRET
from .test_settings import value_of

PAGES = ["/admin/login/", "/admin/", "/admin/auth/user/", "/api/v1/docs/"]
ANSWERS = ["/api/v1/programs/", "/api/v1/schema/", "/api/v1/nowhere/", "/nowhere", "/healthz"]
TLS = {"SECRET_KEY": SECRET, "ALLOWED_HOSTS": "radiotalk.example", "ENVIRONMENT": "production"}


@pytest.fixture
def browser(db: None) -> Client:
    """Return the browser of an operator."""
    client = Client()
    client.force_login(User.objects.create_superuser("anna"))
    return client


def policy(answer: object) -> dict[str, str]:
    """Return an answer's Content-Security-Policy, by directive."""
    parts = answer.headers["Content-Security-Policy"].split("; ")  # type: ignore[attr-defined]
    return dict(part.split(" ", 1) for part in parts)


@pytest.mark.parametrize("path", PAGES + ANSWERS)
def test_nothing_inline_runs_and_nobody_frames_it(browser: Client, path: str) -> None:
    assert policy(browser.get(path)) == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "font-src": "'self'",
        "media-src": "'self'",
        "connect-src": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "object-src": "'none'",
    }


@pytest.mark.parametrize("path", PAGES + ANSWERS)
def test_no_answer_is_kept_and_no_other_site_may_load_it(browser: Client, path: str) -> None:
    answer = browser.get(path)

    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_page_may_use_passkeys_and_no_other_device(browser: Client) -> None:
    granted = browser.get("/admin/").headers["Permissions-Policy"].split(", ")

    assert {"camera=()", "microphone=()", "geolocation=()", "payment=()", "usb=()"} < set(granted)
    assert {each for each in granted if not each.endswith("=()")} == {
        "autoplay=(self)",
        "fullscreen=(self)",
        "publickey-credentials-create=(self)",
        "publickey-credentials-get=(self)",
    }


def test_a_refused_body_has_the_headers_too() -> None:
    answer = Client().post("/admin/login/", CONTENT_LENGTH="300000000")

    assert answer.status_code == 413
    assert policy(answer)["default-src"] == "'none'"
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_recording_may_be_kept_and_played_by_apps(browser: Client) -> None:
    name = f"talks/2026/11/{uuid4().hex}.ogg"
    file = Path(settings.MEDIA_ROOT) / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"hoo")

    answer = browser.get(f"/media/{name}")
    answer.close()

    assert answer.status_code == 200
    assert "no-store" not in answer.headers["Cache-Control"]
    assert "Cross-Origin-Resource-Policy" not in answer.headers


@pytest.mark.parametrize("method", ["options", "head", "get", "post", "put", "delete"])
def test_the_page_of_the_api_has_an_answer_to_each_method(method: str) -> None:
    answer = getattr(Client(), method)("/api/v1/docs/")

    assert answer.status_code == (200 if method in ("get", "head") else 405)


@pytest.mark.parametrize(("env", "prefix"), [(TLS, "__Host-"), (LAPTOP, "")])
def test_over_tls_a_cookie_is_of_this_host_alone(env: dict[str, str], prefix: str) -> None:
    names = "settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME"
    conditions = ", ".join(
        f"settings.{cookie}_COOKIE_{condition}"
        for condition in ("DOMAIN", "PATH", "SAMESITE")
        for cookie in ("SESSION", "CSRF")
    )

    assert value_of(names, **env) == f"{prefix}sessionid {prefix}csrftoken"
    assert value_of(conditions, **env) == "None None / / Lax Lax"


def test_hsts_lasts_a_year_and_binds_other_hosts_only_when_that_is_said() -> None:
    hsts = (
        "settings.SECURE_HSTS_SECONDS, settings.SECURE_HSTS_INCLUDE_SUBDOMAINS, "
        "settings.SECURE_HSTS_PRELOAD"
    )
    said = {"SECURE_HSTS_INCLUDE_SUBDOMAINS": "on", "SECURE_HSTS_PRELOAD": "on"}

    assert value_of(hsts, **TLS) == "31536000 False False"
    assert value_of(hsts, **TLS, **said) == "31536000 True True"


def test_what_a_key_of_before_signed_stays_valid() -> None:
    assert value_of("settings.SECRET_KEY_FALLBACKS", **LAPTOP) == "[]"
    keys = value_of("settings.SECRET_KEY_FALLBACKS", **LAPTOP, SECRET_KEY_FALLBACKS="one,two")
    assert keys == "['one', 'two']"

"""What is unwise is a warning; test_production.py has what keeps production from starting."""

from pathlib import Path

import pytest
from django.core.checks import run_checks
from pytest_django import Settings

from radiotalk.checks import e_mail


def found(*, deploy: bool = False) -> dict[str | None, str]:
    """Return what the site's checks found, by id."""
    messages = run_checks(include_deployment_checks=deploy)
    return {
        message.id: f"{message.msg} {message.hint}"
        for message in messages
        if message.id and message.id.startswith("radiotalk.")
    }


@pytest.fixture(autouse=True)
def faultless(settings: Settings) -> None:
    """Begin with settings that nothing is said about."""
    settings.MISSPELT_SETTINGS = {}
    settings.GOOGLE_APPLICATION_CREDENTIALS = ""


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    assert found() == {}


def test_a_name_that_is_set_in_vain_is_told_with_what_was_meant(settings: Settings) -> None:
    settings.MISSPELT_SETTINGS = {"DEBUGG": "DEBUG"}

    assert found() == {
        "radiotalk.W001": "DEBUGG is no setting. Say DEBUG if that is meant, or else unset it."
    }


@pytest.mark.django_db
@pytest.mark.parametrize(("mode", "is_told"), [(0o644, True), (0o640, False), (0o600, False)])
def test_a_key_that_only_a_directory_hides_is_told_before_a_deployment(
    settings: Settings, tmp_path: Path, mode: int, is_told: bool
) -> None:
    file = tmp_path / "key.json"
    file.touch()
    file.chmod(mode)
    settings.GOOGLE_APPLICATION_CREDENTIALS = str(file)

    told = found(deploy=True)

    assert ("radiotalk.W002" in told) is is_told
    assert str(file) not in str(told)
    assert found() == {}


@pytest.mark.django_db
@pytest.mark.parametrize(("engine", "is_told"), [("sqlite3", True), ("postgresql", False)])
def test_sqlite_is_told_before_a_deployment(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, engine: str, is_told: bool
) -> None:
    monkeypatch.setitem(settings.DATABASES["default"], "ENGINE", f"django.db.backends.{engine}")

    assert ("radiotalk.W003" in found(deploy=True)) is is_told


@pytest.mark.parametrize(("backend", "is_told"), [("dummy", True), ("smtp", False)])
def test_e_mails_that_are_thrown_away_are_unwise(
    settings: Settings, backend: str, is_told: bool
) -> None:
    settings.EMAIL_BACKEND = f"django.core.mail.backends.{backend}.EmailBackend"

    assert bool(e_mail()) is is_told

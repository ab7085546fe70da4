"""The system checks: `manage.py check` tells each wrong setting, with its id."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from pytest_django import Settings

from fcm_emulator import certificates
from fcm_emulator.oauth import write_service_account
from notifications import fcm_config, schema
from notifications.fcm.tests.broken_accounts import BROKEN, account

from .redis_urls import REFUSED


@pytest.fixture(autouse=True)
def faultless(settings: Settings, tmp_path: Path) -> None:
    """Begin with settings that production would be happy with."""
    account = tmp_path / "service-account.json"
    write_service_account(account, "https://oauth2.googleapis.com/token")
    settings.GOOGLE_APPLICATION_CREDENTIALS = str(account)
    settings.ENVIRONMENT = "production"
    settings.REDIS_URL = "redis://:hunter-two@redis.internal:6379/0"


def found(*tags: str, deploy: bool = False, databases: list[str] | None = None) -> dict[str, str]:
    """Return what our checks found, by id; those of all concerns unless tags are given."""
    messages = run_checks(tags=tags or None, include_deployment_checks=deploy, databases=databases)
    return {
        message.id: f"{message.msg} {message.hint}"
        for message in messages
        if message.id and message.id.startswith("notifications.")
    }


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    assert found() == {}


def test_missing_credentials_are_told_and_no_warning_to_a_web_that_needs_none(
    settings: Settings,
) -> None:
    settings.GOOGLE_APPLICATION_CREDENTIALS = ""

    assert set(found()) == {"notifications.I002"}
    assert (
        "no worker starts with these settings. The web needs no key."
        in found()["notifications.I002"]
    )


@pytest.mark.parametrize("kind", BROKEN)
def test_each_file_that_the_worker_refuses_is_told(
    settings: Settings, tmp_path: Path, kind: str
) -> None:
    make, words = BROKEN[kind]
    file = tmp_path / "wrong.json"
    file.write_bytes(make())
    settings.GOOGLE_APPLICATION_CREDENTIALS = str(file)

    messages = found()

    assert set(messages) == {"notifications.E001"}
    assert f"GOOGLE_APPLICATION_CREDENTIALS: {file} " in messages["notifications.E001"]
    assert words in messages["notifications.E001"]
    with pytest.raises(ValueError, match=r".+"):
        fcm_config.access_token()


def test_a_lost_service_account_is_told(settings: Settings) -> None:
    settings.GOOGLE_APPLICATION_CREDENTIALS = "/nowhere.json"

    told = found()["notifications.E001"]
    assert "GOOGLE_APPLICATION_CREDENTIALS cannot be read (No such file or directory)" in told


def test_a_directory_is_no_service_account(settings: Settings, tmp_path: Path) -> None:
    settings.GOOGLE_APPLICATION_CREDENTIALS = str(tmp_path)

    assert set(found()) == {"notifications.E001"}


@pytest.mark.parametrize(
    "written",
    [
        lambda text: text,
        lambda text: json.dumps(json.loads(text)),
        lambda text: base64.b64encode(text.encode()).decode(),
        lambda text: json.loads(text)["private_key"],
    ],
    ids=["as it is", "in a line", "in base64", "only the private key"],
)
@pytest.mark.parametrize("name", ["GOOGLE_APPLICATION_CREDENTIALS", "FCM_CA_FILE"])
def test_a_key_in_place_of_its_files_name_is_never_shown(
    settings: Settings, name: str, written: Callable[[str], str]
) -> None:
    value = written(account())
    setattr(settings, name, value)

    told = str(run_checks())

    assert name in told
    assert not any(value[at : at + 30] in told for at in range(len(value) - 30))


def test_a_lost_authority_is_told(settings: Settings, tmp_path: Path) -> None:
    settings.FCM_CA_FILE = str(tmp_path / "lost.pem")

    assert set(found()) == {"notifications.E002"}


@pytest.mark.parametrize("content", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA"])
def test_an_authority_that_is_none_is_told(
    settings: Settings, tmp_path: Path, content: str
) -> None:
    # The send log says NO_CA_FILE for each request.
    file = tmp_path / "ca.pem"
    file.write_text(content)
    settings.FCM_CA_FILE = str(file)

    assert set(found()) == {"notifications.E002"}


def test_an_authority_that_is_one_is_taken(settings: Settings, tmp_path: Path) -> None:
    settings.FCM_CA_FILE = str(certificates.prepare(tmp_path, datetime.now(UTC)).ca)

    assert found() == {}


def test_access_tokens_in_the_clear_are_told(settings: Settings) -> None:
    settings.FCM_ENDPOINT = "http://me:hunter-two@127.0.0.1:8080"

    messages = found()

    assert set(messages) == {"notifications.E003"}
    assert "hunter" not in str(messages)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "fcm",
        "https://",
        "https://fcm googleapis",
        "https://fcm:99999",
        "ftp://fcm",
        "https://fcm.example/路",
        "https://fcm.example\n",
        "https://fcm.example?key=hunter-two",
        "https://fcm.example/ラジオ",
        "https://fcm.例え",
    ],
)
def test_an_endpoint_that_is_no_address_is_told(settings: Settings, address: str) -> None:
    settings.FCM_ENDPOINT = address

    messages = found()

    assert set(messages) == {"notifications.E004"}
    assert "hunter" not in str(messages)


@pytest.mark.parametrize(("seconds", "ids"), [(2, {"notifications.W004"}), (3, set()), (15, set())])
def test_a_lease_that_cannot_be_renewed_in_time_is_told(
    settings: Settings, seconds: int, ids: set[str]
) -> None:
    settings.NOTIFICATIONS_LEASE_TTL = seconds

    assert set(found()) == ids


@pytest.mark.parametrize("url", REFUSED)
def test_an_address_that_is_no_redis_is_told_and_not_shown(settings: Settings, url: str) -> None:
    settings.REDIS_URL = url

    messages = found()

    assert set(messages) == {"notifications.W005"}
    assert "hunter" not in messages["notifications.W005"]


def test_an_option_that_redis_py_does_not_know_is_told(settings: Settings) -> None:
    settings.REDIS_URL = "redis://:hunter-two@redis.internal/0?foo=1"

    assert "has an option that redis-py cannot use: number 1" in found()["notifications.W005"]


@pytest.mark.parametrize(
    "address",
    [
        "proxy.example:3128",
        "https://proxy.example:3128",
        "socks5://p:3128",
        "http://p:0",
        "http://p",  # requests would take another port than we
        "http://back\\slash@p:3128",
        "http://p:1/slash@p:3128",
        "http://p:1?question@p:3128",
    ],
)
def test_a_proxy_that_is_no_address_is_told_without_its_password(
    settings: Settings, address: str
) -> None:
    settings.FCM_PROXY = address.replace("://", "://me:secret@")

    assert set(found()) == {"notifications.E007"}
    assert "secret" not in str(run_checks())


@pytest.mark.parametrize("address", ["", "http://proxy:3128", "http://me:secret@[::1]:8080"])
def test_a_proxy_that_is_an_address_is_taken(settings: Settings, address: str) -> None:
    settings.FCM_PROXY = address

    assert found() == {}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_an_fcm_on_this_machine_is_told_before_a_deployment(settings: Settings, host: str) -> None:
    settings.FCM_ENDPOINT = f"https://{host}:8443"

    assert "nobody's phone rings" in found("fcm", deploy=True)["notifications.W008"]
    assert found("fcm") == {}


@pytest.mark.django_db
def test_another_schema_is_told_where_the_database_is_asked() -> None:
    assert found(deploy=True) == {"notifications.I001": found(deploy=True)["notifications.I001"]}
    assert found(databases=["default"]) == {}

    MigrationRecorder(connection).record_applied("notifications", "9999_later")

    assert "notifications.9999_later" in found(deploy=True)["notifications.E008"]
    assert "notifications.9999_later" in found(databases=["default"])["notifications.W006"]
    assert found() == {}  # each command runs these, also without a database


@pytest.mark.django_db  # with `databases`, Django's own checks ask it too
def test_a_database_that_does_not_answer_is_told_where_it_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away() -> str:
        raise OperationalError("hunter-two")

    monkeypatch.setattr(schema, "problem", away)

    for messages in (found(deploy=True), found(databases=["default"])):
        assert "notifications.W007" in messages
        assert "hunter" not in str(messages)


def break_everything(settings: Settings) -> None:
    """Have each check find something."""
    settings.GOOGLE_APPLICATION_CREDENTIALS = "/nowhere.json"
    settings.FCM_CA_FILE = "/nowhere.pem"
    settings.FCM_ENDPOINT = "http://fcm.example"
    settings.FCM_PROXY = "proxy.example:3128"
    settings.REDIS_URL = "no address"
    settings.NOTIFICATIONS_LEASE_TTL = 1


@pytest.mark.parametrize(
    ("concern", "told"),
    [
        ("fcm", {"E001", "E002", "E003", "E007"}),
        ("security", {"E003"}),
        ("redis", {"W005"}),
        ("worker", {"W004"}),
    ],
)
def test_each_check_belongs_to_its_concern(
    settings: Settings, concern: str, told: set[str]
) -> None:
    break_everything(settings)

    assert set(found(concern)) == {f"notifications.{number}" for number in told}


def test_without_a_concern_everything_is_checked(settings: Settings) -> None:
    break_everything(settings)

    told = ("E001", "E002", "E003", "E007", "W004", "W005")
    assert set(found()) == {f"notifications.{number}" for number in told}


def test_the_worker_does_not_start_before_all_of_them_are_content(settings: Settings) -> None:
    break_everything(settings)

    with pytest.raises(SystemCheckError) as refusal:
        call_command("listen_notifications", skip_checks=False)

    errors = ("E001", "E002", "E003", "E007")
    assert all(error in str(refusal.value) for error in errors)

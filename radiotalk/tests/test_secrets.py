"""No setting's value that may be a secret is ever printed, whatever is wrong with it.

Each setting that settings.py reads gets values that hold a canary, in each form in which a secret
has been put there by mistake.
"""

import base64
import json
import re
import socket
import subprocess
import sys
import traceback
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import RequestFactory
from django.views.debug import ExceptionReporter
from pytest_django import Settings

from fcm_emulator.oauth import write_service_account
from radiotalk import settings as source
from radiotalk.env import Env

from . import secrets_in_settings
from .command_line import DEADLINE_SECONDS, LAPTOP, manage
from .test_settings import READ

NAMES = sorted(set(re.findall(READ, Path(source.__file__).read_text())))
SCRIPT_SECONDS = 10 * DEADLINE_SECONDS

CANARY = "hunter2-secr"
OF_LETTERS_AND_DIGITS = "hunter2secret"
LONG = f"{CANARY}-0123456789-abcdefghijklmnopqrstuvwxyz"
KEY = f"-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----\n"
ACCOUNT = {"type": "service_account", "project_id": "p", "private_key": KEY}
IN_BASE64 = base64.b64encode(json.dumps(ACCOUNT).encode()).decode()
# What of a value may be in no output.
MARKS = ["hunter", IN_BASE64[40:60]]

VALUES = [
    CANARY,
    OF_LETTERS_AND_DIGITS,
    LONG,
    f"${CANARY}",
    f"/{CANARY}",
    f"{CANARY}.json",
    f"{CANARY}=kill",
    f"{CANARY},https://radiotalk.example",
    KEY,
    json.dumps(ACCOUNT, indent=2),
    json.dumps(ACCOUNT),
    IN_BASE64,
    f"https://me:{CANARY}@127.0.0.1:1/0",
    f"http://me:{CANARY}@127.0.0.1:1",
    f"mysql://me:{CANARY}@127.0.0.1:1/name",
    f"sqlite://me:{CANARY}@127.0.0.1/name",
    f"postgres://me:{CANARY}@127.0.0.1:1/name",
    f"postgres://me:{CANARY}@127.0.0.1:1/name?foo=1",
    f"postgres://me:{CANARY}@127.0.0.1:1/name?connect_timeout=soon",
    f"postgres://me:{CANARY}/more@127.0.0.1:1/name",
    f"redis://:{CANARY}@127.0.0.1:1/0",
    f"redis://:{CANARY}@127.0.0.1:1/0?foo=1",
    f"redis://:{CANARY}/more@127.0.0.1:1/0",
    f"redis://:1/{CANARY}@127.0.0.1:1/0",
    f"redis://:1?{CANARY}=1@127.0.0.1:1/0",
    *(
        f"{scheme}://{where}"
        for scheme in ("https", "http", "postgres", "redis")
        for where in (
            f"{CANARY}@127.0.0.1:1/0",
            f"127.0.0.1:1/{CANARY}",
            f"127.0.0.1:1/0?{CANARY}=1",
            f"127.0.0.1:1/0#{CANARY}",
            f"127.0.0.1:{CANARY}",
        )
    ),
]

# Browsers and proxies see these.
PUBLIC = {"ALLOWED_HOSTS"}

# Systemd sets them, or they name a directory that is made.
NEVER_SECRET = {"JOURNAL_STREAM", "MEDIA_ROOT", "NOTIFY_SOCKET"}

# They are looked at when the apps are ready.
LATE = {"NOTIFICATIONS_FAILPOINTS"}

# They take any text, which is looked at only when it is used.
FREE_TEXT = [
    "FCM_CA_FILE",
    "FCM_ENDPOINT",
    "FCM_PROXY",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "REDIS_URL",
    "SECRET_KEY",
    "SECRET_KEY_FALLBACKS",
]


def leaked(text: str) -> list[str]:
    """Return what of a canary is in a text."""
    return [mark for mark in MARKS if mark in text]


def refusal(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> str | None:
    """Return how the settings refuse a value, None when they take it."""
    spec = spec_from_file_location("radiotalk.settings_again", source.__file__)
    assert spec
    assert spec.loader
    with monkeypatch.context() as patch:
        patch.setenv(name, value)
        try:
            spec.loader.exec_module(module_from_spec(spec))
        except ImproperlyConfigured as error:
            return "".join(traceback.format_exception(error))
    return None


@pytest.mark.parametrize("name", NAMES)
def test_no_value_that_stops_the_start_is_printed(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    told = [refusal(name, value, monkeypatch) or "" for value in VALUES]

    assert leaked("".join(told)) == []
    assert leaked(caplog.text) == []


@pytest.fixture(scope="module")
def fine(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return settings with which a worker starts, on a database that was migrated."""
    directory = tmp_path_factory.mktemp("fine")
    account = directory / "service-account.json"
    write_service_account(account, "https://127.0.0.1:1/token")
    found = {
        **LAPTOP,
        "DATABASE_URL": f"sqlite:///{directory}/radiotalk.sqlite3",
        "GOOGLE_APPLICATION_CREDENTIALS": str(account),
        "FCM_ENDPOINT": "https://127.0.0.1:1",
        "REDIS_URL": "redis://127.0.0.1:1/0",
    }
    assert manage("migrate", **found).returncode == 0
    return found


def test_each_setting_that_takes_any_text_is_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = {name for name in NAMES if refusal(name, CANARY, monkeypatch) is None}

    assert taken - PUBLIC - NEVER_SECRET - LATE == set(FREE_TEXT)


@pytest.mark.parametrize("value", [CANARY, f"{CANARY}=kill", f"after_claim={CANARY}"])
def test_no_failpoint_that_is_none_is_printed(value: str) -> None:
    done = manage("check", **LAPTOP, NOTIFICATIONS_FAILPOINTS=value)

    assert done.returncode == 1
    assert leaked(done.stdout + done.stderr) == []


@pytest.mark.parametrize("name", FREE_TEXT)
def test_no_command_prints_a_value(name: str, fine: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", secrets_in_settings.__name__, name, port],
            input=json.dumps(VALUES),
            env=fine | {"DJANGO_SETTINGS_MODULE": "radiotalk.settings"},
            capture_output=True,
            text=True,
            timeout=SCRIPT_SECONDS,
            check=False,
        )

    printed = done.stdout + done.stderr
    assert "all values were tried out" in printed, printed
    assert leaked(printed) == [], printed


@pytest.mark.parametrize("value", [value for value in VALUES if value.startswith("postgres")])
def test_no_command_prints_the_password_of_a_database_that_is_away(
    fine: dict[str, str], value: str
) -> None:
    env = fine | {"DATABASE_URL": value}

    for command in (["check", "--deploy"], ["sending", "status"], ["verify_sending"]):
        done = manage(*command, **env)

        assert leaked(done.stdout + done.stderr) == []


@pytest.mark.parametrize(
    "line", [CANARY, f" SECRET_KEY={CANARY}", f"\ufeffSECRET_KEY={CANARY}", KEY]
)
def test_a_line_of_a_file_that_is_no_setting_is_told_by_its_number(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / ".env"
    file.write_text(f"{line}\n", encoding="utf-8")
    monkeypatch.setattr(Env, "ENVIRON", {})

    with pytest.raises(ImproperlyConfigured, match=r"line 1 is no setting: say NAME=VALUE") as told:
        Env().read_file(file)

    assert leaked(f"{told.value} {caplog.text}") == []


def test_a_file_of_settings_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / ".env"
    file.write_text(f"# A comment\n\n  \nexport A=1\nB='two words'\nSECRET_KEY={CANARY}\n")
    monkeypatch.setattr(Env, "ENVIRON", {"A": "stays"})

    Env().read_file(file)

    assert Env.ENVIRON == {"A": "stays", "B": "two words", "SECRET_KEY": CANARY}


def test_a_file_that_is_not_there_or_no_text_is_told_without_a_traceback(tmp_path: Path) -> None:
    Env().read_file(tmp_path / "nowhere")

    (tmp_path / ".env").write_bytes(b"\xff")
    with pytest.raises(ImproperlyConfigured, match="is not UTF-8"):
        Env().read_file(tmp_path / ".env")


def test_the_page_of_an_error_shows_no_value(settings: Settings) -> None:
    for name in FREE_TEXT:
        setattr(settings, name, CANARY)
    settings.DEBUG = True
    request = RequestFactory().get("/")
    request.META |= dict.fromkeys([*FREE_TEXT, "DATABASE_URL"], CANARY)  # as `runserver` does

    reporter = ExceptionReporter(request, RuntimeError, RuntimeError("a defect"), None)

    assert leaked(reporter.get_traceback_html() + reporter.get_traceback_text()) == []

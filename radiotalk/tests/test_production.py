"""Production refuses unsafe settings at every start, in words, all at once, and without a value."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from fcm_emulator.oauth import write_service_account
from radiotalk import production
from radiotalk.production import LAPTOP_KEY, objections, refuse_unsafe

from .command_line import EMPTY, MANAGE, SECRET, manage
from .test_secrets import FREE_TEXT, VALUES, leaked, refusal

ROOT = MANAGE.parent
GOOGLES = "https://oauth2.googleapis.com/token"
# What is right, in the environment of a process.
RIGHT = {"SECRET_KEY": SECRET, "ALLOWED_HOSTS": "radiotalk.example", "ENVIRONMENT": "production"}


@pytest.fixture
def right(tmp_path: Path) -> dict[str, Any]:
    """Return settings to which production has no objection."""
    file = tmp_path / "keys" / "service-account.json"
    file.parent.mkdir()
    write_service_account(file, GOOGLES)
    return {
        "BASE_DIR": ROOT,
        "DEBUG": False,
        "SECRET_KEY": SECRET,
        "ALLOWED_HOSTS": ["radiotalk.example", ".radiotalk.example", "[::1]"],
        "NOTIFICATIONS_FAILPOINTS": [],
        "DATABASES": {
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": str(tmp_path / "database" / "radiotalk.sqlite3"),
            }
        },
        "REDIS_URL": "redis://127.0.0.1:16379/0",
        "GOOGLE_APPLICATION_CREDENTIALS": str(file),
        "MEDIA_ROOT": tmp_path / "media",
        "STAFF_SECOND_FACTOR": True,
        "FCM_ENDPOINT": "https://fcm.googleapis.com",
        "FCM_CA_FILE": "",
        "MISSPELT_SETTINGS": {},
    }


def test_what_is_right_starts(right: dict[str, Any]) -> None:
    assert objections(right) == []
    refuse_unsafe(right)


PATH_IN_KEY = "GOOGLE_APPLICATION_CREDENTIALS"
SEVERAL = "python3 -c 'import secrets; print(secrets.token_urlsafe(50))'"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"DEBUG": True}, "DEBUG is on"),
        ({"NOTIFICATIONS_FAILPOINTS": ["after_claim=kill"]}, "NOTIFICATIONS_FAILPOINTS is set"),
        ({"ALLOWED_HOSTS": ["radiotalk.example", "*"]}, "ALLOWED_HOSTS allows every host name"),
        ({"ALLOWED_HOSTS": ["."]}, "ALLOWED_HOSTS allows every host name"),
        ({"ALLOWED_HOSTS": ["radiotalk.example", ""]}, "ALLOWED_HOSTS has an empty name"),
        ({"SECRET_KEY": SECRET[:31]}, "SECRET_KEY can be guessed"),
        ({"SECRET_KEY": "abcd" * 20}, "SECRET_KEY can be guessed"),
        ({"SECRET_KEY": f"django-insecure-{SECRET}"}, "SECRET_KEY can be guessed"),
        ({"SECRET_KEY": LAPTOP_KEY}, "SECRET_KEY can be guessed"),
        ({"SECRET_KEY_FALLBACKS": [SECRET, "short"]}, "SECRET_KEY_FALLBACKS can be guessed"),
        ({"SECRET_KEY_FALLBACKS": [LAPTOP_KEY]}, "SECRET_KEY_FALLBACKS can be guessed"),
        ({"STAFF_SECOND_FACTOR": False}, "STAFF_SECOND_FACTOR is off"),
        ({"MEDIA_ROOT": ROOT}, "MEDIA_ROOT is not apart from the source code"),
        ({"MEDIA_ROOT": ROOT.parent}, "MEDIA_ROOT is not apart from the source code"),
        ({"MEDIA_ROOT": Path("/")}, "MEDIA_ROOT is not apart from the source code"),
        ({"MEDIA_ROOT": ROOT / "docs"}, "MEDIA_ROOT is not apart from the source code"),
        ({"MEDIA_ROOT": ROOT / "var"}, "MEDIA_ROOT is not apart from the source code"),
        ({"MEDIA_ROOT": ROOT / "var" / ".."}, "MEDIA_ROOT is not apart from the source code"),
        (
            {"REDIS_URL": "rediss://redis.internal:6379/0"},
            "REDIS_URL has no password, and Redis is not on this machine",
        ),
        (
            {"REDIS_URL": "rediss://radiotalk@10.0.0.7"},
            "REDIS_URL has no password, and Redis is not on this machine",
        ),
        (
            {"REDIS_URL": "redis://:hunter-two@redis.internal"},
            "REDIS_URL is without TLS, and Redis is not on this machine",
        ),
        (
            {"REDIS_URL": "redis://redis.internal?password=hunter-two"},
            "REDIS_URL is without TLS, and Redis is not on this machine",
        ),
        (
            {"REDIS_URL": "redis://:hunter-two@0.0.0.0"},
            "REDIS_URL is without TLS, and Redis is not on this machine",
        ),
        (
            {"MISSPELT_SETTINGS": {"NOTIFICATIONS_MAX_WORKRS": "NOTIFICATIONS_MAX_WORKERS"}},
            "NOTIFICATIONS_MAX_WORKRS is no setting: say NOTIFICATIONS_MAX_WORKERS",
        ),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_is_unsafe_is_refused_in_words(
    right: dict[str, Any], wrong: dict[str, Any], told: str
) -> None:
    [objection] = objections(right | wrong)

    assert objection.startswith(told)
    assert ": " in objection, "what to do is told as well"
    assert "hunter" not in objection


@pytest.mark.parametrize(
    "address",
    [
        "redis://localhost:6379/0",
        "redis://127.0.0.7",
        "redis://[::1]:6379",
        "redis://:password@127.0.0.1",
        "redis://",
        "unix:///run/redis.sock",
        "rediss://:password@redis.internal:6379/0",
        "rediss://redis.internal?password=password",
        "rediss://user:password@10.0.0.7",
        "no address",  # a check says so
        "redis://[::1",
    ],
)
def test_a_redis_that_is_near_or_guarded_will_do(right: dict[str, Any], address: str) -> None:
    assert objections(right | {"REDIS_URL": address}) == []


@pytest.mark.parametrize("name", ["var/media", "var/a/b"])
def test_recordings_may_be_below_var(right: dict[str, Any], name: str) -> None:
    assert objections(right | {"MEDIA_ROOT": ROOT / name}) == []


@pytest.mark.parametrize("above", [".", "media/.."], ids=["above", "by way of .."])
def test_recordings_are_apart_from_key_and_database(
    right: dict[str, Any], tmp_path: Path, above: str
) -> None:
    (tmp_path / "media").mkdir()

    found = objections(right | {"MEDIA_ROOT": tmp_path / above})

    assert found == [
        "MEDIA_ROOT holds the file of GOOGLE_APPLICATION_CREDENTIALS, which would be served: "
        "name another directory.",
        "MEDIA_ROOT holds the database, which would be served: name another directory.",
    ]


def test_a_link_to_a_place_among_secrets_is_no_other_place(
    right: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "keys")

    [objection] = objections(right | {"MEDIA_ROOT": tmp_path / "link"})

    assert objection.startswith("MEDIA_ROOT holds the file of GOOGLE_APPLICATION_CREDENTIALS")


def test_recordings_are_apart_from_a_file_of_settings(
    right: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / ".env").touch()

    [objection] = objections(right)

    assert objection.startswith("MEDIA_ROOT holds .env, which would be served")


# --- The key's file ---------------------------------------------------------------------------


@pytest.fixture
def public_place(tmp_path: Path) -> Iterator[Path]:
    """Yield a directory that everybody on this machine may reach, all those above it included."""
    closed = [each for each in tmp_path.parents if not production.is_passable(each)]
    if any(each.stat().st_uid != os.geteuid() for each in closed):
        pytest.skip("the directory of temporary files belongs to somebody else")
    modes = {each: each.stat().st_mode for each in (tmp_path, *closed)}
    for each in modes:
        each.chmod(modes[each] | 0o001)
    yield tmp_path
    for each, mode in modes.items():
        each.chmod(mode)


@pytest.mark.parametrize(
    ("file", "directory", "is_refused"),
    [
        (0o644, 0o755, True),
        (0o604, 0o711, True),
        (0o644, 0o750, False),  # nobody comes to it
        (0o640, 0o755, False),  # the service's group is no everybody
        (0o600, 0o755, False),
    ],
    ids=lambda value: oct(value) if type(value) is int else str(value),
)
def test_a_key_that_everybody_may_read_is_refused(
    right: dict[str, Any], public_place: Path, file: int, directory: int, is_refused: bool
) -> None:
    key = Path(right["GOOGLE_APPLICATION_CREDENTIALS"])
    key.chmod(file)
    key.parent.chmod(directory)

    found = objections(right)

    refused = "GOOGLE_APPLICATION_CREDENTIALS: everybody on this machine may read its file"
    assert [each.startswith(refused) for each in found] == [True] * is_refused


def test_a_link_to_a_key_hides_nothing(right: dict[str, Any], public_place: Path) -> None:
    key = Path(right["GOOGLE_APPLICATION_CREDENTIALS"])
    key.chmod(0o644)
    hidden = public_place / "hidden"
    hidden.mkdir(mode=0o700)
    link = hidden / "key.json"
    link.symlink_to(key)

    [objection] = objections(right | {"GOOGLE_APPLICATION_CREDENTIALS": str(link)})

    assert "everybody on this machine may read its file" in objection


def test_a_token_endpoint_without_tls_is_refused(right: dict[str, Any]) -> None:
    write_service_account(Path(right["GOOGLE_APPLICATION_CREDENTIALS"]), "http://127.0.0.1/token")

    [objection] = objections(right)

    assert "its file has a token_uri without TLS" in objection


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"[]", b"{}", b'{"token_uri": 7}', b'{"token_uri": "http://[::1"}']
)
def test_a_file_that_is_no_key_is_left_to_the_check(right: dict[str, Any], content: bytes) -> None:
    Path(right["GOOGLE_APPLICATION_CREDENTIALS"]).write_bytes(content)

    assert objections(right) == []


@pytest.mark.parametrize("value", ["", "/nowhere/key.json", "{" + "x" * 5000, "nul\0"])
def test_a_name_of_no_file_is_left_to_the_check(right: dict[str, Any], value: str) -> None:
    assert objections(right | {"GOOGLE_APPLICATION_CREDENTIALS": value}) == []


# --- How it is told ---------------------------------------------------------------------------


def test_all_objections_are_told_at_once_each_in_a_line(right: dict[str, Any]) -> None:
    wrong = {"DEBUG": True, "ALLOWED_HOSTS": ["*", ""], "SECRET_KEY": "x"}

    with pytest.raises(ImproperlyConfigured) as refused:
        refuse_unsafe(right | wrong)

    first, *lines = str(refused.value).splitlines()
    assert first == "ENVIRONMENT is production, which refuses to start:"
    assert [line.split()[1] for line in lines] == [
        "DEBUG",
        "ALLOWED_HOSTS",
        "ALLOWED_HOSTS",
        "SECRET_KEY",
    ]


@pytest.mark.parametrize("name", FREE_TEXT)
def test_no_value_is_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for setting, value in RIGHT.items():
        monkeypatch.setenv(setting, value)
    monkeypatch.setenv("DEBUG", "off")

    told = [refusal(name, value, monkeypatch) or "" for value in VALUES]

    assert leaked("".join(told)) == []


# What each of three ways to start is refused for, in the environment of a process.
UNSAFE = {
    "DEBUG": "on",
    "ALLOWED_HOSTS": "*",
    "SECRET_KEY": "hunter-two",
    "NOTIFICATIONS_FAILPOINTS": "after_claim=kill",
    "MEDIA_ROOT": ".",
    "REDIS_URL": "redis://redis.internal/0",
    "NOTIFICATIONS_MAX_WORKRS": "hunter-two",
}
TOLD = [
    "DEBUG is on",
    "ALLOWED_HOSTS allows every host name",
    "SECRET_KEY can be guessed",
    "NOTIFICATIONS_FAILPOINTS is set",
    "MEDIA_ROOT is not apart",
    "REDIS_URL has no password",
    "REDIS_URL is without TLS",
    "NOTIFICATIONS_MAX_WORKRS is no setting: say NOTIFICATIONS_MAX_WORKERS",
]
WSGI = [sys.executable, "-c", "import radiotalk.wsgi"]


def started(*command: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Return how a process ended whose environment holds these settings alone."""
    return subprocess.run(
        command,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **EMPTY, **RIGHT, **env},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.mark.parametrize(
    "command",
    [
        WSGI,
        [sys.executable, str(MANAGE), "runserver", "--noreload", "127.0.0.1:1"],
        [sys.executable, str(MANAGE), "runserver", "127.0.0.1:1"],
        [sys.executable, str(MANAGE), "listen_notifications", "--skip-checks"],
        [sys.executable, str(MANAGE), "sending", "status"],
        [sys.executable, str(MANAGE), "migrate"],
    ],
    ids=["WSGI", "runserver", "runserver that reloads", "worker", "sending", "migrate"],
)
def test_whatever_is_started_is_refused(command: list[str]) -> None:
    done = started(*command, **UNSAFE)

    assert done.returncode == 1
    assert [told for told in TOLD if told not in done.stderr] == []
    assert "hunter" not in done.stdout + done.stderr


def test_the_same_starts_with_right_settings(tmp_path: Path) -> None:
    done = started(*WSGI, DATABASE_URL=f"sqlite:///{tmp_path}/radiotalk.sqlite3")

    assert (done.returncode, done.stderr) == (0, "")


def test_elsewhere_than_in_production_it_starts_and_a_misspelt_setting_is_a_warning() -> None:
    done = manage("check", **UNSAFE)

    assert done.returncode == 0, done.stderr
    assert "(radiotalk.W001) NOTIFICATIONS_MAX_WORKRS is no setting." in done.stderr
    assert "hunter" not in done.stdout + done.stderr

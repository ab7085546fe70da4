"""A wrong setting stops the start with one line that says what to do; each is documented."""

import re
from pathlib import Path

import pytest

from fcm_emulator.oauth import write_service_account
from radiotalk import env, settings
from testbed.system import database_url

from .command_line import LAPTOP, SECRET, manage

ROOT = Path(__file__).parents[2]
PRODUCTION = {
    "SECRET_KEY": SECRET,
    "ALLOWED_HOSTS": "radiotalk.example",
    "ENVIRONMENT": "production",
}
# How settings.py reads a setting: `env.number("FCM_TIMEOUT", …`.
READ = r'\benv\.\w+\(\s*"([A-Z0-9_]+)"'


def value_of(expression: str, **env: str) -> str:
    """Return what Python prints for an expression of `settings` in such an environment."""
    script = f"from django.conf import settings; print({expression})"
    done = manage("shell", "--no-imports", "-c", script, **env)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_laptop_needs_nothing_but_debug() -> None:
    assert manage("check", **LAPTOP).returncode == 0


@pytest.mark.parametrize(
    ("env", "told"),
    [
        ({}, "SECRET_KEY is not set."),
        ({"SECRET_KEY": SECRET}, "ALLOWED_HOSTS is not set."),
        ({"DEBUG": "off", "ALLOWED_HOSTS": "radiotalk.example"}, "SECRET_KEY is not set."),
        ({"DEBUG": "treu"}, "DEBUG has a wrong value"),
        ({"DEBUG": "2"}, "DEBUG has a wrong value"),
        ({**LAPTOP, "SECURE_SSL_REDIRECT": "flase"}, "SECURE_SSL_REDIRECT has a wrong value"),
        ({**LAPTOP, "ENVIRONMENT": "prod"}, "ENVIRONMENT has a wrong value"),
        ({**LAPTOP, "ENVIRONMENT": ""}, "ENVIRONMENT has a wrong value"),
        ({**LAPTOP, "FCM_TIMEOUT": "14"}, "FCM_TIMEOUT has a wrong value"),
        ({**LAPTOP, "FCM_TIMEOUT": "20.5"}, "FCM_TIMEOUT has a wrong value"),
        (
            {**LAPTOP, "NOTIFICATIONS_MAX_WORKERS": "0"},
            "NOTIFICATIONS_MAX_WORKERS has a wrong value",
        ),
        (
            {**LAPTOP, "NOTIFICATIONS_BATCH_SIZE": "-1"},
            "NOTIFICATIONS_BATCH_SIZE has a wrong value",
        ),
        (
            {**LAPTOP, "NOTIFICATIONS_MAX_PER_MINUTE": ""},
            "NOTIFICATIONS_MAX_PER_MINUTE has a wrong value",
        ),
        ({**LAPTOP, "NOTIFICATIONS_MAX_AGE": "1h"}, "NOTIFICATIONS_MAX_AGE has a wrong value"),
        ({**LAPTOP, "NOTIFICATIONS_LEASE_TTL": "0"}, "NOTIFICATIONS_LEASE_TTL has a wrong value"),
        ({**LAPTOP, "NOTIFICATIONS_ON_5XX": "Hold"}, "NOTIFICATIONS_ON_5XX has a wrong value"),
        ({**LAPTOP, "AUDIO_MAX_BYTES": "many"}, "AUDIO_MAX_BYTES has a wrong value"),
        ({**LAPTOP, "AUDIO_MAX_SECONDS": "0"}, "AUDIO_MAX_SECONDS has a wrong value"),
        ({**LAPTOP, "LOG_FORMAT": "xml"}, "LOG_FORMAT has a wrong value"),
        ({**LAPTOP, "TIME_ZONE": "Tokyo"}, "TIME_ZONE has a wrong value"),
        ({**LAPTOP, "CSRF_TRUSTED_ORIGINS": "a.example"}, "such as https://admin.example.com"),
        *(
            ({**LAPTOP, "CORS_ALLOWED_ORIGINS": origin}, "such as https://app.example.com")
            for origin in (
                "*",
                "null",
                "app.example",
                "http://app.example",
                "https://app.example/",
                "https://*.app.example",
                "https://App.example",
                "https://app.example:443",
                "https://me:secret@app.example",
                "https://app.example,https://b.example/x",
            )
        ),
        ({**LAPTOP, "TRUSTED_PROXIES": "-1"}, "TRUSTED_PROXIES has a wrong value"),
        ({**LAPTOP, "TRUSTED_PROXIES": "on"}, "TRUSTED_PROXIES has a wrong value"),
        ({**LAPTOP, "TIME_ZONE": ""}, "TIME_ZONE has a wrong value"),
        ({**LAPTOP, "DATABASE_URL": ""}, "DATABASE_URL is no address"),
        ({**LAPTOP, "DATABASE_URL": "mysql://a:b@c/d"}, "DATABASE_URL is no address"),
        ({**LAPTOP, "DATABASE_URL": "postgres://h/d?conn_max_age=1h"}, "conn_max_age is no number"),
        ({**LAPTOP, "DATABASE_URL": "postgres://h/d?conn_max_age=-1"}, "conn_max_age is no number"),
        (
            {**LAPTOP, "DATABASE_URL": "postgres://h/d?sslmode=require&ssl_mode=require"},
            "DATABASE_URL: PostgreSQL's client does not know option 2 after the `?`",
        ),
        (
            {**LAPTOP, "DATABASE_URL": "postgres://h/d?disable_server_side_cursors=treu"},
            "disable_server_side_cursors is neither on nor off",
        ),
        ({**LAPTOP, "EMAIL_URL": ""}, "EMAIL_URL has a wrong value"),
        ({**LAPTOP, "EMAIL_URL": "mail.example:587"}, "smtp+tls://USER:PASSWORD@HOST:587"),
        ({**LAPTOP, "EMAIL_URL": "smtp://mail.example:often"}, "EMAIL_URL has a wrong value"),
        ({**LAPTOP, "NOTIFICATIONS_FAILPOINTS": "after_claim"}, "something is no failpoint"),
        ({**LAPTOP, "NOTIFICATIONS_FAILPOINTS": "x=kill"}, "something is no failpoint"),
        # Numbers that PostgreSQL or Python's arithmetic cannot take.
        ({**LAPTOP, "NOTIFICATIONS_LEASE_TTL": "9" * 20}, " to 3600, such as "),
        ({**LAPTOP, "FCM_TIMEOUT": "9" * 20}, " to 3600, such as "),
    ],
    ids=lambda value: str(value)[-40:],
)
def test_a_wrong_setting_stops_the_start_with_one_line(env: dict[str, str], told: str) -> None:
    done = manage("check", **env)

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert told in done.stderr


def test_the_secret_key_is_never_told() -> None:
    done = manage("check", SECRET_KEY=SECRET)

    assert done.returncode == 1
    assert SECRET not in done.stderr + done.stdout


@pytest.mark.parametrize("address", ["postgress://me:{}@db/name", "postgres://me:{}/@db/name"])
def test_the_databases_password_is_never_told(address: str) -> None:
    done = manage("check", **LAPTOP, DATABASE_URL=address.format(SECRET))

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert SECRET not in done.stderr + done.stdout


@pytest.mark.parametrize(
    ("says", "setting", "value"),
    [
        ("", "CONN_MAX_AGE", "60"),
        ("?conn_max_age=0", "CONN_MAX_AGE", "0"),
        ("?conn_max_age=300", "CONN_MAX_AGE", "300"),
        ("?conn_max_age=None", "CONN_MAX_AGE", "None"),
        ("", "CONN_HEALTH_CHECKS", "True"),
        ("?conn_health_checks=false", "CONN_HEALTH_CHECKS", "False"),
        ("", "DISABLE_SERVER_SIDE_CURSORS", "True"),
        ("?disable_server_side_cursors=no", "DISABLE_SERVER_SIDE_CURSORS", "False"),
    ],
)
def test_what_the_databases_address_says_of_connections_is_honoured(
    says: str, setting: str, value: str
) -> None:
    expression = f"settings.DATABASES['default']['{setting}']"

    assert value_of(expression, **LAPTOP, DATABASE_URL=f"postgres://me@db/name{says}") == value


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("postgres://me@%2Fvar%2Frun%2Fpostgresql/name", "/var/run/postgresql  name"),
        ("postgres://me:a@%2Frun%2FMine:5433/name?sslmode=disable", "/run/Mine 5433 name"),
        ("postgres://%2frun/name", "/run  name"),
        ("postgres://me@db.internal:5432/name", "db.internal 5432 name"),
    ],
)
def test_the_databases_address_may_name_a_sockets_directory(address: str, found: str) -> None:
    keys = "*[settings.DATABASES['default'][key] for key in ('HOST', 'PORT', 'NAME')]"

    assert value_of(keys, **LAPTOP, DATABASE_URL=address) == found


def test_recordings_are_never_kept_and_served_beside_the_settings() -> None:
    assert value_of("settings.MEDIA_ROOT", **LAPTOP, MEDIA_ROOT="") == str(ROOT / "var" / "media")


def test_production_is_clean_by_djangos_own_check(tmp_path: Path) -> None:
    account = tmp_path / "service-account.json"
    write_service_account(account, "https://oauth2.googleapis.com/token")
    database = f"sqlite:///{tmp_path}/radiotalk.sqlite3"
    assert manage("migrate", **LAPTOP, DATABASE_URL=database).returncode == 0

    done = manage(
        "check",
        "--deploy",
        DATABASE_URL=database,
        SECRET_KEY=SECRET,
        ALLOWED_HOSTS="radiotalk.example",
        ENVIRONMENT="production",
        EMAIL_URL="smtp+tls://radiotalk:secret@mail.example:587",
        GOOGLE_APPLICATION_CREDENTIALS=str(account),
    )

    assert done.returncode == 0
    # Nothing is wrong but that this is SQLite, and what is left to do is said.
    assert re.findall(r"\w+\.W\d+", done.stderr) == ["radiotalk.W003"]
    assert "manage.py sending probe" in done.stderr


@pytest.mark.engines
@pytest.mark.django_db(transaction=True)
def test_production_with_the_documented_settings_is_clean(tmp_path: Path) -> None:
    account = tmp_path / "service-account.json"
    write_service_account(account, "https://oauth2.googleapis.com/token")

    done = manage(
        "check",
        "--deploy",
        "--fail-level=WARNING",
        DATABASE_URL=database_url(),
        REDIS_URL="rediss://radiotalk:PASSWORD@redis.internal:6379/0",
        SECRET_KEY=SECRET,
        ALLOWED_HOSTS="radiotalk.example",
        ENVIRONMENT="production",
        EMAIL_URL="smtp+tls://radiotalk:secret@mail.example:587",
        GOOGLE_APPLICATION_CREDENTIALS=str(account),
    )

    assert (done.returncode, "WARNINGS" in done.stderr) == (0, False), done.stderr


def test_production_does_not_start_with_a_lost_service_account() -> None:
    done = manage(
        "check",
        SECRET_KEY=SECRET,
        ALLOWED_HOSTS="radiotalk.example",
        ENVIRONMENT="production",
        GOOGLE_APPLICATION_CREDENTIALS="/nowhere/service-account.json",
    )

    assert done.returncode == 1
    assert "notifications.E001" in done.stderr


@pytest.mark.parametrize(("environment", "on"), [("production", "True"), ("staging", "False")])
def test_production_is_over_tls_unless_told_otherwise(environment: str, on: str) -> None:
    names = ["SECURE_SSL_REDIRECT", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE"]
    expression = f"*[getattr(settings, name) for name in {names}]"

    found = value_of(
        expression, SECRET_KEY=SECRET, ALLOWED_HOSTS="radiotalk.example", ENVIRONMENT=environment
    )

    assert found == f"{on} {on} {on}"


ON_THIS_MACHINE = {"FCM_ENDPOINT": "https://127.0.0.1:8443", "FCM_CA_FILE": "/a/ca.pem"}


@pytest.mark.parametrize(
    "fcm",
    [
        {},
        {**ON_THIS_MACHINE, "FCM_CA_FILE": ""},
        {**ON_THIS_MACHINE, "FCM_ENDPOINT": "https://127.0.0.1.example"},
    ],
)
def test_production_does_not_start_without_a_second_factor(fcm: dict[str, str]) -> None:
    done = manage("check", **PRODUCTION, **fcm, STAFF_SECOND_FACTOR="off")

    assert done.returncode == 1
    assert "STAFF_SECOND_FACTOR is off" in done.stderr


@pytest.mark.parametrize(
    ("given", "on"), [({}, "True"), ({**ON_THIS_MACHINE, "STAFF_SECOND_FACTOR": "off"}, "False")]
)
def test_production_needs_a_second_factor_unless_it_reaches_nobody(
    given: dict[str, str], on: str
) -> None:
    assert value_of("settings.STAFF_SECOND_FACTOR", **PRODUCTION, **given) == on


def test_production_prints_no_e_mail() -> None:
    backend = "django.core.mail.backends.dummy.EmailBackend"

    assert value_of("settings.EMAIL_BACKEND", **PRODUCTION) == backend


def test_each_setting_that_is_read_is_documented() -> None:
    source = Path(settings.__file__).read_text()
    document = (ROOT / "docs" / "operations.md").read_text()

    read = re.findall(READ, source)

    assert len(read) > 15
    assert [name for name in read if f"| `{name}` |" not in document] == []


def test_nothing_but_the_settings_reads_the_environment() -> None:
    # env.py knows how a setting is read, and none by name; tests do not run in production.
    apart = ("radiotalk/env.py", "radiotalk/testing.py", "tests")
    sources = [
        path.relative_to(ROOT)
        for app in ("accounts", "notifications", "programs", "radiotalk")
        for path in (ROOT / app).rglob("*.py")
    ]
    reading = re.compile(r"os\.environ\b|getenv\(|\benviron\.Env|\bimport Env\b")
    readers = [
        str(path)
        for path in sources
        if reading.search((ROOT / path).read_text())
        and not any(part in str(path) for part in apart)
    ]

    assert sorted(readers) == ["radiotalk/settings.py", "radiotalk/wsgi.py"]
    assert re.findall(r'\(\s*"[A-Z0-9_]+"', Path(env.__file__).read_text()) == []

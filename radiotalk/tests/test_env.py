"""A setting is read strictly: a typo raises one line that says what to write."""

import re
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from radiotalk import settings
from radiotalk.env import Env

# How settings.py reads a setting: `env.number("FCM_TIMEOUT", …`.
READ = r'\benv\.\w+\(\s*"([A-Z0-9_]+)"'
NAMES = sorted(set(re.findall(READ, Path(settings.__file__).read_text())))


def env(text: str | None) -> Env:
    """Return the reader of an environment where SETTING is this text, None for not set."""
    reader = Env()
    reader.ENVIRON = {} if text is None else {"SETTING": text}
    return reader


@pytest.mark.parametrize("word", ["on", "1", "yes", "TRUE", " On "])
def test_a_yes_may_be_written_in_many_ways(word: str) -> None:
    assert env(word).boolean("SETTING", default=False)


@pytest.mark.parametrize("word", ["off", "0", "no", "False", " OFF "])
def test_a_no_may_be_written_in_many_ways(word: str) -> None:
    assert not env(word).boolean("SETTING", default=True)


@pytest.mark.parametrize("text", [None, "", " "])
@pytest.mark.parametrize("default", [True, False])
def test_a_boolean_that_is_empty_is_its_default(text: str | None, default: bool) -> None:
    assert env(text).boolean("SETTING", default=default) is default


@pytest.mark.parametrize("word", ["treu", "2", "onn", "none"])
def test_a_boolean_with_a_typo_is_no_boolean(word: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"SETTING has a wrong value .* say on or off"):
        env(word).boolean("SETTING", default=True)


@pytest.mark.parametrize("text", [None, ""])
def test_what_is_required_falls_back_only_where_there_is_a_fallback(text: str | None) -> None:
    assert env("given").required("SETTING", fallback="instead") == "given"
    assert env(text).required("SETTING", fallback="instead") == "instead"
    with pytest.raises(ImproperlyConfigured, match="SETTING is not set"):
        env(text).required("SETTING", fallback=None)


@pytest.mark.parametrize(("text", "number"), [(None, 5), ("1", 1), ("9", 9), ("1_0", 10)])
def test_a_number_lies_within_its_bounds(text: str | None, number: int) -> None:
    assert env(text).number("SETTING", default=5, least=1, most=10) == number


@pytest.mark.parametrize("text", ["0", "-1", "", "1h", "2.5", "11", "9" * 20])
def test_a_number_out_of_bounds_is_told_with_bounds_and_a_right_one(text: str) -> None:
    with pytest.raises(ImproperlyConfigured) as wrong:
        env(text).number("SETTING", default=5, least=1, most=10)

    assert str(wrong.value) == (
        f"SETTING has a wrong value of length {len(text)} (it is not shown): "
        "say a whole number from 1 to 10, such as 5."
    )


def test_a_number_without_an_upper_bound_is_told_with_the_lower_one() -> None:
    with pytest.raises(ImproperlyConfigured, match="a whole number of at least 1, such as 5"):
        env("0").number("SETTING", default=5, least=1)


def test_a_choice_is_spelled_exactly_so() -> None:
    assert env(None).choice("SETTING", default="text", among=("text", "json")) == "text"
    assert env("json").choice("SETTING", default="text", among=("text", "json")) == "json"
    for other in ("", "JSON", "xml"):
        with pytest.raises(ImproperlyConfigured, match="say one of text, json"):
            env(other).choice("SETTING", default="text", among=("text", "json"))


@pytest.mark.parametrize("name", ["", "Tokyo", "../../etc/passwd", "/etc/localtime"])
def test_a_time_zone_that_is_none_is_told(name: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="say a time zone such as Asia/Tokyo"):
        env(name).time_zone("SETTING", default="UTC")


@pytest.mark.parametrize("name", ["UTC", "Asia/Tokyo"])
def test_a_time_zone_is_known_by_its_name(name: str) -> None:
    assert env(name).time_zone("SETTING", default="UTC") == name


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (None, "/var/default.sqlite3"),
        ("sqlite:////srv/radiotalk.sqlite3", "/srv/radiotalk.sqlite3"),
        ("postgres://me:secret@db:5432/radiotalk", "radiotalk"),
        ("postgresql://me:a%2Fb%23c@db/radiotalk", "radiotalk"),
    ],
)
def test_a_database_is_known_by_its_address(address: str | None, name: str) -> None:
    config = env(address).database("SETTING", default="sqlite:////var/default.sqlite3")

    assert config["NAME"] == name


@pytest.mark.parametrize(
    "address", ["", "radiotalk", "mysql://me:secret@db/name", "postgres://me:secret/@db/name"]
)
def test_an_address_of_no_database_is_told_and_not_shown(address: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="SETTING is no address") as wrong:
        env(address).database("SETTING", default="sqlite:////var/default.sqlite3")

    assert "secret" not in str(wrong.value)


def test_origins_are_listed_each_with_its_scheme() -> None:
    assert env("https://a.example,http://b.example").origins("SETTING") == [
        "https://a.example",
        "http://b.example",
    ]
    with pytest.raises(ImproperlyConfigured, match=r"such as https://admin\.example\.com"):
        env("https://a.example,b.example").origins("SETTING")


# --- Names that are set in vain ---------------------------------------------------------------


def misspelt(*names: str) -> dict[str, str]:
    """Return which of these names in the environment are none of our settings, but nearly so."""
    reader = Env()
    reader.ENVIRON = dict.fromkeys(names, "hunter-two")
    for name in NAMES:
        reader.str(name, default="")
    return reader.misspelt()


def test_what_is_asked_for_is_no_typo() -> None:
    assert misspelt(*NAMES) == {}


@pytest.mark.parametrize(
    ("typo", "meant"),
    [
        ("DEBGU", "DEBUG"),
        ("debug", "DEBUG"),
        ("SECRET_KEI", "SECRET_KEY"),
        ("SECRETKEY", "SECRET_KEY"),
        ("ALLOWED_HOST", "ALLOWED_HOSTS"),
        ("ENVIROMENT", "ENVIRONMENT"),
        ("REDIS_URI", "REDIS_URL"),
        ("DATABASEURL", "DATABASE_URL"),
        ("NOTIFICATIONS_MAX_WORKRS", "NOTIFICATIONS_MAX_WORKERS"),
        ("NOTIFICATION_MAX_AGE", "NOTIFICATIONS_MAX_AGE"),
        ("NOTIFICATIONS_LEASE_TLL", "NOTIFICATIONS_LEASE_TTL"),
        ("NOTIFICATOINS_ON_5XX", "NOTIFICATIONS_ON_5XX"),
        ("SECURE_SSL_REDIRCET", "SECURE_SSL_REDIRECT"),
        ("GOOGLE_APPLICATION_CREDENTIAL", "GOOGLE_APPLICATION_CREDENTIALS"),
        ("CSRF_TRUSTED_ORIGIN", "CSRF_TRUSTED_ORIGINS"),
    ],
)
def test_a_name_with_a_typo_is_known_by_what_was_meant(typo: str, meant: str) -> None:
    assert misspelt(typo) == {typo: meant}


@pytest.mark.parametrize(
    "names",
    [
        # Settings of later releases, while an earlier one runs beside them.
        """NOTIFICATIONS_CANARY NOTIFICATIONS_RAMP_SECONDS NOTIFICATIONS_FLEET CELERY_BROKER_URL
        DATABASE_REPLICA_URL PUBLIC_URL EMAIL_URL NOTIFICATIONS_PER_PROGRAM_PER_HOUR
        NOTIFICATIONS_PER_PROGRAM_PER_DAY NOTIFICATIONS_APPROVAL_AUDIENCE SECRET_KEY_FALLBACKS
        NOTIFICATIONS_DEVICES_PER_USER CORS_ALLOWED_ORIGINS FCM_PROJECT FCM_TOPIC FCM_HOST FCM_PORT
        MEDIA_URL MEDIA_STORAGE DEFAULT_FROM_EMAIL SESSION_COOKIE_AGE PROXY_ADDRESSES""",
        # Shells, systemd, containers.
        """PATH HOME USER LOGNAME SHELL LANG LC_ALL TERM PWD OLDPWD SHLVL TZ _ TMPDIR DISPLAY EDITOR
        HOSTNAME HOST DEBIAN_FRONTEND INVOCATION_ID NOTIFY_ACCESS LISTEN_FDS LISTEN_PID MAINPID
        WATCHDOG_USEC WATCHDOG_PID SYSTEMD_EXEC_PID CREDENTIALS_DIRECTORY RUNTIME_DIRECTORY
        STATE_DIRECTORY MEMORY_PRESSURE_WATCH KUBERNETES_SERVICE_HOST KUBERNETES_PORT REDIS_PORT
        REDIS_HOST REDIS_PASSWORD REDIS_SERVICE_HOST REDIS_PORT_6379_TCP DATABASE_HOST DATABASE_NAME
        DATABASE_USER DATABASE_PORT POSTGRES_PASSWORD POSTGRES_URL container GPG_KEY""",
        # PostgreSQL, Python, Django, tests, proxies, Google.
        """PGHOST PGPORT PGUSER PGPASSWORD PGDATABASE PGSERVICE PGSSLMODE PGTZ PYTHONPATH
        PYTHONUNBUFFERED PYTHONDONTWRITEBYTECODE VIRTUAL_ENV DJANGO_SETTINGS_MODULE RUN_MAIN
        PYTEST_CURRENT_TEST PYTEST_XDIST_WORKER PYTEST_ADDOPTS CI MAKEFLAGS WEB_CONCURRENCY
        GUNICORN_CMD_ARGS http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY
        REQUESTS_CA_BUNDLE CURL_CA_BUNDLE SSL_CERT_FILE SSL_CERT_DIR GOOGLE_CLOUD_PROJECT
        GOOGLE_APPLICATION_NAME NAME_SERVER_IS_SILENT_WHILE_THERE_IS LOG_LEVEL LOG_FILE""",
    ],
    ids=["later settings", "the machine", "other programs"],
)
def test_what_belongs_to_others_is_no_typo(names: str) -> None:
    assert misspelt(*names.split()) == {}


def test_a_name_in_a_file_of_settings_counts_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Env, "ENVIRON", {})
    (tmp_path / ".env").write_text("DEBUGG=on\n")
    reader = Env()
    reader.read_file(tmp_path / ".env")

    reader.boolean("DEBUG", default=False)

    assert reader.misspelt() == {"DEBUGG": "DEBUG"}

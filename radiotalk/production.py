"""What production refuses at every start, of the web and of each command: settings that are unsafe.

All objections are told at once, each in a line that says what is wrong and what to do. None shows a
value, which may be a secret. What is merely unwise is told by `check --deploy` (checks.py).
"""

import ipaddress
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from stat import S_IROTH, S_IXOTH
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit

from django.core.exceptions import ImproperlyConfigured

# For DEBUG alone, where a session is worth nothing.
LAPTOP_KEY = "for-a-laptop-only-never-in-production-" + "x" * 20

LEAST_KEY_CHARACTERS = 32
LEAST_DIFFERENT_CHARACTERS = 5  # as in Django's check security.W009
GENERATED_BY_STARTPROJECT = "django-insecure-"

KEY_FILE = "GOOGLE_APPLICATION_CREDENTIALS"

Settings = Mapping[str, Any]
Objections = Iterator[str]


def refuse_unsafe(settings: Settings) -> None:
    """Raise ImproperlyConfigured with every objection to these settings, if there is one."""
    if found := objections(settings):
        lines = "".join(f"\n  - {each}" for each in found)
        raise ImproperlyConfigured(f"ENVIRONMENT is production, which refuses to start:{lines}")


def objections(settings: Settings) -> list[str]:
    """Return what is wrong with these settings, each in a line."""
    return [objection for judge in JUDGES for objection in judge(settings)]


def debugging(settings: Settings) -> Objections:
    """Object to what is for laptops and for tests."""
    if settings["DEBUG"]:
        yield "DEBUG is on, so that errors show code and settings to everybody: set DEBUG=off."
    if settings["NOTIFICATIONS_FAILPOINTS"]:
        yield "NOTIFICATIONS_FAILPOINTS is set, so that processes die: unset it; it is for tests."


def host_names(settings: Settings) -> Objections:
    """Object to host names that are not the site's own."""
    names = settings["ALLOWED_HOSTS"]
    if "*" in names or "." in names:
        yield "ALLOWED_HOSTS allows every host name: list those that the site answers to."
    if "" in names:
        yield "ALLOWED_HOSTS has an empty name: leave out the comma that is too many."


def secret_keys(settings: Settings) -> Objections:
    """Object to a key by which others could sign sessions."""
    fallbacks = settings.get("SECRET_KEY_FALLBACKS", [])
    for name, keys in (
        ("SECRET_KEY", [settings["SECRET_KEY"]]),
        ("SECRET_KEY_FALLBACKS", fallbacks),
    ):
        if any(map(is_weak, keys)):
            yield (
                f"{name} can be guessed: take a random one, by "
                "python3 -c 'import secrets; print(secrets.token_urlsafe(50))'."
            )


def is_weak(key: str) -> bool:
    """Return whether somebody could guess the key, and sign sessions with it."""
    return (
        len(key) < LEAST_KEY_CHARACTERS
        or len(set(key)) < LEAST_DIFFERENT_CHARACTERS
        or key.startswith(GENERATED_BY_STARTPROJECT)
        or key == LAPTOP_KEY
    )


def recordings(settings: Settings) -> Objections:
    """Object to a MEDIA_ROOT from which a web server would serve more than recordings."""
    media, source = Path(settings["MEDIA_ROOT"]).resolve(), settings["BASE_DIR"]
    may_be_there = media.is_relative_to(source / "var") and media != source / "var"
    if source.is_relative_to(media) or (media.is_relative_to(source) and not may_be_there):
        yield (
            "MEDIA_ROOT is not apart from the source code, which would be served: name a directory "
            "elsewhere, or one below var/."
        )
        return
    secret_files = {
        ".env": [*files_of(str(media / ".env")), source / ".env"],
        f"the file of {KEY_FILE}": files_of(settings[KEY_FILE]),
        "the database": sqlite_file(settings["DATABASES"]["default"]),
    }
    for told, files in secret_files.items():
        if any(file.resolve().is_relative_to(media) for file in files):
            yield f"MEDIA_ROOT holds {told}, which would be served: name another directory."


def sqlite_file(database: Mapping[str, Any]) -> list[Path]:
    """Return the path of a SQLite database, which is made later perhaps; none for another one."""
    name = str(database["NAME"])
    is_file = database["ENGINE"].endswith("sqlite3") and not name.startswith(("file:", ":memory:"))
    return [Path(name)] if is_file else []


def files_of(name: str) -> list[Path]:
    """Return the path of the file of that name, none where there is none that we can see."""
    try:
        return [path] if name and (path := Path(name)).exists() else []
    except (OSError, ValueError):  # it holds the key itself, say
        return []


def key_file(settings: Settings) -> Objections:
    """Object to a key that others could read here, or on its way to the token endpoint."""
    for file in files_of(settings[KEY_FILE]):
        if is_open(file) and all(map(is_passable, file.resolve().parents)):
            yield f"{KEY_FILE}: everybody on this machine may read its file: chmod 600 the file."
        if token_scheme(file) == "http":
            yield (
                f"{KEY_FILE}: its file has a token_uri without TLS: download it again (Google's is "
                "https://oauth2.googleapis.com/token)."
            )


def is_open(file: Path) -> bool:
    """Return whether the file's own mode lets everybody read it; only POSIX has such modes."""
    return os.name == "posix" and bool(file.stat().st_mode & S_IROTH)


def is_passable(directory: Path) -> bool:
    """Return whether everybody may reach what is in the directory."""
    return bool(directory.stat().st_mode & S_IXOTH)


def token_scheme(file: Path) -> str:
    """Return the scheme of a service account's token_uri; "" where a check says what is wrong."""
    try:
        return str(urlsplit(json.loads(file.read_bytes())["token_uri"]).scheme)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ""


def redis_far_away(settings: Settings) -> Objections:
    """Object to what others could read or write on the way to Redis, or who could publish there."""
    try:
        address = urlsplit(settings["REDIS_URL"])
        is_far = address.scheme in ("redis", "rediss") and not is_loopback(address.hostname)
    except ValueError:  # a check says what is wrong with it
        return
    if is_far and not has_password(address):
        yield "REDIS_URL has no password, and Redis is not on this machine: give Redis a user's."
    if is_far and address.scheme != "rediss":
        yield "REDIS_URL is without TLS, and Redis is not on this machine: say rediss://."


def has_password(address: SplitResult) -> bool:
    """Return whether redis-py would give a password."""
    return bool(address.password or any(parse_qs(address.query).get("password", [])))


def is_loopback(host: str | None) -> bool:
    """Return whether a host is this machine; redis-py takes no host for `localhost`."""
    if host in (None, "", "localhost"):
        return True
    try:
        return ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False


def second_factor(settings: Settings) -> Objections:
    """Object to staff who log in by a password alone where phones can be reached."""
    if not settings["STAFF_SECOND_FACTOR"] and not reaches_nobody(settings):
        yield (
            "STAFF_SECOND_FACTOR is off: leave it on, unless FCM_ENDPOINT is an emulator on this "
            "machine with an FCM_CA_FILE of its own."
        )


def reaches_nobody(settings: Settings) -> bool:
    """Return whether FCM is an emulator on this machine: nothing can reach a phone."""
    try:
        host = urlsplit(settings["FCM_ENDPOINT"]).hostname
    except ValueError:  # a check says what is wrong with it
        return False
    return bool(settings["FCM_CA_FILE"]) and bool(host) and is_loopback(host)


def misspelt(settings: Settings) -> Objections:
    """Object to what somebody has set in vain."""
    for name, meant in settings["MISSPELT_SETTINGS"].items():
        yield f"{name} is no setting: say {meant} if that is meant, or else unset it."


JUDGES: tuple[Callable[[Settings], Objections], ...] = (
    debugging,
    host_names,
    secret_keys,
    recordings,
    key_file,
    redis_far_away,
    second_factor,
    misspelt,
)

"""How a setting is read from the environment; settings.py alone says which settings are read.

Each parser takes the setting's name, and raises ImproperlyConfigured with one line that says what
to write instead, so that a typo stops the start. No value is shown, only its length: it may be a
secret that was put under a wrong name.
"""

import io
import re
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from zoneinfo import ZoneInfo

import environ
from django.core.exceptions import ImproperlyConfigured
from psycopg import pq

TRUE_WORDS = {"1", "true", "yes", "on"}
FALSE_WORDS = {"0", "false", "no", "off"}
# Where a sqlite:// has a host, django-environ warns of it, password and all.
DATABASE_SCHEMES = ("postgres://", "postgresql://", "sqlite:///", "sqlite://:memory:")
# What the database's address may say to Django after its `?`; all else is for libpq.
DATABASE_SWITCHES = (
    "atomic_requests",
    "autocommit",
    "conn_health_checks",
    "disable_server_side_cursors",
)
# What else may stand there: what Django keeps or passes to psycopg, and what libpq knows.
CLIENT_OPTIONS = {
    "assume_role", "isolation_level", "pool", "prepare_threshold", "server_side_binding",
    *(option.keyword.decode() for option in pq.Conninfo.get_defaults()),
}  # fmt: skip

# What a browser sends as Origin: lower case, and no port where it is 443.
HTTPS_ORIGIN = re.compile(r"https://[a-z0-9-]+(\.[a-z0-9-]+)*(:(?!443$)[1-9][0-9]{0,4})?")
# A typo: a letter is another one, two have changed places, or up to two are missing or too many.
# With three, DATABASE_USER would be a typo of DATABASE_URL.
MOST_LETTERS_THAT_DIFFER = 2
LEAST_LIKENESS = 0.8  # or short names would be typos of one another

# What django-environ takes for a setting in a file.
LINE = re.compile(r"(?:export )?[A-Za-z_0-9]+=")


def switched(word: str) -> bool | None:
    """Return whether the word says on or off, None when it says neither."""
    word = word.strip().lower()
    return word in TRUE_WORDS if word in TRUE_WORDS | FALSE_WORDS else None


def is_age(value: object) -> bool:
    """Return whether Django keeps a connection for so long: seconds, or None for no end."""
    return value is None or (type(value) is int and value >= 0)


def socket_directory(address: str) -> str:
    """Return the directory that an address names in place of a host, "" when it names a host.

    As libpq reads it: postgres://USER@%2Fvar%2Frun%2Fpostgresql/NAME.
    """
    host, _, _port = urlsplit(address).netloc.rpartition("@")[2].partition(":")
    return unquote(host) if host.upper().startswith("%2F") else ""


def check_for_django(config: dict[str, Any], name: str) -> None:
    """Parse what the address in the setting `name` says to Django: any word would do as "on"."""
    for word in DATABASE_SWITCHES:
        key = word.upper()
        if key in config:
            config[key] = switched(str(config[key]))
            if config[key] is None:
                raise ImproperlyConfigured(f"{name}: {word} is neither on nor off.")
    if "CONN_MAX_AGE" in config and not is_age(config["CONN_MAX_AGE"]):
        raise ImproperlyConfigured(
            f"{name}: conn_max_age is no number of seconds, nor None for no end."
        )


def check_for_postgresql(address: str, name: str) -> None:
    """Raise ImproperlyConfigured for an option that nobody knows.

    Each connection would fail with an error that shows the option's name, which may be a secret.
    """
    for number, (option, _) in enumerate(parse_qsl(urlsplit(address).query), start=1):
        is_of_django = option.lower() in (*DATABASE_SWITCHES, "conn_max_age")
        if not is_of_django and option not in CLIENT_OPTIONS:
            raise ImproperlyConfigured(
                f"{name}: PostgreSQL's client does not know option {number} after the `?` (it is "
                "not shown). Correct its name, or leave it out."
            )


def is_typo(name: str, of: str) -> bool:
    """Return whether somebody who wrote `name` may have meant `of`."""
    letters = len(name) + len(of)
    if abs(len(name) - len(of)) > MOST_LETTERS_THAT_DIFFER:  # the matcher takes its time
        return False
    blocks = SequenceMatcher(None, name.upper(), of).get_matching_blocks()
    same = 2 * sum(block.size for block in blocks)
    return letters - same <= MOST_LETTERS_THAT_DIFFER and same / letters >= LEAST_LIKENESS


class Env(environ.Env):  # type: ignore[misc]  # has no types
    """django-environ's reader, with parsers that are strict; it knows what it was `asked` for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def get_value(self, var: str, *args: Any, **options: Any) -> Any:
        """Return the setting's value; every parser comes here."""
        self.asked.add(var)
        return super().get_value(var, *args, **options)

    def misspelt(self) -> dict[str, str]:
        """Return the names that are set in vain, each with the setting that was probably meant.

        To be called when all settings have been read.
        """
        unknown = sorted(set(self.ENVIRON) - self.asked)
        found = ((name, [of for of in sorted(self.asked) if is_typo(name, of)]) for name in unknown)
        return {name: meant[0] for name, meant in found if meant}

    def read_file(self, file: Path) -> None:
        """Read the settings of a file, if there is one; what is set in the environment stays.

        Raise ImproperlyConfigured for a line that is no setting: django-environ would print it,
        and it may be one of a private key's.
        """
        try:
            content = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise ImproperlyConfigured(f"{file} is not UTF-8: save it as UTF-8.") from None
        except OSError:
            return
        for number, line in enumerate(content.splitlines(), start=1):
            if line.strip() and not line.startswith("#") and not LINE.match(line):
                raise ImproperlyConfigured(
                    f"{file}, line {number} is no setting: say NAME=VALUE, all of it in one line."
                )
        self.read_env(io.StringIO(content))

    def boolean(self, name: str, *, default: bool) -> bool:
        """Return whether the setting is on; unlike `bool`, which reads "treu" as off, be strict."""
        word = self.str(name, default="")
        if word.strip() == "":
            return default
        on = switched(word)
        if on is None:
            raise wrong(name, word, "on or off")
        return on

    def required(self, name: str, *, fallback: str | None) -> str:
        """Return the setting, or `fallback` when it is empty; raise when that is None."""
        value: str = self.str(name, default="")
        if value:
            return value
        if fallback is None:
            raise ImproperlyConfigured(
                f"{name} is not set. Set it in the environment or in .env (.env.example shows "
                "how), or set DEBUG=on on a laptop."
            )
        return fallback

    def number(self, name: str, *, default: int, least: int, most: int | None = None) -> int:
        """Return the setting, a whole number from `least` to `most`."""
        text = self.str(name, default=str(default))
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least or (most is not None and value > most):
            bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
            raise wrong(name, text, f"a whole number {bounds}, such as {default}")
        return value

    def choice(self, name: str, *, default: str, among: tuple[str, ...]) -> str:
        """Return the setting, which is one of `among`."""
        value: str = self.str(name, default=default)
        if value not in among:
            raise wrong(name, value, f"one of {', '.join(among)}")
        return value

    def time_zone(self, name: str, *, default: str) -> str:
        """Return the setting, the name of a time zone that this machine knows."""
        value: str = self.str(name, default=default)
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise wrong(name, value, "a time zone such as Asia/Tokyo") from None
        return value

    def origins(self, name: str) -> list[str]:
        """Return the origins that are listed; raise ImproperlyConfigured for one without a scheme.

        Django checks that too, but shows the origin, which may be a secret by mistake.
        """
        found: list[str] = self.list(name, default=[])
        for origin in found:
            if "://" not in origin:
                raise wrong(name, origin, "origins such as https://admin.example.com")
        return found

    def https_origins(self, name: str) -> list[str]:
        """Return the origins that are listed: https, a host, perhaps a port, and nothing else."""
        found: list[str] = self.list(name, default=[])
        for origin in found:
            if not HTTPS_ORIGIN.fullmatch(origin):
                raise wrong(name, origin, "origins such as https://app.example.com")
        return found

    def email(self, name: str, *, default: str) -> dict[str, Any]:
        """Return Django's settings of the mail server at this address."""
        address = self.str(name, default=default)
        try:
            if urlsplit(address).scheme not in self.EMAIL_SCHEMES:
                raise ValueError
            config: dict[str, Any] = self.email_url(name, default=default)
        except ValueError:
            expected = "smtp+tls://USER:PASSWORD@HOST:587, with %2F for / in the password"
            raise wrong(name, address, expected) from None
        return config

    def database(self, name: str, *, default: str) -> dict[str, Any]:
        """Return what Django needs to know of the database at this address.

        An address that is none is not shown, since there may be a password in it. Its scheme is
        looked at first: django-environ would warn of an unknown one, password and all.
        """
        address = self.str(name, default=default)
        try:
            if not address.startswith(DATABASE_SCHEMES):
                raise ValueError
            config: dict[str, Any] = self.db(name, default=default)
            directory = socket_directory(address)
        except ValueError:
            raise ImproperlyConfigured(
                f"{name} is no address: say postgres://USER:PASSWORD@HOST:5432/NAME, "
                "with %2F for / and %23 for # in the password."
            ) from None
        if directory:
            config["HOST"] = directory
        check_for_django(config, name)
        if config["ENGINE"].endswith("postgresql"):
            check_for_postgresql(address, name)
        return config


def wrong(name: str, value: str, expected: str) -> ImproperlyConfigured:
    """Return what tells people of a wrong value, without the value."""
    told = f"{name} has a wrong value of length {len(value)}"
    return ImproperlyConfigured(f"{told} (it is not shown): say {expected}.")

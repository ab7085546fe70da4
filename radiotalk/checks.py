"""System checks of the site: what is unwise, but does not keep production from starting.

What keeps it from starting is in production.py. The app of notifications registers these checks.
"""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register

from accounts.e_mail import is_sent

from .production import KEY_FILE, files_of, is_open


@register
def misspelt(**kwargs: Any) -> list[CheckMessage]:
    """Warn of names that are set in vain; production refuses them."""
    return [
        Warning(
            f"{name} is no setting.",
            hint=f"Say {meant} if that is meant, or else unset it.",
            id="radiotalk.W001",
        )
        for name, meant in settings.MISSPELT_SETTINGS.items()
    ]


@register(Tags.security, deploy=True)
def key_file_mode(**kwargs: Any) -> list[CheckMessage]:
    """Warn of a key file that only the directories above it hide from everybody."""
    if not any(map(is_open, files_of(getattr(settings, KEY_FILE)))):
        return []
    told = f"{KEY_FILE}: the mode of its file lets everybody read it."
    return [Warning(told, hint="chmod 600 the file.", id="radiotalk.W002")]


@register(Tags.security, deploy=True)
def e_mail(**kwargs: Any) -> list[CheckMessage]:
    """Warn of e-mails that are thrown away."""
    if is_sent():
        return []
    told = "EMAIL_URL is not set: whoever has forgotten a password gets no e-mail."
    return [Warning(told, hint="Name your mail server.", id="radiotalk.W004")]


@register(Tags.database, deploy=True)
def sqlite(**kwargs: Any) -> list[CheckMessage]:
    """Warn of a database that one machine has alone, and one writer at a time."""
    if settings.DATABASES["default"]["ENGINE"] != "django.db.backends.sqlite3":
        return []
    told = "DATABASE_URL is SQLite's: one writes at a time, and no worker can run on another host."
    return [Warning(told, hint="Take PostgreSQL in production.", id="radiotalk.W003")]

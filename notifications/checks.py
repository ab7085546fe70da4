"""System checks: misconfiguration is told by `manage.py check`, before it is met at night."""

import json
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

# A lease is renewed every half a second; this leaves room for a statement that takes two.
LEAST_LEASE_SECONDS = 3


@register(Tags.security)
def credentials(**kwargs: Any) -> list[CheckMessage]:
    """Tell when the service account file is missing or is none."""
    path = settings.GOOGLE_APPLICATION_CREDENTIALS
    if not path:
        return [
            Warning(
                "GOOGLE_APPLICATION_CREDENTIALS is not set: nothing can be sent, not even dry.",
                hint="Name the service account file of your Firebase project, or try `make run`, "
                "which brings an emulator of FCM.",
                id="notifications.W001",
            )
        ]
    problem = credentials_problem(Path(path))
    if problem:
        return [
            Error(
                f"GOOGLE_APPLICATION_CREDENTIALS: {path} {problem}.",
                hint="Download a new key in the Firebase console: Project settings, Service "
                "accounts.",
                id="notifications.E001",
            )
        ]
    return []


def credentials_problem(path: Path) -> str | None:
    """Return what is wrong with a service account file, None when nothing is."""
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    except ValueError:
        return "is not JSON"
    if not isinstance(content, dict):
        return "is no service account file"
    missing = {"project_id", "client_email", "private_key", "token_uri"} - set(content)
    if missing:
        return f"is no service account file: {', '.join(sorted(missing))} missing"
    return None


@register(Tags.security)
def certificate_authority(**kwargs: Any) -> list[CheckMessage]:
    """Tell when FCM_CA_FILE cannot be used: no request would leave."""
    if not settings.FCM_CA_FILE:
        return []
    try:
        ssl.create_default_context(cafile=settings.FCM_CA_FILE)
    except OSError as error:
        problem = f"FCM_CA_FILE: {settings.FCM_CA_FILE} holds no certificate ({error.strerror})."
        return [Error(problem, id="notifications.E002")]
    return []


@register(Tags.security)
def endpoint(**kwargs: Any) -> list[CheckMessage]:
    """Refuse to send access tokens in the clear, and what is no address: all would be unknown."""
    if not is_address(settings.FCM_ENDPOINT):
        return [
            Error(
                f"FCM_ENDPOINT is {settings.FCM_ENDPOINT!r}, which is no address.",
                hint="Say https://HOST or https://HOST:PORT.",
                id="notifications.E004",
            )
        ]
    if settings.FCM_ENDPOINT.startswith("https://"):
        return []
    message = f"FCM_ENDPOINT is {settings.FCM_ENDPOINT}: access tokens would travel in the clear."
    if settings.ENVIRONMENT == "production":
        return [Error(message, hint="Use https.", id="notifications.E003")]
    return [Warning(message, hint="Use https in production.", id="notifications.W003")]


def is_address(url: str) -> bool:
    """Return whether the URL names a scheme and a host, and a port that may be one."""
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return False
    return bool(is_one) and not any(letter.isspace() for letter in url)


@register(Tags.security)
def redis_url(**kwargs: Any) -> list[CheckMessage]:
    """Tell when REDIS_URL is none; without showing it, since it may hold a password."""
    try:
        redis.ConnectionPool.from_url(settings.REDIS_URL)
    except ValueError:
        return [
            Error(
                "REDIS_URL is no address of a Redis.",
                hint="Say redis://:PASSWORD@HOST:6379/0, with %2F for / and %23 for # in the "
                "password.",
                id="notifications.E005",
            )
        ]
    return []


@register(Tags.security)
def lease(**kwargs: Any) -> list[CheckMessage]:
    """Tell when the lease is so short that it changes hands for nothing; that is not unsafe."""
    if settings.NOTIFICATIONS_LEASE_TTL >= LEAST_LEASE_SECONDS:
        return []
    return [
        Warning(
            f"NOTIFICATIONS_LEASE_TTL is {settings.NOTIFICATIONS_LEASE_TTL} s, which one slow "
            "statement can outlast.",
            hint=f"Take at least {LEAST_LEASE_SECONDS} seconds; the default is 15.",
            id="notifications.W004",
        )
    ]


@register(Tags.security)
def failpoints(**kwargs: Any) -> list[CheckMessage]:
    """Refuse to have production die where a test would."""
    if not settings.NOTIFICATIONS_FAILPOINTS or settings.ENVIRONMENT != "production":
        return []
    names = ", ".join(sorted(settings.NOTIFICATIONS_FAILPOINTS))
    return [
        Error(
            f"NOTIFICATIONS_FAILPOINTS is set in production: processes die at {names}.",
            hint="Unset it; it is for tests of faults.",
            id="notifications.E006",
        )
    ]

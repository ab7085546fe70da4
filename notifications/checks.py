"""System checks: `manage.py check` tells what is wrong with the settings before anything is sent.

Every command runs all of them, unless its `requires_system_checks` says otherwise. Each check is
tagged by its concern, so that `manage.py check --tag fcm` runs those of FCM alone.
"""

import ssl
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, Tags, Warning, register
from django.db import DEFAULT_DB_ALIAS
from django.db import Error as DatabaseError

from radiotalk.production import is_loopback

from . import fcm_config, redis_url, schema
from .fcm import service_account
from .fcm.endpoint import is_address, is_proxy

# The concerns, beside Django's own tags.
FCM = "fcm"
REDIS = "redis"
WORKER = "worker"

# A lease is renewed every half a second; this leaves room for a statement that takes two seconds.
LEAST_LEASE_SECONDS = 3


@register(FCM)
def credentials(**kwargs: Any) -> list[CheckMessage]:
    """Tell when no service account file is named, or when the named one cannot be used.

    Without one a worker does not start, and all others need none: nobody knows here who this is.
    """
    if not settings.GOOGLE_APPLICATION_CREDENTIALS:
        return [
            Info(
                "GOOGLE_APPLICATION_CREDENTIALS is not set: no worker starts with these settings.",
                hint="The web needs no key. For a worker name the service account file of your "
                "Firebase project, or try `make run`, which brings an emulator of FCM.",
                id="notifications.I002",
            )
        ]
    try:
        service_account.load(settings.GOOGLE_APPLICATION_CREDENTIALS)
    except ValueError as error:
        return [
            Error(
                fcm_config.said_of_file("GOOGLE_APPLICATION_CREDENTIALS", error),
                hint="Keys are made in the Firebase console: Project settings, Service accounts.",
                id="notifications.E001",
            )
        ]
    return []


@register(FCM)
def certificate_authority(**kwargs: Any) -> list[CheckMessage]:
    """Tell when FCM_CA_FILE holds no certificate: every request would fail."""
    if not settings.FCM_CA_FILE:
        return []
    try:
        ssl.create_default_context(cafile=settings.FCM_CA_FILE)
    except OSError as error:
        problem = f"holds no certificate ({error.strerror})"
        told = fcm_config.said_of_file("FCM_CA_FILE", problem)
        return [Error(told, id="notifications.E002")]
    return []


@register(FCM, Tags.security)
def endpoint(**kwargs: Any) -> list[CheckMessage]:
    """Tell when FCM_ENDPOINT is no address, or one without TLS: nothing could be sent."""
    url = settings.FCM_ENDPOINT
    if not is_address(url) or not url.isascii() or set(url) & {"?", "#"}:
        return [
            Error(
                "FCM_ENDPOINT is no address.",
                hint="Say https://HOST or https://HOST:PORT, in ASCII: a name in other letters as "
                "xn--….",
                id="notifications.E004",
            )
        ]
    if url.startswith("https://"):
        return []
    message = "FCM_ENDPOINT begins with http://: nothing is sent without TLS."
    hint = "Use https; start the emulator with --tls."
    return [Error(message, hint=hint, id="notifications.E003")]


@register(FCM)
def proxy(**kwargs: Any) -> list[CheckMessage]:
    """Tell when FCM_PROXY is no address of a proxy; it may hold a password, so it is not shown."""
    if not settings.FCM_PROXY or is_proxy(settings.FCM_PROXY):
        return []
    return [
        Error(
            "FCM_PROXY is no address of an HTTP proxy.",
            hint="Say http://HOST:PORT, or http://NAME:PASSWORD@HOST:PORT, with %2F for /, "
            "%23 for # and %5C for \\ in the password.",
            id="notifications.E007",
        )
    ]


@register(FCM, deploy=True)
def way_to_fcm(**kwargs: Any) -> list[CheckMessage]:
    """Name the command that finds out what no check can: whether FCM takes requests from here."""
    hint = "Run `manage.py sending probe`: it reaches nobody."
    return [Info("No check can tell whether FCM is reached.", hint=hint, id="notifications.I001")]


@register(FCM, deploy=True)
def fcm_on_this_machine(**kwargs: Any) -> list[CheckMessage]:
    """Warn of an FCM that rings nobody's phone, as an emulator's; no error: `make demo` has one."""
    try:
        host = urlsplit(settings.FCM_ENDPOINT).hostname
    except ValueError:  # told by `endpoint`
        return []
    if not host or not is_loopback(host):
        return []
    told = "FCM_ENDPOINT is on this machine: nobody's phone rings."
    return [Warning(told, hint="Unset it, and FCM_CA_FILE as well.", id="notifications.W008")]


@register(REDIS)
def redis_address(**kwargs: Any) -> list[CheckMessage]:
    """Tell when no connection can be made of REDIS_URL; it may hold a password, which is not shown.

    This is no error, so that the worker starts: without Redis its tick finds each talk.
    """
    problem = redis_url.problem_of(settings.REDIS_URL)
    if not problem:
        return []
    return [
        Warning(
            f"REDIS_URL {problem}: the worker finds each talk up to a second later.",
            hint="Say redis://:PASSWORD@HOST:6379/0, with %2F for /, %3F for ?, %23 for # and %40 "
            "for @ in the password.",
            id="notifications.W005",
        )
    ]


@register(WORKER)
def lease(**kwargs: Any) -> list[CheckMessage]:
    """Warn of a lease that one slow statement outlasts; another worker would take over in vain."""
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


@register(Tags.database)
def schema_of(databases: Sequence[str] | None, **kwargs: Any) -> list[CheckMessage]:
    """Tell with `--database default` when the schema is not this code's.

    This is no error, since `migrate` runs the checks of its database first.
    """
    if DEFAULT_DB_ALIAS not in (databases or ()):
        return []
    return told_of_schema(Warning, "notifications.W006")


@register(deploy=True)
def schema_in_production(**kwargs: Any) -> list[CheckMessage]:
    """Tell with `--deploy` when the schema is not this code's: the worker would not start."""
    return told_of_schema(Error, "notifications.E008")


def told_of_schema(level: type[Error | Warning], number: str) -> list[CheckMessage]:
    """Return what is wrong with the schema, or that nobody knows."""
    try:
        problem = schema.problem()
    except DatabaseError:
        told = "The database does not answer: nobody knows whether its schema is this code's."
        return [Warning(told, hint="Look at DATABASE_URL.", id="notifications.W007")]
    return [level(problem, id=number)] if problem else []

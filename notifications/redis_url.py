"""REDIS_URL: the pool of connections that it means, or in words why it cannot be used.

It may hold a password, so nothing of it is told.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import redis
from django.conf import settings
from redis.connection import parse_url

SCHEMES = ("redis://", "rediss://", "unix://")


class UnusableUrlError(redis.RedisError):
    """REDIS_URL cannot be used; the message says why."""


@contextmanager
def only_redis_errors() -> Iterator[None]:
    """Turn whatever redis-py raises into its RedisError.

    With an option in REDIS_URL that it does not understand it raises anything, here or there.
    """
    try:
        yield
    except (redis.RedisError, OSError):
        raise
    except Exception as error:  # noqa: BLE001  (Redis only wakes: nobody may end by it)
        told = f"REDIS_URL cannot be used (redis-py raised {type(error).__name__})."
        raise UnusableUrlError(told) from None


def pool(**ours: Any) -> redis.ConnectionPool:
    """Return a pool of connections to REDIS_URL, whose options give way to `ours`.

    Raise UnusableUrlError when redis-py can make no connection of it.
    """
    if problem := problem_of(settings.REDIS_URL):
        raise UnusableUrlError(f"REDIS_URL {problem}.")
    with only_redis_errors():
        options = parse_url(settings.REDIS_URL)  # type: ignore[no-untyped-call]
        return redis.ConnectionPool(**options | ours)


def problem_of(url: str) -> str:
    """Return what is wrong with the URL, as the end of a sentence; "" when redis-py takes it."""
    if not url.startswith(SCHEMES):
        return f"begins with none of {', '.join(SCHEMES)}"
    base, _, query = url.partition("?")
    # Behind an "@" comes the host. One that stands later was part of a password with a "/" or "?",
    # of which redis-py would make a path or an option.
    if not is_taken(base) or "@" in urlsplit(url)._replace(netloc="").geturl():
        return "is no address of a Redis"
    for number, option in enumerate(parse_qsl(query, keep_blank_values=True), start=1):
        if not is_taken(f"{base}?{urlencode([option])}"):
            return f"has an option that redis-py cannot use: number {number} after the `?`"
    return ""


def is_taken(url: str) -> bool:
    """Return whether redis-py makes a connection of this, without connecting."""
    try:
        redis.ConnectionPool.from_url(url).make_connection()
    except Exception:  # noqa: BLE001  (an unknown option is a TypeError, a wrong value anything)
        return False
    return True

"""The cache of all web processes, in Redis. While Redis is away the cache is empty.

Redis only wakes: nothing may fail or wait because it is away. So throttles, which count here, then
let everybody through; the lock-out of log-ins counts in the database (accounts/lockout.py).
"""

import json
import logging
import time
from collections.abc import Callable
from functools import cache, partial
from typing import Any, TypeVar

import redis
from django.core.cache.backends import redis as django_redis

from notifications import channel, redis_url
from notifications.time_limit import Asker

logger = logging.getLogger(__name__)

# A page waits at most this long for one answer, the look-up of Redis' name included.
TIMEOUT_SECONDS = 0.4
# After a failure Redis is not asked for so long, so that a page with many questions waits once.
REST_SECONDS = 10.0
TOLD_EVERY_SECONDS = 60.0

Answer = TypeVar("Answer")


@cache
def connected() -> redis.Redis:
    """Return the client of this process's caches."""
    return channel.connect(timeout=TIMEOUT_SECONDS)


class Redis:
    """Asks Redis, or answers what an empty cache would."""

    def __init__(self) -> None:
        self._asking = Asker("cache")
        self._rests_until = self._silent_until = float("-inf")  # by the monotonic clock

    def ask(self, question: Callable[[], Answer], *, empty: Answer) -> Answer:
        """Return the answer to the question; `empty` when Redis does not give one."""
        if time.monotonic() < self._rests_until:
            return empty
        try:
            return self._asking.ask(partial(answered, question), seconds=TIMEOUT_SECONDS)
        except (redis.RedisError, OSError) as error:
            self._rest(error)
            return empty

    def _rest(self, error: Exception) -> None:
        now = time.monotonic()
        self._rests_until = now + REST_SECONDS
        if now >= self._silent_until:
            self._silent_until = now + TOLD_EVERY_SECONDS
            then = "throttles let everybody through; the lock-out of log-ins goes on"
            logger.warning("cache.away", extra={"error": str(error), "then": then})


of_process = Redis()


def answered(question: Callable[[], Answer]) -> Answer:
    """Return the answer; raise RedisError or OSError whatever is wrong with Redis."""
    with redis_url.only_redis_errors():
        return question()


class Serializer:
    """Values are JSON: with pickle, whoever writes into Redis would run code in the web."""

    def dumps(self, obj: Any) -> bytes:
        return json.dumps(obj).encode()

    def loads(self, data: Any) -> Any:
        return json.loads(data)


class DjangosClient(django_redis.RedisCacheClient):
    """Django's questions, asked of the Redis at REDIS_URL."""

    def get_client(self, *args: Any, **kwargs: Any) -> redis.Redis:
        """Return the client; raise RedisError when REDIS_URL cannot be used."""
        return connected()


# What each question of Django's gets of an empty cache. `clear` is none of them: it would empty all
# of Redis, other programs' keys included.
EMPTY: dict[str, Any] = {
    "add": True,
    "delete": False,
    "delete_many": None,
    "get_many": {},
    "has_key": False,
    "set": None,
    "set_many": None,
    "touch": False,
}


class Client:
    """Django's client, whose questions are asked through `of_process`."""

    def __init__(self, servers: list[str]) -> None:
        self._django = DjangosClient(servers, serializer=Serializer)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return one of the questions of the table above."""
        if name not in EMPTY:
            raise AttributeError(name)
        question = getattr(self._django, name)
        return lambda *args: of_process.ask(partial(question, *args), empty=EMPTY[name])

    def get(self, key: str, default: Any) -> Any:
        """Return the value, `default` where there is none."""
        return of_process.ask(partial(self._django.get, key, default), empty=default)

    def incr(self, key: str, delta: int) -> int:
        """Return the sum; raise ValueError where there is no such key, as Django does."""
        if not self.has_key(key):
            raise ValueError(f"There is no key {key!r}.")
        return of_process.ask(partial(self._django.incr, key, delta), empty=delta)


class RedisCache(django_redis.RedisCache):
    """Django's cache in the Redis at REDIS_URL."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = Client

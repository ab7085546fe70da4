"""Both ends of the Redis channel that wakes the worker up: publish and parse.

A message only says "look now". Redis loses what is published while nobody listens, so nothing is
decided from a message but which talk to look for.
"""

import json
import logging
from functools import cache

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from notifications import failpoints, redis_url
from notifications.time_limit import Asker

logger = logging.getLogger(__name__)

TALK_POSTED_CHANNEL = "TALK_POSTED_CHANNEL"

# An upload waits for Redis at most this long to connect and as long again to be answered, and for
# both together, with the look-up of its name, at most twice as long.
# redis-py's defaults stall it for 4.2 s when Redis refuses and 57.8 s when it hangs (measured).
PUBLISH_TIMEOUT_SECONDS = 0.4

# Our messages are one number in JSON; a longer one is not ours.
MAX_MESSAGE_BYTES = 1024
MAX_TALK_ID = 2**63 - 1  # of a BigAutoField


def connect(*, timeout: float) -> redis.Redis:
    """Return a client that reports every failure at once, after `timeout` seconds at most.

    Raise RedisError when REDIS_URL cannot be used.
    """
    return redis.Redis.from_pool(
        redis_url.pool(
            socket_connect_timeout=timeout,
            socket_timeout=timeout,
            retry=Retry(NoBackoff(), 0),
        )
    )


publishing = Asker("publish")


@cache
def publisher() -> redis.Redis:
    """Return the client of this process's uploads."""
    return connect(timeout=PUBLISH_TIMEOUT_SECONDS)


def send(message: str) -> None:
    """Publish a message; raise RedisError or OSError whatever is wrong with Redis."""
    with redis_url.only_redis_errors():
        publisher().publish(TALK_POSTED_CHANNEL, message)


def publish(talk_id: int) -> None:
    """Wake the worker up for a talk; log and go on when Redis is away."""
    failpoints.reach("before_publish")
    message = json.dumps({"talk_id": talk_id})
    try:
        publishing.ask(lambda: send(message), seconds=2 * PUBLISH_TIMEOUT_SECONDS)
    except (redis.RedisError, OSError) as error:
        logger.warning(
            "publish.failed",
            extra={"talk": talk_id, "error": str(error), "then": "the worker's next tick finds it"},
        )


def parse(message: bytes) -> int | None:
    """Return the talk id that a message names, None when it names none (anybody may publish)."""
    if len(message) > MAX_MESSAGE_BYTES:
        return None
    try:
        content = json.loads(message)
    except (ValueError, RecursionError):
        return None
    talk_id = content.get("talk_id") if isinstance(content, dict) else None
    if type(talk_id) is int and 0 < talk_id <= MAX_TALK_ID:
        return talk_id
    return None

"""Both ends of the Redis channel that wakes the worker up: publish and parse.

A message only says "look now". Redis loses what is published while nobody listens, so nothing is
decided from a message but which talk to look for.

Another producer inserts a talk, then publishes `{"talk_id": 42}` as soon as that is committed. Who
cannot do so within ANNOUNCED_WITHIN signs the message (`signed`): whoever can only PUBLISH must not
announce an imported talk.
"""

import json
import logging
from datetime import timedelta
from functools import cache
from typing import NamedTuple

import redis
from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac
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

# How old a talk may be that an unsigned message announces, by the database's clock: whoever inserts
# a talk and publishes at once is well within.
ANNOUNCED_WITHIN = timedelta(seconds=60)
# The key is SHA-256 over this and a SECRET_KEY: it opens nothing else.
HMAC_SALT = "radiotalk.talk_posted"


class Named(NamedTuple):
    """The talk that a message names, and whether who published it knows the key."""

    talk_id: int
    is_signed: bool = False


class WrongHmacError(ValueError):
    """A message carries an HMAC that is none of ours for its talk."""


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


def signed(talk_id: int) -> str:
    """Return the message by which a producer may announce a talk of any age."""
    return json.dumps({"talk_id": talk_id, "hmac": hmac_of(talk_id, key=settings.SECRET_KEY)})


def hmac_of(talk_id: int, *, key: str | bytes) -> str:
    """Return the HMAC-SHA-256 over the talk's id in decimal digits, in hexadecimal ones."""
    return salted_hmac(HMAC_SALT, str(talk_id), secret=key, algorithm="sha256").hexdigest()


def parse(message: bytes) -> Named | None:
    """Return the talk that a message names, None when it names none (anybody may publish).

    Raise WrongHmacError for one whose HMAC is of no key of ours.
    """
    if len(message) > MAX_MESSAGE_BYTES:
        return None
    try:
        content = json.loads(message)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict):
        return None
    talk_id = content.get("talk_id")
    if type(talk_id) is not int or not 0 < talk_id <= MAX_TALK_ID:
        return None
    if "hmac" not in content:
        return Named(talk_id)
    if not is_ours(content["hmac"], talk_id):
        raise WrongHmacError
    return Named(talk_id, is_signed=True)


def is_ours(told: object, talk_id: int) -> bool:
    """Return whether this is the talk's HMAC, by SECRET_KEY or one of its fallbacks."""
    if not (isinstance(told, str) and told.isascii()):
        return False
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return any(constant_time_compare(told, hmac_of(talk_id, key=key)) for key in keys)

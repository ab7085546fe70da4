"""How many listen to the channel, as Redis says: for people to see, nothing is decided by it."""

import time
from dataclasses import dataclass

import redis

from notifications import channel

# A page waits for a Redis that hangs no longer than twice this: to connect, and to be answered.
TIMEOUT_SECONDS = 0.15

# Every page asks, so Redis is asked again only when the last answer is this old.
KEPT_SECONDS = 5.0


@dataclass
class LastAnswer:
    """The last answer of this process, and when it was given."""

    count: int | None = None
    at: float = float("-inf")


last = LastAnswer()


def count() -> int | None:
    """Return how many listened a few seconds ago at most, None when Redis does not answer.

    A subscriber that was stopped counts too: 0 proves that nobody listens, 1 proves nothing.
    """
    if time.monotonic() - last.at > KEPT_SECONDS:
        last.count = ask()
        last.at = time.monotonic()
    return last.count


def ask() -> int | None:
    """Return how many listen now, None when Redis does not answer in time."""
    client = None
    try:
        client = channel.connect(timeout=TIMEOUT_SECONDS)
        return int(client.pubsub_numsub(channel.TALK_POSTED_CHANNEL)[0][1])
    except (redis.RedisError, ValueError):  # a REDIS_URL that is none: checks.py tells
        return None
    finally:
        if client is not None:
            client.close()

"""How many workers listen to the channel, as Redis counts: for people; no decision rests on it."""

import time
from dataclasses import dataclass

import redis

from notifications import channel
from notifications.redis_url import only_redis_errors
from notifications.time_limit import Asker

# A Redis that hangs, or a name server, holds a page up for at most twice this.
TIMEOUT_SECONDS = 0.15

# Every page shows the number, so Redis is asked again only when the last answer is this old.
KEPT_SECONDS = 5.0


@dataclass
class LastAnswer:
    """The last answer that this process got, and when, by the monotonic clock in seconds."""

    count: int | None = None
    at: float = float("-inf")


last = LastAnswer()
asking = Asker("count subscribers")


def count() -> int | None:
    """Return how many listen, or did KEPT_SECONDS ago; None when Redis does not answer.

    Redis counts a subscriber that stands still as well: 0 proves that nobody listens, 1 nothing.
    """
    if time.monotonic() - last.at > KEPT_SECONDS:
        last.count = ask()
        last.at = time.monotonic()
    return last.count


def ask() -> int | None:
    """Return how many listen now, None when Redis does not answer in time."""
    try:
        return asking.ask(subscribers_of_redis, seconds=2 * TIMEOUT_SECONDS)
    except (redis.RedisError, OSError):
        return None


def subscribers_of_redis() -> int:
    """Return how many Redis counts."""
    with channel.connect(timeout=TIMEOUT_SECONDS) as client, only_redis_errors():
        return int(client.pubsub_numsub(channel.TALK_POSTED_CHANNEL)[0][1])

"""When to attempt again: the ladder of each meaning, in seconds.

    unreached      1, 2, 4 … 60                     nothing reached FCM
    not processed  the same                         FCM accepted nothing of it
    throttled      Retry-After, else 60, 120 … 3600
    unavailable    10, 20, 40, 80, 160, then never; Retry-After if longer
    refused us     at once when an operator releases it (the token endpoint refused our key)

https://firebase.google.com/docs/cloud-messaging/scale-fcm (at least 10 s before a retry; jitter).
"""

import random
from collections.abc import Callable

from notifications.fcm.outcomes import Meaning

UNREACHED_MOST_SECONDS = 60.0
THROTTLED_FIRST_SECONDS = 60.0  # FCM: "if there is no Retry-After, 60 seconds"
THROTTLED_MOST_SECONDS = 3600.0
UNAVAILABLE_FIRST_SECONDS = 10.0
UNAVAILABLE_RETRIES = 5

# Waits are stretched by up to this much, so that what failed together does not return together.
JITTER = 0.25


def delay(
    meaning: Meaning,
    *,
    attempt: int,
    retry_after: float,
    uniform: Callable[[float, float], float] = random.uniform,
) -> float | None:
    """Return the seconds from the `attempt`th of its kind to the next, None for no further one.

    Attempts that never reached FCM are one kind, all others the other.
    """
    doubled = 2.0 ** min(attempt - 1, 12)
    if meaning is Meaning.CREDENTIALS_REFUSED:
        return 0.0
    if meaning in (Meaning.UNREACHED, Meaning.NOT_PROCESSED):
        wait = min(doubled, UNREACHED_MOST_SECONDS)
    elif meaning is Meaning.THROTTLED:
        wait = retry_after or min(THROTTLED_FIRST_SECONDS * doubled, THROTTLED_MOST_SECONDS)
    elif attempt <= UNAVAILABLE_RETRIES:
        wait = max(UNAVAILABLE_FIRST_SECONDS * doubled, retry_after)
    else:
        return None
    return wait * uniform(1.0, 1.0 + JITTER)

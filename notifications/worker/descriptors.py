"""Whether the system lets the worker have as many files open as its lanes need (RLIMIT_NOFILE).

Without them lanes cannot connect, and the worker cannot reach a database that was away.
"""

import logging
import math
import resource

logger = logging.getLogger(__name__)

# A lane that sends has 3 (measured): its connection, and the two ends of what wakes it. While it
# connects anew it has one more for each address that it tries, and for each connection that is
# leaving.
FOR_A_LANE = 8
# The database, Redis, the log, files that are read: 6 when all is well (measured).
FOR_ALL_ELSE = 32


def make_room(*, lanes: int) -> None:
    """Raise the soft limit if the lanes need more; warn when the hard one is too low as well."""
    needed = FOR_ALL_ELSE + FOR_A_LANE * lanes
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if number(soft) >= needed:
        return
    limit = min(needed, number(hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (int(limit), hard))
    if limit < needed:
        logger.warning("descriptors.scarce", extra={"limit": limit, "needed": needed})


def number(limit: int) -> float:
    """Return a limit as a number that can be compared."""
    return math.inf if limit == resource.RLIM_INFINITY else limit

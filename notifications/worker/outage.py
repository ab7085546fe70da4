"""An outage is logged twice: at its start, and at its end with its length."""

import logging
import time
from dataclasses import dataclass

from django.db import InterfaceError, InternalError, OperationalError

logger = logging.getLogger(__name__)

# What Django raises when the database is away; its other errors are the fault of a notification.
DATABASE_AWAY = (OperationalError, InterfaceError, InternalError)


@dataclass
class Outage:
    """Whether something that the worker needs is away, and since when (monotonic seconds).

    `begins` and `ends` are the words that the log has for it.
    """

    of: str
    begins: str = "away"
    ends: str = "back"
    since: float | None = None

    def begin(self, error: Exception) -> None:
        """Note that it is away; log only the first error of an outage."""
        if self.since is None:
            self.since = time.monotonic()
            logger.error("%s.%s", self.of, self.begins, extra={"error": str(error).strip()})

    def end(self) -> None:
        """Note that it is there."""
        if self.since is not None:
            seconds = round(time.monotonic() - self.since, 1)
            logger.warning("%s.%s", self.of, self.ends, extra={"after_seconds": seconds})
            self.since = None

"""An outage is logged twice: at its start, and at its end with its length."""

import logging
import time
from dataclasses import dataclass
from typing import Any

logger = logging.getLogger(__name__)


@dataclass
class Outage:
    """Whether something that the worker needs is away, and since when (monotonic seconds).

    It is when errors have come for `sure_after` seconds, and no sign that it is there. `begins` and
    `ends` are the words that the log has for it.
    """

    of: str
    begins: str = "away"
    ends: str = "back"
    since: float | None = None
    sure_after: float = 0.0
    error: str = ""  # the last one
    _first_at: float | None = None  # when the first error came
    _last_at: float = 0.0  # when the last one came

    def begin(self, error: object, **about: Any) -> None:
        """Note an error; log only the first of an outage."""
        now = time.monotonic()
        self.error, self._last_at = str(error).strip(), now
        if self._first_at is None:
            self._first_at = now
        if self.since is None and now - self._first_at >= self.sure_after:
            self.since = self._first_at
            logger.error("%s.%s", self.of, self.begins, extra={"error": self.error, **about})

    def end(self) -> None:
        """Note that it is there."""
        self._first_at = None
        if self.since is not None:
            about = {"after_seconds": round(self.seconds, 1)}
            logger.warning("%s.%s", self.of, self.ends, extra=about)
            self.since = None

    @property
    def quiet_for(self) -> float:
        """Return for how many seconds no error has come."""
        return time.monotonic() - self._last_at

    @property
    def seconds(self) -> float:
        """Return how long it has been away."""
        return time.monotonic() - self.since if self.since is not None else 0.0

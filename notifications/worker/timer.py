"""A timer on the monotonic clock, for what the loop does every so often."""

import time
from dataclasses import dataclass


@dataclass
class Timer:
    """Due at once, and again `every` seconds after each `restart`."""

    every: float  # seconds
    at: float = 0.0  # when it is due, on the monotonic clock

    def due(self) -> bool:
        """Return whether the time has come."""
        return time.monotonic() >= self.at

    def left(self) -> float:
        """Return the seconds until it is due."""
        return max(self.at - time.monotonic(), 0.0)

    def restart(self) -> None:
        """Count from now."""
        self.at = time.monotonic() + self.every

    def ring(self) -> None:
        """Make it due at once."""
        self.at = 0.0

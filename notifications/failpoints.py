"""Failpoints: places where a test makes this process die or stop. Without the setting none is set.

NOTIFICATIONS_FAILPOINTS names them with what to do there, separated by commas: `after_claim=kill`,
or `request_written=kill@26` for the 26th time, or `after_claim/7=kill` for notification 7 only.
Production does not start with them (radiotalk/production.py). This module imports no Django: the
lanes reach some places.
"""

import itertools
import os
import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

PLACES = {
    "before_publish": "a talk is committed, the worker is not woken yet",
    "before_claim": "a notification has its turn, nothing is claimed",
    "after_claim": "a claim is committed, no lane knows of it",
    "request_written": "a request was given to the socket",
    "before_record": "answers are read, and not in the database",
    "before_close": "all answers are recorded, the notification is not done",
}
ACTIONS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


@dataclass
class Failpoint:
    """What to do to this process the `nth` time that it reaches the place."""

    action: signal.Signals
    nth: int = 1
    times: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def reach(self) -> None:
        """Count, and act at the `nth` time; counting is one step, so threads may share it."""
        if next(self.times) == self.nth:
            os.kill(os.getpid(), self.action)


armed: dict[str, Failpoint] = {}


def arm(wanted: Iterable[str]) -> None:
    """Set these failpoints (PLACE=ACTION) and no others; raise ValueError for any other text."""
    armed.clear()
    for each in wanted:
        place, _, what = each.partition("=")
        action, at, nth = what.partition("@")
        is_one = place.partition("/")[0] in PLACES and action in ACTIONS
        if not is_one or (at and not nth.isdecimal()):
            raise ValueError(  # without the text, which may be a secret by mistake
                f"something is no failpoint: say one of {', '.join(PLACES)} "
                f"with one of {', '.join(ACTIONS)}, such as after_claim=kill."
            )
        armed[place] = Failpoint(ACTIONS[action], int(nth or 1))


def reach(place: str, notification_id: int | None = None) -> None:
    """Do what is set for this place, of this notification or of any."""
    if armed:
        for name in (place, f"{place}/{notification_id}"):
            if name in armed:
                armed[name].reach()

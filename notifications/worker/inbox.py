"""The inbox: the one queue through which wake-ups, results and stops reach the invoker."""

import time
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from uuid import UUID

from notifications.fcm.outcomes import Verdict

from .work import Result

# Results come thick, and a turn of the loop costs almost the same for one as for a hundred.
GATHER_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Wake:
    """Something may be due: look into the database. `why` is for debugging and tests."""

    why: str


@dataclass(frozen=True, slots=True)
class TalkPosted:
    """A message named this talk; it was signed by who knows the key (channel.py)."""

    talk_id: int
    is_signed: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """There are results, mostly of one lane; each makes room for another target."""

    results: tuple[Result, ...]


@dataclass(frozen=True, slots=True)
class Tried:
    """A lane connected ahead, or asked for an access token; `failure` is a code of the log's."""

    failure: str = ""  # "" when it went well
    is_of_credentials: bool = False


@dataclass(frozen=True, slots=True)
class Tested:
    """The one POST of an operator's test has come to this."""

    test_id: UUID
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class HelperDied:
    """A thread that the worker needs has ended."""

    name: str
    error: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Finish what is in flight, then end."""

    why: str


Event = Wake | TalkPosted | Answered | Tried | Tested | HelperDied | Stop


class Inbox:
    """A SimpleQueue, since signal handlers add events: with a Queue they deadlock (measured)."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Event] = SimpleQueue()

    def put(self, event: Event) -> None:
        """Add an event, from any thread or signal handler."""
        self._queue.put(event)

    def drain(self, *, timeout: float) -> list[Event]:
        """Return all events that are there, or wait up to `timeout` seconds for the first.

        If the awaited one brings results, others gather for a moment.
        """
        events = self._there()
        if events or timeout <= 0:
            return events
        try:
            events.append(self._queue.get(timeout=timeout))
        except Empty:
            return events
        if isinstance(events[0], Answered):
            time.sleep(GATHER_SECONDS)
        return events + self._there()

    def _there(self) -> list[Event]:
        events: list[Event] = []
        with suppress(Empty):
            while True:
                events.append(self._queue.get_nowait())
        return events

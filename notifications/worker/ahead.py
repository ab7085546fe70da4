"""Ahead: targets that are claimed and wait for a free stream, in one place for all lanes.

A lane takes from here as soon as a stream of its connection is free. So no stream stands idle while
anything is claimed, and slow answers on one connection hold back nothing but themselves.
"""

import time
from collections import deque
from collections.abc import Container, Iterable, Iterator
from contextlib import suppress
from threading import Lock

from notifications.fcm.failures import Failure
from notifications.fcm.outcomes import Meaning, Verdict

from .work import Job, Result, Target

NOT_SENT = Verdict(Meaning.UNREACHED, code=Failure.NOT_SENT)


class Ahead:
    """The main thread adds and takes back, lanes take, the oldest first.

    A deque needs no lock for that: each of its methods is one call into C, during which no other
    thread runs.
    """

    def __init__(self, lanes: int) -> None:
        self._waiting: deque[tuple[Job, Target]] = deque()
        self.until = 0.0  # on the monotonic clock: when the lease ends, unless it is renewed
        self._lanes = lanes  # that are alive
        self._leaving = Lock()
        self.is_closed = False  # nothing will be added any more
        self.more_comes = False  # something is left to claim, as soon as there is room
        self.lulls = 0  # how often that ended

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def may_begin(self) -> bool:
        """Return whether the lease is held, as far as this process knows."""
        return time.monotonic() < self.until

    @property
    def is_wanting(self) -> bool:
        """Return whether an idle stream would be used, if only the claims were here in time."""
        return bool(self._waiting) or self.more_comes

    @property
    def is_deserted(self) -> bool:
        """Return whether no lane is left to take anything."""
        return not self._lanes

    def expect(self, *, more: bool) -> None:
        """Note whether something is left to claim, as soon as there is room."""
        self.lulls += self.more_comes and not more
        self.more_comes = more

    def add(self, jobs: Iterable[Job]) -> bool:
        """Add claimed targets; return whether lanes may sleep though they have free streams.

        They sleep only where nothing waits. So where something waited already, nobody has to be
        woken.
        """
        more = [(job, target) for job in jobs for target in job.targets]
        self._waiting.extend(more)
        return bool(more) and len(self._waiting) <= len(more)

    def take(self, most: int) -> Iterator[tuple[Job, Target]]:
        """Yield the next targets, each taken only when it is asked for."""
        with suppress(IndexError):
            for _ in range(most):
                yield self._waiting.popleft()

    def give_up(self) -> tuple[Result, ...]:
        """Take all that waits; return that none of it was sent."""
        return tuple(
            Result.of(job, target, NOT_SENT) for job, target in self.take(len(self._waiting))
        )

    def withdraw(self, notification_ids: Container[int]) -> tuple[Result, ...]:
        """Take what waits of these notifications; return that none of it was sent.

        The others stay where they are, for lanes that see nothing waiting would end or sleep.
        """
        withdrawn = []
        for job, target in self._waiting.copy():
            if job.notification_id in notification_ids:
                with suppress(ValueError):  # a lane was faster
                    self._waiting.remove((job, target))
                    withdrawn.append(Result.of(job, target, NOT_SENT))
        return tuple(withdrawn)

    def leave(self) -> None:
        """Note that a lane has died."""
        with self._leaving:
            self._lanes -= 1

"""The lease, proof of being the one active worker: a row with a fencing epoch, in the database.

No claim rests on a clock: it is fenced by holder and epoch within its own transaction. The time to
live says when a standby may take over from a worker that has fallen silent, on the database's
clock; and, on the worker's monotonic clock, until when it may begin to send. A worker that is
restarted after a kill -9 waits for the dead one's lease to expire (docs/decisions/0002).

The row also tells a database that was put back to an earlier state: its epoch and its count of
commits only grow, so a worker that has seen more finds out. Each fenced transaction counts, thus
not one that was committed can be gone unseen.
"""

import os
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any, NoReturn

from django.db import OperationalError, transaction
from django.db.models import CharField, F, Max, PositiveBigIntegerField

from notifications.models import Notification, Standby, WorkerLease
from notifications.models.compiled import Given, Update
from notifications.models.control import WorkerLeaseQuerySet
from radiotalk.os_text import storable

NAME = "sender"
BIG = PositiveBigIntegerField()


class LeaseLostError(Exception):
    """Another worker has taken over: nothing more may be begun under this lease."""


class LeaseGoneError(OperationalError):
    """The row of the lease is gone, as it is while a backup is restored: the database is away."""


class RestoredError(Exception):
    """The database knows less than a worker has seen: it was put back to an earlier state."""

    def __init__(self, *, remembered: int, found: int) -> None:
        super().__init__(
            f"restored? A worker remembers epoch {remembered} of this database, which is in epoch "
            f"{found} and knows less: it was put back to an earlier state, and going on would send "
            "again. Nothing is sent until `manage.py sending restored --reason TEXT` has been run."
        )


class LeaseState(Enum):
    """Whose lease it is, as far as its row tells."""

    HELD = auto()  # still ours
    ACQUIRED = auto()  # ours from now on, in a new epoch
    AWAITED = auto()  # another worker's, which may be dead; then the lease expires
    TAKEN = auto()  # another worker's, which was seen alive


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lease, and when it was last renewed."""

    name: str
    epoch: int
    heartbeat_at: datetime | None


def new_holder() -> str:
    """Return a name that tells people where the worker runs, and that no other worker has."""
    return f"{storable(socket.gethostname())}:{os.getpid()}:{secrets.token_hex(4)}"


def last_epoch() -> int:
    """Return the last epoch in which anything was claimed, for a lease row created anew."""
    return Notification.objects.aggregate(last=Max("epoch"))["last"] or 0


# Each claim counts itself by this, if the lease is still held and knows all that was committed.
FENCE = Update(
    lambda: (
        WorkerLease.objects.filter(
            name=NAME, holder=Given("holder", CharField()), epoch=Given("epoch", BIG)
        ).knowing(epoch=Given("epoch", BIG), commits=Given("commits", BIG)),
        {"commits": F("commits") + 1},
    )
)


def lease_row() -> WorkerLeaseQuerySet:
    """Return the one row, as a queryset to be changed."""
    return WorkerLease.objects.filter(name=NAME)


@dataclass
class Lease:
    """This process's hold on the lease; `epoch` is 0 while it has none.

    `until` tells on this process's monotonic clock when the lease ends unless it is renewed: what
    was claimed may have waited while this process stood still. A clock that stood still too, since
    the whole machine was suspended, cannot tell.
    """

    ttl: timedelta
    holder: str = field(default_factory=new_holder)
    settings: Callable[[], dict[str, Any]] = dict  # returns this worker's, for people to see
    epoch: int = 0
    until: float = 0.0
    rival: Holder | None = None
    seen_epoch: int = 0  # the latest, whoever had it
    seen_commits: int = 0

    def keep(self, **figures: Any) -> LeaseState:
        """Renew the lease, or try to get it, and show these figures of the worker with it.

        Raise LeaseLostError if it was taken over, RestoredError if the database was put back.
        """
        until = time.monotonic() + self.ttl.total_seconds()
        if self.epoch:
            ours = self._known()
            figures |= {"settings": self.settings(), "ttl": self.ttl}
            if not ours.renew(holder=self.holder, epoch=self.epoch, **figures):
                self.lose()
            self.until = until
            return LeaseState.HELD
        row = self.look()
        if self._known().acquire(holder=self.holder, ttl=self.ttl, settings=self.settings()):
            epoch = self.look().epoch
            Standby.objects.withdraw(holder=self.holder)
            # Last: what fails before is begun anew, in an epoch that settles the ones before it.
            self.epoch, self.until, self.rival = epoch, until, None
            return LeaseState.ACQUIRED
        return self._watch(row)

    @property
    def is_held(self) -> bool:
        """Return whether the lease is held, as far as this process knows; from any thread."""
        return bool(self.epoch) and time.monotonic() < self.until

    def settings_before(self) -> dict[str, Any]:
        """Return the settings of the holder before this one, as far as they are known."""
        return lease_row().get().settings_before or {}

    def fence(self) -> None:
        """Raise LeaseLostError unless held, and lock the lease until the transaction ends.

        A worker that takes the lease over waits for that transaction, and a worker that has lost
        the lease is told so. Thus no claim commits after one of a later epoch. No clock is asked.
        """
        if not FENCE(holder=self.holder, epoch=self.epoch, commits=self.seen_commits):
            self.lose()
        transaction.on_commit(self._committed)

    def lose(self) -> NoReturn:
        """Forget the lease, and raise LeaseLostError, or RestoredError if that is why."""
        self.epoch = 0
        self.look()
        raise LeaseLostError

    def look(self) -> WorkerLease:
        """Return the row, and remember how far it has come; raise RestoredError if it fell back."""
        row = lease_row().first() or self._new_row()
        if not self._known().exists():
            remembered = max(row.remembered_epoch or 0, self.seen_epoch)
            raise RestoredError(remembered=remembered, found=row.epoch)
        self.seen_epoch, self.seen_commits = row.epoch, row.commits
        return row

    def tell_restored(self) -> None:
        """Have the database remember that it was put back: a worker started anew cannot know."""
        lease_row().distrust(epoch=self.seen_epoch)

    def doubt(self) -> None:
        """Forget the hold: after a failed statement nobody knows what was committed under it."""
        self.epoch = 0

    def announce(self) -> None:
        """Say that this worker waits for the lease."""
        Standby.objects.announce(holder=self.holder, settings=self.settings())

    def release(self) -> None:
        """Give the lease back, so that a standby need not wait for it to expire."""
        if self.epoch:
            lease_row().give_back(holder=self.holder, epoch=self.epoch)
            self.epoch = 0
        elif self.rival:
            Standby.objects.withdraw(holder=self.holder)

    def _known(self) -> WorkerLeaseQuerySet:
        """Return the one row, unless it has fallen behind what this worker has seen."""
        return lease_row().knowing(epoch=self.seen_epoch, commits=self.seen_commits)

    def _new_row(self) -> WorkerLease:
        """Return the row after creating it; not where it has been before: it may come back."""
        if self.seen_epoch:
            raise LeaseGoneError("the lease's row is gone: is a backup being restored?")
        row, _created = WorkerLease.objects.get_or_create(
            name=NAME, defaults={"epoch": last_epoch()}
        )
        return row

    def _committed(self) -> None:
        self.seen_commits += 1

    def _watch(self, row: WorkerLease) -> LeaseState:
        """Return TAKEN if a rival was seen to renew the lease, AWAITED if it may be dead."""
        seen = self.rival
        self.rival = Holder(row.holder, row.epoch, row.heartbeat_at) if row.holder else None
        if seen and self.rival and seen != self.rival:
            return LeaseState.TAKEN
        return LeaseState.AWAITED

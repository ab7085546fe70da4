"""The lease, proof of being the one active worker: a row with a fencing epoch, in the database.

No claim rests on a clock: it is fenced by holder and epoch within its own transaction. The time to
live says when a standby may take over from a worker that has fallen silent, on the database's
clock; and, on the worker's monotonic clock, until when it may begin to send. A worker that is
restarted after a kill -9 waits for the dead one's lease to expire (docs/decisions/0002).
"""

import os
import secrets
import socket
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any

from django.db.models import CharField, Max, PositiveBigIntegerField

from notifications.models import Notification, Standby, WorkerLease
from notifications.models.compiled import Given, Select
from notifications.models.control import WorkerLeaseQuerySet
from notifications.os_text import storable

NAME = "sender"


class LeaseLostError(Exception):
    """Another worker has taken over: nothing more may be begun under this lease."""


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


# Each claim asks this: whether the lease is still held, and lock it until the transaction ends.
FENCE = Select(
    lambda: WorkerLease.objects.fenced(
        name=NAME,
        holder=Given("holder", CharField()),
        epoch=Given("epoch", PositiveBigIntegerField()),
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
    settings: dict[str, Any] = field(default_factory=dict)  # of this worker, for people to see
    epoch: int = 0
    until: float = 0.0
    rival: Holder | None = None

    def keep(self, **figures: Any) -> LeaseState:
        """Renew the lease, or try to get it; raise LeaseLostError if it was taken over.

        With the lease the worker shows these figures of its own.
        """
        until = time.monotonic() + self.ttl.total_seconds()
        if self.epoch:
            ours = lease_row()
            if not ours.renew(holder=self.holder, epoch=self.epoch, ttl=self.ttl, **figures):
                self.lose()
            self.until = until
            return LeaseState.HELD
        if not lease_row().exists():
            WorkerLease.objects.get_or_create(name=NAME, defaults={"epoch": last_epoch()})
        if lease_row().acquire(holder=self.holder, ttl=self.ttl, settings=self.settings):
            self.epoch = lease_row().get().epoch
            self.until = until
            self.rival = None
            Standby.objects.withdraw(holder=self.holder)
            return LeaseState.ACQUIRED
        return self._watch()

    def settings_before(self) -> dict[str, Any]:
        """Return the settings of the holder before this one, as far as they are known."""
        return lease_row().get().settings_before or {}

    def fence(self) -> None:
        """Raise LeaseLostError unless held; nobody takes the lease until the transaction ends."""
        if not FENCE(holder=self.holder, epoch=self.epoch):
            self.lose()

    def lose(self) -> None:
        """Forget the lease, and raise LeaseLostError."""
        self.epoch = 0
        raise LeaseLostError

    def doubt(self) -> None:
        """Forget the hold: after a failed statement nobody knows what was committed under it."""
        self.epoch = 0

    def announce(self) -> None:
        """Say that this worker waits for the lease."""
        Standby.objects.announce(holder=self.holder, settings=self.settings)

    def release(self) -> None:
        """Give the lease back, so that a standby need not wait for it to expire."""
        if self.epoch:
            lease_row().give_back(holder=self.holder, epoch=self.epoch)
            self.epoch = 0
        elif self.rival:
            Standby.objects.withdraw(holder=self.holder)

    def _watch(self) -> LeaseState:
        """Return TAKEN if a rival was seen to renew the lease, AWAITED if it may be dead."""
        row = lease_row().held()
        seen = self.rival
        self.rival = Holder(row.holder, row.epoch, row.heartbeat_at) if row else None
        if seen and self.rival and seen != self.rival:
            return LeaseState.TAKEN
        return LeaseState.AWAITED

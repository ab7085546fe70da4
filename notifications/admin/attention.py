"""What the banner and the start page say: who works, what is open, and what needs an operator."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from notifications.models import Standby
from notifications.operators.differences import differences
from notifications.operators.situation import OpenNotifications, Situation, open_notifications
from notifications.operators.troubles import Listening, Trouble, find

from . import subscribers


@dataclass(frozen=True, slots=True)
class Sign:
    """A worker's sign of life: where it runs, since when, and how long ago the sign was."""

    host: str
    process: str
    since: datetime | None
    heartbeat: timedelta | None

    @classmethod
    def of(
        cls, holder: str, *, since: datetime | None, heartbeat_at: datetime | None, now: datetime
    ) -> "Sign":
        """Return the sign of a worker, whose name is `host:process:…`."""
        host, _colon, rest = holder.partition(":")
        ago = max(now - heartbeat_at, timedelta()) if heartbeat_at else None
        return cls(host, rest.partition(":")[0], since, ago)


@dataclass(frozen=True)
class Attention:
    """What one look found. A look costs two statements; Redis is asked every few seconds."""

    situation: Situation
    open: OpenNotifications
    standbys: list[Standby]
    subscribers: int | None

    @cached_property
    def needs(self) -> list[Trouble]:
        """Return what needs an operator."""
        listening = Listening(counted=self.subscribers, known=self.known_workers)
        return list(find(self.situation, self.open, listening, self.standbys))

    @property
    def worker(self) -> Sign | None:
        """Return the sign of the active worker, None without one."""
        lease = self.situation.holder
        if lease is None:
            return None
        return Sign.of(
            lease.holder,
            since=lease.acquired_at,
            heartbeat_at=lease.heartbeat_at,
            now=self.situation.now,
        )

    @property
    def settings_changed(self) -> str:
        """Return how the active worker's settings differ from those of the one before it."""
        lease = self.situation.holder
        if not (lease and lease.settings and lease.settings_before):
            return ""
        # A key is replaced under a running worker, too: that is no change of workers.
        before = {**lease.settings_before, "KEY": lease.settings.get("KEY")}
        return differences(before, lease.settings)

    @property
    def waiting(self) -> list[Sign]:
        """Return the signs of the standbys."""
        now = self.situation.now
        return [
            Sign.of(each.holder, since=each.since, heartbeat_at=each.heartbeat_at, now=now)
            for each in self.standbys
        ]

    @property
    def known_workers(self) -> int:
        """Return how many should listen to Redis: the active one and its standbys."""
        return (1 if self.situation.holder else 0) + len(self.waiting)


def look(situation: Situation) -> Attention:
    """Return what the start page and the banner say of this situation."""
    return Attention(
        situation=situation,
        open=open_notifications(),
        standbys=list(Standby.objects.alive().order_by("since")[:20]),
        subscribers=subscribers.count(),
    )

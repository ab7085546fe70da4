"""What needs an operator, each with what to do and where: the banner and the start page say it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Min, Q, Sum
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from notifications.models import Notification, Standby
from notifications.operators.status import SILENT_SECONDS, WAITING_SECONDS, Situation

from . import subscribers

State = Notification.State


@dataclass(frozen=True, slots=True)
class Need:
    """What is wrong, what to do about it, and the page where that is done."""

    what: str
    todo: str
    url: str = ""
    urgent: bool = True


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
        """Return it from a holder's name, `host:process:…`."""
        host, _colon, rest = holder.partition(":")
        ago = max(now - heartbeat_at, timedelta()) if heartbeat_at else None
        return cls(host, rest.partition(":")[0], since, ago)


@dataclass(frozen=True)
class Attention:
    """What one look found; two statements, and Redis every few seconds."""

    situation: Situation
    open: dict[str, Any]
    standbys: list[Standby]
    subscribers: int | None
    needs: list[Need] = field(default_factory=list)

    @property
    def worker(self) -> Sign | None:
        """Return who is active."""
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
    def waiting(self) -> list[Sign]:
        """Return the standbys that gave a sign of life of late."""
        now, silent = self.situation.now, timedelta(seconds=SILENT_SECONDS)
        return [
            Sign.of(each.holder, since=each.since, heartbeat_at=each.heartbeat_at, now=now)
            for each in self.standbys
            if now - each.heartbeat_at <= silent
        ]

    @property
    def known_workers(self) -> int:
        """Return how many should listen to Redis: the active one and its standbys."""
        return (1 if self.situation.holder else 0) + len(self.waiting)


def look(situation: Situation) -> Attention:
    """Return what needs an operator in this situation."""
    found = Attention(
        situation=situation,
        open=open_notifications(),
        standbys=list(Standby.objects.order_by("since")[:20]),
        subscribers=subscribers.count(),
    )
    found.needs.extend([*of_the_worker(found), *of_redis(found), *of_notifications(found)])
    return found


def open_notifications() -> dict[str, Any]:
    """Return what waits, is held or in doubt: one statement, over rows that indexes find."""
    return Notification.objects.filter(
        Q(state__in=[*Notification.ACTIVE_STATES, State.HELD]) | Q(unknown_count__gt=0)
    ).aggregate(
        pending=Count("id", filter=Q(state=State.PENDING)),
        sending=Count("id", filter=Q(state=State.SENDING)),
        held=Count("id", filter=Q(state=State.HELD)),
        oldest_at=Min("created_at", filter=Q(state=State.PENDING)),
        oldest_id=Min("id", filter=Q(state=State.PENDING)),
        unknown=Sum("unknown_count", default=0),
        unknown_in=Count("id", filter=Q(unknown_count__gt=0)),
    )


def of_the_worker(found: Attention) -> Iterator[Need]:
    """Yield what is wrong with the worker."""
    start = _("Start one: manage.py listen_notifications --standby")
    now = found.situation.now
    if found.situation.holder is None:
        yield Need(_("No worker is active: nothing is sent."), start)
    elif found.situation.worker_is_silent:
        yield Need(
            _("The worker %(worker)s has fallen silent.")
            % {"worker": found.situation.holder.holder},
            _("Look at its log; a standby takes over by itself. %(start)s") % {"start": start},
        )
    oldest = found.open["oldest_at"]
    if (
        oldest
        and now - oldest > timedelta(seconds=WAITING_SECONDS)
        and not found.situation.switch.paused
    ):
        yield Need(
            _("Notification %(number)s has been due for %(seconds)d s and was not started.")
            % {"number": found.open["oldest_id"], "seconds": (now - oldest).total_seconds()},
            _("Look at the worker and its log."),
            page_of(found.open["oldest_id"]),
        )


def of_redis(found: Attention) -> Iterator[Need]:
    """Yield what Redis' number of subscribers says of the workers: each listens once."""
    listening = found.subscribers
    if listening is None:
        yield Need(
            _("Redis does not answer."),
            _("Talks are found by the worker's tick, up to a second later. Look at Redis."),
            urgent=False,
        )
        return
    known = found.known_workers
    if listening > max(known, 1):
        yield Need(
            _("%(count)d workers listen to Redis, and only %(known)d are known here.")
            % {"count": listening, "known": known},
            _("Somebody's worker uses another database: find it and stop it, or pause first."),
            reverse("admin:notifications_sendingswitch_pause"),
        )
    elif found.situation.holder and listening == 0:
        yield Need(
            _("The worker does not hear Redis."),
            _("Talks are found by its tick, up to a second later. Look at its log and REDIS_URL."),
            urgent=False,
        )


def of_notifications(found: Attention) -> Iterator[Need]:
    """Yield what waits for an operator's decision."""
    held, unknown = found.open["held"], found.open["unknown"]
    address = reverse("admin:notifications_notification_changelist")
    if held:
        yield Need(
            ngettext("%(count)d notification is held.", "%(count)d notifications are held.", held)
            % {"count": held},
            _("Read why, then release or cancel."),
            f"{address}?state__exact={State.HELD}",
        )
    if unknown:
        yield Need(
            ngettext("%(count)d delivery is unknown.", "%(count)d deliveries are unknown.", unknown)
            % {"count": unknown},
            _("It may or may not have arrived: settle it on the notification's page."),
            f"{address}?unknown=yes",
            urgent=False,
        )


def page_of(notification_id: int) -> str:
    """Return the address of a notification's page."""
    return reverse("admin:notifications_notification_change", args=[notification_id])

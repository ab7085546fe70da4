"""Opening: finds the notifications that are due, and starts, resumes or ends each."""

import logging
import math
import time
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import DatabaseError

from notifications import reasons
from notifications.channel import ANNOUNCED_WITHIN
from notifications.database_errors import DATABASE_AWAY
from notifications.models import Notification
from notifications.models.notification import max_age

from .fanout import Fanout
from .inbox import TalkPosted
from .repository.due import Due, is_stopped
from .rotation import Rotation
from .telemetry import Telemetry
from .timer import Timer

logger = logging.getLogger(__name__)

# The longest time between two looks into the database: Redis may have lost a message, a retry may
# have become due, a notification may have become too old.
TICK_SECONDS = 1.0
# How long one look may go on starting notifications, each in its own transaction. After an outage
# many wait, and meanwhile nothing is claimed or recorded and the lease is not renewed.
BEGIN_SECONDS = 0.25
# The log tells at most so often that talks were too old for their messages: anybody may publish.
TELLING_SECONDS = 60.0
# When a signed message came, for the age of its talk: that does not matter.
SIGNED = -math.inf


class Opening:
    """Looks into the database at each wake-up and each tick, and updates the rotation from it."""

    def __init__(self, due: Due, rotation: Rotation, telemetry: Telemetry) -> None:
        self._due = due
        self._rotation = rotation
        self._telemetry = telemetry
        # By messages, since the last look, and when the first of them came (monotonic clock).
        self._named_talks: dict[int, float] = {}
        self._telling = Timer(TELLING_SECONDS)
        self.timer = Timer(TICK_SECONDS)

    def note_talk(self, posted: TalkPosted) -> None:
        """Look at once. Remember the talk: one of another producer has no notification yet."""
        came_at = SIGNED if posted.is_signed else time.monotonic()
        earliest = self._named_talks.get(posted.talk_id, came_at)
        self._named_talks[posted.talk_id] = min(came_at, earliest)
        self.timer.ring()

    def forget_named(self) -> None:
        """Leave the named talks to the active worker, which heard the same messages."""
        self._named_talks.clear()

    def look(self, now: datetime) -> bool:
        """Read from the database what is due, if it is time to; return whether it was."""
        if not self.timer.due():
            return False
        if self._named_talks:
            self._add_missing(now)
        active = {each.id: each for each in self._due.active()}
        self._rotation.keep_only(active)
        switch = self._due.switch()
        begun = [each for each in active.values() if each.id in self._rotation]
        self._rotation.stopped |= {each.id for each in begun if is_stopped(each, switch, now=now)}
        is_complete = self._open_all(active.values(), now)
        waiting = [each.waits_since for each in active.values() if each.id not in self._rotation]
        self._telemetry.looked(waits_since=min(waiting, default=None), switch=switch, now=now)
        for notification_id in self._due.with_retries(self._rotation.ids(), now=now):
            self._rotation[notification_id].retries_due = True
        self.timer.restart()
        if not is_complete:
            self.timer.ring()
        return True

    def _add_missing(self, now: datetime) -> None:
        """Write the notifications that named talks lack, and tell of those that get none.

        A talk's age counts when its message came: the database may have been away since.
        """
        looked_at = time.monotonic()
        most_ages = {
            talk_id: timedelta.max
            if came_at == SIGNED
            else ANNOUNCED_WITHIN + timedelta(seconds=looked_at - came_at)
            for talk_id, came_at in self._named_talks.items()
        }
        too_old = self._due.add_missing(most_ages, now=now)
        self._named_talks.clear()
        if too_old and self._telling.due():
            self._telling.restart()
            logger.warning(
                "talk.not_announced",
                extra={"talk": too_old[0], "talks": len(too_old), "reason": "older than a minute"},
            )

    def _open_all(self, active: Iterable[Notification], now: datetime) -> bool:
        """Start, resume or end each; return False when some must wait for the next look."""
        enough_at = time.monotonic() + BEGIN_SECONDS
        is_complete = True
        for notification in active:
            if notification.created_at + max_age() < now:
                self._end_overdue(notification, now)
            elif notification.id in self._rotation:
                self._rotation[notification.id].encode(notification, now=now)
            elif self._rotation.has_work and time.monotonic() >= enough_at:
                is_complete = False
            else:
                self._begin(notification, now)
        return is_complete

    def _end_overdue(self, notification: Notification, now: datetime) -> None:
        """Send no more of a notification whose time is up."""
        self._rotation.drop(notification.id)
        state = self._due.end_overdue(notification, now=now)
        logger.warning(
            "notification.overdue",
            extra={"notification": notification.id, "state": state, **notification.counts()},
        )

    def _begin(self, notification: Notification, now: datetime) -> None:
        """Start a pending notification, or resume one that was being sent.

        An error of one notification holds that one, and the others go on.
        """
        if notification.talk is None:
            self._due.cancel(notification.id, reason=reasons.TALK_DELETED, now=now)
            logger.warning("notification.cancelled", extra={"notification": notification.id})
            return
        try:
            if notification.state == Notification.State.SENDING or self._start(notification, now):
                self._rotation.add(Fanout.of(notification, now=now))
        except DATABASE_AWAY:
            raise
        except (ValueError, DatabaseError) as error:
            reason = reasons.CANNOT_BE_STARTED % {"error": error}
            self._due.hold(notification.id, reason=reason, now=now)

    def _start(self, notification: Notification, now: datetime) -> bool:
        """Freeze how a pending notification is sent; return False if it has to wait."""
        decision = self._due.start(notification, now=now)
        if decision is None:
            return False
        logger.info(
            "notification.started",
            extra={
                "notification": notification.id,
                "talk": notification.talk_id,
                "dry_run": decision.dry_run,
                "reason": decision.reason,
            },
        )
        return True

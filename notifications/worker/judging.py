"""Judging: holds notifications whose answers blame us, and disables devices that are gone."""

import logging
from collections import deque
from collections.abc import Collection
from datetime import datetime

from notifications import reasons
from notifications.fcm.outcomes import Meaning

from .blame import by_platform, reason_at_the_end
from .brakes import Objection
from .fanout import Fanout
from .repository import Repository
from .work import Target

logger = logging.getLogger(__name__)

# How many devices are pruned at once; the loop turns in between.
SLICE = 1_000


class Judging:
    """Asks the brakes of a notification, and the database what they cannot know."""

    def __init__(self, repository: Repository, *, lanes: int) -> None:
        self._due = repository.due
        self._results = repository.results
        self._lanes = lanes
        self._to_prune: deque[tuple[int, list[Target]]] = deque()

    def hold(self, fanout: Fanout, now: datetime, *, final: bool) -> bool:
        """Leave the notification to an operator if its answers say so; return whether they do.

        `final` says that no more answers are expected, as far as memory knows.
        """
        objection = self._objection(fanout, final=final)
        if not objection:
            return False
        if final and not self._due.is_complete(fanout.notification_id):
            return False  # some are to be attempted again
        brakes = " ".join(sorted({*fanout.tally.seen, objection.brake} - {""}))
        self._due.hold(fanout.notification_id, reason=objection.reason, brake=brakes, now=now)
        return True

    def disable_refused(self, fanout: Fanout, now: datetime, *, final: bool) -> None:
        """Send no more to the devices that FCM proved to be gone; at the end, prune by and by."""
        for meaning, devices in fanout.tally.to_disable(final=final).items():
            self._disable(fanout.notification_id, devices, meaning, now)
        superseded = fanout.tally.superseded if final else []
        for at in range(0, len(superseded), SLICE):
            self._to_prune.append((fanout.notification_id, superseded[at : at + SLICE]))

    def prune(self, now: datetime) -> None:
        """Disable the next devices whose users were reached on younger ones."""
        if self._to_prune:
            notification_id, devices = self._to_prune[0]
            replaced = self._results.replaced(notification_id, devices)
            self._disable(notification_id, replaced, Meaning.UNREGISTERED, now)
            self._to_prune.popleft()

    def _disable(
        self, notification_id: int, devices: Collection[Target], meaning: Meaning, now: datetime
    ) -> None:
        count = self._results.disable(devices, reason=reasons.REFUSED[meaning], now=now)
        about = {"reason": meaning.value, "count": count}
        logger.info("devices.disabled", extra={"notification": notification_id, **about})

    def _objection(self, fanout: Fanout, *, final: bool) -> Objection | None:
        """Return the brakes' objection, unless what the database knows explains it away."""
        tally = fanout.tally
        blamed = self._blamed_at_the_end(fanout) if final else self._blamed_at_once(fanout)
        objection = tally.objection(final=final, blamed=blamed)
        if objection and objection.brake == Meaning.UNREGISTERED:
            suspects = [each.device_id for each in tally.suspects[Meaning.UNREGISTERED]]
            tally.excuse(self._results.superseded(suspects))
            objection = tally.objection(final=final, blamed=blamed)
        return objection

    def _blamed_at_once(self, fanout: Fanout) -> str:
        """Return why to hold it now, "" to go on.

        It is held where nobody is reached and no other platform follows.
        """
        blame = fanout.tally.blame
        platforms = blame.unreached(lanes=self._lanes)
        if not platforms or self._others_follow(fanout, platforms):
            return ""
        return blame.reason(platforms)

    def _others_follow(self, fanout: Fanout, platforms: frozenset[str]) -> bool:
        """Return whether to go on for devices of other platforms.

        A notification whose audience is all claimed goes on to its end.
        """
        blame = fanout.tally.blame
        if not fanout.has_work or fanout.awaits_others(platforms):
            return True
        if blame.others_follow != platforms:
            if not self._due.others_follow(fanout.notification_id, platforms):
                return False
            blame.others_follow = platforms
        return True

    def _blamed_at_the_end(self, fanout: Fanout) -> str:
        """Return why to hold it instead of ending it, "" to end it.

        The send log is asked, since it has the answers of other workers too. All of it is counted
        only where that matters: it may be large.
        """
        blame, notification_id = fanout.tally.blame, fanout.notification_id
        if not (blame.anybody_is_refused and self._due.is_complete(notification_id)):
            return ""
        reached = blame.anybody_is_reached
        blamed = self._results.blamed(notification_id)
        if not reason_at_the_end(blamed, by_platform(blamed), reached=reached):
            return ""  # too few, whatever the others are
        answers = blame.total if blame.is_whole else self._results.answers(notification_id)
        return reason_at_the_end(blamed, answers, reached=reached)

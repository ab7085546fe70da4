"""Judging: holds notifications whose answers blame us, and disables devices that are gone."""

import logging
from datetime import datetime

from notifications import reasons
from notifications.fcm.outcomes import Meaning

from .brakes import Objection, Tally
from .fanout import Fanout
from .repository import Repository

logger = logging.getLogger(__name__)


class Judging:
    """Asks the brakes of a notification, and the database what they cannot know."""

    def __init__(self, repository: Repository) -> None:
        self._due = repository.due
        self._results = repository.results

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
        """Send no more to the devices that FCM proved to be gone."""
        tally = fanout.tally
        refused = tally.to_disable(final=final)
        if final and tally.superseded:
            replaced = self._results.replaced(fanout.notification_id, tally.superseded)
            refused[Meaning.UNREGISTERED] = [*refused.get(Meaning.UNREGISTERED, ()), *replaced]
        for meaning, devices in refused.items():
            count = self._results.disable(devices, reason=reasons.REFUSED[meaning], now=now)
            about = {"reason": meaning.value, "count": count}
            logger.info("devices.disabled", extra={"notification": fanout.notification_id, **about})

    def _objection(self, fanout: Fanout, *, final: bool) -> Objection | None:
        tally = fanout.tally
        objection = tally.objection(final=final)
        if objection and objection.brake == Meaning.UNREGISTERED:
            self._excuse_superseded(tally)
            objection = tally.objection(final=final)
        if objection and not final and (platforms := tally.blame.platforms_alone()):
            others = self._due.others_follow(fanout.notification_id, platforms)
            tally.blame.others_follow = others
            objection = tally.objection(final=final)
        return objection

    def _excuse_superseded(self, tally: Tally) -> None:
        suspects = [each.device_id for each in tally.suspects.get(Meaning.UNREGISTERED, ())]
        tally.excuse(self._results.superseded(suspects))

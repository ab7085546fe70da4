"""Recording: writes answers into the send log, and closes complete notifications."""

import logging
import time
from datetime import datetime

from notifications import failpoints
from notifications.fcm.outcomes import Meaning

from .fanout import Fanout
from .inbox import Answered
from .judging import Judging
from .ledger import Ledger
from .repository import Repository
from .rotation import Rotation
from .sender import Sender
from .telemetry import Telemetry
from .timer import Timer

logger = logging.getLogger(__name__)

# How often results are written; a killed worker leaves the others unknown.
RECORD_SECONDS = 0.1


class Recording:
    """Turns answers into lines of the send log, and into ended notifications."""

    def __init__(
        self,
        *,
        repository: Repository,
        sender: Sender,
        rotation: Rotation,
        ledger: Ledger,
        telemetry: Telemetry,
    ) -> None:
        self._repository = repository
        self._judging = Judging(repository, lanes=sender.lanes)
        self._sender = sender
        self._rotation = rotation
        self._ledger = ledger
        self._telemetry = telemetry
        self._is_judged = True  # whether all answers so far were judged
        self.timer = Timer(RECORD_SECONDS)

    def take(self, answered: Answered, now: datetime) -> bool:
        """Note results, to be written with the next record; return whether FCM said 429."""
        self._sender.settle(answered)
        self._is_judged = False
        for result in answered.results:
            self._ledger.take(result, now=now)
        return any(each.verdict.meaning is Meaning.THROTTLED for each in answered.results)

    def judge(self, now: datetime) -> None:
        """Hold each notification whose answers blame us, before more is claimed or disabled."""
        if self._is_judged:
            return
        for fanout in self._rotation:
            self._note_first(fanout)
            if self._judging.hold(fanout, now, final=False):
                self._rotation.drop(fanout.notification_id)
        self._is_judged = True

    def record(self, now: datetime) -> bool:
        """Write the answers, if there are any and it is time to; return whether it was."""
        ledger = self._ledger
        if not ledger.entries:
            return False
        if self._sender.in_flight and not (self.timer.due() or ledger.is_full):
            return False
        failpoints.reach("before_record")
        with self._telemetry.record_seconds.time():
            self._repository.results.record(
                ledger.entries, closed_batches=ledger.closed_batches, now=now
            )
        self._telemetry.recorded(ledger.entries)
        ledger.written()
        self.timer.restart()
        fanouts = list(self._rotation)
        for fanout in fanouts:
            fanout.unwritten_retries.clear()
            self._judging.disable_refused(fanout, now, final=False)
        self._count_audience(fanouts)
        return True

    def close(self, now: datetime) -> None:
        """Finish each notification that has nothing left to claim, to await or to write."""
        self._judging.prune(now)
        for fanout in [each for each in self._rotation if each.seems_finished]:
            if self._judging.hold(fanout, now, final=True):
                self._rotation.drop(fanout.notification_id)
                continue
            failpoints.reach("before_close", fanout.notification_id)
            notification = self._repository.due.finish(fanout.notification_id, now=now)
            if notification is None:
                continue
            self._judging.disable_refused(fanout, now, final=True)
            self._rotation.drop(notification.id)
            logger.info(
                "notification.done",
                extra={"notification": notification.id, **notification.counts()},
            )

    def _note_first(self, fanout: Fanout) -> None:
        """Tell how long it took from the upload until FCM accepted the first; each fan-out once."""
        if fanout.posted_at is not None and fanout.tally.answers[Meaning.ACCEPTED]:
            self._telemetry.first_accepted_seconds.observe(time.monotonic() - fanout.posted_at)
            fanout.posted_at = None

    def _count_audience(self, fanouts: list[Fanout]) -> None:
        """Count the next slice of the first audience whose size is not known yet."""
        for fanout in fanouts:
            if fanout.in_flight.total() and not (fanout.counted or fanout.exhausted):
                more = self._repository.audience_count.go_on(fanout.notification_id)
                fanout.counted = not more
                return

"""The invoker: the loop that owns every decision. Which notification next, how much, when to stop.

It runs on the main thread, the only one that touches the database, and is moved by its inbox:
wake-ups from the receiver, results from the lanes, stop. It never polls faster than the tick.
"""

import logging
import time
from collections.abc import Iterable
from datetime import datetime

from django.conf import settings
from django.db import DatabaseError, InterfaceError, InternalError, OperationalError, connection
from django.utils import timezone

from notifications import failpoints, reasons
from notifications.fcm.outcomes import Meaning
from notifications.models import Notification
from notifications.models.notification import max_age

from .brakes import Objection
from .fanout import Fanout
from .inbox import Answered, Event, HelperDied, Inbox, Stop, TalkPosted, Wake
from .lease import Lease, LeaseLostError, LeaseState
from .ledger import Ledger
from .outage import Outage
from .rate import Rate
from .repository import POISON, ClaimEnd, Repository
from .rotation import Rotation
from .sender import Sender
from .timer import Timer
from .watchdog import Watchdog

logger = logging.getLogger(__name__)

# How long an event may be missed at most: Redis may be away, a retry become due, a clock strike.
TICK_SECONDS = 1.0
# How often lanes are refilled: a claim costs the same for one target as for some hundred.
CLAIM_SECONDS = 0.03
# How long notifications are begun at a time, each in a transaction: many wait after an outage, and
# those that are begun, their answers and the lease must not wait for the last.
BEGIN_SECONDS = 0.25
# How often results are written; what a killed worker had not written is unknown.
RECORD_SECONDS = 0.1
# Or sooner, when so many are answered and not written, as a share of what the lanes hold. In flight
# and unwritten together are what a killed worker leaves unknown: at most 150 a lane.
MOST_UNWRITTEN = 0.5
# How often a standby tries for the lease, and anybody for a database that is away.
STANDBY_SECONDS = 0.5
# How often a standby says that it is there, for people to see.
ANNOUNCE_SECONDS = 5.0
# How soon to look whether the rate allows more.
RATE_SECONDS = 0.02

# How long a stopping worker waits for a database that is away, once FCM must have answered; less
# than the TimeoutStopSec of docs/operations.md.
GIVE_UP_SECONDS = 10

DATABASE_AWAY = (OperationalError, InterfaceError, InternalError)

EXIT_HELPER_DIED = 1
EXIT_GAVE_UP = 1
EXIT_LEASE_HELD = 3


class Invoker:
    """One worker's loop. `run` is the whole of it; the rest are its steps, in their order."""

    def __init__(
        self,
        *,
        inbox: Inbox,
        lease: Lease,
        repository: Repository,
        sender: Sender,
        rate: Rate,
        watchdog: Watchdog,
        standby: bool = False,
        once: bool = False,
    ) -> None:
        self.inbox = inbox
        self.lease = lease
        self.repository = repository
        self.sender = sender
        self.rate = rate
        self.watchdog = watchdog
        self.standby = standby  # wait for the lease for as long as another worker lives
        self.once = once  # end when nothing is due

        self.ledger = Ledger()
        self.rotation = Rotation()
        self.named_talks: set[int] = set()
        self.look_timer = Timer(TICK_SECONDS)
        self.lease_timer = Timer(min(STANDBY_SECONDS, lease.ttl.total_seconds() / 5))
        self.claim_timer = Timer(CLAIM_SECONDS)
        self.record_timer = Timer(RECORD_SECONDS)
        self.standby_timer = Timer(ANNOUNCE_SECONDS)
        self.give_up_timer = Timer(settings.FCM_TIMEOUT + GIVE_UP_SECONDS)
        self.hurry = False  # more can be claimed at once
        self.throttled = False  # the rate says wait
        self.stopping = ""  # why
        self.exit_code = 0
        self.outage = Outage("database")
        self.most_unwritten = int(sender.capacity * MOST_UNWRITTEN)

    def run(self) -> int:
        """Work until told to stop and everything in flight is written; return the exit code."""
        logger.info("worker.started", extra={"worker": self.lease.holder})
        self.watchdog.ready()
        while not (self.stopping and (self.idle() or self.gave_up())):
            self.receive(self.inbox.drain(timeout=self.patience()))
            self.watchdog.turned()
            try:
                self.turn(timezone.now())
            except LeaseLostError:
                self.on_lease_lost()
            except DATABASE_AWAY as error:
                self.on_database_away(error)
        self.release()
        logger.info("worker.stopped", extra={"why": self.stopping, "exit": self.exit_code})
        return self.exit_code

    def turn(self, now: datetime) -> None:
        """Do what is due; claim before recording: lanes with room must not wait for the log."""
        self.keep_lease(now)
        self.judge(now)
        looked = self.look(now)
        exhausted = self.claim(now)
        recorded = self.record(now)
        if looked or exhausted or recorded:
            self.close(now)
        more = self.hurry or self.throttled or self.look_timer.due()
        if self.once and self.may_claim() and self.idle() and not more:
            self.stop("nothing is due")

    def idle(self) -> bool:
        """Return whether nothing is in flight and everything answered is written."""
        return not self.sender.in_flight and not self.ledger.entries

    def may_claim(self) -> bool:
        """Return whether this worker is the active one and means to go on."""
        return bool(self.lease.epoch) and not self.stopping

    def patience(self) -> float:
        """Return for how many seconds nothing needs to be done unless an event comes."""
        if self.outage.since is not None:
            return STANDBY_SECONDS
        keeps_lease = self.lease.epoch or not self.stopping
        waits = [self.lease_timer.left() if keeps_lease else TICK_SECONDS]
        if self.may_claim():
            waits.append(self.claim_timer.left() if self.hurry else self.look_timer.left())
        if self.throttled:
            waits.append(RATE_SECONDS)
        if self.ledger.entries:
            waits.append(self.record_timer.left())
        return min(waits)

    def stop(self, why: str, *, exit_code: int = 0) -> None:
        """Claim nothing more; `run` ends when what is in flight is answered and written."""
        if not self.stopping:
            logger.info("worker.stopping", extra={"why": why, "in_flight": self.sender.in_flight})
            self.stopping = why
            self.exit_code = exit_code
            self.give_up_timer.restart()
            self.watchdog.stopping()

    def gave_up(self) -> bool:
        """Return whether stopping took too long: the database is away, and answers unwritten.

        The next worker will find their targets unknown.
        """
        if not self.give_up_timer.due():
            return False
        logger.error(
            "answers.lost",
            extra={"unwritten": len(self.ledger.entries), "in_flight": self.sender.in_flight},
        )
        self.exit_code = self.exit_code or EXIT_GAVE_UP
        return True

    def release(self) -> None:
        """Give the lease back; without a database it expires by itself."""
        try:
            self.lease.release()
        except DATABASE_AWAY as error:
            self.outage.begin(error)

    # --- The inbox ---------------------------------------------------------------------------

    def receive(self, events: Iterable[Event]) -> None:
        """Take in what happened; what to do about it is decided in the turn."""
        now = timezone.now()
        for event in events:
            match event:
                case Answered():
                    self.take_results(event, now)
                case TalkPosted():
                    self.named_talks.add(event.talk_id)
                    self.look_timer.ring()
                case Wake():
                    self.look_timer.ring()
                case Stop():
                    self.stop(event.why)
                case HelperDied():
                    logger.error("helper.died", extra={"helper": event.name, "error": event.error})
                    self.stop(f"{event.name} died", exit_code=EXIT_HELPER_DIED)

    def take_results(self, answered: Answered, now: datetime) -> None:
        """Turn results into lines of the log, to be written with the next record."""
        self.sender.settle(answered)
        for result in answered.results:
            self.ledger.take(result, now=now)
            if result.meaning is Meaning.THROTTLED:
                self.rate.lower(time.monotonic())

    # --- The lease ---------------------------------------------------------------------------

    def keep_lease(self, now: datetime) -> None:
        """Renew the lease, or try to get it."""
        if not self.lease_timer.due() or (self.stopping and not self.lease.epoch):
            return
        self.lease_timer.restart()
        seen = self.lease.rival
        kept = self.lease.keep()
        self.outage.end()
        if kept is LeaseState.ACQUIRED:
            self.on_lease_acquired(now)
        elif self.lease.rival and not seen:
            logger.info("lease.held", extra={"by": self.lease.rival.name})
        if self.standby and not self.lease.epoch and self.standby_timer.due():
            self.standby_timer.restart()
            self.lease.announce()
        if kept is LeaseState.TAKEN and self.lease.rival:
            self.named_talks.clear()  # the other worker heard of them as well
            if not self.standby:
                held_by = f"the lease is held by {self.lease.rival.name}"
                self.stop(held_by, exit_code=EXIT_LEASE_HELD)

    def on_lease_acquired(self, now: datetime) -> None:
        """Account for what earlier epochs left behind, then begin."""
        recovery = self.repository.recovery
        lost = recovery.recover(in_flight=self.ledger.batches, now=now)
        poison = recovery.hold_poison(now=now)
        logger.info("lease.acquired", extra={"epoch": self.lease.epoch})
        for notification_id, unknown in lost.items():
            logger.warning(
                "notification.unknown", extra={"notification": notification_id, "unknown": unknown}
            )
        for notification_id in poison:
            tell_held(notification_id, POISON)
        self.rotation.clear()
        self.look_timer.ring()

    def on_lease_lost(self) -> None:
        """Somebody else is active: claim nothing more. Late answers are still recorded."""
        logger.warning("lease.lost", extra={"worker": self.lease.holder})
        self.rotation.clear()
        if not self.standby:
            self.stop("another worker has taken over", exit_code=EXIT_LEASE_HELD)

    def on_database_away(self, error: Exception) -> None:
        """Keep what was answered, and claim nothing until the database is back.

        A statement failed, so nobody knows what was committed; a new epoch will find out.
        """
        self.outage.begin(error)
        connection.close()
        self.lease.doubt()
        self.lease_timer.ring()

    # --- Results -------------------------------------------------------------------------------

    def judge(self, now: datetime) -> None:
        """Hold what meets errors of our own making, before more is claimed or disabled for it."""
        for fanout in self.rotation:
            if objection := fanout.objection():
                self.hold(fanout.notification_id, objection, now)

    def hold(self, notification_id: int, objection: Objection, now: datetime) -> None:
        """Leave it to an operator."""
        self.repository.due.hold(
            notification_id, reason=objection.reason, brake=objection.brake, now=now
        )
        self.rotation.drop(notification_id)
        tell_held(notification_id, objection.reason)

    def record(self, now: datetime) -> bool:
        """Write what was answered, if it is time to; return whether it was."""
        ripe = (
            self.record_timer.due()
            or not self.sender.in_flight
            or len(self.ledger.entries) >= self.most_unwritten
        )
        if not (self.ledger.entries and ripe):
            return False
        failpoints.reach("before_record")
        self.repository.results.record(
            self.ledger.entries, closed_batches=self.ledger.closed_batches, now=now
        )
        self.ledger.written()
        self.outage.end()
        self.record_timer.restart()
        for fanout in self.rotation:
            self.disable_refused(fanout, final=False, now=now)
        self.count_audience()
        return True

    def count_audience(self) -> None:
        """Count a slice of the first audience of which its first claim did not see the end."""
        for fanout in self.rotation:
            if fanout.in_flight and not (fanout.counted or fanout.exhausted):
                fanout.counted = not self.repository.audience_count.go_on(fanout.notification_id)
                return

    def disable_refused(self, fanout: Fanout, *, final: bool, now: datetime) -> None:
        """Send no more to the devices that FCM proved to be gone."""
        for meaning, refused in fanout.tally.to_disable(final=final).items():
            reason = reasons.REFUSED[meaning]
            count = self.repository.results.disable(refused, reason=reason, now=now)
            logger.info(
                "devices.disabled",
                extra={
                    "notification": fanout.notification_id,
                    "reason": meaning.value,
                    "count": count,
                },
            )

    # --- What is due ---------------------------------------------------------------------------

    def look(self, now: datetime) -> bool:
        """Bring what is due from the database, if it is time to; return whether it was."""
        if not self.may_claim() or not self.look_timer.due():
            return False
        due = self.repository.due
        due.add_missing(self.named_talks, now=now)
        self.named_talks.clear()
        active = {each.id: each for each in due.active()}
        for notification_id in set(self.rotation.ids()) - set(active):
            self.rotation.drop(notification_id)
        enough = Timer(BEGIN_SECONDS)
        enough.restart()
        unfinished = False
        for notification in active.values():
            if notification.created_at + max_age() < now:
                self.end_overdue(notification, now)
            elif notification.id in self.rotation:
                self.rotation[notification.id].encode(notification, now=now)
            elif self.rotation.has_work and enough.due():
                unfinished = True
            else:
                self.begin(notification, now)
        for notification_id in due.with_retries(self.rotation.ids(), now=now):
            self.rotation[notification_id].retries_due = True
        self.look_timer.restart()
        if unfinished:
            self.look_timer.ring()
        return True

    def end_overdue(self, notification: Notification, now: datetime) -> None:
        """Its time is up: send no more of it."""
        self.rotation.drop(notification.id)
        state = self.repository.due.end_overdue(notification, now=now)
        logger.warning(
            "notification.overdue",
            extra={"notification": notification.id, "state": state, **notification.counts()},
        )

    def begin(self, notification: Notification, now: datetime) -> None:
        """Start a pending notification, or go on with one that was being sent."""
        if notification.talk is None:
            self.repository.due.cancel(notification.id, reason=reasons.TALK_DELETED, now=now)
            logger.warning("notification.cancelled", extra={"notification": notification.id})
        else:
            try:
                if notification.state == Notification.State.SENDING or self.start(
                    notification, now
                ):
                    self.rotation.add(Fanout.of(notification, now=now))
            except DATABASE_AWAY:
                raise
            except (ValueError, DatabaseError) as error:  # its own fault: others must go on
                text = reasons.CANNOT_BE_STARTED % {"error": error}
                self.hold(notification.id, Objection(text), now)

    def start(self, notification: Notification, now: datetime) -> bool:
        """Freeze how a pending notification is sent; return False if it has to wait."""
        decision = self.repository.due.start(notification, now=now)
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

    # --- Claims --------------------------------------------------------------------------------

    def claim(self, now: datetime) -> bool:
        """Fill the lanes from the notification whose turn it is, and what is left from the next.

        Return whether the end of one was found.
        """
        self.throttled = False
        self.hurry = self.may_claim() and self.rotation.has_work
        if not (self.hurry and self.claim_timer.due()):
            return False
        self.hurry = False
        self.claim_timer.restart()
        waiting = self.rotation.limit_requests()
        for fanout in waiting:
            size, limit = self.room()
            if not limit:
                break
            self.claim_from(fanout, size, limit, now)
        return not all(fanout.has_work for fanout in waiting)

    def room(self) -> tuple[int, int]:
        """Return a size of batches and how many targets may be claimed in such.

        The lanes can take them, and a kill leaves no more unknown than it may: answers that came
        all at once are written before that many go out. And the rate allows them.
        """
        size, count = self.sender.portions(settings.NOTIFICATIONS_BATCH_SIZE)
        doubtful = self.sender.in_flight + len(self.ledger.entries)
        allowed = max(self.sender.capacity + self.most_unwritten - doubtful, 0)
        self.hurry |= allowed < size * count
        room = min(size * count, allowed)
        return size, min(room, self.allowance()) if room else 0

    def allowance(self) -> int:
        """Return how many targets the rate allows; a low one is not spent on tiny batches."""
        allowance = self.rate.allowance(time.monotonic())
        self.throttled = allowance < min(settings.NOTIFICATIONS_BATCH_SIZE, self.rate.capacity)
        return 0 if self.throttled else allowance

    def claim_from(self, fanout: Fanout, size: int, limit: int, now: datetime) -> None:
        """Claim up to `limit` targets of one notification, and hand them to the lanes."""
        failpoints.reach("before_claim", fanout.notification_id)
        claims = self.repository.claims
        claim = (claims.retries if fanout.retries_due else claims.first_attempts)(
            fanout.notification_id, size=size, limit=limit, now=now
        )
        self.rotation.served(fanout)
        failpoints.reach("after_claim", fanout.notification_id)
        if claim.end is ClaimEnd.CLOSED:
            self.rotation.drop(fanout.notification_id)
        elif claim.end is ClaimEnd.EXHAUSTED:
            fanout.exhaust()
        self.hurry |= claim.end is ClaimEnd.OPEN
        for job in fanout.jobs(claim.batches):
            self.ledger.open(job, fanout)
            self.rate.spend(len(job.targets))
            self.sender.send(job)

    def close(self, now: datetime) -> None:
        """Finish each notification of which nothing is left to claim, to await or to write."""
        for fanout in [each for each in self.rotation if each.seems_finished]:
            failpoints.reach("before_close", fanout.notification_id)
            notification = self.repository.due.finish(fanout.notification_id, now=now)
            if notification is None:
                continue
            self.disable_refused(fanout, final=True, now=now)
            self.rotation.drop(notification.id)
            logger.info(
                "notification.done",
                extra={"notification": notification.id, **notification.counts()},
            )


def tell_held(notification_id: int, reason: str) -> None:
    """Log that an operator must look."""
    logger.error("notification.held", extra={"notification": notification_id, "reason": reason})

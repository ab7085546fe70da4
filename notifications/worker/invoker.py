"""The invoker: the loop. It runs the steps of each turn in order, and decides when to stop.

It runs on the main thread, the only one that touches the database, and acts on the events in its
inbox: wake-ups from the receiver, results from the lanes, stop. Without an event it looks for due
notifications at each tick. Its three parts do the work: opening, claiming and recording.
"""

import logging
import time
from collections.abc import Iterable
from datetime import datetime

from django.conf import settings
from django.db import ProgrammingError, connection

from notifications import locks
from notifications.database_errors import DATABASE_AWAY, is_forbidden, lacks_tables, was_canceled
from notifications.operators.differences import differences
from radiotalk.clock import Clock

from .claiming import Claiming
from .inbox import Answered, Event, HelperDied, Inbox, Stop, TalkPosted, Tested, Tried, Wake
from .lease import Lease, LeaseLostError, LeaseState, RestoredError
from .ledger import Ledger
from .opening import TICK_SECONDS, Opening
from .outage import Outage
from .rate import Rate
from .reach import Reach
from .recording import Recording
from .repository import Repository
from .rotation import Rotation
from .sender import Sender
from .session import UnsafeSessionError
from .telemetry import Telemetry
from .testing import Testing
from .timer import Timer
from .watchdog import Watchdog

logger = logging.getLogger(__name__)

# How long to wait before asking again whether the rate allows more.
RATE_SECONDS = 0.02
# How often a standby tries to get the lease, and any worker tries a database that is away.
STANDBY_SECONDS = 0.5
# How often a standby writes that it is there, for operators to see.
ANNOUNCE_SECONDS = 5.0

# How long a stopping worker waits for a database that is away, after every request has ended: each
# waits up to FCM_TIMEOUT for a connection, and as long for its answer. deploy/systemd/ has the
# TimeoutStopSec that allows for all of it.
GIVE_UP_SECONDS = 10

EXIT_HELPER_DIED = 1
EXIT_GAVE_UP = 1
EXIT_UNSAFE = 2
EXIT_LEASE_HELD = 3
EXIT_RESTORED = 6


class Invoker:
    """One worker's loop. `run` is the whole of it; the rest are its steps, in their order."""

    def __init__(
        self,
        *,
        inbox: Inbox,
        lease: Lease,
        repository: Repository,
        sender: Sender,
        testing: Testing,
        rate: Rate,
        watchdog: Watchdog,
        telemetry: Telemetry,
        standby: bool = False,
        once: bool = False,
    ) -> None:
        self.inbox = inbox
        self.lease = lease
        self.recovery = repository.recovery
        self.sender = sender
        self.testing = testing
        self.watchdog = watchdog
        self.telemetry = telemetry
        self.standby = standby  # wait for the lease for as long as another worker lives
        self.once = once  # end when nothing is due

        self.ledger = Ledger(sender.capacity)
        self.rotation = Rotation()
        self.opening = Opening(repository.due, self.rotation, telemetry)
        self.claiming = Claiming(
            claims=repository.claims,
            sender=sender,
            rate=rate,
            rotation=self.rotation,
            ledger=self.ledger,
            telemetry=telemetry,
        )
        self.recording = Recording(
            repository=repository,
            sender=sender,
            rotation=self.rotation,
            ledger=self.ledger,
            telemetry=telemetry,
        )
        self.clock = Clock()
        self.lease_timer = Timer(min(STANDBY_SECONDS, lease.ttl.total_seconds() / 5))
        self.standby_timer = Timer(ANNOUNCE_SECONDS)
        self.give_up_timer = Timer(2 * settings.FCM_TIMEOUT + GIVE_UP_SECONDS)
        self.outage = Outage("database")
        self.reach = Reach()
        self.cancels = Outage("statement", begins="canceled", ends="done")
        self.stopping = ""  # the reason, once told to stop
        self.exit_code = 0

    def run(self) -> int:
        """Work until told to stop and everything in flight is written; return the exit code."""
        logger.info("worker.started", extra={"worker": self.lease.holder})
        self.watchdog.ready()
        while not (self.stopping and (self.idle() or self.gave_up())):
            self.receive(self.inbox.drain(timeout=self.patience()))
            self.watchdog.turned()
            try:
                self.turn(self.clock.now())
            except LeaseLostError:
                self.on_lease_lost()
            except RestoredError as error:
                self.on_restored(error)
            except DATABASE_AWAY as error:
                self.on_database_away(error)
            except ProgrammingError as error:
                if not (lacks_tables(error) or is_forbidden(error)):
                    raise
                self.on_database_away(error)
            self.take_back()
        self.release()
        logger.info("worker.stopped", extra={"why": self.stopping, "exit": self.exit_code})
        return self.exit_code

    def turn(self, now: datetime) -> None:
        """Do what is due. Record before claiming: what is written makes room for more."""
        self.keep_lease(now)
        self.recording.judge(now)
        recorded = self.recording.record(now)
        if recorded:
            self.outage.end()
        if self.testing.record(now):
            self.opening.timer.ring()  # the next test may wait
        may_claim = self.may_claim()
        looked = may_claim and self.opening.look(now)
        if looked:
            self.testing.begin(now)
        self.keep_lease(now)  # what is claimed is sent only while it lasts
        found_an_end = self.may_claim() and self.claiming.claim(now)
        if looked or found_an_end or recorded:
            self.recording.close(now)
        self.cancels.end()
        more = self.claiming.more or self.opening.timer.due()
        if self.once and may_claim and self.idle() and not more:
            self.stop("nothing is due")

    def take_back(self) -> None:
        """Take back what no lane has taken of notifications that are stopped."""
        if self.rotation.stopped:
            self.sender.withdraw(self.rotation.stopped)
            self.rotation.stopped = set()

    def idle(self) -> bool:
        """Return whether nothing is in flight and everything answered is written."""
        return not (self.sender.in_flight or self.ledger.entries or self.testing.in_flight)

    def may_claim(self) -> bool:
        """Return whether this worker is the active one and is not stopping."""
        return bool(self.lease.epoch) and not self.stopping

    def patience(self) -> float:
        """Return for how many seconds nothing is due, unless an event comes."""
        if self.outage.since is not None or self.cancels.since is not None:
            return STANDBY_SECONDS
        now = time.monotonic()
        keeps_lease = self.lease.epoch or not self.stopping
        due = [self.lease_timer.at if keeps_lease else now + TICK_SECONDS]
        if self.may_claim():
            due.append(self.opening.timer.at)
            if self.claiming.can_go_on:
                due.append(now)
            if self.claiming.throttled:
                due.append(now + RATE_SECONDS)
        if self.ledger.entries:
            due.append(self.recording.timer.at)
        return max(min(due) - now, 0.0)

    def stop(self, why: str, *, exit_code: int = 0) -> None:
        """Claim nothing more; `run` ends when what is in flight is answered and written."""
        if not self.stopping:
            logger.info("worker.stopping", extra={"why": why, "in_flight": self.sender.in_flight})
            self.stopping = why
            self.exit_code = exit_code
            self.sender.finish()
            self.give_up_timer.restart()
            self.watchdog.stopping()

    def gave_up(self) -> bool:
        """Return whether stopping took too long: the database is away, and answers unwritten.

        The next worker will mark their targets `unknown`.
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
        """Begin nothing more, and give the lease back; without a database it expires by itself."""
        self.sender.hold_lease(until=0)
        try:
            self.lease.release()
        except DATABASE_AWAY as error:
            self.outage.begin(error)

    # --- The inbox ---------------------------------------------------------------------------

    def receive(self, events: Iterable[Event]) -> None:
        """Note what happened; the turn decides what to do about it."""
        for event in events:
            match event:
                case Answered():
                    self.reach.answered(event.results)
                    if self.recording.take(event, self.clock.now()):
                        self.claiming.slow_down()
                case Tried():
                    self.reach.tried(event)
                case Tested():
                    self.testing.take(event)
                case TalkPosted():
                    self.opening.note_talk(event)
                case Wake():
                    self.opening.timer.ring()
                case Stop():
                    self.stop(event.why)
                case HelperDied():
                    logger.error("helper.died", extra={"helper": event.name, "error": event.error})
                    self.stop(f"{event.name} died", exit_code=EXIT_HELPER_DIED)

    # --- The lease ---------------------------------------------------------------------------

    def keep_lease(self, now: datetime) -> None:
        """Renew the lease, or try to get it."""
        if not self.lease_timer.due():
            return
        self.lease_timer.restart()
        if self.stopping and not self.lease.epoch:
            self.lease.look()  # a database that was put back gets no answers
            return
        seen = self.lease.rival
        self.clock.learn()  # first: nothing may fail between getting the lease and settling
        kept = self.lease.keep(**self.sender.figures(), **self.reach.figures())
        self.outage.end()
        if kept is LeaseState.ACQUIRED:
            self.on_lease_acquired(now)
        elif self.lease.rival and not seen:
            logger.info("lease.held", extra={"by": self.lease.rival.name})
        self.sender.hold_lease(until=self.lease.until if self.lease.epoch else 0)
        if self.standby and not self.lease.epoch and self.standby_timer.due():
            self.standby_timer.restart()
            self.lease.announce()
        if kept is LeaseState.TAKEN and self.lease.rival:
            self.opening.forget_named()
            if not self.standby:
                held_by = f"the lease is held by {self.lease.rival.name}"
                self.stop(held_by, exit_code=EXIT_LEASE_HELD)

    def on_lease_acquired(self, now: datetime) -> None:
        """Settle what earlier epochs left behind, then begin.

        What this process claimed in an earlier epoch, and no lane has taken, is given up: another
        worker may have settled it meanwhile.
        """
        self.sender.give_up()
        try:
            self.settle(now)
        except DATABASE_AWAY:
            self.lease.doubt()  # half settled: the next epoch does it again
            raise

    def settle(self, now: datetime) -> None:
        """Mark as lost what earlier epochs had in flight, and look for what is due."""
        lost = self.recovery.recover(in_flight=self.ledger.batches, now=now)
        logger.info("lease.acquired", extra={"epoch": self.lease.epoch})
        before = self.lease.settings_before()
        if before and (changed := differences(before, self.lease.settings())):
            logger.warning("worker.settings_changed", extra={"changed": changed})
        for notification_id, unknown in lost.items():
            logger.warning(
                "notification.unknown", extra={"notification": notification_id, "unknown": unknown}
            )
            self.telemetry.lost(unknown)
        self.testing.recover(now)
        self.recovery.hold_poison(now=now)
        self.rotation.clear()
        self.opening.timer.ring()

    def on_lease_lost(self) -> None:
        """Somebody else is active: send nothing more. Late answers are still recorded."""
        logger.warning("lease.lost", extra={"worker": self.lease.holder})
        self.sender.hold_lease(until=0)
        self.sender.give_up()
        self.rotation.clear()
        if not self.standby:
            self.stop("another worker has taken over", exit_code=EXIT_LEASE_HELD)

    def on_restored(self, error: RestoredError) -> None:
        """Send nothing under a database that was put back, and write nothing into it but that."""
        try:
            self.lease.tell_restored()
        except DATABASE_AWAY as away:
            self.on_database_away(away)  # which finds it again, once the database is back
            return
        logger.error("database.restored", extra={"worker": self.lease.holder})
        self.sender.hold_lease(until=0)
        self.sender.give_up()
        self.rotation.clear()
        self.stop(str(error))
        self.exit_code = EXIT_RESTORED
        self.give_up_timer.ring()

    def on_database_away(self, error: Exception) -> None:
        """Keep what was answered, and claim nothing until the database is back.

        A statement failed, so nobody knows what was committed; a new epoch will find out. A
        database that canceled a statement is there, and committed nothing of its transaction: the
        statement is tried again, and the log says what it waits for.
        """
        if was_canceled(error):
            self.cancels.begin(error, lock_held_by=locks.holders())
            return
        self.outage.begin(error)
        if isinstance(error, UnsafeSessionError):
            self.stop(str(error), exit_code=EXIT_UNSAFE)
        connection.close()
        self.sender.expect(more=False)
        self.lease.doubt()
        self.lease_timer.ring()

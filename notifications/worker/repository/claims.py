"""Claims: targets are claimed in one fenced transaction, before the first byte is sent."""

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import NamedTuple

from django.db import transaction
from django.db.models import (
    BigAutoField,
    BigIntegerField,
    F,
    IntegerField,
    PositiveBigIntegerField,
    PositiveIntegerField,
)
from django.db.models.functions import Coalesce

from notifications import policy, reasons
from notifications.models import Delivery, Notification, SendingSwitch
from notifications.models.compiled import Given, Select, Update
from notifications.models.notification import max_age

from ..held import tell_held
from ..lease import Lease
from ..work import Target
from . import batches
from .batches import NewBatch
from .candidates import Candidates, Whose, Window
from .targets import Row, targets_among

logger = logging.getLogger(__name__)


class ClaimEnd(Enum):
    """Whether there may be more to claim from a notification."""

    OPEN = auto()  # claim again
    EXHAUSTED = auto()  # nothing is left
    PAUSED = auto()  # the operators' switch says wait
    CLOSED = auto()  # it is no longer `sending`


@dataclass(frozen=True, slots=True)
class ClaimedBatch:
    """A committed claim: these targets are sent to once, by this worker."""

    id: int
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """What was claimed, and whether to ask again."""

    end: ClaimEnd
    batches: tuple[ClaimedBatch, ...] = ()


# The columns of LockedNotification, in its order.
COLUMNS = [
    "id", "created_at", "dry_run", "cutoff", "cursor", "target_count", "audience_count", "talk_id",
    "talk__program_id", "talk__program__dry_run", "approved_by_id",
]  # fmt: skip

# What each claim asks and changes.
LOCKED = Select(
    lambda: (
        Notification.objects.filter(
            id=Given("notification_id", BigAutoField()), state=Notification.State.SENDING
        )
        .select_for_update(of=("self",))
        .order_by()
        .values_list(*COLUMNS)
    )
)
MOVE_CURSOR = Update(
    lambda: (
        Notification.objects.filter(id=Given("notification_id", BigAutoField())),
        {
            "epoch": Given("epoch", PositiveBigIntegerField()),
            "cursor": Given("cursor", BigIntegerField()),
            "target_count": F("target_count") + Given("claimed", IntegerField()),
            "audience_count": Coalesce(
                "audience_count", Given("audience_count", PositiveIntegerField())
            ),
        },
    )
)


class LockedNotification(NamedTuple):
    """A locked notification that is being sent. Claims are too frequent for a model."""

    id: int
    created_at: datetime
    dry_run: bool | None
    cutoff: datetime
    cursor: int
    target_count: int
    audience_count: int | None
    talk_id: int | None
    program_id: int
    program_dry_run: bool
    approved_by_id: int | None

    @property
    def whose(self) -> Whose:
        """Return what its audience depends on."""
        return self.program_id, self.cutoff

    def targets_among(self, device_ids: Collection[int]) -> Iterable[Row]:
        """Return the columns of a Target for each of these devices that is a target now."""
        return targets_among(device_ids, self.program_id, cutoff=self.cutoff)


class Claims:
    """Claims targets, in transactions that a worker without the lease cannot commit."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._candidates = Candidates()

    def first_attempts(
        self, notification_id: int, *, size: int, limit: int, now: datetime
    ) -> Claim:
        """Claim the next targets of at most `limit` candidates, in batches of `size`.

        The cursor moves in the transaction that writes the batches, and only forwards, so no device
        is in two batches. The audience is read now: an unclip or a moved device counts.
        """
        window = self._candidates.window(notification_id, now=now)
        with transaction.atomic():
            opened = self._open(notification_id, now=now)
            if isinstance(opened, ClaimEnd):
                return Claim(opened)
            if opened.whose != window.whose:  # its talk was moved to another program
                self._candidates.forget(notification_id)
                return Claim(ClaimEnd.OPEN)
            candidates = window.next(limit, after=opened.cursor)
            taken = [Target(*row) for row in opened.targets_among(candidates)]
            claimed = self._write(opened, cut(taken, size), from_cursor=True, now=now)
            upto = candidates[-1] if candidates else opened.cursor
            self._move_cursor(opened, upto, window, claimed=len(taken))
        window.cursor = upto  # committed
        if not window.exhausted:
            return Claim(ClaimEnd.OPEN, claimed)
        self._candidates.forget(notification_id)
        return Claim(ClaimEnd.EXHAUSTED, claimed)

    def retries(self, notification_id: int, *, size: int, limit: int, now: datetime) -> Claim:
        """Claim the retries that are due; a device that is no target any more is skipped."""
        with transaction.atomic():
            opened = self._open(notification_id, now=now)
            if isinstance(opened, ClaimEnd):
                return Claim(opened)
            due = Delivery.objects.filter(notification_id=notification_id).due_for_retry(now=now)
            before = {
                device_id: (attempts, unreached)
                for device_id, attempts, unreached in due.values_list(
                    "device_id", "attempts", "unreached"
                )[:limit]
            }
            taken = [
                Target(*row, attempt=attempts + 1, unreached=unreached)
                for row in opened.targets_among(list(before))
                for attempts, unreached in [before[row[0]]]
            ]
            devices = {target.device_id for target in taken}
            Delivery.objects.of(notification_id, devices).claim_retry()
            self._skip(notification_id, set(before) - devices, now=now)
            claimed = self._write(opened, cut(taken, size), from_cursor=False, now=now)
        return Claim(ClaimEnd.OPEN if len(before) == limit else ClaimEnd.EXHAUSTED, claimed)

    def _open(self, notification_id: int, *, now: datetime) -> LockedNotification | ClaimEnd:
        """Return the locked notification with its program, or why nothing may be claimed."""
        self._lease.fence()
        row = Notification.objects.filter(id=notification_id)
        locked = LOCKED(notification_id=notification_id)
        # Read under the lock: a pause waits for the claim that has begun; later claims see it.
        switch = SendingSwitch.objects.current()
        if switch.paused:
            return ClaimEnd.PAUSED
        if not locked:
            return ClaimEnd.CLOSED
        opened = LockedNotification(*locked[0])
        if opened.created_at + max_age() < now:
            return ClaimEnd.CLOSED  # the next look ends it
        if opened.talk_id is None:
            row.cancel(reason=reasons.TALK_DELETED, now=now)
            logger.warning("notification.cancelled", extra={"notification": notification_id})
            return ClaimEnd.CLOSED
        if opened.dry_run is not False:
            return opened
        decision = policy.decide(switch=switch, program_dry_run=opened.program_dry_run, now=now)
        if decision.dry_run:
            reason = reasons.NO_LONGER_LIVE % {"objection": decision.reason}
            row.hold(reason=reason, now=now)
        else:
            reason = policy.approver_objection(switch, approved_by_id=opened.approved_by_id)
            if not reason:
                return opened
            row.hold(reason=reason, now=now, live_by=switch.live_because_of)
        tell_held(notification_id, reason, **row.get().counts())
        return ClaimEnd.CLOSED

    def _move_cursor(
        self, opened: LockedNotification, upto: int, window: Window, *, claimed: int
    ) -> None:
        """Note how far the claims have come; and how many there are in all, once it is known."""
        in_all = opened.target_count + window.behind(opened.cursor) if window.complete else None
        MOVE_CURSOR(
            notification_id=opened.id,
            epoch=self._lease.epoch,
            cursor=upto,
            claimed=claimed,
            audience_count=in_all,
        )

    def _write(
        self,
        opened: LockedNotification,
        chunks: list[tuple[Target, ...]],
        *,
        from_cursor: bool,
        now: datetime,
    ) -> tuple[ClaimedBatch, ...]:
        """Write the claim; batches of first attempts say between which device ids they lie."""
        ends = [chunk[-1].device_id for chunk in chunks]
        starts = [opened.cursor, *ends]
        new = [
            NewBatch(
                after_id=start if from_cursor else None,
                upto_id=end if from_cursor else None,
                targets=[target.device_id for target in chunk],
            )
            for chunk, start, end in zip(chunks, starts, ends, strict=False)
        ]
        ids = batches.add(
            new, opened.id, epoch=self._lease.epoch, worker=self._lease.holder, now=now
        )
        return tuple(map(ClaimedBatch, ids, chunks))

    def _skip(self, notification_id: int, device_ids: Collection[int], *, now: datetime) -> None:
        """Note that these are no targets any more: unclipped, muted, disabled, moved or deleted."""
        skipped = Delivery.objects.of(notification_id, device_ids).skip(now=now)
        Notification.objects.filter(id=notification_id).update(
            epoch=self._lease.epoch,
            retry_count=F("retry_count") - skipped,
            skipped_count=F("skipped_count") + skipped,
        )


def cut(targets: list[Target], size: int) -> list[tuple[Target, ...]]:
    """Return the targets in batches of `size`."""
    return [tuple(targets[at : at + size]) for at in range(0, len(targets), size)]

"""What became of each target: the send log, and the counters that say the same."""

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from operator import itemgetter
from typing import Any

from django.db import transaction
from django.db.models import (
    BigAutoField,
    Count,
    DateTimeField,
    Exists,
    F,
    IntegerField,
    OuterRef,
    PositiveSmallIntegerField,
    Subquery,
)
from django.db.models.functions import Coalesce

from notifications import reasons
from notifications.models import Batch, Delivery, DeviceToken, Notification, SendingMinute
from notifications.models.compiled import Given, Select, Update
from notifications.models.delivery import OF_THE_DEVICE, DeliveryQuerySet
from notifications.models.id_lookup import Ids

from ..blame import Blamed
from ..work import Target
from . import log
from .log import Entry

logger = logging.getLogger(__name__)

State = Notification.State
RETRY = Delivery.Outcome.RETRY
ACCEPTED = (Delivery.Outcome.SENT, Delivery.Outcome.SIMULATED)
NOTIFICATION_AND_OUTCOME = itemgetter(0, 2)  # of an Entry
# FCM accepted or refused these for good; the others it did not accept, or may not have.
REACHED_FCM = (*ACCEPTED, Delivery.Outcome.REJECTED)

# What each record asks and changes. Locks are taken in the order of the ids.
LOCKED_STATES = Select(
    lambda: (
        Notification.objects.filter(id__among=Given("ids", Ids()))
        .order_by("id")
        .select_for_update()
        .values_list("id", "state")
    )
)
COUNT = Update(
    lambda: (
        Notification.objects.filter(id=Given("id", BigAutoField())),
        {
            f"{outcome}_count": F(f"{outcome}_count") + Given(outcome, IntegerField())
            for outcome in Delivery.Outcome.values
        }
        | {
            "first_sent_at": Coalesce("first_sent_at", Given("reached_at", DateTimeField())),
            "last_sent_at": Coalesce(Given("reached_at", DateTimeField()), "last_sent_at"),
            "crashes": Coalesce(Given("crashes", PositiveSmallIntegerField()), "crashes"),
        },
    )
)


class Results:
    """Writes answers into the send log, without a lease: a late answer is true all the same."""

    def record(
        self, entries: Collection[Entry], *, closed_batches: Collection[int], now: datetime
    ) -> None:
        """Write the entries, and close the batches that have all their answers, or neither."""
        latest = latest_of(entries)
        with transaction.atomic():
            states = self._lock({entry.notification_id for entry in latest})
            told = [
                entry
                if entry.outcome in ACCEPTED  # as almost all are
                else entry_for(states[entry.notification_id], entry, now=now)
                for entry in latest
                if entry.notification_id in states
            ]
            before = log.known(told)
            new, changed = told, []
            if before:  # seldom: retries, and answers that are recorded once more
                new = [entry for entry in told if log.key(entry) not in before]
                changed = [
                    entry
                    for entry in told
                    if log.key(entry) in before and is_news(entry, *before[log.key(entry)])
                ]
            log.add(new, now=now)
            log.replace(changed, now=now)
            self._count(states, new, changed, before, now=now)
            self._reopen(states, (*new, *changed))
            Batch.objects.close(closed_batches, now=now)
            SendingMinute.objects.add(Counter(each.outcome for each in (*new, *changed)), now=now)

    def disable(self, refused: Collection[Target], *, reason: str, now: datetime) -> int:
        """Stop sending to devices that FCM refused, unless they have changed since."""
        return DeviceToken.objects.disable_refused(refused, reason=reason, now=now)

    def superseded(self, device_ids: Collection[int]) -> set[int]:
        """Return those of these refused devices whose users have a younger one beside them."""
        younger = DeviceToken.objects.younger().exclude(id__among=device_ids)
        found = DeviceToken.objects.filter(Exists(younger), id__among=device_ids)
        return set(found.values_list("id", flat=True))

    def replaced(self, notification_id: int, refused: Collection[Target]) -> list[Target]:
        """Return those of these devices whose users were reached on a younger one."""
        reached = DeviceToken.objects.younger().filter(
            deliveries__notification=notification_id, deliveries__outcome__in=ACCEPTED
        )
        ids = [each.device_id for each in refused]
        found = DeviceToken.objects.filter(Exists(reached), id__among=ids)
        gone = set(found.values_list("id", flat=True))
        return [each for each in refused if each.device_id in gone]

    def blamed(self, notification_id: int) -> Counter[Blamed]:
        """Return how many devices of a notification were set aside for our configuration."""
        set_aside = Delivery.objects.filter(notification=notification_id).misconfigured()
        return Counter(
            {
                Blamed(platform, code): devices
                for platform, code, devices in counted(set_aside, "error_code")
                if platform
            }
        )

    def answers(self, notification_id: int) -> Counter[str]:
        """Return how many devices FCM accepted or refused for good, by platform."""
        answered = Delivery.objects.filter(notification=notification_id, outcome__in=REACHED_FCM)
        return Counter(dict(counted(answered)))

    @staticmethod
    def _lock(notification_ids: set[int]) -> dict[int, str]:
        """Return the states of these notifications, locked in the order of their ids."""
        states: dict[int, str] = dict(LOCKED_STATES(ids=notification_ids))
        for notification_id in notification_ids - set(states):
            logger.warning("notification.gone", extra={"notification": notification_id})
        return states

    @staticmethod
    def _count(
        notification_ids: Iterable[int],
        new: Iterable[Entry],
        changed: Iterable[Entry],
        before: Mapping[log.Key, log.Known],
        *,
        now: datetime,
    ) -> None:
        """Add to each notification's counters what these lines changed of the log."""
        changes = Counter(map(NOTIFICATION_AND_OUTCOME, (*new, *changed)))
        for entry in changed:
            changes[entry.notification_id, before[log.key(entry)][0]] -= 1
        for notification_id in notification_ids:
            change = {outcome: by for (of, outcome), by in changes.items() if of == notification_id}
            # An answer was recorded, so this notification does not kill its workers.
            count(notification_id, change, now=now, crashes=0)

    @staticmethod
    def _reopen(states: Mapping[int, str], entries: Iterable[Entry]) -> None:
        """Go on with what was done, where an answer came late and FCM had not accepted it."""
        late = {
            entry.notification_id
            for entry in entries
            if entry.outcome == RETRY and states[entry.notification_id] == Notification.State.DONE
        }
        if late:
            Notification.objects.filter(id__in=late).reopen(reason=reasons.NOT_ACCEPTED_AFTER_ALL)
        for notification_id in late:
            logger.warning("notification.reopened", extra={"notification": notification_id})


def counted(deliveries: DeliveryQuerySet, *fields: str) -> Iterable[tuple[Any, ...]]:
    """Return how many of these deliveries have which platform, and which of these fields.

    Each device is looked up, since for a join PostgreSQL may read all of them. The platform of
    those that were deleted since is None.
    """
    platform = DeviceToken.objects.filter(id=OuterRef("device")).values("platform")
    with_platform = deliveries.annotate(platform=Subquery(platform)).order_by()
    return with_platform.values_list("platform", *fields).annotate(devices=Count("id"))


def is_news(entry: Entry, outcome: str, attempts: int) -> bool:
    """Return whether the entry may replace the line of the log, which has this outcome.

    The entry of an earlier attempt may not. If COMMIT's reply was lost, the answer is recorded
    again. By then the target may be claimed again, and writing `retry` once more would send to it
    twice. An acceptance may always: however late it is heard, no other attempt is needed.
    """
    is_latest = entry.attempts >= attempts
    return outcome in Delivery.OPEN_OUTCOMES and (is_latest or entry.outcome in ACCEPTED)


def latest_of(entries: Collection[Entry]) -> list[Entry]:
    """Return one entry for each target."""
    latest = {log.key(entry): entry for entry in entries}
    if len(latest) < len(entries):
        latest = {log.key(entry): entry for entry in sorted(entries, key=weight)}
    return list(latest.values())


def weight(entry: Entry) -> tuple[bool, int]:
    """Sort key: the last wins. An acceptance beats everything else, then the latest attempt.

    The answer to an attempt that was given up for lost may come together with the next one's.
    """
    return entry.outcome in ACCEPTED, entry.attempts


def entry_for(state: str, entry: Entry, *, now: datetime) -> Entry:
    """Return the entry for a notification in this state.

    Where it was ended early, nothing is attempted again. Where it is held, what blames our
    configuration is, once it is released.
    """
    if entry.outcome == RETRY and state in (State.CANCELLED, State.EXPIRED):
        return entry._replace(outcome=Delivery.Outcome.ABANDONED, next_attempt_at=None)
    is_refused = entry.outcome == Delivery.Outcome.REJECTED
    if is_refused and state == State.HELD and entry.error_code not in OF_THE_DEVICE:
        return entry._replace(outcome=RETRY, next_attempt_at=now)
    return entry


def count(
    notification_id: int, change: Mapping[str, int], *, now: datetime, crashes: int | None = None
) -> None:
    """Add to the notification's counters, and note when its first and its last were answered.

    `crashes` replaces how many workers died of it, unless None.
    """
    has_reached = any(change.get(outcome, 0) > 0 for outcome in REACHED_FCM)
    by = {outcome: change.get(outcome, 0) for outcome in Delivery.Outcome.values}
    COUNT(id=notification_id, reached_at=now if has_reached else None, crashes=crashes, **by)

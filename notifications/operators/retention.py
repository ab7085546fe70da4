"""How long things are kept: what is older is deleted, in steps that hold up nobody.

`KINDS` is the list of all that does not stay for ever; `manage.py prune` goes through it.

Of the send log, only that of notifications that have ended is deleted. Their counters stay, and
`pruned_at` says since when the log no longer adds up to them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from accounts import lockout, plain_tokens
from accounts.models import ApiToken
from notifications.models import (
    AnsweredForm,
    Batch,
    Delivery,
    ErasedDevice,
    Notification,
    SendingMinute,
    TestPush,
)
from notifications.models.batch import BatchQuerySet
from notifications.models.minute import KEPT as MINUTES_KEPT
from notifications.models.notification import NotificationQuerySet

from .erase import forget_devices

# Rows per transaction: it takes some 20 ms, and a sending worker's inserts do not wait for it.
STEP_ROWS = 5_000

# --- The send log --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """What one transaction deleted."""

    notification_id: int
    deliveries: int
    batches: int


def prune(*, ended_before: datetime, now: datetime) -> Iterator[Step]:
    """Delete the log of what ended before `ended_before`, and yield after each step.

    The caller may stop after any step: the next call goes on there.
    """
    for notification_id in with_a_log(ended_before):
        notification = Notification.objects.filter(id=notification_id)
        notification.filter(pruned_at=None).update(pruned_at=now)
        after = 0
        while True:
            upto = nth_device(notification_id, after=after)
            yield delete_deliveries(notification_id, after=after, upto=upto)
            if upto is None:
                break
            after = upto
        while step := delete_erased(notification_id):
            yield step
        while step := delete_batches(notification_id):
            yield step


def with_a_log(ended_before: datetime) -> list[int]:
    """Return the ids of notifications that ended before then and have something to delete."""
    deliveries = Delivery.objects.filter(notification=OuterRef("pk"))
    batches = closed_batches().filter(notification=OuterRef("pk"))
    ended = Notification.objects.filter(
        state__in=Notification.ENDED_STATES, finished_at__lt=ended_before
    )
    found = ended.filter(Exists(deliveries) | Exists(batches)).order_by("id")
    return list(found.values_list("id", flat=True))


def nth_device(notification_id: int, *, after: int) -> int | None:
    """Return the id of the device with which a full step ends, None when fewer are left."""
    left = Delivery.objects.filter(notification_id=notification_id, device__gt=after)
    return left.order_by("device_id").values_list("device_id", flat=True)[STEP_ROWS - 1 :].first()


def delete_deliveries(notification_id: int, *, after: int, upto: int | None) -> Step:
    """Delete the lines of the devices after one, up to and with another (None: to the end)."""
    lines = Delivery.objects.filter(notification_id=notification_id, device__gt=after)
    if upto is not None:
        lines = lines.filter(device__lte=upto)
    count, _by_model = lines.delete()
    return Step(notification_id, count, 0)


def delete_erased(notification_id: int) -> Step | None:
    """Delete a step's worth of lines that have lost their device; return None without any."""
    erased = Delivery.objects.filter(notification_id=notification_id, device=None).order_by("id")
    count = delete_some(erased)
    return Step(notification_id, count, 0) if count else None


def delete_batches(notification_id: int) -> Step | None:
    """Delete a step's worth of batches; return None when there are none."""
    with transaction.atomic():
        batches = closed_batches().filter(notification=notification_id)
        ids = list(batches.order_by("id").values_list("id", flat=True)[:STEP_ROWS])
        Batch.objects.filter(id__in=ids).delete()
    return Step(notification_id, 0, len(ids)) if ids else None


def closed_batches() -> BatchQuerySet:
    """Return the batches that nobody is sending."""
    return Batch.objects.exclude(state=Batch.State.SENDING)


def delete_some(old: QuerySet[Any]) -> int:
    """Delete a step's worth of rows, and return how many."""
    keys = list(old.values_list("pk", flat=True)[:STEP_ROWS])
    old.model._default_manager.filter(pk__in=keys).delete()
    return len(keys)


# --- All that does not stay for ever -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ages:
    """What ended before `before` goes, and what has expired by `now`."""

    before: datetime
    now: datetime


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of what is kept for some time."""

    what: str
    count: Callable[[Ages], int]  # how much is to go
    forget: Callable[[Ages], Iterator[int]]  # lets it go; yields how much each step took


def rows(what: str, old: Callable[[Ages], QuerySet[Any]]) -> Kind:
    """Return a kind whose rows are deleted as soon as the query finds them."""

    def forget(ages: Ages) -> Iterator[int]:
        while count := delete_some(old(ages)):
            yield count

    return Kind(what, lambda ages: old(ages).count(), forget)


def count_log(ages: Ages) -> int:
    """Return how many lines and batches of the send log are too old."""
    ids = with_a_log(ages.before)
    lines = Delivery.objects.filter(notification__in=ids)
    return lines.count() + closed_batches().filter(notification__in=ids).count()


def forget_log(ages: Ages) -> Iterator[int]:
    """Delete these lines and batches, in steps."""
    for step in prune(ended_before=ages.before, now=ages.now):
        yield step.deliveries + step.batches


def texts_of_deleted_talks(ages: Ages) -> NotificationQuerySet:
    """Return notifications that still say what a talk was called that was deleted since."""
    gone = Notification.objects.filter(talk=None, finished_at__lt=ages.before)
    return gone.exclude(title="", body="")


def forget_texts(ages: Ages) -> Iterator[int]:
    """Forget these texts, in steps."""
    old = texts_of_deleted_talks(ages).order_by("id").values_list("id", flat=True)
    while ids := list(old[:STEP_ROWS]):
        yield Notification.objects.filter(id__in=ids).erase_texts()


def lines_of_erased_devices(ages: Ages) -> QuerySet[Delivery]:
    """Return lines that still say for which device they were, though its listener was erased."""
    gone = Delivery.objects.filter(
        device__in=list(ErasedDevice.objects.values_list("pk", flat=True))
    )
    return gone.answered(now=ages.now)


KINDS = (
    Kind("lines and batches of the send log", count_log, forget_log),
    Kind(
        "texts of talks that are gone",
        lambda ages: texts_of_deleted_talks(ages).count(),
        forget_texts,
    ),
    Kind(
        "numbers of erased devices in the send log",
        lambda ages: lines_of_erased_devices(ages).count(),
        lambda ages: (step.rows for step in forget_devices(now=ages.now)),
    ),
    rows(
        "answers to the desk's questions",
        lambda ages: AnsweredForm.objects.filter(at__lt=ages.before),
    ),
    # They name what was deleted since. The acts stay, which have numbers (accounts/kept_edits.py).
    rows(
        "lines of the admin's log",
        lambda ages: LogEntry.objects.filter(action_time__lt=ages.before),
    ),
    rows("test pushes", lambda ages: TestPush.objects.filter(requested_at__lt=ages.before)),
    rows(
        "minutes of the charts",
        lambda ages: SendingMinute.objects.filter(minute__lt=ages.now - MINUTES_KEPT),
    ),
    rows("expired sessions", lambda ages: Session.objects.filter(expire_date__lt=ages.now)),
    rows("API tokens that let nobody in", lambda ages: ApiToken.objects.dead()),
    Kind(
        "API tokens in plain text",
        lambda ages: plain_tokens.count(),
        lambda ages: iter([plain_tokens.forget()]),
    ),
    rows("failed log-ins", lambda ages: lockout.old_failures(ages.now)),
    rows("log-ins that make no address known", lambda ages: lockout.old_log_ins(ages.now)),
)

"""What the page of one notification shows; each part is looked up once, when it is shown."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from notifications.models import Batch, Delivery, Notification

from . import errors
from .progress import PARTS, Progress

State = Notification.State
LATEST_BATCHES = 5
HISTORY = 10


@dataclass(frozen=True, slots=True)
class Moment:
    """A point of the timeline, and how long after the previous point it came."""

    label: Any
    at: datetime | None
    after: timedelta | None


@dataclass(frozen=True)
class Page:
    """The parts of the page of one notification; a part that costs a query is looked up once."""

    row: Notification
    now: datetime

    @cached_property
    def progress(self) -> Progress:
        return Progress(self.row, self.now)

    @property
    def tens(self) -> int:
        """Return the progress in steps of ten per cent: a screen reader says each step once."""
        return (self.progress.percent or 0) // 10 * 10

    @property
    def outcomes(self) -> Iterator[tuple[str, Any, int, float]]:
        """Yield each outcome with a count: name, label, count, and share of all in per cent."""
        total = max(self.progress.total, 1)
        for name, label in PARTS:
            if count := self.progress.counts[name]:
                yield name, label, count, 100 * count / total

    @cached_property
    def errors(self) -> list[errors.Group]:
        """Return what went wrong, in groups."""
        return errors.groups(self.row)

    @property
    def errors_are_some(self) -> bool:
        """Return whether an outcome has more lines than are grouped."""
        counts = self.row.counts()
        return any(counts[outcome.value] > errors.LOOKED_AT for outcome in Delivery.NOT_SENT)

    @property
    def looked_at(self) -> int:
        return errors.LOOKED_AT

    @cached_property
    def batches(self) -> list[Batch]:
        """Return the newest batches, without their targets."""
        rows = Batch.objects.filter(notification=self.row).order_by("-id").defer("targets")
        return list(rows[:LATEST_BATCHES])

    @cached_property
    def open_batches(self) -> int:
        """Return how many batches are in flight; an index has only these."""
        return Batch.objects.filter(notification=self.row, state=Batch.State.SENDING).count()

    @property
    def timeline(self) -> list[Moment]:
        """Return what happened when, earliest first; then what has not happened yet."""
        row = self.row
        times = [
            (_("Posted"), row.created_at),
            (_("First claimed"), row.started_at),
            (_("First answer"), row.first_sent_at),
            (_("Last answer"), row.last_sent_at),
        ]
        if row.stopped_at and row.stopped_at != row.finished_at:  # equal: the end is the stop
            times.append((_("Stopped"), row.stopped_at))
        times.append((self.end_label, row.finished_at))
        happened = [time for time in times if time[1]]
        happened.sort(key=lambda time: time[1] or self.now)
        moments, before = [], None
        for label, at in happened:
            moments.append(Moment(label, at, at - before if at and before else None))
            before = at
        if row.state in Notification.ENDED_STATES:
            return moments
        return [*moments, *(Moment(label, None, None) for label, at in times if not at)]

    @property
    def end_label(self) -> Any:
        """Return what the end of the notification is called."""
        if self.row.state in (State.CANCELLED, State.EXPIRED):
            return capfirst(self.row.get_state_display())
        return _("Finished")

    @cached_property
    def history(self) -> list[LogEntry]:
        """Return what operators did to the notification, newest first."""
        kind = ContentType.objects.get_for_model(Notification)
        entries = LogEntry.objects.filter(content_type=kind, object_id=str(self.row.pk))
        return list(entries.select_related("user").order_by("-action_time")[:HISTORY])

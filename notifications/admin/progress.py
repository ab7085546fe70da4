"""How far a notification has come: its bar, its rate, and how long the rest will take."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from notifications.models import Delivery, Notification

Outcome = Delivery.Outcome

# A rate over a shorter time says nothing.
LEAST_SPAN = timedelta(seconds=0.2)

# Outcomes in the order of the bar, by name and label: plain pairs, since a list of notifications
# looks them up often and an enum's value is slow. Behind them the bar shows what is in flight, then
# what is not claimed.
PARTS: list[tuple[str, Any]] = [
    (outcome.value, outcome.label)
    for outcome in (
        Outcome.SENT,
        Outcome.SIMULATED,
        Outcome.REJECTED,
        Outcome.UNKNOWN,
        Outcome.ABANDONED,
        Outcome.SKIPPED,
        Outcome.RETRY,
    )
]

IN_FLIGHT, WAITING = "in-flight", "waiting"
LABELS = {IN_FLIGHT: _("in flight"), WAITING: _("not claimed")}


@dataclass(frozen=True, slots=True)
class Part:
    """One stretch of the bar; `left` and `width` are per cent of the bar."""

    name: str
    label: Any
    count: int
    left: float
    width: float


@dataclass(frozen=True)
class Progress:
    """The progress of a notification, from the counters of its own row: nothing is counted."""

    notification: Notification
    now: datetime

    @cached_property
    def counts(self) -> dict[str, int]:
        """Return how many targets have each outcome; kept, since a page asks several times."""
        row = self.notification
        return {name: getattr(row, f"{name}_count") for name, _label in PARTS}

    @cached_property
    def answered(self) -> int:
        """Return how many targets have a final outcome, or are unknown."""
        return sum(self.counts.values()) - self.notification.retry_count

    @property
    def in_flight(self) -> int:
        """Return how many targets are claimed and have no answer yet."""
        row = self.notification
        return max(row.target_count - self.answered - row.retry_count, 0)

    @cached_property
    def total(self) -> int:
        """Return how many targets there are as far as is known: the audience changes meanwhile."""
        row = self.notification
        if row.state == Notification.State.DONE:
            return max(row.target_count, self.answered)
        return max(row.audience_count or 0, row.target_count, self.answered + row.retry_count)

    @property
    def reached(self) -> int:
        """Return how many targets FCM accepted, or found valid in a dry run."""
        return self.notification.sent_count + self.notification.simulated_count

    @cached_property
    def percent(self) -> int | None:
        """Return how many per cent are answered, rounded down; None when the total is not known.

        So 100 means that all of them are.
        """
        row = self.notification
        if row.state in (Notification.State.DONE, Notification.State.PENDING) and not self.total:
            return 100 if row.state == Notification.State.DONE else 0
        if not self.total or (row.audience_count is None and row.state != Notification.State.DONE):
            return None
        return int(100 * self.answered / self.total)

    @property
    def parts(self) -> list[Part]:
        """Return the stretches of the bar that are not empty."""
        return list(self._parts())

    def _parts(self) -> Iterator[Part]:
        known = [(name, label, self.counts[name]) for name, label in PARTS]
        waiting = self.total - sum(count for _name, _label, count in known) - self.in_flight
        known += [
            (IN_FLIGHT, LABELS[IN_FLIGHT], self.in_flight),
            (WAITING, LABELS[WAITING], waiting),
        ]
        left = 0.0
        for name, label, count in known:
            if count > 0:
                width = 100 * count / self.total
                yield Part(name, label, count, round(left, 3), round(width, 3))
                left += width

    @property
    def is_going_on(self) -> bool:
        """Return whether the worker goes on with the notification by itself."""
        return self.notification.state in Notification.ACTIVE_STATES

    @cached_property
    def rate(self) -> float | None:
        """Return how many targets a second were answered, first to last; None when not known."""
        row = self.notification
        if not row.first_sent_at or not row.last_sent_at:
            return None
        length = row.last_sent_at - row.first_sent_at
        if length < LEAST_SPAN:
            return None
        return self.answered / length.total_seconds()

    @property
    def eta(self) -> timedelta | None:
        """Return how long the rest will take at that rate, None when that cannot be said."""
        left = self.total - self.answered
        if self.percent is None:
            return None
        if self.notification.state != Notification.State.SENDING or not self.rate or left <= 0:
            return None
        return timedelta(seconds=left / self.rate)

    @property
    def silence(self) -> timedelta | None:
        """Return for how long there was no answer while some are due; None for a short while."""
        last = self.notification.last_sent_at or self.notification.started_at
        if self.notification.state != Notification.State.SENDING or last is None:
            return None
        silent = self.now - last
        return silent if silent > timedelta(seconds=5) else None

    # --- The two lengths that matter --------------------------------------------------------

    @property
    def upload_to_first(self) -> timedelta | None:
        """Return how long after the upload the first target was answered."""
        row = self.notification
        return row.first_sent_at - row.created_at if row.first_sent_at else None

    @property
    def first_to_last(self) -> timedelta | None:
        """Return how long after the first target the last one was answered."""
        row = self.notification
        if not row.first_sent_at or not row.last_sent_at:
            return None
        return row.last_sent_at - row.first_sent_at

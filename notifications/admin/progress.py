"""How far a notification has come: its bar, its rate and how long it will still take."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from notifications.models import Delivery, Notification

Outcome = Delivery.Outcome

# A rate over less says nothing.
LEAST_SPAN = timedelta(seconds=0.2)

# In the order of the bar, by name and label. (An enum's value takes long to look up in a list.)
# What is claimed and not answered, and what is not claimed, follow.
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
    """One stretch of the bar: of what, how many, and from where to where, in per cent."""

    name: str
    label: Any
    count: int
    left: float
    width: float


@dataclass(frozen=True)
class Progress:
    """Read off the notification's own row: nothing is counted."""

    notification: Notification
    now: datetime

    @cached_property
    def counts(self) -> dict[str, int]:
        """Return how many have each outcome: a list shows each several times."""
        row = self.notification
        return {name: getattr(row, f"{name}_count") for name, _label in PARTS}

    @cached_property
    def answered(self) -> int:
        """Return how many targets have come to an end (or to a doubt)."""
        return sum(self.counts.values()) - self.notification.retry_count

    @property
    def in_flight(self) -> int:
        """Return how many are claimed and have no answer yet."""
        row = self.notification
        return max(row.target_count - self.answered - row.retry_count, 0)

    @cached_property
    def total(self) -> int:
        """Return how many targets there are, as far as is known: the audience changes."""
        row = self.notification
        if row.state == Notification.State.DONE:
            return max(row.target_count, self.answered)
        return max(row.audience_count or 0, row.target_count, self.answered + row.retry_count)

    @property
    def reached(self) -> int:
        """Return how many FCM accepted, or found valid in a dry run."""
        return self.notification.sent_count + self.notification.simulated_count

    @cached_property
    def percent(self) -> int | None:
        """Return how much of the whole has come to an end; None when the whole is not known.

        100 is said only when all of it has.
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
        """Return whether more is to come without anybody's doing."""
        return self.notification.state in Notification.ACTIVE_STATES

    @cached_property
    def rate(self) -> float | None:
        """Return how many a second came to an end, from the first to the last, None if unknown."""
        row = self.notification
        if not row.first_sent_at or not row.last_sent_at:
            return None
        length = row.last_sent_at - row.first_sent_at
        if length < LEAST_SPAN:
            return None
        return self.answered / length.total_seconds()

    @property
    def eta(self) -> timedelta | None:
        """Return how long it will take at that rate, None when that cannot be said."""
        left = self.total - self.answered
        if self.percent is None:
            return None
        if self.notification.state != Notification.State.SENDING or not self.rate or left <= 0:
            return None
        return timedelta(seconds=left / self.rate)

    @property
    def silence(self) -> timedelta | None:
        """Return for how long nothing was answered, while something should be."""
        last = self.notification.last_sent_at or self.notification.started_at
        if self.notification.state != Notification.State.SENDING or last is None:
            return None
        silent = self.now - last
        return silent if silent > timedelta(seconds=5) else None

    # --- The two lengths that matter --------------------------------------------------------

    @property
    def upload_to_first(self) -> timedelta | None:
        """Return how long the first listener waited."""
        row = self.notification
        return row.first_sent_at - row.created_at if row.first_sent_at else None

    @property
    def first_to_last(self) -> timedelta | None:
        """Return how far apart the first and the last listener were."""
        row = self.notification
        if not row.first_sent_at or not row.last_sent_at:
            return None
        return row.last_sent_at - row.first_sent_at

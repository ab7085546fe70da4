"""What went wrong with a notification, in groups: by outcome and code, with what to do."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count

from notifications.models import Delivery, Notification
from notifications.operators.causes import explain

# At most so many lines of each outcome are grouped, which an index finds: grouping all lines of a
# large log would take seconds.
LOOKED_AT = 5000


@dataclass(frozen=True, slots=True)
class Group:
    """How many lines of a notification have one outcome and one code."""

    outcome: str
    label: str
    code: str
    count: int

    @property
    def meaning(self) -> Any:
        """Return what the code means and what to do."""
        return explain(self.outcome, self.code)


def groups(row: Notification) -> list[Group]:
    """Return what went wrong, most frequent first; only outcomes with a count are looked up."""
    counts = row.counts()
    found = [
        Group(outcome.value, str(outcome.label), code, count)
        for outcome in Delivery.NOT_SENT
        if counts[outcome.value]
        for code, count in codes(row, outcome)
    ]
    return sorted(found, key=lambda group: -group.count)


def codes(row: Notification, outcome: Delivery.Outcome) -> Iterable[tuple[str, int]]:
    """Return each error code of this outcome with its number of lines, among LOOKED_AT lines."""
    lines = Delivery.objects.filter(notification=row, outcome=outcome).order_by()
    some = lines.values("id")[:LOOKED_AT]
    grouped = Delivery.objects.filter(id__in=some).order_by().values_list("error_code")
    return grouped.annotate(count=Count("id")).order_by("error_code")

"""Filters of the desk's lists: the form for a notification's number, and those of devices."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db import models
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from radiotalk import clock

MAX_ID = models.BigIntegerField.MAX_BIGINT
PARAMETER = "notification__id__exact"


class NotificationFilter(admin.ListFilter):
    """Filters by the number of a notification: there are too many notifications to choose from."""

    title = _("notification")
    template = "admin/notifications/number_filter.html"

    def __init__(
        self,
        request: HttpRequest,
        params: dict[str, list[str]],
        model: type[Model],
        model_admin: Any,
    ) -> None:
        super().__init__(request, params, model, model_admin)
        self.number = params.pop(PARAMETER, [""])[-1]

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return [PARAMETER]

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, object]]:
        """Yield what the template needs for a form that keeps the other filters."""
        others = {key: value for key, value in changelist.params.items() if key != PARAMETER}
        all_rows = changelist.get_query_string(remove=[PARAMETER])
        yield {
            "name": PARAMETER,
            "number": self.number,
            "others": others.items(),
            "all_rows": all_rows,
        }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.number:
            return queryset
        try:
            number = int(self.number)
        except ValueError as error:
            raise IncorrectLookupParameters(error) from error
        # No id is outside of this range, and SQLite would raise OverflowError.
        return queryset.filter(notification_id=number) if 0 < number <= MAX_ID else queryset.none()


# --- Filters of devices; none of them counts rows ------------------------------------------------

# Google calls a token stale after a month without contact; after 270 days one on Android is dead.
# https://firebase.google.com/docs/cloud-messaging/manage-tokens
STALE, DEAD = timedelta(days=30), timedelta(days=270)


@dataclass(frozen=True, slots=True)
class Freshness:
    """A range of ages of a device's last registration: longer ago than `over`, at most `upto`."""

    name: str
    label: Any
    over: timedelta
    upto: timedelta | None


FRESHNESS = [
    Freshness("fresh", _("fresh: within a month"), timedelta.min, STALE),
    Freshness("stale", _("stale: over a month"), STALE, DEAD),
    Freshness("dead", _("dead: over 270 days"), DEAD, None),
]


def freshness(age: timedelta) -> Freshness:
    """Return the freshness of a device that registered so long ago."""
    return next(each for each in reversed(FRESHNESS) if age > each.over)


class FreshnessFilter(admin.SimpleListFilter):
    """Filters by how long ago the app registered the device."""

    title = _("freshness")
    parameter_name = "freshness"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(each.name, each.label) for each in FRESHNESS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        asked = next((each for each in FRESHNESS if each.name == self.value()), None)
        if asked is None:
            return queryset
        now = clock.now()
        if asked.upto is not None:
            queryset = queryset.filter(refreshed_at__gte=now - asked.upto)
        if asked.name != "fresh":
            queryset = queryset.filter(refreshed_at__lt=now - asked.over)
        return queryset


class EnabledFilter(admin.SimpleListFilter):
    """Filters by whether a device is enabled: notifications go to enabled devices alone."""

    title = _("enabled")
    parameter_name = "enabled"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("Yes")), ("no", _("No"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in ("yes", "no"):
            return queryset
        return queryset.filter(disabled_at__isnull=self.value() == "yes")


class DisabledFilter(admin.SimpleListFilter):
    """Filters by why a device is disabled."""

    title = _("disabled because")
    parameter_name = "disabled"
    REASONS = {
        "unregistered": _("FCM: unregistered"),
        "mismatched": _("FCM: of another project"),
        "invalid": _("FCM: no valid token"),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [*self.REASONS.items(), ("operator", _("an operator"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        disabled = queryset.filter(disabled_at__isnull=False)
        if self.value() in self.REASONS:
            return disabled.filter(disabled_reason=f"FCM: {self.value()}")
        if self.value() == "operator":
            return disabled.exclude(disabled_reason__startswith="FCM: ")
        return queryset


class MineFilter(admin.SimpleListFilter):
    """Filters for the operator's own devices, to which a test may be sent."""

    title = _("owner")
    parameter_name = "mine"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("my own"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(user=request.user) if self.value() == "yes" else queryset

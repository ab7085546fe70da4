"""The send log: what became of each target, to which listener it belongs, and when."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifications.models import Delivery, DeviceToken, Notification
from notifications.operators import causes

from .base import UncountedAdmin, exact
from .controls import SETTLING
from .filters import MAX_ID, PARAMETER, NotificationFilter

Outcome = Delivery.Outcome

MOST_DEVICES = 1000  # of one listener


class OutcomeFilter(admin.SimpleListFilter):
    """Filters the log by outcome.

    Nearly all lines are `sent` or `simulated`, and no index finds these by outcome: of them, only
    those of one notification are shown, the newest that has any.
    """

    title = _("outcome")
    parameter_name = "outcome__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(Outcome.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        outcome = self.value()
        if outcome not in Outcome:
            return queryset
        queryset = queryset.filter(outcome=outcome)
        if outcome in Delivery.NOT_SENT or request.GET.get("q"):
            return queryset
        some = Notification.objects.filter(**{f"{outcome}_count__gt": 0}).order_by("-id")
        named = request.GET.get(PARAMETER, "")
        if named.isdecimal() and int(named) <= MAX_ID:
            some = some.filter(id=int(named))  # none when its counter is 0: nothing is searched
        return queryset.filter(notification=some.values_list("id", flat=True).first())


@admin.register(Delivery)
class DeliveryAdmin(UncountedAdmin):
    list_display = (
        "time", "listener", "outcome", "error_code", "notification", "device_shown", "attempts",
    )  # fmt: skip
    list_display_links = ("time",)
    list_filter = (NotificationFilter, OutcomeFilter)
    search_fields = ("device__user__username__exact",)
    search_help_text = _("The exact username of a listener.")
    # The index of the unique constraint has this order, within one notification and over all.
    ordering = ("-notification_id", "-device_id")
    fields = (
        "notification", "listener", "device_shown", "outcome", "error_code", "meaning",
        "message_id", "attempts", "next_attempt_at", "time", "note", "settle",
    )  # fmt: skip
    readonly_fields = ("listener", "device_shown", "time", "meaning", "settle")

    time = exact(Delivery, "at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        """Return the rows with all they show; a LEFT JOIN keeps the lines of deleted devices."""
        rows: QuerySet[Delivery] = super().get_queryset(request)
        return rows.select_related("notification", "device__user")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Look the devices up first: given a join, the database may scan the whole log."""
        if not search_term:
            return queryset, False
        devices = DeviceToken.objects.filter(user__username=search_term).order_by()
        ids = list(devices.values_list("id", flat=True)[:MOST_DEVICES])
        return queryset.filter(device__in=ids), False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Return the fields; the links to settle a line only for whoever may use one."""
        may = any(control.may(request) for control in SETTLING)
        return [name for name in self.fields or () if may or name != "settle"]

    @admin.display(description=_("listener"))
    def listener(self, delivery: Delivery) -> str:
        return delivery.device.user.get_username() if delivery.device else "–"

    @admin.display(description=_("device"))
    def device_shown(self, delivery: Delivery) -> str:
        if delivery.device:
            return str(delivery.device)
        if delivery.device_id is None:
            return gettext("(erased)")
        return gettext("deleted (%(number)s)") % {"number": delivery.device_id}

    @admin.display(description=_("meaning"))
    def meaning(self, delivery: Delivery) -> Any:
        """Return what the error means and what to do."""
        return causes.explain(delivery.outcome, delivery.error_code) or "–"

    @admin.display(description=_("controls"))
    def settle(self, delivery: Delivery) -> SafeString | str:
        """Return links to the pages that settle this line, a dash unless its outcome is unknown."""
        if delivery.outcome != Outcome.UNKNOWN:
            return "–"
        links = (
            (f"{control.address(delivery.notification)}?device={delivery.device_id}", control.label)
            for control in SETTLING
        )
        return format_html_join(" ", '<a href="{}">{}…</a>', links)

"""Notifications: the list, and the page of one."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from notifications import reasons
from notifications.models import Delivery, Notification
from programs.models import Program
from radiotalk import clock

from . import export, why
from .asking import ControlsAdmin
from .base import ReadOnlyAdmin, exact
from .controls import CONTROLS, RELEASE, STEERING
from .page import Page
from .progress import Progress

OUTCOMES = Delivery.Outcome.choices


class UnknownFilter(admin.SimpleListFilter):
    """Filters for notifications with unknown deliveries, which a person has to settle."""

    title = _("unknown deliveries")
    parameter_name = "unknown"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("to be settled"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(unknown_count__gt=0) if self.value() == "yes" else queryset


@admin.register(Notification)
class NotificationAdmin(ControlsAdmin, ReadOnlyAdmin):
    controls = CONTROLS
    list_display = (
        "talk_title", "state_shown", "progress", "outcomes", "posted",
    )  # fmt: skip
    list_filter = ("state", "dry_run", UnknownFilter, "created_at")
    list_per_page = 25
    search_fields = ("title", "body")
    show_facets = admin.ShowFacets.NEVER  # they count
    actions = None  # each control asks on a page of its own
    readonly_fields = ("program", "mode", "because")
    fieldsets = (
        (None, {"fields": ("title", "body", "talk", "program", "state", "mode", "because")}),
        (
            _("Stops"),
            {
                "fields": (
                    "stopped_at",
                    "sent_at_stop",
                    "needs_approval",
                    "live_by",
                    "approved_by",
                )
            },
        ),
        (
            _("Claiming"),
            {"fields": ("audience_count", "target_count", "cutoff", "cursor", "epoch", "crashes")},
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Notification]:
        """Return the rows with their talks and programs and the time, in one query."""
        rows: QuerySet[Notification] = super().get_queryset(request)
        return rows.select_related("talk__program").annotate(now=Now())

    def get_urls(self) -> list[URLPattern]:
        """Put two more pages before the controls and Django's own addresses."""
        name = "notifications_notification"
        view = self.admin_site.admin_view
        return [
            path("why/", view(self.why_view), name=f"{name}_why"),
            path("<int:number>/log.csv", view(self.export_view), name=f"{name}_export"),
            *super().get_urls(),
        ]

    # --- The list ----------------------------------------------------------------------------

    posted = exact(Notification, "created_at")

    @admin.display(description=_("talk"), ordering="body")
    def talk_title(self, notification: Notification) -> SafeString:
        program = notification.talk.program if notification.talk else notification.shown_title
        text = '{}<br><span class="quiet">{}</span>'
        return format_html(text, notification.shown_body, program)

    @admin.display(description=_("program"))
    def program(self, notification: Notification) -> Program | str:
        return notification.talk.program if notification.talk else "–"

    @admin.display(description=_("state"), ordering="state")
    def state_shown(self, notification: Notification) -> SafeString:
        return render_to_string("admin/notifications/parts/state.html", {"row": notification})

    @admin.display(description=_("mode"))
    def mode(self, notification: Notification) -> Any:
        if notification.dry_run is None:
            return "–"
        return _("dry run") if notification.dry_run else _("live")

    @admin.display(description=_("reason"))
    def because(self, notification: Notification) -> str:
        return reasons.said(notification.reason) or "–"

    @admin.display(description=_("progress"), ordering="target_count")
    def progress(self, notification: Any) -> SafeString:
        shown = Progress(notification, notification.now)
        return render_to_string("admin/notifications/parts/list_progress.html", {"progress": shown})

    @admin.display(description=_("outcomes"), empty_value="–")
    def outcomes(self, notification: Notification) -> str:
        """Return each outcome whose count is not zero, with the count."""
        counts = notification.counts()
        return ", ".join(
            f"{label}\N{NO-BREAK SPACE}{counts[name]:,}" for name, label in OUTCOMES if counts[name]
        )

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """Return the columns; the last has links to the controls that this user may use."""
        return [*self.list_display, links_for(request)]

    # --- The page of one -----------------------------------------------------------------------

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Show progress, outcomes and controls above the fields that Django shows."""
        row: Notification = context["original"]
        context["page"] = Page(row, clock.now())
        context["controls"] = self.offered(request, row)
        context["barred"] = RELEASE.bars(row, request)
        return super().render_change_form(request, context, *args, **kwargs)

    # --- What is done, and asked ---------------------------------------------------------------

    def found(self, request: HttpRequest, number: int) -> Notification:
        """Return the notification; raise PermissionDenied when the user may not see any."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        row: Notification = super().found(request, number)
        return row

    def ask_for_log(self, request: HttpRequest) -> None:
        """Raise PermissionDenied when the user may not see what became of a listener's devices."""
        if not request.user.has_perm("notifications.view_delivery"):
            raise PermissionDenied

    def export_view(self, request: HttpRequest, number: int) -> HttpResponseBase:
        """Return the send log of one notification as a file."""
        row = self.found(request, number)
        self.ask_for_log(request)
        outcome = request.GET.get("outcome", "")
        return export.response(row, outcome=outcome if outcome in Delivery.Outcome else "")

    def why_view(self, request: HttpRequest) -> HttpResponse:
        """Say why a listener did not get a talk."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        self.ask_for_log(request)
        context = {**self.admin_site.each_context(request), "opts": self.opts}
        return why.view(request, context)


def links_for(request: HttpRequest) -> Callable[[Notification], SafeString]:
    """Return a column with links to the controls that stop a notification or let it go on."""
    allowed = [each for each in STEERING if each.may(request)]

    @admin.display(description=_("controls"), empty_value="")
    def links(row: Notification) -> SafeString:
        pairs = (
            (each.address(row), each.label)
            for each in allowed
            if each.applies(row) and not each.bars(row, request)
        )
        return format_html_join(" ", '<a href="{}">{}</a>', pairs)

    return links

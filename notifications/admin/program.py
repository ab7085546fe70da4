"""Programs on the desk: listeners, reachable devices, the last notifications, and their dry run.

`programs` knows nothing of notifications, so its admin is taken over from here.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifications.models import DeviceToken, Notification
from programs.admin import ProgramAdmin
from programs.models import Clip, Program

from . import asking
from .asking import Act, Control, Happened
from .progress import Progress

LATEST = 10
MOST = 10_000  # counted at most: a program may have a million listeners

DRY_RUN = Control(
    "dry-run",
    "switch_program",
    _("Set to dry run"),
    _("Let no notification of this program reach anybody?"),
)
LIVE = Control(
    "live",
    "switch_program",
    _("Take the dry run away"),
    _("Let notifications of this program reach its listeners whenever the switch is live?"),
    danger=True,
)
CONTROLS = [DRY_RUN, LIVE]

admin.site.unregister(Program)


@admin.register(Program)
class ProgramDeskAdmin(ProgramAdmin):
    change_form_template = "admin/notifications/program.html"
    show_facets = admin.ShowFacets.NEVER  # they count

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Return also the dry run of a program that exists: it is changed on a page that asks."""
        return [*super().get_readonly_fields(request, obj), *(["dry_run"] if obj else [])]

    def get_urls(self) -> list[URLPattern]:
        """Put our pages before Django's own addresses, whose last one takes everything."""
        ours = [
            path(
                f"<int:number>/{control.name}/",
                self.admin_site.admin_view(self.control_view),
                {"control": control},
                name=f"programs_program_{control.name}",
            )
            for control in CONTROLS
        ]
        return [*ours, *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Show who is reached, above the form of a program that exists."""
        program = kwargs.get("obj")
        if program is not None and request.user.has_perm("notifications.view_notification"):
            context["page"] = Page(program, timezone.now())
        if program is not None:
            control = LIVE if program.dry_run else DRY_RUN
            context["control"] = control if control.may(request) else None
        return super().render_change_form(request, context, *args, **kwargs)

    def control_view(self, request: HttpRequest, number: int, control: Control) -> HttpResponse:
        """Ask before a program's dry run is changed, and change it."""
        if not control.may(request):
            raise PermissionDenied
        program = Program.objects.filter(pk=number).first()
        if program is None:
            raise Http404
        act = Act(
            control=control,
            target=program,
            will=[
                _("This counts from the next notification on."),
                _("What is being sent live is held before its next batch.")
                if control is DRY_RUN
                else _("What was started as a dry run stays one."),
            ],
            do=lambda form: switch(program, dry_run=control is DRY_RUN),
            back=reverse("admin:programs_program_change", args=[program.pk]),
        )
        context = {**self.admin_site.each_context(request), "opts": self.opts}
        return asking.view(request, act, context)


def switch(program: Program, *, dry_run: bool) -> Happened:
    """Set a program's dry run, and return what that means; the owner cannot take it away."""
    Program.objects.filter(pk=program.pk).update(dry_run=dry_run, dry_run_by_operator=dry_run)
    if dry_run:
        return Happened(gettext("This program is a dry run from now on."))
    return Happened(gettext("This program follows the sending switch from now on."))


@dataclass(frozen=True, slots=True)
class Count:
    """How many there are; no more than MOST were counted."""

    counted: int

    @property
    def is_more(self) -> bool:
        return self.counted > MOST

    def __str__(self) -> str:
        return f"{MOST:,}+" if self.is_more else f"{self.counted:,}"


def bounded(rows: QuerySet[Any]) -> Count:
    """Return how many rows there are, without reading more than it takes to say so."""
    return Count(len(rows.order_by().values_list("pk", flat=True)[: MOST + 1]))


@dataclass(frozen=True)
class Page:
    """What a program's page shows besides its form."""

    program: Program
    now: datetime

    @cached_property
    def listeners(self) -> Count:
        return bounded(Clip.objects.filter(program=self.program, muted=False))

    @cached_property
    def reachable(self) -> Count:
        return bounded(DeviceToken.objects.audience_of(self.program.pk, cutoff=self.now))

    @cached_property
    def latest(self) -> list[Progress]:
        rows = Notification.objects.filter(talk__program=self.program).select_related(
            "talk__program"
        )
        return [Progress(row, self.now) for row in rows.order_by("-talk_id")[:LATEST]]

    @property
    def last_audience(self) -> int | None:
        """Return how many targets the last notification that was started had."""
        counts = (progress.notification.audience_count for progress in self.latest)
        return next((count for count in counts if count is not None), None)

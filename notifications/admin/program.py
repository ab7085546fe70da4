"""Programs on the desk: listeners, reachable devices, the last notifications, and the dry run.

`programs` knows nothing of notifications, so this module replaces its admin of programs.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from notifications.models import DeviceToken, Notification
from notifications.operators import acts
from programs.admin import ProgramAdmin
from programs.models import Clip, Program
from radiotalk import clock

from .asking import Control, ControlsAdmin, Happened, who
from .progress import Progress

LATEST = 10
MOST = 10_000  # rows are counted at most: a program may have a million listeners


class ProgramControl(Control[Program]):
    """Sets the dry run of one program; its owner cannot take an operator's dry run away."""

    permission = "switch_program"
    dry_run: bool  # what is set
    consequence: Any  # for a notification that has started
    done: Any

    def applies(self, row: Program) -> bool:
        return row.dry_run is not self.dry_run

    def will(self, row: Program, request: HttpRequest) -> list[Any]:
        return [_("This counts from the next notification on."), self.consequence]

    def do(self, row: Program, form: forms.Form, request: HttpRequest) -> Happened:
        acts.set_program_dry_run(row.pk, self.dry_run, **who(request, form))
        return Happened(str(self.done))


class SetDryRun(ProgramControl):
    name = "dry-run"
    label = _("Set to dry run")
    asks = _("Let no notification of this program reach anybody?")
    stops = True
    dry_run = True
    consequence = _("What is being sent live is held before its next batch.")
    done = _("This program is a dry run from now on.")


class TakeDryRunAway(ProgramControl):
    name = "live"
    label = _("Take the dry run away")
    asks = _("Let notifications of this program reach its listeners whenever the switch is live?")
    danger = True
    needs_fresh_factor = True
    dry_run = False
    consequence = _("What was started as a dry run stays one.")
    done = _("This program follows the sending switch from now on.")


admin.site.unregister(Program)


@admin.register(Program)
class ProgramDeskAdmin(ControlsAdmin, ProgramAdmin):
    controls = (SetDryRun(), TakeDryRunAway())
    change_form_template = "admin/notifications/program.html"
    show_facets = admin.ShowFacets.NEVER  # they count

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Return also `dry_run` of a program that exists: only a control changes it."""
        return [*super().get_readonly_fields(request, obj), *(["dry_run"] if obj else [])]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Show whom the program reaches, above the form of a program that exists."""
        program = kwargs.get("obj")
        if program is not None and request.user.has_perm("notifications.view_notification"):
            context["page"] = Page(program, clock.now())
        if program is not None:
            context["controls"] = self.offered(request, program)
        return super().render_change_form(request, context, *args, **kwargs)


@dataclass(frozen=True, slots=True)
class Count:
    """A number of rows, of which no more than MOST were counted."""

    counted: int

    @property
    def is_more(self) -> bool:
        return self.counted > MOST

    def __str__(self) -> str:
        return f"{MOST:,}+" if self.is_more else f"{self.counted:,}"


def bounded(rows: QuerySet[Any]) -> Count:
    """Return how many rows there are; read one more than MOST at most."""
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

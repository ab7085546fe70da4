"""A control: something that an operator may do, after a page of its own has asked about it.

One object holds everything about one control: its address, its permission, its words, when it
applies, what will come of it, and the act. An admin names its controls in `controls`; addresses,
pages and links follow from that list.

The act itself is in `operators/acts`. It needs a reason, and is written into Django's log. Each
form has a number, which the first answer takes before the act. When the form is sent again, by a
second click or by going back, its number is taken, and nothing more is done.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import uuid4

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts import second_factor
from accounts.who import operator
from notifications.models import AnsweredForm
from notifications.models.control import MAX_REASON
from notifications.operators import acts
from programs.admin import SENT_BEFORE
from radiotalk import clock

from .base import ReadOnlyAdmin, exact

Row = TypeVar("Row", bound=Model)

TEMPLATE = "admin/notifications/confirm.html"


class ReasonForm(forms.Form):
    """Asks for the reason, which is kept with what is changed, and in the log."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=MAX_REASON,
        widget=AdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text=_("Kept with what you change, and in the log, for whoever comes after you."),
    )
    once = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)


@dataclass(frozen=True, slots=True)
class Happened:
    """What came of an act, for people."""

    text: str
    level: int = messages.SUCCESS


class Control(ABC, Generic[Row]):
    """One act on one kind of row; a subclass that leaves out a method cannot be instantiated."""

    name: str  # the last part of the page's address
    permission: str  # of the app `notifications`
    label: Any  # of the link to the page, and of the button
    asks: Any  # the question
    danger = False
    # What stops is there for staff who have shown their password alone: nobody is locked out of it.
    stops = False
    # Whoever makes phones ring has just shown a second factor.
    needs_fresh_factor = False
    form: type[forms.Form] = ReasonForm

    @abstractmethod
    def applies(self, row: Row) -> bool:
        """Return whether the act would change anything: only then a link leads to its page."""

    @abstractmethod
    def will(self, row: Row, request: HttpRequest) -> list[Any]:
        """Return what will come of the act, in sentences, with the numbers of the moment."""

    @abstractmethod
    def do(self, row: Row, form: forms.Form, request: HttpRequest) -> Happened:
        """Do the act, and return what happened; raise acts.Refused when nothing was done."""

    def objection(self, row: Row) -> str:
        """Return why the act is not possible now, "" when it is."""
        return ""

    def bars(self, row: Row, request: HttpRequest) -> str:
        """Return why this user may not do it to this row, though others may; "" when they may."""
        return ""

    def may(self, request: HttpRequest) -> bool:
        """Return whether the user has the permission."""
        return bool(request.user.has_perm(f"notifications.{self.permission}"))

    def subject(self, row: Row) -> Any:
        """Return what the row is called on the page, and in the list of answered forms."""
        return str(row)

    def address(self, row: Row) -> str:
        """Return the address of the page that asks."""
        return address_of(row, self.name)

    def back(self, row: Row) -> str:
        """Return the address of the page to which the question leads back."""
        return address_of(row, "change")


def address_of(row: Model, view: str) -> str:
    """Return the address of an admin page about one row."""
    meta = row._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_{view}", args=[row.pk])


def who(request: HttpRequest, form: forms.Form) -> dict[str, Any]:
    """Return what every act is told: by whom, and for what reason."""
    return {"by": operator(request), "reason": form.cleaned_data["reason"]}


class ControlsAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for mypy only
    """An admin that gives each of its controls an address and a page that asks."""

    controls: Sequence[Control[Any]] = ()
    row_path = "<int:number>/"  # which row, in the address of a control

    def get_urls(self) -> list[URLPattern]:
        """Put the controls before Django's own addresses, whose last one takes everything."""
        pages = [
            path(
                f"{self.row_path}{control.name}/",
                self.let_in(control)(self.control_view),
                {"control": control},
                name=f"{self.opts.app_label}_{self.opts.model_name}_{control.name}",
            )
            for control in self.controls
        ]
        return [*pages, *super().get_urls()]

    def let_in(self, control: Control[Any]) -> Callable[..., Any]:
        """Return what lets people in to a control's page, and sends all others to log in."""
        return staff_member_required if control.stops else self.admin_site.admin_view

    def found(self, request: HttpRequest, number: int) -> Any:
        """Return the row of that number; raise Http404 when there is none."""
        row = self.get_object(request, str(number))
        if row is None:
            raise Http404
        return row

    def offered(self, request: HttpRequest, row: Model) -> list[tuple[str, Control[Any]]]:
        """Return the controls that the user may use on the row now, each after its address."""
        return [
            (control.address(row), control)
            for control in self.controls
            if control.may(request) and control.applies(row) and not control.bars(row, request)
        ]

    def control_view(
        self, request: HttpRequest, control: Control[Any], **place: int
    ) -> HttpResponse:
        """Ask before a control's act, and do it."""
        if not control.may(request):
            raise PermissionDenied
        row = self.found(request, **place)
        context = {**self.admin_site.each_context(request), "opts": self.opts}
        return ask(request, control, row, context)


def ask(
    request: HttpRequest, control: Control[Row], row: Row, context: dict[str, Any]
) -> HttpResponse:
    """Show the question (GET); do the act once, and say what happened (POST).

    Where the act needs a fresh second factor it is asked for before the question. When it is too
    old for the answer, nothing is done, and the form stays as it was filled in.
    """
    form = control.form(request.POST or None)
    prove = ""
    if control.needs_fresh_factor and not second_factor.is_fresh(request):
        prove = second_factor.asked_at(request, then=request.get_full_path())
        if request.method != "POST":
            return HttpResponseRedirect(prove)
    elif request.method == "POST" and form.is_valid():
        try:
            happened = once(request, control, row, form)
        except acts.Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.add_message(request, happened.level, happened.text)
            return HttpResponseRedirect(control.back(row))
    context = {
        **context,
        "title": control.label,
        "control": control,
        "subject": control.subject(row),
        "will": control.will(row, request),
        "objection": control.objection(row) or control.bars(row, request),
        "back": control.back(row),
        "form": form,
        "prove": prove,
    }
    status = 409 if prove or refused(form) else 200
    return TemplateResponse(request, TEMPLATE, context, status=status)


def once(request: HttpRequest, control: Control[Row], row: Row, form: forms.Form) -> Happened:
    """Do the act and log it; for a form that was sent before, only return what happened then."""
    answered, is_first = AnsweredForm.objects.take(
        form.cleaned_data["once"],
        by=operator(request).name,
        asked=f"{control.label}: {control.subject(row)}",
        now=clock.now(),
    )
    if not is_first:
        return Happened(before(answered), messages.WARNING)
    try:
        happened = control.do(row, form, request)
    except acts.Refused:
        answered.delete()  # nothing was done: the form may be sent again
        raise
    answered.happened = happened.text
    answered.save(update_fields=["happened"])
    log(request, [row], f"{control.name}: {form.cleaned_data['reason']} → {happened.text}")
    return happened


def before(answered: AnsweredForm) -> str:
    """Return what came of a form the first time it was sent."""
    if not answered.happened:
        return str(SENT_BEFORE)
    return gettext("This form was sent before, and nothing was done now. Then: %(happened)s") % {
        "happened": answered.happened
    }


def refused(form: forms.Form) -> bool:
    """Return whether the act was refused; the other errors are of single fields."""
    return form.is_bound and bool(form.non_field_errors())


def log(request: HttpRequest, rows: QuerySet[Any] | Iterable[Model], message: str) -> None:
    """Write into Django's log, for each row, who did this to it."""
    LogEntry.objects.log_actions(
        user_id=int(request.user.pk or 0),  # the admin lets nobody in who has no number
        queryset=rows,
        action_flag=CHANGE,
        change_message=message,
    )


@admin.register(AnsweredForm)
class AnsweredFormAdmin(ReadOnlyAdmin):
    list_display = ("asked", "by", "answered", "happened")
    show_facets = admin.ShowFacets.NEVER

    answered = exact(AnsweredForm, "at")

"""A control: an act of an operator's that a page of its own asks about before it is done.

It needs a permission of its own and a reason; it is done by `operators/acts`, written into
Django's log, and answered with what happened. A form that is sent again, by a second click or by
going back, does nothing more: its answer is taken before the act, and taken once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifications.models import AnsweredForm
from notifications.models.control import MAX_REASON
from notifications.operators import acts
from programs.admin import SENT_BEFORE

from .base import ReadOnlyAdmin, exact

TEMPLATE = "admin/notifications/confirm.html"


class ReasonForm(forms.Form):
    """Why: kept with what is changed, and in the log."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=MAX_REASON,
        widget=AdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text=_("Kept with what you change, and in the log, for whoever comes after you."),
    )
    once = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)


@dataclass(frozen=True, slots=True)
class Control:
    """What a page asks, and who may answer; `name` is the last part of its address."""

    name: str
    permission: str
    label: Any  # of the link that leads here, and of the button
    asks: Any  # the question
    danger: bool = False
    form: type[forms.Form] = ReasonForm

    def may(self, request: HttpRequest) -> bool:
        """Return whether the user may do this."""
        return bool(request.user.has_perm(f"notifications.{self.permission}"))


@dataclass(frozen=True, slots=True)
class Happened:
    """What came of an act, for people."""

    text: str
    level: int = messages.SUCCESS


@dataclass(frozen=True, slots=True)
class Act:
    """A control on one object: what will come of it, and doing it, which returns what happened."""

    control: Control
    target: Model
    will: list[Any]
    do: Callable[[forms.Form], Happened]
    back: str
    objection: str = ""  # why it cannot be done now
    name: Any = ""  # of the target, where its own says little

    @property
    def subject(self) -> Any:
        """Return what the target is called."""
        return self.name or str(self.target)


def operator(request: HttpRequest) -> str:
    """Return who acts, as it is shown and compared everywhere."""
    return f"{request.user.get_username()} (admin)"


def view(request: HttpRequest, act: Act, context: dict[str, Any]) -> HttpResponse:
    """Ask (GET), or do it once, log it and say what happened (POST)."""
    if not act.control.may(request):
        raise PermissionDenied
    form = act.control.form(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            happened = once(request, act, form)
        except acts.Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.add_message(request, happened.level, happened.text)
            return HttpResponseRedirect(act.back)
    context = {**context, "title": act.control.label, "act": act, "form": form}
    return TemplateResponse(request, TEMPLATE, context, status=409 if refused(form) else 200)


def once(request: HttpRequest, act: Act, form: forms.Form) -> Happened:
    """Do it and log it; for a form that was sent before, only return what happened then."""
    answered, is_first = AnsweredForm.objects.take(
        form.cleaned_data["once"],
        by=operator(request),
        asked=f"{act.control.label}: {act.subject}",
        now=timezone.now(),
    )
    if not is_first:
        return Happened(before(answered), messages.WARNING)
    try:
        happened = act.do(form)
    except acts.Refused:
        answered.delete()  # nothing was done: the form may be sent again
        raise
    answered.happened = happened.text
    answered.save(update_fields=["happened"])
    log(request, act, f"{form.cleaned_data['reason']} → {happened.text}")
    return happened


def before(answered: AnsweredForm) -> str:
    """Return what came of a form the first time it was sent."""
    if not answered.happened:
        return str(SENT_BEFORE)
    return gettext("This form was sent before, and nothing was done now. Then: %(happened)s") % {
        "happened": answered.happened
    }


def refused(form: forms.Form) -> bool:
    """Return whether the act itself was refused, and not an answer."""
    return form.is_bound and bool(form.non_field_errors())


def operator_id(request: HttpRequest) -> int:
    """Return the number of who acts; the admin lets nobody in who has none."""
    return int(request.user.pk or 0)


def log(request: HttpRequest, act: Act, message: str) -> None:
    """Write into Django's log who did what, why, and what happened."""
    LogEntry.objects.log_actions(
        user_id=operator_id(request),
        queryset=[act.target],
        action_flag=CHANGE,
        change_message=f"{act.control.name}: {message}",
        single_object=True,
    )


@admin.register(AnsweredForm)
class AnsweredFormAdmin(ReadOnlyAdmin):
    list_display = ("asked", "by", "answered", "happened")
    show_facets = admin.ShowFacets.NEVER

    answered = exact(AnsweredForm, "at")

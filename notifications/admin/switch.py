"""The sending switch: a page that says what would happen to a talk posted now, and its controls.

Showing the page changes nothing; each control asks on a page of its own.
"""

from abc import abstractmethod
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.widgets import AdminIntegerFieldWidget, AdminTextInputWidget
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.who import Who
from notifications import policy, reasons
from notifications.models import SendingSwitch, WorkerLease
from notifications.models.control import MAX_LIVE_MINUTES
from notifications.operators import acts
from notifications.operators.situation import open_notifications, situation
from radiotalk import clock

from .asking import Control, ControlsAdmin, Happened, ReasonForm, who

PAGE = "admin:notifications_sendingswitch_changelist"

# The operator has to type this word: nobody goes live by a slip of the finger.
WORD = "LIVE"


class LiveForm(ReasonForm):
    """Asks for a reason, an end, the largest audience that is meant, and a typed word."""

    minutes = forms.IntegerField(
        label=gettext_lazy("For how many minutes"),
        min_value=1,
        max_value=MAX_LIVE_MINUTES,
        widget=AdminIntegerFieldWidget,
        help_text=gettext_lazy("Then it is a dry run again by itself."),
    )
    max_audience = forms.IntegerField(
        label=gettext_lazy("Largest audience"),
        min_value=1,
        max_value=2**31 - 1,
        widget=AdminIntegerFieldWidget,
        help_text=gettext_lazy(
            "A notification with more targets is held until somebody else releases it."
        ),
    )
    word = forms.CharField(
        label=gettext_lazy("Type LIVE"),
        widget=AdminTextInputWidget(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    field_order = ["reason", "minutes", "max_audience", "word"]

    def clean_word(self) -> str:
        """Return the word; raise ValidationError for any other than WORD."""
        word: str = self.cleaned_data["word"]
        if word != WORD:
            raise forms.ValidationError(
                gettext_lazy("Type the word %(word)s, in capitals."), params={"word": WORD}
            )
        return word


class SwitchControl(Control[SendingSwitch]):
    """A control of the one switch; what happened is what a talk posted now would do."""

    @abstractmethod
    def change(self, form: forms.Form, *, now: datetime, by: Who, reason: str) -> None:
        """Set the switch."""

    def do(self, row: SendingSwitch, form: forms.Form, request: HttpRequest) -> Happened:
        now = clock.now()
        self.change(form, now=now, **who(request, form))
        text = _("Changed. A talk posted now %(verdict)s.")
        return Happened(text % {"verdict": situation(now=now).verdict})

    def subject(self, row: SendingSwitch) -> str:
        return capfirst(str(SendingSwitch._meta.verbose_name))

    def address(self, row: SendingSwitch) -> str:
        return reverse(f"admin:notifications_sendingswitch_{self.name}")

    def back(self, row: SendingSwitch) -> str:
        return reverse(PAGE)


class Pause(SwitchControl):
    name = "pause"
    permission = "pause_sending"
    label = gettext_lazy("Pause all")
    asks = gettext_lazy("Stop all sending until somebody resumes it?")
    danger = True
    stops = True

    def applies(self, row: SendingSwitch) -> bool:
        return not row.paused

    def will(self, row: SendingSwitch, request: HttpRequest) -> list[Any]:
        waiting = going_on()
        text = ngettext(
            "%(count)d notification then waits. Nothing is lost.",
            "%(count)d notifications then wait. Nothing is lost.",
            waiting,
        )
        return [
            _("Nothing new is claimed, from the next batch on; what is in flight ends."),
            text % {"count": waiting},
        ]

    def change(self, form: forms.Form, *, now: datetime, by: Who, reason: str) -> None:
        acts.pause(now=now, by=by, reason=reason)


class Resume(SwitchControl):
    name = "resume"
    permission = "resume_sending"
    label = gettext_lazy("Resume")
    asks = gettext_lazy("Go on sending?")
    needs_fresh_factor = True

    def applies(self, row: SendingSwitch) -> bool:
        return row.paused

    def will(self, row: SendingSwitch, request: HttpRequest) -> list[Any]:
        waiting = going_on()
        text = ngettext(
            "%(count)d notification goes on at once.",
            "%(count)d notifications go on at once.",
            waiting,
        )
        return [
            _("Paused because: %(reason)s") % {"reason": row.paused_reason or "–"},
            text % {"count": waiting},
        ]

    def change(self, form: forms.Form, *, now: datetime, by: Who, reason: str) -> None:
        acts.resume(now=now, by=by, reason=reason)


class DryRun(SwitchControl):
    name = "dry-run"
    permission = "set_dry_run"
    label = gettext_lazy("Dry run")
    asks = gettext_lazy("Turn back to dry run?")
    stops = True

    def applies(self, row: SendingSwitch) -> bool:
        return row.mode == SendingSwitch.Mode.LIVE

    def will(self, row: SendingSwitch, request: HttpRequest) -> list[Any]:
        return [
            _("Talks posted from now on are validated by FCM and reach nobody."),
            _("What is being sent live is held before its next batch."),
        ]

    def change(self, form: forms.Form, *, now: datetime, by: Who, reason: str) -> None:
        acts.dry_run(now=now, by=by, reason=reason)


class GoLive(SwitchControl):
    name = "live"
    permission = "go_live"
    label = gettext_lazy("Go live")
    asks = gettext_lazy("Send for real, to everybody, from now on?")
    danger = True
    needs_fresh_factor = True
    form = LiveForm

    def applies(self, row: SendingSwitch) -> bool:
        return True  # while it is live, the end and the largest audience can be set anew

    def objection(self, row: SendingSwitch) -> str:
        objection = policy.live_objection(WorkerLease.objects.first())
        if objection is None:
            return ""
        return _("Not possible here: %(objection)s") % {"objection": reasons.said(objection)}

    def will(self, row: SendingSwitch, request: HttpRequest) -> list[Any]:
        lines = [_("Talks posted from now on reach every listener, until the end you set.")]
        if pending := open_notifications().pending:
            text = ngettext(
                "%(count)d notification waits and goes out live at once.",
                "%(count)d notifications wait and go out live at once.",
                pending,
            )
            lines.append(text % {"count": pending})
        if limit := settings.NOTIFICATIONS_APPROVAL_AUDIENCE:
            text = _(
                "A notification with more than %(limit)s targets waits until another account "
                "than yours releases it, whatever you allow below."
            )
            lines.append(text % {"limit": f"{limit:,}"})
        return lines

    def change(self, form: forms.Form, *, now: datetime, by: Who, reason: str) -> None:
        acts.go_live(
            now=now,
            by=by,
            reason=reason,
            until=now + timedelta(minutes=form.cleaned_data["minutes"]),
            max_audience=form.cleaned_data["max_audience"],
        )


def going_on() -> int:
    """Return how many notifications a pause would stop, or has stopped."""
    now = open_notifications()
    return now.pending + now.sending


@admin.register(SendingSwitch)
class SendingSwitchAdmin(ControlsAdmin):
    controls = (Pause(), Resume(), DryRun(), GoLive())
    row_path = ""  # there is one row

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def found(self, request: HttpRequest, number: int = SendingSwitch.ONLY_PK) -> SendingSwitch:
        """Return the switch; when nobody has changed it yet, it is not in the database."""
        return SendingSwitch.objects.current()

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the switch: since it is the only row, its page takes the place of the list."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": capfirst(self.opts.verbose_name),
            "opts": self.opts,
            "environment": settings.ENVIRONMENT,
            "objection": policy.live_objection(WorkerLease.objects.first()),
            "approval_audience": settings.NOTIFICATIONS_APPROVAL_AUDIENCE,
            "controls": self.offered(request, self.found(request)),
        }
        template = "admin/notifications/sendingswitch/switch.html"
        return TemplateResponse(request, template, context)

    def change_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Redirect Django's address of the row, to which its history links, to the page."""
        return redirect(PAGE)

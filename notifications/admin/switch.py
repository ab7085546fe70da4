"""The sending switch: a page that says what would happen to a talk posted now, and the ways to it.

Showing it (GET) changes nothing; each change asks on a page of its own.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.widgets import AdminIntegerFieldWidget, AdminTextInputWidget
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from notifications import policy, reasons
from notifications.models import SendingSwitch
from notifications.models.control import MAX_LIVE_MINUTES
from notifications.operators import acts
from notifications.operators.situation import open_notifications, situation

from . import asking
from .asking import Act, Control, Happened, ReasonForm

PAGE = "admin:notifications_sendingswitch_changelist"

# What has to be typed: nobody goes live by a slip of the finger.
WORD = "LIVE"


class LiveForm(ReasonForm):
    """Going live needs a word, a reason, an end, and the largest audience that is meant."""

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
        """Return the word; raise unless it is the one."""
        word: str = self.cleaned_data["word"]
        if word != WORD:
            raise forms.ValidationError(
                gettext_lazy("Type the word %(word)s, in capitals."), params={"word": WORD}
            )
        return word


LIVE = Control(
    "live",
    "go_live",
    gettext_lazy("Go live"),
    gettext_lazy("Send for real, to everybody, from now on?"),
    danger=True,
    form=LiveForm,
)
DRY_RUN = Control(
    "dry-run",
    "set_dry_run",
    gettext_lazy("Dry run"),
    gettext_lazy("Turn back to dry run?"),
)
PAUSE = Control(
    "pause",
    "pause_sending",
    gettext_lazy("Pause all"),
    gettext_lazy("Stop all sending until somebody resumes it?"),
    danger=True,
)
RESUME = Control(
    "resume",
    "resume_sending",
    gettext_lazy("Resume"),
    gettext_lazy("Go on sending?"),
)
CONTROLS = [PAUSE, RESUME, DRY_RUN, LIVE]


def applies(control: Control, switch: SendingSwitch) -> bool:
    """Return whether the control would change anything."""
    match control.name:
        case "pause":
            return not switch.paused
        case "resume":
            return switch.paused
        case "dry-run":
            return switch.mode == SendingSwitch.Mode.LIVE
        case _:
            return True


@dataclass(frozen=True, slots=True)
class OnSwitch:
    """One control of the switch, in one operator's hands."""

    control: Control
    by: str

    def act(self) -> Act:
        """Return what the page asks, and how it is done."""
        switch = SendingSwitch.objects.current()
        objection = policy.live_objection() if self.control is LIVE else None
        return Act(
            control=self.control,
            target=switch,
            name=capfirst(SendingSwitch._meta.verbose_name),
            will=self.will(switch),
            do=self.do,
            back=reverse(PAGE),
            objection=_("Not possible here: %(objection)s") % {"objection": reasons.said(objection)}
            if objection
            else "",
        )

    def will(self, switch: SendingSwitch) -> list[str]:
        """Return what will come of it."""
        open_now = open_notifications()
        waiting = open_now.pending + open_now.sending
        match self.control.name:
            case "pause":
                return [
                    _("Nothing new is claimed, from the next batch on; what is in flight ends."),
                    ngettext(
                        "%(count)d notification then waits. Nothing is lost.",
                        "%(count)d notifications then wait. Nothing is lost.",
                        waiting,
                    )
                    % {"count": waiting},
                ]
            case "resume":
                return [
                    _("Paused because: %(reason)s") % {"reason": switch.paused_reason or "–"},
                    ngettext(
                        "%(count)d notification goes on at once.",
                        "%(count)d notifications go on at once.",
                        waiting,
                    )
                    % {"count": waiting},
                ]
            case "dry-run":
                return [
                    _("Talks posted from now on are validated by FCM and reach nobody."),
                    _("What is being sent live is held before its next batch."),
                ]
            case _:
                text = ngettext(
                    "%(count)d notification waits and goes out live at once.",
                    "%(count)d notifications wait and go out live at once.",
                    open_now.pending,
                )
                return [
                    _("Talks posted from now on reach every listener, until the end you set."),
                    *([text % {"count": open_now.pending}] if open_now.pending else []),
                ]

    def do(self, form: forms.Form) -> Happened:
        """Set the switch, and say what that means for a talk."""
        who: dict[str, Any] = {"by": self.by, "reason": form.cleaned_data["reason"]}
        now = timezone.now()
        match self.control.name:
            case "pause":
                acts.pause(now=now, **who)
            case "resume":
                acts.resume(now=now, **who)
            case "dry-run":
                acts.dry_run(now=now, **who)
            case _:
                until = now + timedelta(minutes=form.cleaned_data["minutes"])
                most = form.cleaned_data["max_audience"]
                acts.go_live(now=now, until=until, max_audience=most, **who)
        text = _("Changed. A talk posted now %(verdict)s.")
        return Happened(text % {"verdict": situation(now=now).verdict})


@admin.register(SendingSwitch)
class SendingSwitchAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for mypy only
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        """Put the changes before Django's own addresses, whose last one takes everything."""
        name = "notifications_sendingswitch"
        changes = [
            path(
                f"{control.name}/",
                self.admin_site.admin_view(self.control_view),
                {"control": control},
                name=f"{name}_{control.name}",
            )
            for control in CONTROLS
        ]
        return [*changes, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the switch: there is one row, so the list is its page."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        switch = SendingSwitch.objects.current()
        context = {
            **self.admin_site.each_context(request),
            "title": capfirst(self.opts.verbose_name),
            "opts": self.opts,
            "environment": settings.ENVIRONMENT,
            "objection": policy.live_objection(),
            "controls": [each for each in CONTROLS if each.may(request) and applies(each, switch)],
        }
        template = "admin/notifications/sendingswitch/switch.html"
        return TemplateResponse(request, template, context)

    def change_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Lead from Django's address of the row (its history links there) to the page."""
        return redirect(PAGE)

    def control_view(self, request: HttpRequest, control: Control) -> HttpResponse:
        """Ask before a change, and make it."""
        if not control.may(request):
            raise PermissionDenied
        act = OnSwitch(control, asking.operator(request)).act()
        context = {**self.admin_site.each_context(request), "opts": self.opts}
        return asking.view(request, act, context)

"""Why did listener X not get talk Y? The page asks for both, and shows what the database knows."""

from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextInputWidget
from django.contrib.auth import get_user_model
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _

from notifications.models import Batch, Delivery, DeviceToken, Notification
from notifications.operators import causes
from notifications.operators.why import Facts, Finding, explain
from programs.models import Clip, Talk

MOST_DEVICES = 50
MOST_TALKS = 10  # to choose from, when several have the title
TEMPLATE = "admin/notifications/notification/why.html"


class WhyForm(forms.Form):
    """Asks for a listener, by name, and a talk, by number or by how its title begins."""

    listener = forms.CharField(
        label=_("Listener"),
        help_text=_("The exact username."),
        widget=AdminTextInputWidget(attrs={"autocapitalize": "none", "autocomplete": "off"}),
    )
    talk = forms.CharField(
        label=_("Talk"),
        help_text=_("Its number, or how its title begins."),
        widget=AdminTextInputWidget(attrs={"autocomplete": "off"}),
    )

    def clean_listener(self) -> Any:
        name = self.cleaned_data["listener"].strip()
        user = get_user_model().objects.filter(username=name).first()
        if user is None:
            raise forms.ValidationError(
                _("There is no listener “%(name)s”."), params={"name": name}, code="unknown"
            )
        return user

    def clean_talk(self) -> list[Talk]:
        """Return the talks that may be meant, newest first."""
        text = self.cleaned_data["talk"].strip()
        talks = found(text)
        if not talks:
            raise forms.ValidationError(
                _("There is no talk “%(text)s”."), params={"text": text}, code="unknown"
            )
        return talks


def found(text: str) -> list[Talk]:
    """Return the talk of that number; else the newest talks whose titles begin with the text."""
    talks = Talk.objects.select_related("program").order_by("-id")
    if text.isdecimal() and len(text) < 19 and (by_number := talks.filter(pk=int(text)).first()):
        return [by_number]
    return list(talks.filter(title__startswith=text)[:MOST_TALKS])


def facts_of(user: Any, talk: Talk) -> Facts:
    """Return what the database knows of this listener and this talk, in five statements."""
    notification = Notification.objects.filter(talk=talk).first()
    devices = list(DeviceToken.objects.filter(user=user).order_by("id")[:MOST_DEVICES])
    ids = [device.pk for device in devices]
    deliveries, in_flight = {}, frozenset[int]()
    if notification:
        log = Delivery.objects.of(notification.pk, ids)
        deliveries = {line.device_id: line for line in log if line.device_id}
        in_flight = claimed(notification, set(ids) - set(deliveries))
    return Facts(
        listener=user.get_username(),
        talk=talk,
        notification=notification,
        clip=Clip.objects.filter(listener=user, program=talk.program_id).first(),
        devices=devices,
        deliveries=deliveries,
        in_flight=in_flight,
    )


def claimed(notification: Notification, device_ids: set[int]) -> frozenset[int]:
    """Return to which of these devices a worker is sending; an index has the batches in flight."""
    if not device_ids or notification.state == Notification.State.PENDING:
        return frozenset()
    batches = Batch.objects.filter(notification=notification, state=Batch.State.SENDING)
    targets = batches.values_list("targets", flat=True)
    return frozenset(device_ids & {device_id for batch in targets for device_id in batch})


def meaning_of(finding: Finding) -> Any:
    """Return what the error of a delivery means and what to do, "" when it has none."""
    line = finding.delivery
    return causes.explain(line.outcome, line.error_code) if line and line.error_code else ""


def view(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Show the question, and the answer to it."""
    asked = "listener" in request.GET or "talk" in request.GET
    form = WhyForm(request.GET if asked else None)
    answer = talk = None
    talks: list[Talk] = []
    if asked and form.is_valid():
        talks = form.cleaned_data["talk"]
        talk = talks[0]
        answer = explain(facts_of(form.cleaned_data["listener"], talk))
    context = {
        **context,
        "title": _("Why did a listener not get a talk?"),
        "form": form,
        "answer": answer,
        "talk": talk,
        "others": talks[1:],
        "evidence": [(finding, meaning_of(finding)) for finding in answer.findings]
        if answer
        else [],
        "notification": Notification.objects.filter(talk=talk).first() if talk else None,
    }
    return TemplateResponse(request, TEMPLATE, context)

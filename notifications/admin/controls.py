"""What operators may do to one notification; each is asked about on a page of its own."""

from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.who import operator
from notifications import reasons
from notifications.models import Delivery, Notification, SendingSwitch
from notifications.operators import acts
from notifications.operators.acts import approval
from radiotalk import clock

from .asking import Control, Happened, ReasonForm, who
from .errors import LOOKED_AT
from .filters import MAX_ID
from .progress import Progress

State = Notification.State


class NotificationControl(Control[Notification]):
    """A control that objects where it does not apply."""

    def objection(self, row: Notification) -> str:
        if self.applies(row):
            return ""
        return _("It is %(state)s, and there is nothing to do this to.") % {
            "state": row.get_state_display()
        }


# --- Stopping, and going on -------------------------------------------------------------------


class Cancel(NotificationControl):
    name = "cancel"
    permission = "cancel_notification"
    label = gettext_lazy("Cancel")
    asks = gettext_lazy("Stop this notification for good?")
    danger = True
    stops = True

    def applies(self, row: Notification) -> bool:
        return row.state in Notification.OPEN_STATES

    def will(self, row: Notification, request: HttpRequest) -> list[Any]:
        return [*will_stop(row), _("A cancelled notification cannot be sent again.")]

    def do(self, row: Notification, form: forms.Form, request: HttpRequest) -> Happened:
        return stopped(acts.cancel(row.pk, now=clock.now(), **who(request, form)))


class Hold(NotificationControl):
    name = "hold"
    permission = "hold_notification"
    label = gettext_lazy("Hold")
    asks = gettext_lazy("Stop this notification until somebody releases it?")
    stops = True

    def applies(self, row: Notification) -> bool:
        return row.state in Notification.ACTIVE_STATES

    def will(self, row: Notification, request: HttpRequest) -> list[Any]:
        return [*will_stop(row), _("It can be released or cancelled later.")]

    def do(self, row: Notification, form: forms.Form, request: HttpRequest) -> Happened:
        return stopped(acts.hold(row.pk, now=clock.now(), **who(request, form)))


class Release(NotificationControl):
    name = "release"
    permission = "release_notification"
    label = gettext_lazy("Release")
    asks = gettext_lazy("Let this notification go on where it was held?")
    danger = True
    needs_fresh_factor = True

    def applies(self, row: Notification) -> bool:
        return row.state == State.HELD

    def will(self, row: Notification, request: HttpRequest) -> list[Any]:
        lines = [_("It was held because: %(reason)s") % {"reason": reasons.said(row.reason) or "–"}]
        if row.unclaimed_count is not None:
            lines.append(_("About %(count)s are left.") % {"count": f"{row.unclaimed_count:,}"})
        if approval.is_needed(row, switch_of(request)):
            lines.append(_("Your release is the approval by a second account."))
        misconfigured = Delivery.objects.filter(notification=row).misconfigured()
        if again := row.retry_count + misconfigured.count():
            text = _("%(count)s that FCM had not accepted are attempted again.")
            lines.append(text % {"count": f"{again:,}"})
        return [*lines, mode_of(row)]

    def bars(self, row: Notification, request: HttpRequest) -> str:
        switch = switch_of(request)
        if not self.applies(row) or not approval.is_needed(row, switch):
            return ""
        return approval.objection(row, operator(request), switch)

    def do(self, row: Notification, form: forms.Form, request: HttpRequest) -> Happened:
        acts.release(row.pk, **who(request, form))
        return Happened(_("Released: it goes on where it was held."))


def switch_of(request: HttpRequest) -> SendingSwitch:
    """Return the switch, which is read once for a request: a list asks for each held row."""
    switch: SendingSwitch | None = getattr(request, "sending_switch", None)
    if switch is None:
        switch = SendingSwitch.objects.current()
        request.sending_switch = switch  # type: ignore[attr-defined]
    return switch


def will_stop(row: Notification) -> list[str]:
    """Return what stopping the notification now means."""
    progress = Progress(row, clock.now())
    lines = [
        _("So far %(reached)s were reached.") % {"reached": f"{progress.reached:,}"},
        _("What is in flight (%(count)s now) may still go out; nothing more is claimed.")
        % {"count": f"{progress.in_flight:,}"},
    ]
    if row.unclaimed_count is not None:
        text = _("About %(count)s will not be sent.")
        lines.append(text % {"count": f"{row.unclaimed_count:,}"})
    return lines


def stopped(stop: acts.Stop) -> Happened:
    """Return how far the notification had come, as a sentence."""
    told = str(stop)
    return Happened(_("%(told)s.") % {"told": told[:1].upper() + told[1:]})


def mode_of(row: Notification) -> str:
    """Return whether a released notification reaches anybody."""
    if row.dry_run is None:
        return _("As the sending switch says then.")
    return _("It is a dry run and reaches nobody.") if row.dry_run else _("It is sent LIVE.")


# --- Attempting again, and settling what is unknown -----------------------------------------------


class Retry(NotificationControl):
    name = "retry"
    permission = "retry_failed"
    label = gettext_lazy("Retry what failed")
    asks = gettext_lazy("Attempt again what FCM never accepted?")
    needs_fresh_factor = True

    def applies(self, row: Notification) -> bool:
        # Each look at the page asks, so only some are looked at.
        rejected = Delivery.objects.filter(notification=row, outcome=Delivery.Outcome.REJECTED)
        some = Delivery.objects.filter(id__in=rejected.order_by().values("id")[:LOOKED_AT])
        has_failed = row.abandoned_count > 0 or (
            row.rejected_count > 0 and some.misconfigured().exists()
        )
        return has_failed and may_attempt(row)

    def will(self, row: Notification, request: HttpRequest) -> list[Any]:
        rejected = Delivery.objects.filter(notification=row).misconfigured().count()
        count = row.abandoned_count + rejected
        return [
            _("Up to %(count)s are attempted again.") % {"count": f"{count:,}"},
            _("FCM had accepted none of these, so nobody gets it twice."),
            _("What an operator had given up is left alone."),
            *waits_for_approval(row, request),
        ]

    def do(self, row: Notification, form: forms.Form, request: HttpRequest) -> Happened:
        count = acts.retry_failed(row.pk, now=clock.now(), **who(request, form))
        return attempted_again(count)


class TwiceForm(ReasonForm):
    """Asks for a yes to doubles: no other act can push to a device a second time."""

    accepted = forms.BooleanField(
        label=gettext_lazy("I accept that some get it twice"),
        help_text=gettext_lazy("On most devices the second one replaces the first."),
    )


class ResendUnknown(NotificationControl):
    name = "resend-unknown"
    permission = "settle_unknown"
    label = gettext_lazy("Send unknown again")
    asks = gettext_lazy("Send again what may have arrived already?")
    danger = True
    needs_fresh_factor = True
    form = TwiceForm

    def applies(self, row: Notification) -> bool:
        return row.unknown_count > 0 and may_attempt(row)

    def will(self, row: Notification, request: HttpRequest) -> list[Any]:
        return [
            how_many_unknown(row, request),
            _("Who has got it gets it a second time."),
            _("Who has not got it gets it now."),
            *waits_for_approval(row, request),
        ]

    def do(self, row: Notification, form: forms.Form, request: HttpRequest) -> Happened:
        devices = devices_of(request, row)
        count = acts.resend_unknown(
            row.pk, now=clock.now(), device_ids=devices, **who(request, form)
        )
        return attempted_again(count)


class AbandonUnknown(NotificationControl):
    name = "abandon-unknown"
    permission = "settle_unknown"
    label = gettext_lazy("Leave unknown at that")
    asks = gettext_lazy("Send nothing more to those of whom it is not known whether they got it?")

    def applies(self, row: Notification) -> bool:
        return row.unknown_count > 0

    def will(self, row: Notification, request: HttpRequest) -> list[Any]:
        return [
            how_many_unknown(row, request),
            _("Who has not got it will never get it. Nobody gets it twice."),
        ]

    def do(self, row: Notification, form: forms.Form, request: HttpRequest) -> Happened:
        devices = devices_of(request, row)
        count = acts.abandon_unknown(row.pk, device_ids=devices, **who(request, form))
        text = ngettext(
            "%(count)s unknown delivery is left at that.",
            "%(count)s unknown deliveries are left at that.",
            count,
        )
        return Happened(text % {"count": f"{count:,}"})


def waits_for_approval(row: Notification, request: HttpRequest) -> list[str]:
    """Return that nothing goes out before an approval, if so."""
    if not approval.is_needed(row, switch_of(request)):
        return []
    text = _("Its audience is large: nothing goes out until another account releases it.")
    return [text]


def may_attempt(row: Notification) -> bool:
    """Return whether more may be sent of the notification in its state."""
    return row.state not in (State.CANCELLED, State.EXPIRED)


def attempted_again(count: int) -> Happened:
    """Return that so many deliveries are attempted again."""
    text = ngettext(
        "%(count)s delivery is attempted again.", "%(count)s deliveries are attempted again.", count
    )
    return Happened(text % {"count": f"{count:,}"})


def how_many_unknown(row: Notification, request: HttpRequest) -> str:
    """Return how many deliveries would be settled."""
    devices = devices_of(request, row)
    count = row.unknown_count if devices is None else len(devices)
    text = ngettext("%(count)s delivery is unknown.", "%(count)s deliveries are unknown.", count)
    return text % {"count": f"{count:,}"}


def devices_of(request: HttpRequest, row: Notification) -> list[int] | None:
    """Return the device that the address names, if it is unknown whether it was reached.

    None means all devices, and is returned only when the address names none.
    """
    named = request.GET.get("device")
    if named is None:
        return None
    if not named.isdecimal() or int(named) > MAX_ID:
        return []
    unknown = Delivery.objects.filter(notification=row, outcome=Delivery.Outcome.UNKNOWN)
    return list(unknown.filter(device=int(named)).values_list("device_id", flat=True))


# The list of notifications links to STEERING, a line of the send log to SETTLING, and the page of
# a notification to all.
RELEASE = Release()
STEERING = (Cancel(), Hold(), RELEASE)
SETTLING = (ResendUnknown(), AbandonUnknown())
CONTROLS = (*STEERING, Retry(), *SETTLING)

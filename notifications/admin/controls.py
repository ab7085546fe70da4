"""What operators may do to one notification; each is asked about on a page of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from notifications import reasons
from notifications.models import Delivery, Notification
from notifications.operators import acts

from .asking import Act, Control, Happened, ReasonForm
from .filters import MAX_ID
from .progress import Progress

State = Notification.State


class TwiceForm(ReasonForm):
    """Sending again what may have arrived is the one act that can double a push."""

    accepted = forms.BooleanField(
        label=gettext_lazy("I accept that some get it twice"),
        help_text=gettext_lazy("On most devices the second one replaces the first."),
    )


CANCEL = Control(
    "cancel",
    "cancel_notification",
    gettext_lazy("Cancel"),
    gettext_lazy("Stop this notification for good?"),
    danger=True,
)
HOLD = Control(
    "hold",
    "hold_notification",
    gettext_lazy("Hold"),
    gettext_lazy("Stop this notification until somebody releases it?"),
)
RELEASE = Control(
    "release",
    "release_notification",
    gettext_lazy("Release"),
    gettext_lazy("Let this notification go on where it was held?"),
    danger=True,
)
RETRY = Control(
    "retry",
    "retry_failed",
    gettext_lazy("Retry what failed"),
    gettext_lazy("Attempt again what FCM never accepted?"),
)
RESEND = Control(
    "resend-unknown",
    "settle_unknown",
    gettext_lazy("Send unknown again"),
    gettext_lazy("Send again what may have arrived already?"),
    danger=True,
    form=TwiceForm,
)
ABANDON = Control(
    "abandon-unknown",
    "settle_unknown",
    gettext_lazy("Leave unknown at that"),
    gettext_lazy("Send nothing more to those of whom it is not known whether they got it?"),
)
CONTROLS = [CANCEL, HOLD, RELEASE, RETRY, RESEND, ABANDON]


def applies(control: Control, row: Notification) -> bool:
    """Return whether the control has anything to do in the notification's state."""
    match control.name:
        case "cancel":
            return row.state in Notification.OPEN_STATES
        case "hold":
            return row.state in Notification.ACTIVE_STATES
        case "release":
            return row.state == State.HELD
        case "retry":
            ended = row.state in (State.CANCELLED, State.EXPIRED)
            return row.abandoned_count > 0 and not ended
        case "resend-unknown":
            ended = row.state in (State.CANCELLED, State.EXPIRED)
            return row.unknown_count > 0 and not ended
        case _:
            return row.unknown_count > 0


def offered(request: HttpRequest, row: Notification) -> list[Control]:
    """Return the controls that the user may use on the notification now."""
    return [each for each in CONTROLS if each.may(request) and applies(each, row)]


@dataclass(frozen=True, slots=True)
class OnNotification:
    """One control, on one notification, in one operator's hands."""

    control: Control
    row: Notification
    by: str
    device_ids: list[int] | None  # of the unknown ones to be settled; all when None

    def act(self) -> Act:
        """Return what the page asks, and how it is done."""
        applicable = applies(self.control, self.row)
        return Act(
            control=self.control,
            target=self.row,
            will=WILL[self.control.name](self.row, self.device_ids),
            do=self.do,
            back=reverse("admin:notifications_notification_change", args=[self.row.pk]),
            objection="" if applicable else self.nothing_to_do(),
        )

    def nothing_to_do(self) -> str:
        """Return why the control has nothing to do."""
        return _("It is %(state)s, and there is nothing to do this to.") % {
            "state": self.row.get_state_display()
        }

    def do(self, form: forms.Form) -> Happened:
        """Do it, and return what happened."""
        return Happened(self.done(form))

    def done(self, form: forms.Form) -> str:
        """Do it, and return what happened, for people."""
        who: dict[str, Any] = {"by": self.by, "reason": form.cleaned_data["reason"]}
        now = timezone.now()
        number = self.row.pk
        match self.control.name:
            case "cancel":
                return stopped(acts.cancel(number, now=now, **who))
            case "hold":
                return stopped(acts.hold(number, now=now, **who))
            case "release":
                acts.release(number, **who)
                return _("Released: it goes on where it was held.")
            case "retry":
                return to_be_retried(acts.retry_failed(number, now=now, **who))
            case "resend-unknown":
                count = acts.resend_unknown(number, now=now, device_ids=self.device_ids, **who)
                return to_be_retried(count)
            case _:
                count = acts.abandon_unknown(number, device_ids=self.device_ids, **who)
                return ngettext(
                    "%(count)s unknown delivery is left at that.",
                    "%(count)s unknown deliveries are left at that.",
                    count,
                ) % {"count": f"{count:,}"}


def stopped(stop: acts.Stop) -> str:
    """Return how far it had come, as a sentence."""
    told = str(stop)
    return _("%(told)s.") % {"told": told[:1].upper() + told[1:]}


def to_be_retried(count: int) -> str:
    """Return that so many are attempted again."""
    return ngettext(
        "%(count)s delivery is attempted again.", "%(count)s deliveries are attempted again.", count
    ) % {"count": f"{count:,}"}


# --- What will come of it, with the numbers of the moment -----------------------------------------


def will_stop(row: Notification, _devices: list[int] | None) -> list[str]:
    """Return what stopping it now means."""
    progress = Progress(row, timezone.now())
    lines = [
        _("So far %(reached)s were reached.") % {"reached": f"{progress.reached:,}"},
        _("What is in flight (%(count)s now) still goes out; nothing more is claimed.")
        % {"count": f"{progress.in_flight:,}"},
    ]
    if row.unclaimed_count is not None:
        text = _("About %(count)s will not be sent.")
        lines.append(text % {"count": f"{row.unclaimed_count:,}"})
    return lines


def will_cancel(row: Notification, devices: list[int] | None) -> list[str]:
    return [*will_stop(row, devices), _("A cancelled notification cannot be sent again.")]


def will_hold(row: Notification, devices: list[int] | None) -> list[str]:
    return [*will_stop(row, devices), _("It can be released or cancelled later.")]


def will_release(row: Notification, _devices: list[int] | None) -> list[str]:
    mode = _("It is sent LIVE.") if row.dry_run is False else _("As the sending switch says then.")
    lines = [_("It was held because: %(reason)s") % {"reason": reasons.said(row.reason) or "–"}]
    if row.unclaimed_count is not None:
        lines.append(_("About %(count)s are left.") % {"count": f"{row.unclaimed_count:,}"})
    return [*lines, _("It is a dry run and reaches nobody.") if row.dry_run else mode]


def will_retry(row: Notification, _devices: list[int] | None) -> list[str]:
    return [
        _("Up to %(count)s are attempted again.") % {"count": f"{row.abandoned_count:,}"},
        _("FCM had accepted none of these, so nobody gets it twice."),
        _("What an operator had given up is left alone."),
    ]


def will_settle(row: Notification, devices: list[int] | None) -> list[str]:
    count = row.unknown_count if devices is None else len(devices)
    text = ngettext("%(count)s delivery is unknown.", "%(count)s deliveries are unknown.", count)
    return [text % {"count": f"{count:,}"}]


def will_resend(row: Notification, devices: list[int] | None) -> list[str]:
    return [
        *will_settle(row, devices),
        _("Who has got it gets it a second time."),
        _("Who has not got it gets it now."),
    ]


def will_abandon(row: Notification, devices: list[int] | None) -> list[str]:
    return [
        *will_settle(row, devices),
        _("Who has not got it will never get it. Nobody gets it twice."),
    ]


WILL: dict[str, Callable[[Notification, list[int] | None], list[str]]] = {
    "cancel": will_cancel,
    "hold": will_hold,
    "release": will_release,
    "retry": will_retry,
    "resend-unknown": will_resend,
    "abandon-unknown": will_abandon,
}


def devices_of(request: HttpRequest, row: Notification) -> list[int] | None:
    """Return the one device that the address names, if it is unknown whether it was reached.

    None means all: only an address that names none does.
    """
    named = request.GET.get("device")
    if named is None:
        return None
    if not named.isdecimal() or int(named) > MAX_ID:
        return []
    unknown = Delivery.objects.filter(notification=row, outcome=Delivery.Outcome.UNKNOWN)
    return list(unknown.filter(device=int(named)).values_list("device_id", flat=True))

"""Why a listener did or did not get a talk: told from what the database says, and nothing else.

Pure: facts in, an answer out. notifications/admin/why.py gathers the facts and shows the answer.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto

from django.utils import timezone
from django.utils.translation import gettext as _

from notifications import reasons
from notifications.models import Delivery, DeviceToken, Notification
from programs.models import Clip, Talk

State = Notification.State
Outcome = Delivery.Outcome


class Verdict(Enum):
    """The answer in a word. Of several findings, the one whose verdict stands first decides."""

    GOT_IT = auto()
    UNKNOWN = auto()
    IN_FLIGHT = auto()
    TO_BE_RETRIED = auto()
    # Of the listener or the talk as a whole.
    NO_NOTIFICATION = auto()
    NOT_CLIPPED = auto()
    MUTED = auto()
    NO_DEVICE = auto()
    # Of a device.
    NOT_CLAIMED_YET = auto()
    DRY_RUN = auto()
    REFUSED = auto()
    ABANDONED = auto()
    SKIPPED = auto()
    PRUNED = auto()
    HELD = auto()
    CANCELLED = auto()
    EXPIRED = auto()
    MOVED = auto()
    NOT_CLIPPED_THEN = auto()
    NO_TARGET_THEN = auto()
    REGISTERED_LATER = auto()
    DISABLED = auto()


@dataclass(frozen=True)
class Facts:
    """All that the answer rests on."""

    listener: str
    talk: Talk
    notification: Notification | None
    clip: Clip | None
    devices: list[DeviceToken] = field(default_factory=list)
    deliveries: Mapping[int, Delivery] = field(default_factory=dict)  # by device id
    in_flight: frozenset[int] = frozenset()  # device ids that a worker has claimed


@dataclass(frozen=True, slots=True)
class Finding:
    """What is known of one device, or of the listener where no device matters."""

    verdict: Verdict
    text: str
    device: DeviceToken | None = None
    delivery: Delivery | None = None


@dataclass(frozen=True)
class Answer:
    """The answer in a sentence, and what it rests on."""

    verdict: Verdict
    sentence: str
    findings: list[Finding]


def explain(facts: Facts) -> Answer:
    """Return why the listener did or did not get the talk."""
    findings = list(find(facts))
    best = min(findings, key=lambda finding: finding.verdict.value)
    return Answer(best.verdict, f"{headline(best.verdict, facts)} {best.text}", findings)


def headline(verdict: Verdict, facts: Facts) -> str:
    """Return the sentence that says yes, no, not yet or perhaps, with the names."""
    names = {"listener": facts.listener, "talk": facts.talk.title}
    match verdict:
        case Verdict.GOT_IT:
            return _("%(listener)s got “%(talk)s”.") % names
        case Verdict.UNKNOWN | Verdict.PRUNED:
            return _("It is not known whether %(listener)s got “%(talk)s”.") % names
        case Verdict.IN_FLIGHT | Verdict.TO_BE_RETRIED | Verdict.NOT_CLAIMED_YET:
            return _("%(listener)s has not got “%(talk)s” yet.") % names
    return _("%(listener)s did not get “%(talk)s”.") % names


def find(facts: Facts) -> Iterator[Finding]:
    """Yield what is known: at least one finding."""
    if facts.notification is None:
        text = _("The talk has no notification: nobody was notified of it.")
        yield Finding(Verdict.NO_NOTIFICATION, text)
        return
    devices = list(of_devices(facts, facts.notification))
    whole = of_listener(facts)
    # What the log says of a device outweighs how things are now.
    if whole and not any(finding.delivery for finding in devices):
        yield whole
    if not devices and not whole:
        yield Finding(Verdict.NO_DEVICE, _("The listener has no device."))
    yield from devices


def of_listener(facts: Facts) -> Finding | None:
    """Return why none of the listener's devices is a target now, None when they may be."""
    if facts.clip is None:
        text = _(
            "The listener does not follow the program now, and the log has no delivery: "
            "when its listeners were claimed, this one was not among them."
        )
        return Finding(Verdict.NOT_CLIPPED, text)
    if facts.clip.muted:
        text = _("The listener follows the program, but has muted it.")
        return Finding(Verdict.MUTED, text)
    if not facts.devices:
        return Finding(Verdict.NO_DEVICE, _("The listener has no device."))
    return None


def of_devices(facts: Facts, row: Notification) -> Iterator[Finding]:
    """Yield what is known of each device."""
    for device in facts.devices:
        delivery = facts.deliveries.get(device.pk)
        if delivery is not None:
            yield of_delivery(delivery, device, row)
        elif device.pk in facts.in_flight:
            text = _("It is in flight: claimed by a worker, and FCM has not answered yet.")
            yield Finding(Verdict.IN_FLIGHT, text, device)
        else:
            yield of_untold(facts, row, device)


def of_delivery(delivery: Delivery, device: DeviceToken, row: Notification) -> Finding:
    """Return what the log says of a device."""
    about = {
        "at": shown(delivery.at),
        "code": delivery.error_code or "–",
        "note": delivery.note,
        "reason": reasons.said(row.reason) or "–",
    }
    verdict, text = {
        Outcome.SENT: (Verdict.GOT_IT, _("FCM accepted it at %(at)s.")),
        Outcome.SIMULATED: (
            Verdict.DRY_RUN,
            _("It was a dry run: FCM found it valid at %(at)s and delivered nothing. %(reason)s"),
        ),
        Outcome.REJECTED: (Verdict.REFUSED, _("FCM refused it at %(at)s: %(code)s.")),
        Outcome.RETRY: (
            Verdict.TO_BE_RETRIED,
            _("FCM had not accepted it at %(at)s (%(code)s); it is tried again."),
        ),
        Outcome.UNKNOWN: (
            Verdict.UNKNOWN,
            _("The answer was lost at %(at)s (%(code)s): it may or may not have arrived."),
        ),
        Outcome.ABANDONED: (
            Verdict.ABANDONED,
            _("An operator left it at that: %(note)s")
            if delivery.note
            else _("FCM had not accepted it at %(at)s (%(code)s), and it was given up."),
        ),
        Outcome.SKIPPED: (
            Verdict.SKIPPED,
            _("When it was to be tried again, at %(at)s, this was no target any more."),
        ),
    }[Outcome(delivery.outcome)]
    return Finding(verdict, text % about, device, delivery)


def of_untold(facts: Facts, row: Notification, device: DeviceToken) -> Finding:
    """Return why the log has nothing of a device."""
    if device.created_at > row.cutoff:
        text = _("This device was registered at %(at)s, after the talk was posted at %(cutoff)s.")
        about = {"at": shown(device.created_at), "cutoff": shown(row.cutoff)}
        return Finding(Verdict.REGISTERED_LATER, text % about, device)
    if device.disabled_at and was_disabled_in_time(device.disabled_at, row):
        text = _("This device has been disabled since %(at)s: %(reason)s.")
        reason = reasons.said(device.disabled_reason) or "–"
        about = {"at": shown(device.disabled_at), "reason": reason}
        return Finding(Verdict.DISABLED, text % about, device)
    if row.cursor < device.pk and row.state != State.DONE:
        return of_unclaimed(row, device)
    return of_passed_over(facts, row, device)


def of_unclaimed(row: Notification, device: DeviceToken) -> Finding:
    """Return why the sending has not come to a device, or never will."""
    about = {"reason": reasons.said(row.reason) or "–", "at": shown(row.finished_at)}
    verdict, text = {
        State.PENDING: (Verdict.NOT_CLAIMED_YET, _("It has not been started yet.")),
        State.SENDING: (
            Verdict.NOT_CLAIMED_YET,
            _("It is being sent, and has not come to this device yet."),
        ),
        State.HELD: (Verdict.HELD, _("It was held before it came to this device. %(reason)s")),
        State.CANCELLED: (
            Verdict.CANCELLED,
            _("It was cancelled at %(at)s, before it came to this device. %(reason)s"),
        ),
        State.EXPIRED: (
            Verdict.EXPIRED,
            _("It was too late at %(at)s, before it came to this device. %(reason)s"),
        ),
    }[State(row.state)]
    return Finding(verdict, text % about, device)


def of_passed_over(facts: Facts, row: Notification, device: DeviceToken) -> Finding:
    """Return why a device was not among the targets when its turn came."""
    if row.pruned_at:
        text = _("The send log was pruned at %(at)s: what became of it is not known any more.")
        return Finding(Verdict.PRUNED, text % {"at": shown(row.pruned_at)}, device)
    clip = facts.clip
    if clip and clip.created_at > (row.started_at or row.created_at):
        text = _("The listener followed the program only at %(at)s, after it was being sent.")
        return Finding(Verdict.NOT_CLIPPED_THEN, text % {"at": shown(clip.created_at)}, device)
    if device.refreshed_at > row.created_at and device.refreshed_at > device.created_at:
        text = _(
            "This device was registered anew at %(at)s. When its turn came it was disabled, or "
            "somebody else's."
        )
        return Finding(Verdict.MOVED, text % {"at": shown(device.refreshed_at)}, device)
    text = _(
        "When its turn came this was no target: the listener did not follow the program then, had "
        "muted it, or the device was disabled."
    )
    return Finding(Verdict.NO_TARGET_THEN, text, device)


def was_disabled_in_time(disabled_at: datetime, row: Notification) -> bool:
    """Return whether the sending may have come to a device only after it was disabled."""
    last_claimed_at = row.finished_at or row.last_sent_at  # at the latest
    return row.started_at is None or last_claimed_at is None or disabled_at <= last_claimed_at


def shown(at: datetime | None) -> str:
    """Return a time for people, in the site's time zone."""
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M:%S %Z}" if at else "–"

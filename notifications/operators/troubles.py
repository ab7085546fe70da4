"""What is wrong with the sending: the one list of troubles, wherever they are told.

`/readyz` and `manage.py sending status` tell the troubles that stop the worker (`problems`);
the desk tells all of them, each with a link.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.urls import reverse_lazy
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from notifications.models import Notification, Standby

from .causes import explain
from .differences import differences
from .situation import OpenNotifications, Situation

# What is due is begun at once; something is wrong with what waits for so long.
WAITING_SECONDS = 60

# Addresses are lazy: a command that only tells the trouble loads no page.
LISTING = reverse_lazy("admin:notifications_notification_changelist")


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong, what to do about it, and the page of the desk where that is done."""

    what: str
    todo: str
    url: str | Promise = ""  # empty where no page helps
    urgent: bool = True
    unready: bool = False  # the worker does not do its work, so /readyz answers 503

    def __str__(self) -> str:
        return f"{self.what} {self.todo}"


@dataclass(frozen=True, slots=True)
class Listening:
    """How many workers listen to Redis: by its own count, and by what the database knows."""

    counted: int | None  # None when Redis does not answer
    known: int


def find(
    situation: Situation,
    open_now: OpenNotifications,
    listening: Listening | None = None,
    standbys: Iterable[Standby] = (),
) -> Iterator[Trouble]:
    """Yield what is wrong; nothing about Redis when it was not asked (`listening` is None)."""
    yield from of_the_worker(situation)
    yield from of_fcm(situation)
    yield from of_waiting(situation, open_now)
    yield from of_a_lock(open_now)
    yield from of_no_progress(open_now)
    if listening:
        yield from of_redis(situation, listening)
    yield from of_settings(situation, standbys)
    yield from of_decisions(open_now)


def problems(situation: Situation, open_now: OpenNotifications) -> list[str]:
    """Return why the worker does not do its work, each with what to do; empty when it does.

    A worker that has never been there is no problem until something waits for it.
    """
    return [str(trouble) for trouble in find(situation, open_now) if trouble.unready]


def of_the_worker(situation: Situation) -> Iterator[Trouble]:
    """Yield that no worker may be active or none is, or that the active one has fallen silent."""
    if situation.is_restored:
        yield Trouble(
            _(
                "The database was put back to an earlier state: a worker remembers more than it "
                "knows. Nothing is sent, since it would be sent again."
            ),
            _("Run: manage.py sending restored --reason TEXT"),
            unready=True,
        )
        return
    start = _("Start one: manage.py listen_notifications --standby")
    holder, silence = situation.holder, situation.silence
    if holder is None:
        text = _("No worker is active: nothing is sent.")
        if silence is not None:
            ago = _("The last sign of life was %(seconds)d s ago.")
            text = f"{text} {ago % {'seconds': silence.total_seconds()}}"
        yield Trouble(text, start, unready=silence is not None)
    elif silence is not None:
        text = _(
            "The worker %(worker)s has fallen silent: its last sign of life was %(seconds)d s ago."
        )
        yield Trouble(
            text % {"worker": holder.holder, "seconds": silence.total_seconds()},
            _("Look at its log; a standby takes over by itself. %(start)s") % {"start": start},
            unready=True,
        )


def of_fcm(situation: Situation) -> Iterator[Trouble]:
    """Yield that the active worker does not reach FCM, or has no credentials for it, and why."""
    holder = situation.holder
    if holder is None or holder.fcm_away_seconds is None or situation.worker_is_silent:
        return
    text = _("FCM has taken nothing for %(seconds)d s: %(code)s.")
    told = text % {"seconds": holder.fcm_away_seconds, "code": holder.fcm_away_code}
    yield Trouble(told, str(explain("", holder.fcm_away_code)), unready=True)


def of_settings(situation: Situation, standbys: Iterable[Standby]) -> Iterator[Trouble]:
    """Yield that a new key is not in use, and each standby with other settings than the worker."""
    active = situation.holder.settings if situation.holder else None
    if active and active.get("KEY_IS_OUTDATED"):
        yield Trouble(
            _("The service account file was replaced, and the worker still uses the key before."),
            _(
                "Its log says why: credentials.unusable or credentials.unproven. Put the right "
                "file in place; for another Firebase project, restart all workers."
            ),
            urgent=False,
        )
    for standby in standbys:
        known = active and standby.settings
        if known and (changed := differences(active or {}, standby.settings or {})):
            text = _(
                "The standby %(worker)s has other settings than the active worker: %(changed)s."
            )
            yield Trouble(
                text % {"worker": standby.holder, "changed": changed},
                _(
                    "Restart the one whose settings are old. A new key is found without that, "
                    "within a minute."
                ),
                urgent=False,
            )


def of_waiting(situation: Situation, open_now: OpenNotifications) -> Iterator[Trouble]:
    """Yield the notification that should have been started long ago; a pause explains it."""
    if open_now.waits_since is None or situation.switch.paused:
        return
    waited = situation.now - open_now.waits_since
    if waited <= timedelta(seconds=WAITING_SECONDS):
        return
    if waiting := Notification.objects.waiting_longest():
        text = _("Notification %(number)s has been waiting for %(seconds)d s to be started.")
        yield Trouble(
            text % {"number": waiting.id, "seconds": waited.total_seconds()},
            _("Look at the worker and its log."),
            reverse_lazy("admin:notifications_notification_change", args=[waiting.id]),
            unready=True,
        )


def of_a_lock(open_now: OpenNotifications) -> Iterator[Trouble]:
    """Yield that a session of the database keeps everybody out of the send log, and which."""
    if open_now.lock_held_by is None:
        return
    text = _("The send log is locked by another session of the database (%(session)s).")
    yield Trouble(
        text % {"session": open_now.lock_held_by or _("unknown")},
        _(
            "Nothing is sent meanwhile, and nothing is lost. Wait until it is done, or end it: "
            "SELECT pg_terminate_backend(PID)."
        ),
        unready=True,
    )


def of_no_progress(open_now: OpenNotifications) -> Iterator[Trouble]:
    """Yield the notification that is being sent, and of which nothing goes out or is recorded."""
    if open_now.stuck_id is None or open_now.lock_held_by is not None:
        return
    text = _("Notification %(number)s is being sent, and nothing of it went out for over a minute.")
    yield Trouble(
        text % {"number": open_now.stuck_id},
        _("Look at the worker's log: it may wait for a lock, or die again and again."),
        reverse_lazy("admin:notifications_notification_change", args=[open_now.stuck_id]),
        unready=True,
    )


def of_redis(situation: Situation, listening: Listening) -> Iterator[Trouble]:
    """Yield what Redis' number of subscribers says of the workers: each listens once."""
    if listening.counted is None:
        yield Trouble(
            _("Redis does not answer."),
            _("Talks are found by the worker's tick, up to a second later. Look at Redis."),
            urgent=False,
        )
    elif listening.counted > max(listening.known, 1):
        yield Trouble(
            _("%(count)d workers listen to Redis, and only %(known)d are known here.")
            % {"count": listening.counted, "known": listening.known},
            _("Somebody's worker uses another database: find it and stop it, or pause first."),
            reverse_lazy("admin:notifications_sendingswitch_pause"),
        )
    elif listening.counted == 0 and situation.holder:
        yield Trouble(
            _("The worker does not hear Redis."),
            _("Talks are found by its tick, up to a second later. Look at its log and REDIS_URL."),
            urgent=False,
        )


def of_decisions(open_now: OpenNotifications) -> Iterator[Trouble]:
    """Yield what waits for an operator's decision."""
    held, unknown = open_now.held, open_now.unknown
    if held:
        yield Trouble(
            ngettext("%(count)d notification is held.", "%(count)d notifications are held.", held)
            % {"count": held},
            _("Read why, then release or cancel."),
            format_lazy("{}?state__exact={}", LISTING, Notification.State.HELD),
        )
    if unknown:
        yield Trouble(
            ngettext("%(count)d delivery is unknown.", "%(count)d deliveries are unknown.", unknown)
            % {"count": unknown},
            _("It may or may not have arrived: settle it on the notification's page."),
            format_lazy("{}?unknown=yes", LISTING),
            urgent=False,
        )

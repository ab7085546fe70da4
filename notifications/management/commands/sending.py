"""The operators' command line: status, switch, stops, the unknown, the probe, after a restore."""

import json
from argparse import ArgumentParser
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.checks import run_checks

from accounts.who import Who, on_this_host
from notifications.management.arguments import row_id, whole_number, with_reason
from notifications.management.base import DatabaseCommand
from notifications.management.errors import Failed, Refused, Unwell
from notifications.models import Delivery, Notification
from notifications.models.control import MAX_LIVE_MINUTES
from notifications.operators import acts, probe, status
from notifications.operators.acts.restored import SKIPPED_IDS
from notifications.operators.causes import explain
from radiotalk import clock
from radiotalk.os_text import storable

SWITCHES = {
    "dry-run": (acts.dry_run, "let FCM validate, deliver to nobody"),
    "pause": (acts.pause, "claim nothing more until resumed; nothing is lost"),
    "resume": (acts.resume, "go on after a pause"),
}
STOPS = {
    "cancel": (acts.cancel, "send no more of a notification, for good"),
    "hold": (acts.hold, "send no more of a notification until it is released"),
}

# Which permission of the desk the account of --as needs.
PERMISSIONS = {
    "live": "go_live",
    "release": "release_notification",
    "unknown": "settle_unknown",
}
APPROVED = "it stays held until another account releases it in the desk"
LIVE_MINUTES = 8 * 60  # unless --for says otherwise: a working day, and no night after it

LISTED = 100  # rows that `unknown list` shows by default
MAX_LISTED = 1_000_000


class Command(DatabaseCommand):
    requires_system_checks = ()  # lost credentials must not keep an operator from pausing
    help = (
        "Show or change what is sent: live, as a dry run, or not at all; settle what is unknown; "
        "probe the way to FCM."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        shown = actions.add_parser("status", help="what would happen to a talk posted now, why")
        shown.add_argument("--check", action="store_true", help="exit 1 when there are problems")
        every = [shown, add_list_arguments(actions)]
        live = actions.add_parser("live", help="send for real")
        with_reason(live, required=True)
        live.add_argument(
            "--for",
            dest="minutes",
            type=int,
            default=LIVE_MINUTES,
            metavar="MINUTES",
            help="then it is a dry run again by itself (default %(default)s: eight hours)",
        )
        every.append(with_account(live))
        for name, (_act, told) in SWITCHES.items():
            every.append(with_reason(actions.add_parser(name, help=told)))
        stops = {name: told for name, (_act, told) in STOPS.items()}
        for name, told in {**stops, "release": "let a held notification go on"}.items():
            one = with_reason(actions.add_parser(name, help=told))
            one.add_argument("notification", type=row_id, help="its number")
            every.append(with_account(one) if name == "release" else one)
        restored = actions.add_parser(
            "restored", help="after a restore: pause, and cancel all that would be sent again"
        )
        every.append(with_reason(restored, required=True))
        unknown = actions.add_parser("unknown", help="what may or may not have been delivered")
        every += add_unknown_arguments(unknown)
        every.append(actions.add_parser("probe", help="whether a worker could send from here"))
        for each in every:
            each.add_argument("--json", action="store_true", help="answer as JSON")

    def handle(self, *, action: str, **options: Any) -> None:
        if action == "probe":
            self.probe(as_json=options["json"])
            return
        try:
            told = self.act(action, options, now=clock.now())
        except acts.Refused as refusal:
            raise Refused(str(refusal)) from refusal
        if options["json"]:
            self.stdout.write(json.dumps(told, default=str))
        else:
            self.tell(told)
        if options.get("check") and told["problems"]:
            raise Unwell

    def act(self, action: str, options: dict[str, Any], *, now: datetime) -> Any:
        """Do what was asked and return the answer: names with values, or a list of rows."""
        by = on_this_host()
        if options.get("account"):
            by = account(options["account"], permission=PERMISSIONS[action], run_by=by)
        who: dict[str, Any] = {"by": by, "reason": options.get("reason") or ""}
        if action == "list":
            return notifications(options["state"], limit=options["limit"])
        if action == "unknown":
            return settle(options, who, now=now)
        if action in STOPS:
            stop = STOPS[action][0](options["notification"], now=now, **who)
            return {"notification": options["notification"], "told": str(stop)}
        if action == "release":
            is_released = acts.release_or_ask(options["notification"], **who)
            told = "released" if is_released else f"asked for by {by}: {APPROVED}"
            return {"notification": options["notification"], "told": told}
        if action == "restored":
            return after_restore(who, now=now)
        if action == "live":
            acts.go_live(now=now, until=end_of_live(options["minutes"], now=now), **who)
        elif action in SWITCHES:
            SWITCHES[action][0](now=now, **who)
        return status.status(now=now)

    def probe(self, *, as_json: bool) -> None:
        """Tell each step of the way to FCM as soon as it is done; raise Failed at one that ends it.

        As JSON they are told all at once, with the code of the `failure`.
        """
        refuse_what_cannot_be_probed()
        told: dict[str, str] = {}
        failed = ""
        for step in probe.steps():
            told[step.name] = step.told
            if not as_json:
                self.tell({step.name: step.told})
            if step.failure:
                told["failure"] = step.failure
                failed = f"{step.name}: {step.told} ({step.failure}). " + str(
                    explain(Delivery.Outcome.RETRY, step.failure)
                )
        if as_json:
            self.stdout.write(json.dumps(told))
        if failed:
            raise Failed(f"{failed} (A probe reaches nobody: there is nothing to settle.)")

    def tell(self, told: Any) -> None:
        """Print the answer for a person: a row or a name with its value on each line."""
        if isinstance(told, list):
            for row in told:
                self.stdout.write("  ".join(f"{name}={value}" for name, value in row.items()))
            return
        for name, value in told.items():
            lines = value if isinstance(value, list) else [value]
            for line in lines:
                self.stdout.write(f"{name.replace('_', ' '):<20} {line}")


def add_list_arguments(actions: Any) -> ArgumentParser:
    """Return the parser of `list`: the notifications, the newest first."""
    parser: ArgumentParser = actions.add_parser("list", help="show the newest notifications")
    parser.add_argument(
        "--state", choices=Notification.State.values, action="append", help="only these; repeatable"
    )
    parser.add_argument(
        "--limit",
        type=whole_number(least=1, most=MAX_LISTED),
        default=LISTED,
        help="rows (default %(default)s)",
    )
    return parser


def notifications(states: list[str] | None, *, limit: int) -> list[dict[str, Any]]:
    """Return the newest notifications, in these states or in any."""
    rows = Notification.objects.order_by("-id")
    if states:
        rows = rows.filter(state__in=states)
    return [
        {
            "notification": row.id,
            "talk": row.talk_id,
            "state": row.state,
            "dry_run": row.dry_run,
            "title": row.title,
            "text": row.body,
            "created_at": row.created_at,
            "audience": row.audience_count,
            **row.counts(),
            "reason": row.reason,
        }
        for row in rows[:limit]
    ]


def with_account(parser: ArgumentParser) -> ArgumentParser:
    """Return the parser after letting it name the account whose act it is."""
    parser.add_argument(
        "--as",
        dest="account",
        metavar="ACCOUNT",
        help="whose act it is: the user name of a member of staff who may do it in the desk; "
        "needed above NOTIFICATIONS_APPROVAL_AUDIENCE",
    )
    return parser


def add_unknown_arguments(parser: ArgumentParser) -> list[ArgumentParser]:
    """Return the parsers of the acts on unknown deliveries: list, resend, abandon."""
    choices = parser.add_subparsers(dest="act", required=True, metavar="ACT")
    shown = choices.add_parser("list", help="show them, of one notification or of all")
    shown.add_argument("notification", type=row_id, nargs="?", help="its number")
    shown.add_argument(
        "--limit",
        type=whole_number(least=1, most=MAX_LISTED),
        default=LISTED,
        help="rows (default %(default)s)",
    )
    resend = choices.add_parser("resend", help="send again, to people who may have got it already")
    resend.add_argument(
        "--i-accept-duplicates", action="store_true", required=True, help="some may get it twice"
    )
    with_account(resend)
    abandon = choices.add_parser("abandon", help="leave it at that")
    for settling in (resend, abandon):
        settling.add_argument("notification", type=row_id, help="its number")
        with_reason(settling, required=True)
        settling.add_argument(
            "--device", type=row_id, action="append", metavar="ID", help="only this one; repeatable"
        )
    return [shown, resend, abandon]


def settle(options: dict[str, Any], who: dict[str, Any], *, now: datetime) -> Any:
    """Settle unknown deliveries and return how many; or return them, when they are listed."""
    number, act = options["notification"], options["act"]
    if act == "list":
        return unknown_rows(number, limit=options["limit"])
    if not who["reason"].strip():
        raise Refused("Not settled: --reason is empty.")
    devices = options["device"]
    if act == "resend":
        count = acts.resend_unknown(number, device_ids=devices, now=now, **who)
        waits = Notification.objects.filter(id=number, needs_approval=True).exists()
        told = f"{count:,} are sent again"
        return {"notification": number, "told": f"{told}: {APPROVED}" if waits else told}
    count = acts.abandon_unknown(number, device_ids=devices, **who)
    return {"notification": number, "told": f"{count:,} are abandoned"}


def after_restore(who: dict[str, Any], *, now: datetime) -> dict[str, Any]:
    """Make the restored database safe to send from, and return what was done and what is next."""
    if not who["reason"].strip():
        raise Refused("Nothing was done: --reason is empty.")
    done = acts.restored(now=now, **who)
    return {
        "paused": True,
        "cancelled": done.cancelled,
        "epoch": done.epoch,
        "ids_skipped": SKIPPED_IDS,
        "told": (
            "Sending is paused, no earlier worker can go on, and no earlier number is given again. "
            f"Open notifications that are cancelled now: {len(done.cancelled):,}."
        ),
        "next": "Start a worker, or let one start by itself, then: manage.py sending resume",
    }


def unknown_rows(notification_id: int | None, *, limit: int) -> list[dict[str, Any]]:
    """Return the unknown deliveries of one notification or of all, without their whole tokens."""
    rows = Delivery.objects.filter(outcome=Delivery.Outcome.UNKNOWN)
    if notification_id is not None:
        rows = rows.filter(notification_id=notification_id)
    return [
        {
            "notification": row.notification_id,
            "device": row.device_id,
            "listener": row.device.user.get_username() if row.device else None,
            "token": f"…{row.device.token_end}" if row.device else None,
            "error": row.error_code,
            "at": row.at,
        }
        for row in rows.select_related("device__user").order_by("notification_id", "id")[:limit]
    ]


def refuse_what_cannot_be_probed() -> None:
    """Raise Refused where the settings alone say that nothing can be sent."""
    if not settings.GOOGLE_APPLICATION_CREDENTIALS:
        raise Refused("GOOGLE_APPLICATION_CREDENTIALS is not set: name the service account file.")
    errors = [each for each in run_checks(tags=["fcm"]) if each.is_serious()]
    if errors:
        raise Refused("\n".join(f"{each.msg} {each.hint or ''}".rstrip() for each in errors))


def end_of_live(minutes: int, *, now: datetime) -> datetime:
    """Return when live ends by itself; raise Refused for a time out of bounds."""
    if not 1 <= minutes <= MAX_LIVE_MINUTES:
        raise Refused(f"Not switched to live: --for wants 1 to {MAX_LIVE_MINUTES} minutes.")
    return now + timedelta(minutes=minutes)


def account(name: str, *, permission: str, run_by: Who) -> Who:
    """Return the account of this name; raise Refused unless it may do this act in the desk."""
    user = User.objects.filter(username=storable(name)).first()
    if user is None or not (user.is_active and user.is_staff):
        raise Refused(f"--as: {name} is the name of no active account of staff.")
    if not user.has_perm(f"notifications.{permission}"):
        raise Refused(f"--as: {name} lacks the permission notifications.{permission}.")
    return Who(f"{user.get_username()} ({run_by})", user.pk)

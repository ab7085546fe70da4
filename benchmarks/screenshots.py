"""The pictures under docs/images, taken of the running system: `make screenshots`.

Web, worker, Redis, PostgreSQL and FCM emulator are real, and the talk that is being sent is really
sent. What lies in the past (earlier notifications, the last hour) is written into the database.
"""

import random
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.utils import timezone  # noqa: E402

from notifications import reasons  # noqa: E402
from notifications.models import (  # noqa: E402
    Delivery,
    DeviceToken,
    Notification,
    SendingMinute,
)
from programs.models import Program, Talk  # noqa: E402
from testbed import chromium  # noqa: E402
from testbed.system import System, go_live_for_the_evening, post  # noqa: E402

IMAGES = Path(__file__).parents[1] / "docs" / "images"
LISTENERS = 12_000
PER_MINUTE = 30_000  # so slow that all pictures are taken while the talk is being sent

# Program, talk, targets, share refused, unknown, minutes ago, state.
PAST = [
    ("Vinyl Hour", "B-sides of 1979", 10_455, 0.002, 0, 55, "done"),
    ("Night Radio", "What the owls know", 98_114, 0.003, 0, 48, "cancelled"),
    ("Harbour Weather", "Calm seas, light fog", 103_877, 0.004, 0, 41, "done"),
    ("深夜の読書室", "第13回 注文の多い料理店", 8_120, 0.002, 0, 34, "done"),
    ("Night Radio", "A walk along the canal", 26_114, 0.003, 3, 21, "done"),
    ("Vinyl Hour", "Side two, track three", 10_482, 0.002, 0, 12, "done"),
    ("Night Radio", "The last tram home", 26_250, 0.36, 0, 7, "held"),
]


def main() -> int:
    """Take all pictures; return 0."""
    call_command("migrate", verbosity=0)
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        system = System(Path(directory), stack, latency_ms=230)
        system.env |= {
            "NOTIFICATIONS_MAX_PER_MINUTE": str(PER_MINUTE),
            "NOTIFICATIONS_LEASE_TTL": "15",
        }
        set_up(system)
        take_all(system, Path(directory))
    return 0


def set_up(system: System) -> None:
    """Write the past into the database, and start the processes."""
    anna = chromium.operator("anna")
    DeviceToken.objects.create(user=anna, token="annas-own-phone-7d41f0")  # noqa: S106
    past()
    last_hour()
    system.start_redis()
    go_live_for_the_evening()
    system.start_web()
    system.start_worker("--standby")
    system.wait_for_an_active_worker()
    system.start_worker("--standby")


def past() -> None:
    """Write the notifications of the last hour."""
    owner = User.objects.create(username="talker")
    for program, title, targets, refused, unknown, ago, state in PAST:
        show, _created = Program.objects.get_or_create(title=program, owner=owner)
        row = Talk.objects.create(program=show, title=title).notification
        earlier(row, targets, refused, unknown, ago, state)


def earlier(
    row: Notification, targets: int, refused: float, unknown: int, ago: int, state: str
) -> None:
    """Change a notification to one that was sent `ago` minutes ago and has come to this state."""
    posted = timezone.now() - timedelta(minutes=ago)
    claimed = {"cancelled": 41_300, "held": 250}.get(state, targets)
    rejected = int(claimed * refused)
    took = timedelta(seconds=claimed / 3_500)
    first = posted + timedelta(milliseconds=310)
    row.state, row.audience_count, row.target_count = state, targets, claimed
    row.sent_count, row.rejected_count = claimed - rejected - unknown, rejected
    row.unknown_count, row.dry_run, row.epoch = unknown, False, 7
    row.created_at = row.cutoff = posted
    row.started_at, row.first_sent_at = posted + timedelta(milliseconds=40), first
    row.last_sent_at = first + took
    row.finished_at = None if state == "held" else first + took
    if state == "cancelled":
        row.stopped_at = first + took - timedelta(milliseconds=280)
        row.sent_at_stop = row.sent_count - 812
        row.reason = "Cancelled by anna (admin): the wrong recording"
    if state == "held":
        row.stopped_at, row.sent_at_stop = first + took, row.sent_count
        row.reason = reasons.MANY_UNREGISTERED % {"count": 90, "total": 250}
    row.save()


def last_hour() -> None:
    """Write the minutes that the chart on the start page shows."""
    chance = random.Random(1979)  # noqa: S311  (the same picture each time)
    this = timezone.now().replace(second=0, microsecond=0)
    for _program, _title, targets, refused, unknown, ago, state in PAST:
        claimed = {"cancelled": 41_300, "held": 250}.get(state, targets)
        for nth in range(1 + claimed // 40_000):
            part = min(claimed - nth * 40_000, 40_000)
            if part > 0:
                counts = {"rejected": int(part * refused), "unknown": unknown}
                counts["sent"] = part - sum(counts.values())
                at = this - timedelta(minutes=ago - nth)
                SendingMinute.objects.add(counts, now=at)
    for ago in range(5, 60):
        SendingMinute.objects.add(
            {"sent": chance.randrange(200, 3_000)}, now=this - timedelta(minutes=ago)
        )


def audience(system: System) -> Program:
    """Return a program with listeners; FCM refuses a few of their devices."""
    program = system.listeners(LISTENERS, name="dev-{}-q7k2mx")
    Program.objects.filter(id=program.id).update(
        title="Harbour Weather", owner=User.objects.get(username="talker")
    )
    program.refresh_from_db()
    ids = list(
        DeviceToken.objects.filter(user__clips__program=program)
        .order_by("id")
        .values_list("id", flat=True)
    )
    for marker, every in {"unregistered": 700, "mismatch": 4_000, "http502": 3_500}.items():
        for device_id in ids[11::every]:
            DeviceToken.objects.filter(id=device_id).update(token=f"dev-{device_id}-{marker}")
    DeviceToken.objects.filter(id__in=ids[::3]).update(platform="ios")
    return program


@dataclass(frozen=True, slots=True)
class View:
    """A browser's window, language and colours, and the pages that are taken with it."""

    suffix: str
    viewport: dict[str, int]
    language: str
    dark: bool
    pages: tuple[str, ...]


WIDE = {"width": 1280, "height": 1060}
VIEWS = [
    # While the talk is being sent.
    View("", WIDE, "en", dark=False, pages=("notification", "start", "notifications", "why")),
    View("", WIDE, "en", dark=False, pages=("go-live", "cancelled", "program", "second-factor")),
    View("-dark", WIDE, "en", dark=True, pages=("notification", "start")),
    View("-ja", WIDE, "ja", dark=False, pages=("notification", "start", "why")),
    View("-phone", chromium.NARROW, "en", dark=False, pages=("notification", "notifications")),
    View("-phone-ja", chromium.NARROW, "ja", dark=True, pages=("start", "go-live")),
]


def take_all(system: System, directory: Path) -> None:
    """Take every picture."""
    program = audience(system)
    row = post(program, "Storm tide tonight")
    system.wait(lambda: Delivery.objects.filter(notification=row).count() > LISTENERS // 4)
    addresses = pages(row)
    for nth, view in enumerate(VIEWS):
        with chromium.running(
            directory / f"profile-{nth}",
            viewport=view.viewport,
            language=view.language,
            dark=view.dark,
        ) as browser:
            page = browser.pages[0]
            address = f"http://127.0.0.1:{system.web_port}"
            chromium.log_in(page, address, "anna")
            for name in view.pages:
                page.goto(f"{address}{addresses[name]}")
                file = IMAGES / f"{name}{view.suffix}.png"
                page.screenshot(path=file)


def pages(row: Notification) -> dict[str, str]:
    """Return the address of each page that is taken."""
    admin = "/admin/notifications"
    cancelled = Notification.objects.filter(state="cancelled").latest("id")
    marked = DeviceToken.objects.filter(token__contains="-unregistered")  # noqa: S106
    listener = marked.earliest("id").user.get_username()
    assert row.talk  # noqa: S101  (it was just posted)
    return {
        "start": "/admin/",
        "notification": f"{admin}/notification/{row.pk}/change/",
        "notifications": f"{admin}/notification/",
        "cancelled": f"{admin}/notification/{cancelled.pk}/change/",
        "go-live": f"{admin}/sendingswitch/live/",
        "second-factor": "/admin/second-factor/",
        "why": f"{admin}/notification/why/?listener={listener}&talk={row.talk_id}",
        "program": f"/admin/programs/program/{row.talk.program_id}/change/",
    }


if __name__ == "__main__":
    sys.exit(main())

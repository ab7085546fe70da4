"""Every admin page with 1,000,000 devices and 10,000,000 deliveries: `python -m benchmarks.desk`.

PostgreSQL is filled by SQL, and this process answers the pages as a web process would. The run
fails when an answer takes longer than MOST_MS, or a page counts the rows of the send log. The first
answer of each page, which warms the caches up, is shown beside the others.

    DJANGO_SETTINGS_MODULE=radiotalk.testing python -m testbed.engines --postgresql -- \\
        python -m benchmarks.desk [--devices N] [--deliveries N]
"""

import argparse
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.utils import timezone  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

import radiotalk.wsgi  # noqa: E402, F401  (what a web process has loaded)
from notifications.models import Notification  # noqa: E402

MOST_MS = 300
ROUNDS = 15
PROGRAMS = 1_000
LARGE = 5  # notifications to all devices; the rest of the log are many smaller ones
SMALL_TARGETS = 100_000

FILL = """
INSERT INTO auth_user (id, username, password, first_name, last_name, email, is_superuser, is_staff,
                       is_active, date_joined)
SELECT n, 'listener-' || n, '!', '', '', '', false, false, true, now()
FROM generate_series(1, %(devices)s) n;

INSERT INTO programs_program (id, owner_id, title, description, dry_run, created_at)
SELECT n, n, 'Program ' || n, '', n %% 10 = 0, now() FROM generate_series(1, %(programs)s) n;

INSERT INTO programs_clip (listener_id, program_id, muted, created_at)
SELECT n, 1, false, now() FROM generate_series(1, %(devices)s) n;
INSERT INTO programs_clip (listener_id, program_id, muted, created_at)
SELECT n, 2 + n %% (%(programs)s - 1), n %% 20 = 0, now() FROM generate_series(1, %(devices)s) n;

INSERT INTO notifications_devicetoken (id, user_id, token, kind, platform, created_at, refreshed_at,
                                       disabled_at, disabled_reason)
SELECT n, n, 'token-' || n, 'token', (ARRAY['android', 'ios', 'web'])[1 + n %% 3],
       now() - interval '400 days', now() - random() * interval '390 days',
       CASE WHEN n %% 8 = 0 THEN now() END,
       CASE WHEN n %% 8 <> 0 THEN '' WHEN n %% 16 = 0 THEN 'FCM: unregistered'
            ELSE 'FCM: invalid' END
FROM generate_series(1, %(devices)s) n;

INSERT INTO programs_talk (id, program_id, title, description, audio, duration, posted_at,
                           content_digest)
SELECT n, CASE WHEN n %% 20 = 0 THEN 1 ELSE 1 + n %% %(programs)s END, 'Talk ' || n, '', '', 60,
       now() - (%(talks)s - n) * interval '1 minute', ''
FROM generate_series(1, %(talks)s) n;
"""

FILL_LOG = """
INSERT INTO notifications_delivery (notification_id, device_id, outcome, message_id, error_code,
                                    attempts, unreached, at, note)
SELECT notification.id, device,
       CASE WHEN device %% 50 = 0 THEN 'rejected' WHEN device %% 500 = 1 THEN 'unknown'
            ELSE 'sent' END,
       CASE WHEN device %% 50 = 0 THEN '' ELSE 'projects/x/messages/' || device END,
       CASE WHEN device %% 50 = 0 THEN 'UNREGISTERED' WHEN device %% 500 = 1 THEN 'TIMED_OUT'
            ELSE '' END,
       1, 0, now(), ''
FROM notifications_notification notification, generate_series(1, notification.target_count) device;

INSERT INTO notifications_batch (notification_id, after_id, upto_id, targets, size, state, epoch,
                                 worker, claimed_at, finished_at)
SELECT notification.id, after * 25, after * 25 + 25, '[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]', 25,
       CASE WHEN notification.id = %(talks)s AND after < 40 THEN 'sending' ELSE 'done' END,
       1, 'radio-1:1:x', now(), now()
FROM notifications_notification notification,
     generate_series(0, notification.target_count / 25 - 1) after;

INSERT INTO notifications_sendingminute (minute, sent, simulated, rejected, unknown, other)
SELECT date_trunc('minute', now()) - n * interval '1 minute', 50000 + n * 100, 0, 900, 7, 0
FROM generate_series(0, 59) n;

SELECT setval(pg_get_serial_sequence('auth_user', 'id'), %(devices)s);
"""


@dataclass
class Measured:
    """How long a page took, in milliseconds, and what it asked of the database."""

    name: str
    first: float = 0.0
    times: list[float] = field(default_factory=list)
    statements: int = 0
    counts_log: bool = False

    @property
    def is_wrong(self) -> bool:
        return max(self.times) > MOST_MS or self.counts_log


def fill(devices: int, deliveries: int) -> int:
    """Fill the database, and return the number of the newest notification."""
    small = max((deliveries - LARGE * devices) // SMALL_TARGETS, 1)
    talks = 2_000 + LARGE + small
    values = {
        "devices": devices,
        "programs": PROGRAMS,
        "talks": talks,
        "large": LARGE,
        "small": small,
        "small_targets": min(SMALL_TARGETS, devices),
    }
    begun = time.monotonic()
    with connection.cursor() as cursor:
        execute(cursor, FILL, values)
        Notification.objects.bulk_create(notifications(**values))
        execute(cursor, FILL_LOG, values)
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("SELECT count(*) FROM notifications_delivery")
        counted = cursor.fetchone()[0]
    took = time.monotonic() - begun
    print(f"{devices:,} devices, {counted:,} deliveries, {talks:,} notifications ({took:.0f} s)")
    return talks


def execute(cursor: Any, statements: str, values: dict[str, int]) -> None:
    """Run the statements of a script in which an empty line follows each."""
    for statement in statements.strip().split(";\n\n"):
        cursor.execute(statement, values)


def notifications(
    *, talks: int, devices: int, small: int, small_targets: int, large: int, **_others: int
) -> Iterator[Notification]:
    """Yield a notification of each talk; most are of programs that nobody follows."""
    now = timezone.now()
    for number in range(1, talks + 1):
        if number > talks - large:
            targets = devices
        else:
            targets = small_targets if number > talks - large - small else 0
        state = "held" if number % 97 == 0 else "done"
        yield Notification(
            id=number,
            talk_id=number,
            state="sending" if number == talks else state,
            dry_run=False,
            title="Program",
            body=f"Talk {number}",
            audience_count=targets,
            target_count=targets,
            sent_count=targets - targets // 50 - targets // 500,
            rejected_count=targets // 50,
            unknown_count=targets // 500,
            created_at=now - timedelta(minutes=talks - number),
            started_at=now,
            first_sent_at=now,
            last_sent_at=now + timedelta(seconds=100),
            finished_at=now,
        )


def pages(newest: int, devices: int) -> dict[str, str]:
    """Return the address of every page of the desk and of its heaviest searches, by name."""
    admin, some = "/admin/notifications", devices // 2
    small = newest - LARGE - 1
    log = f"{admin}/delivery/"
    device = f"{admin}/devicetoken/"
    return {
        "start page": "/admin/",
        "notifications": f"{admin}/notification/",
        "notifications, held": f"{admin}/notification/?state__exact=held",
        "notifications, in doubt": f"{admin}/notification/?unknown=yes",
        "notifications, searched": f"{admin}/notification/?q=Talk+2001",
        "notification, 1 M targets": f"{admin}/notification/{newest}/change/",
        "notification, 100 k targets": f"{admin}/notification/{small}/change/",
        "cancel?": f"{admin}/notification/{newest}/cancel/",
        "settle unknown?": f"{admin}/notification/{newest}/resend-unknown/",
        "why: got it": f"{admin}/notification/why/?listener=listener-{some + 2}&talk={newest}",
        "why: not clipped": f"{admin}/notification/why/?listener=listener-{some}&talk=1",
        "why: title": f"{admin}/notification/why/?listener=listener-{some}&talk=Talk+20",
        "log": log,
        "log, page 100": f"{log}?p=100",
        "log of one": f"{log}?notification__id__exact={newest}",
        "log of one, rejected": f"{log}?notification__id__exact={newest}&outcome__exact=rejected",
        "log of one, unknown": f"{log}?notification__id__exact={newest}&outcome__exact=unknown",
        "log of one, retry (none)": f"{log}?notification__id__exact={newest}&outcome__exact=retry",
        "log of one, simulated (none)": (
            f"{log}?notification__id__exact={newest}&outcome__exact=simulated"
        ),
        "log, rejected": f"{log}?outcome__exact=rejected",
        "log, abandoned (none)": f"{log}?outcome__exact=abandoned",
        "log, sent": f"{log}?outcome__exact=sent",
        "log, simulated (none)": f"{log}?outcome__exact=simulated",
        "log, one listener": f"{log}?q=listener-{some}",
        "log, one listener, rejected": f"{log}?q=listener-{some}&outcome__exact=rejected",
        "log, a listener who is none": f"{log}?q=nobody",
        "batches": f"{admin}/batch/",
        "batches, in flight": f"{admin}/batch/?state__exact=sending",
        "batches, lost (none)": f"{admin}/batch/?state__exact=lost",
        "batches of one": f"{admin}/batch/?notification__id__exact={newest}",
        "devices": device,
        "devices, web": f"{device}?platform__exact=web",
        "devices, fid (none)": f"{device}?kind__exact=fid",
        "devices, fresh": f"{device}?freshness=fresh",
        "devices, stale": f"{device}?freshness=stale",
        "devices, dead": f"{device}?freshness=dead",
        "devices, disabled": f"{device}?enabled=no",
        "devices, enabled": f"{device}?enabled=yes",
        "devices, unregistered": f"{device}?disabled=unregistered",
        "devices, mismatched (none)": f"{device}?disabled=mismatched",
        "devices, by an operator (none)": f"{device}?disabled=operator",
        "devices, dead web enabled": f"{device}?freshness=dead&platform__exact=web&enabled=yes",
        "devices, mine": f"{device}?mine=yes",
        "devices, of a listener": f"{device}?q=listener-{some}",
        "device": f"{device}{some}/change/",
        "switch": f"{admin}/sendingswitch/",
        "go live?": f"{admin}/sendingswitch/live/",
        "acts of operators": f"{admin}/answeredform/",
        "workers": f"{admin}/workerlease/",
        "minutes": f"{admin}/sendingminute/",
        "programs": "/admin/programs/program/",
        "program, 1 M listeners": "/admin/programs/program/1/change/",
        "program, 1 k listeners": "/admin/programs/program/7/change/",
        "talks": "/admin/programs/talk/",
        "clips": "/admin/programs/clip/",
        "clips, of a listener": f"/admin/programs/clip/?q=listener-{some}",
        "users": "/admin/auth/user/",
        "users, staff": "/admin/auth/user/?staff=yes",
        "users, by name": f"/admin/auth/user/?q=listener-{some}",
        "user": f"/admin/auth/user/{some}/change/",
    }


def measure(client: Client, name: str, address: str) -> Measured:
    """Return how long a page takes; the first answer only warms the caches up."""
    measured = Measured(name)
    with CaptureQueriesContext(connection) as queries:
        measured.first, answer = timed(client, address)
        assert answer.status_code == 200, (name, answer.status_code)  # noqa: S101
    asked = [query["sql"] for query in queries]
    measured.statements = len(asked)
    measured.counts_log = any(
        "COUNT(" in sql and 'FROM "notifications_delivery"' in sql and "LIMIT" not in sql
        for sql in asked
    )
    for _round in range(ROUNDS):
        took, _answer = timed(client, address)
        measured.times.append(took)
    return measured


def timed(client: Client, address: str) -> tuple[float, Any]:
    """Return how long the page took, in milliseconds, and its answer."""
    begun = time.monotonic()
    answer = client.get(address)
    return (time.monotonic() - begun) * 1000, answer


def table(results: list[Measured]) -> Table:
    """Return the results for a person."""
    shown = Table(title=f"Admin pages, {ROUNDS} answers each")
    for heading in ("page", "first ms", "p50 ms", "max ms", "statements", ""):
        shown.add_column(heading, justify="left" if heading in ("page", "") else "right")
    for each in results:
        shown.add_row(
            each.name,
            f"{each.first:.0f}",
            f"{statistics.median(each.times):.0f}",
            f"{max(each.times):.0f}",
            str(each.statements),
            "[red]too slow[/]" if each.is_wrong else "",
        )
    return shown


def main() -> int:
    """Print the table; return 1 when a page is too slow or counts the send log."""
    parser = argparse.ArgumentParser(prog="benchmarks.desk", description=__doc__)
    parser.add_argument("--devices", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--deliveries", type=int, default=10_000_000, metavar="N")
    options = parser.parse_args()
    settings.DEBUG = False
    settings.ALLOWED_HOSTS = ["testserver"]
    call_command("migrate", verbosity=0)
    newest = fill(options.devices, options.deliveries)
    client = Client()
    client.force_login(User.objects.create_superuser("operator"))
    addresses = pages(newest, options.devices)
    results = [measure(client, name, address) for name, address in addresses.items()]
    Console().print(table(results))
    slowest = max(results, key=lambda each: max(each.times))
    print(f"{len(results)} pages; the slowest answer: {max(slowest.times):.0f} ms, {slowest.name}")
    return 1 if any(each.is_wrong for each in results) else 0


if __name__ == "__main__":
    sys.exit(main())

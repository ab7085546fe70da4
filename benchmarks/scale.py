"""Choosing targets among millions: how soon the first batch is claimed, and what a target costs.

SQL fills an empty PostgreSQL; then the worker's own repository claims, and nothing is sent. Prints
a table and, with --plans, the plans that docs/plans.md shows.

    python -m testbed.engines --no-fsync --postgresql -- python -m benchmarks.scale
"""

import argparse
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.db.models import QuerySet  # noqa: E402
from django.utils import timezone  # noqa: E402

from benchmarks.measuring import table  # noqa: E402
from notifications.models import DeviceToken, SendingSwitch  # noqa: E402
from notifications.worker.lease import Lease  # noqa: E402
from notifications.worker.repository import ClaimEnd, Repository, candidates  # noqa: E402
from programs.models import Clip, Program, Talk  # noqa: E402

# Devices, and the audiences among them.
SIZES = ((5_000_000, (100, 100_000)), (1_000_000, (1_000_000,)))

LIMIT = 1_000  # what ten lanes hold
MOST_CLAIMED = 100_000  # of a larger audience: the rest costs the same

# The devices and clips belong to users that do not exist: no measured query looks at users.
LOADED = """
    SET session_replication_role = replica;
    DROP INDEX IF EXISTS device_of_user, clip_of_program;
    INSERT INTO notifications_devicetoken
        (token, kind, platform, created_at, refreshed_at, disabled_at, disabled_reason, user_id)
    SELECT 'device-' || repeat('x', 140) || n, 'token', 'android', '2026-01-01', '2026-01-01',
        CASE WHEN n % 20 = 7 THEN timestamptz '2026-02-01' END, '', n * 7919 % {devices} + 1
    FROM generate_series(1::bigint, {devices}) AS n;
    INSERT INTO programs_clip (listener_id, program_id, muted, created_at)
    SELECT n, {others} + n % 1000, false, '2026-01-01'
    FROM generate_series(1::bigint, {devices}) AS n;
    {audiences}
    CREATE INDEX device_of_user
        ON notifications_devicetoken (user_id, disabled_at, created_at, id);
    CREATE INDEX clip_of_program ON programs_clip (program_id, muted, listener_id);
    VACUUM (ANALYZE) notifications_devicetoken, programs_clip;
"""
AUDIENCE = """
    INSERT INTO programs_clip (listener_id, program_id, muted, created_at)
    SELECT (n * {step}) % {devices} + 1, {program}, false, '2026-01-01'
    FROM generate_series(1::bigint, {listeners}) AS n;
"""
OTHERS = 1_000_000  # the ids of programs that nobody posts to here


@dataclass(frozen=True)
class Measured:
    """What claiming from one audience took."""

    listeners: int
    devices: int
    first_ms: float
    claimed: int
    microseconds: float  # a target
    statements: float  # a thousand targets


def load(devices: int, audiences: Iterable[int]) -> dict[int, Program]:
    """Fill empty tables; return a program for each size of audience."""
    owner = get_user_model().objects.create(username="talker")
    programs = {size: Program.objects.create(owner=owner, title=f"{size:,}") for size in audiences}
    inserts = "".join(
        AUDIENCE.format(step=devices // size, devices=devices, program=each.id, listeners=size)
        for size, each in programs.items()
    )
    script = LOADED.format(devices=devices, others=OTHERS, audiences=inserts)
    with connection.cursor() as cursor:
        for statement in script.split(";"):
            if statement.strip():
                cursor.execute(statement)
    return programs


def empty() -> None:
    """Empty all tables for the next size, and switch to live."""
    call_command("flush", interactive=False, verbosity=0)
    SendingSwitch.objects.change(
        changed_by="bench", now=timezone.now(), reason="a benchmark", mode="live"
    )


def measure(program: Program, *, listeners: int, devices: int) -> Measured:
    """Return what claiming took, from the moment in which a worker has found the talk."""
    lease = Lease(timedelta(seconds=60))
    lease.keep()
    repository = Repository(lease)
    notification = Talk.objects.create(program=program, title="Hello").notification
    repository.due.start(notification, now=timezone.now())
    connection.force_debug_cursor = True
    began = time.perf_counter()
    first = 0.0
    claimed = 0
    statements = 0
    while claimed < MOST_CLAIMED:
        connection.queries_log.clear()
        claim = repository.claims.first_attempts(
            notification.id, size=25, limit=LIMIT, now=timezone.now()
        )
        first = first or time.perf_counter() - began
        statements += len(connection.queries_log)
        claimed += sum(len(batch.targets) for batch in claim.batches)
        if claim.end is not ClaimEnd.OPEN:
            break
    if not claimed:
        raise SystemExit(f"Nothing was claimed: {claim.end}.")
    took = time.perf_counter() - began
    connection.force_debug_cursor = False
    lease.release()
    return Measured(
        listeners,
        devices,
        first * 1e3,
        claimed,
        took * 1e6 / claimed,
        statements * 1e3 / claimed,
    )


def explain(program: Program) -> str:
    """Return PostgreSQL's plans of the three queries that choose targets, in Markdown."""
    now = timezone.now()
    values: dict[str, Any] = {
        "program": program.id,
        "cutoff": now,
        "after": 0,
        "limit": candidates.FROM_CLIPS_IDS,
    }
    walk = candidates.walk(program.id, now, after=0).values_list("id")[: candidates.WALK_IDS]
    ids = list(candidates.walk_over_devices(program.id, now, after=0, limit=100))
    among = DeviceToken.objects.audience_among(ids, program.id, cutoff=now)
    listeners = Clip.objects.filter(program=program, muted=False).count()
    lines = [f"### {listeners:,} listeners", ""]
    statements: list[tuple[str, str, Any]] = [
        ("from the clips", f"EXPLAIN {candidates.FROM_CLIPS}", values),
        ("a walk over the devices", *explained(walk)),
        ("a claim's look at its candidates", *explained(among)),
    ]
    with connection.cursor() as cursor:
        for title, statement, parameters in statements:
            cursor.execute(statement, parameters)
            plan = "\n".join(row[0][:160] for row in cursor.fetchall())
            lines += [f"{title}:", "", "```", plan, "```", ""]
    return "\n".join(lines)


def explained(queryset: QuerySet[Any]) -> tuple[str, tuple[Any, ...]]:
    """Return the EXPLAIN statement of a queryset, and its parameters."""
    sql, params = queryset.query.sql_with_params()
    return f"EXPLAIN {sql}", params


def main() -> None:
    """Measure each audience of SIZES, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plans", action="store_true")
    parser.add_argument("--divide", type=int, default=1, metavar="N", help="of everything, to try")
    options = parser.parse_args()
    settings.ENVIRONMENT = "production"
    settings.GOOGLE_APPLICATION_CREDENTIALS = "/a/service-account.json"
    call_command("migrate", verbosity=0)
    results, plans = [], []
    for all_devices, audiences in SIZES:
        devices = all_devices // options.divide
        sizes = [size // options.divide for size in audiences]
        empty()
        programs = load(devices, sizes)
        for size, program in programs.items():
            results.append(measure(program, listeners=size, devices=devices))
            plans.append(explain(program))
    print(
        table(
            ["listeners", "devices", "first claim", "targets", "µs a target", "statements / 1,000"],
            [
                [
                    f"{each.listeners:,}",
                    f"{each.devices:,}",
                    f"{each.first_ms:.0f} ms",
                    f"{each.claimed:,}",
                    f"{each.microseconds:.1f}",
                    f"{each.statements:.1f}",
                ]
                for each in results
            ],
        )
    )
    if options.plans:
        print("\n".join(plans))


if __name__ == "__main__":
    main()

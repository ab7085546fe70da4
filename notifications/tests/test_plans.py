"""The plans of the hot queries, on PostgreSQL with data that misleads its planner.

The program that is posted to has many more listeners than the statistics know of. Whatever the
planner believes, no query may pass over all devices, all clips or the whole log. The plans
themselves, with millions of rows, are in docs/plans.md.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from notifications import caps
from notifications.models import Delivery, DeviceToken, Notification
from notifications.operators import retention
from notifications.worker.repository import Entry, Repository, audience_count, candidates
from programs import limits
from programs.models import Clip, Program, Talk
from programs.tests.factories import ProgramFactory

pytestmark = [pytest.mark.engines, pytest.mark.django_db]

NOW = timezone.now()
DEVICES = 20_000
BIG = {"notifications_devicetoken", "programs_clip", "notifications_delivery"}

FILLED = f"""
    SET LOCAL session_replication_role = replica;
    INSERT INTO notifications_devicetoken
        (token, kind, platform, created_at, refreshed_at, disabled_reason, user_id)
    SELECT 'device-' || n, 'token', 'android', '2026-01-01', '2026-01-01', '', n
    FROM generate_series(1, {DEVICES}) AS n;
    INSERT INTO programs_clip (listener_id, program_id, muted, created_at)
    SELECT n, 1000000 + n % 500, false, '2026-01-01' FROM generate_series(1, {DEVICES}) AS n;
    INSERT INTO notifications_delivery
        (notification_id, device_id, outcome, message_id, error_code, attempts, unreached, at, note)
    SELECT 1000000 + talk, n, 'sent', '', '', 1, 0, '2026-01-01', ''
    FROM generate_series(1, {DEVICES} / 10) AS n, generate_series(1, 10) AS talk;
    ANALYZE;
"""  # noqa: S608
GROWN = """
    INSERT INTO programs_clip (listener_id, program_id, muted, created_at)
    SELECT n, %s, false, '2026-01-01' FROM generate_series(1, %s) AS n
"""


@pytest.fixture
def program(live: None) -> Program:
    """Return a program all of whose listeners came after the last ANALYZE."""
    program: Program = ProgramFactory.create()
    with connection.cursor() as cursor:
        cursor.execute(FILLED)
        cursor.execute(GROWN, [program.id, DEVICES])
    return program


def sending(program: Program, repository: Repository) -> Notification:
    """Return the notification of a new talk, started."""
    notification = Talk.objects.create(program=program, title="Hello").notification
    assert repository.due.start(notification, now=timezone.now())
    return notification


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a plan's steps."""
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


def plans_of(run: Callable[[], object]) -> list[list[dict[str, Any]]]:
    """Return the steps of each query that reads, as PostgreSQL plans it now."""
    with CaptureQueriesContext(connection) as captured:
        run()
    reading = [each["sql"] for each in captured if "SELECT" in each["sql"][:20].upper()]
    plans = []
    with connection.cursor() as cursor:
        for sql in reading:
            cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}")
            (told,) = cursor.fetchone()
            content = json.loads(told) if isinstance(told, str) else told
            plans.append(list(nodes(content[0]["Plan"])))
    assert plans
    return plans


def passes(plans: list[list[dict[str, Any]]]) -> list[str]:
    """Return what is read from one end to the other of the tables that grow."""
    return [
        f"{step['Node Type']} on {step['Relation Name']}"
        for steps in plans
        for step in steps
        if step.get("Relation Name") in BIG
        and (step["Node Type"] == "Seq Scan" or "Index Cond" not in step)
        and step["Node Type"] != "Bitmap Heap Scan"
    ]


def indexes(plans: list[list[dict[str, Any]]]) -> set[str]:
    """Return the indexes that are used."""
    return {step["Index Name"] for steps in plans for step in steps if "Index Name" in step}


def test_the_test_sees_a_pass(program: Program) -> None:
    plans = plans_of(lambda: list(Clip.objects.filter(created_at=NOW)))

    assert passes(plans) == ["Seq Scan on programs_clip"]


def test_a_claim_looks_at_its_candidates_only(program: Program, repository: Repository) -> None:
    notification = sending(program, repository)

    def claim() -> None:
        repository.claims.first_attempts(notification.id, size=25, limit=100, now=timezone.now())

    claim()  # reads the window
    plans = plans_of(claim)

    assert passes(plans) == []
    conditions = [
        step["Index Cond"]
        for steps in plans
        for step in steps
        if step.get("Relation Name") == "programs_clip"
    ]
    assert len(conditions) == 1
    assert "listener_id" in conditions[0]  # not all clips of the program


def test_a_pass_over_few_clips_looks_up_each_listener(program: Program) -> None:
    plans = plans_of(lambda: candidates.from_clips(program.id, NOW, after=0, limit=1_000))

    assert passes(plans) == []
    assert indexes(plans) == {"clip_of_program", "device_of_user"}


def test_a_walk_reads_the_devices_in_their_order(program: Program) -> None:
    plans = plans_of(lambda: candidates.walk_over_devices(program.id, NOW, after=0, limit=100))

    assert passes(plans) == []
    assert "notifications_devicetoken_pkey" in indexes(plans)
    assert "Sort" not in {step["Node Type"] for steps in plans for step in steps}


def test_a_record_looks_only_for_its_own_lines(program: Program, repository: Repository) -> None:
    notification = sending(program, repository)
    entries = [Entry(notification.id, number, "sent", "", "", 1, None) for number in range(1, 500)]

    plans = plans_of(lambda: repository.results.record(entries, closed_batches=[1], now=NOW))

    assert passes(plans) == []
    assert "delivery_once_per_notification_and_device" in indexes(plans)


def test_what_is_due_is_found_without_the_log(program: Program, repository: Repository) -> None:
    notification = sending(program, repository)

    plans = plans_of(lambda: repository.due.with_retries([notification.id], now=NOW))

    assert passes(plans) == []
    assert indexes(plans) <= {"delivery_to_retry", "delivery_not_sent"}  # small both


def test_who_follows_and_who_was_set_aside_is_found_without_the_log(
    program: Program, repository: Repository
) -> None:
    notification = sending(program, repository)

    waiting = plans_of(lambda: repository.due.others_follow(notification.id, {"android"}))
    set_aside = plans_of(lambda: repository.results.blamed(notification.id))

    assert passes(waiting) == passes(set_aside) == []
    assert "delivery_to_retry" in indexes(waiting)
    assert "delivery_ended_unsent" in indexes(set_aside)


# For one in ten lines of a small log, and after many a rollback, reading it all may be cheaper:
# so it has a share as in a large one.
FEW_LINES = """
    INSERT INTO notifications_delivery
        (notification_id, device_id, outcome, message_id, error_code, attempts, unreached, at, note)
    SELECT 2000000, n, 'sent', '', '', 1, 0, '2026-01-01', '' FROM generate_series(1, 30) AS n;
    ANALYZE notifications_delivery;
"""


def test_retention_finds_the_end_of_a_step_by_the_index(program: Program) -> None:
    with connection.cursor() as cursor:
        cursor.execute(FEW_LINES)

    plans = plans_of(lambda: retention.nth_device(2_000_000, after=0))

    assert passes(plans) == []
    assert indexes(plans) == {"delivery_once_per_notification_and_device"}


def test_a_slice_of_the_audience_looks_up_its_listeners(
    program: Program, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As few of all as 5,000 of millions.
    monkeypatch.setattr(audience_count, "SLICE_LISTENERS", 200)
    notification = sending(program, repository)

    plans = plans_of(lambda: repository.audience_count.go_on(notification.id))

    assert passes(plans) == []
    assert DeviceToken.objects.count() == Delivery.objects.count() == DEVICES


# A hundred programs posted a talk every ten minutes for two weeks.
POSTED = """
    INSERT INTO programs_talk (program_id, title, description, audio, duration, posted_at,
        content_digest, audio_bytes)
    SELECT CASE WHEN n % 100 = 0 THEN {program} ELSE 1000000 + n % 100 END, 'Talk', '', '', 1,
        now(), '', 1000
    FROM generate_series(1, 200000) AS n;
    INSERT INTO notifications_notification (state, title, body, cutoff, cursor, epoch, target_count,
        sent_count, simulated_count, rejected_count, retry_count, unknown_count, abandoned_count,
        skipped_count, created_at, reason, needs_approval, live_by, approved_by, brake, crashes,
        counted_for)
    SELECT 'done', '', '', now(), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, now() - n * interval '6 seconds',
        '', false, '', '', '', 0, CASE WHEN n % 100 = 0 THEN {program} ELSE 1000000 + n % 100 END
    FROM generate_series(1, 200000) AS n;
    ANALYZE programs_talk;
    ANALYZE notifications_notification;
"""


def test_a_cap_reads_what_was_announced_lately_and_no_more(
    program: Program, settings: Settings
) -> None:
    settings.NOTIFICATIONS_PER_PROGRAM_PER_DAY = 24
    with connection.cursor() as cursor:
        cursor.execute(POSTED.format(program=program.id))

    _lock, plan = plans_of(lambda: caps.objection(program.id, now=timezone.now()))

    assert indexes([plan]) == {"notification_counted"}
    assert {step["Node Type"] for step in plan} == {"Limit", "Index Only Scan"}


def test_the_storage_of_a_user_is_summed_without_the_talks_of_others(program: Program) -> None:
    with connection.cursor() as cursor:
        cursor.execute(POSTED.format(program=program.id))

    plans = plans_of(lambda: limits.check_storage(program.owner_id, more=0))

    assert "talk_bytes_of_program" in indexes(plans)

"""The metrics: what Prometheus reads of the sending, from a few small queries."""

from datetime import timedelta

import pytest
from django.db import InterfaceError, OperationalError, ProgrammingError
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import DjangoAssertNumQueries

from notifications.models import Notification, SendingSwitch, WorkerLease
from notifications.tests.database_away import database_raising
from programs.tests.factories import TalkFactory

pytestmark = pytest.mark.django_db

MOST_QUERIES = 3


def samples(client: Client) -> dict[tuple[str, ...], float]:
    """Return what is read, by name and label."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
    }


def test_they_are_read_before_anything_has_happened(client: Client) -> None:
    assert samples(client) == {
        ("radiotalk_database_up",): 1,
        ("radiotalk_notifications", "pending"): 0,
        ("radiotalk_notifications", "sending"): 0,
        ("radiotalk_notifications", "held"): 0,
        ("radiotalk_oldest_pending_seconds",): 0,
        ("radiotalk_unknown_deliveries",): 0,
        ("radiotalk_stuck",): 0,
        ("radiotalk_switch", "live"): 0,
        ("radiotalk_switch", "paused"): 0,
    }


def test_the_notifications_that_are_not_history_are_counted(client: Client) -> None:
    for state in ("pending", "sending", "sending", "held", "done", "cancelled", "expired"):
        Notification.objects.filter(talk=TalkFactory.create()).update(state=state)

    found = samples(client)

    assert found["radiotalk_notifications", "pending"] == 1
    assert found["radiotalk_notifications", "sending"] == 2
    assert found["radiotalk_notifications", "held"] == 1
    assert ("radiotalk_notifications", "done") not in found


def test_it_is_told_how_long_the_oldest_has_waited(client: Client) -> None:
    for minutes in (10, 5):
        Notification.objects.filter(talk=TalkFactory.create()).update(
            created_at=timezone.now() - timedelta(minutes=minutes)
        )

    assert samples(client)["radiotalk_oldest_pending_seconds",] == pytest.approx(600, abs=30)


def test_sending_without_progress_is_told(client: Client) -> None:
    Notification.objects.filter(talk=TalkFactory.create()).update(
        state="sending", started_at=timezone.now() - timedelta(minutes=5)
    )

    assert samples(client)["radiotalk_stuck",] == 1


def test_deliveries_that_wait_to_be_settled_are_counted_in_any_state(client: Client) -> None:
    for state, unknown in (("sending", 2), ("done", 3)):
        Notification.objects.filter(talk=TalkFactory.create()).update(
            state=state, unknown_count=unknown
        )

    assert samples(client)["radiotalk_unknown_deliveries",] == 5


@pytest.mark.parametrize(
    ("values", "live", "paused"),
    [
        ({"mode": "live"}, 1, 0),
        ({"mode": "live", "paused": True}, 1, 1),
        ({"mode": "dry_run"}, 0, 0),
        ({"mode": "live", "live_until": timezone.now() - timedelta(seconds=1)}, 0, 0),
    ],
)
def test_the_switch_is_told(
    client: Client, values: dict[str, object], live: int, paused: int
) -> None:
    SendingSwitch.objects.change(changed_by="anna", now=timezone.now(), reason="test", **values)

    found = samples(client)

    assert found["radiotalk_switch", "live"] == live
    assert found["radiotalk_switch", "paused"] == paused


@pytest.mark.parametrize(("holder", "active"), [("host:1:abc", 1), ("", 0)])
def test_the_worker_is_told(client: Client, holder: str, active: int) -> None:
    WorkerLease.objects.create(
        name="sender", holder=holder, heartbeat_at=timezone.now() - timedelta(seconds=90)
    )

    found = samples(client)

    assert found["radiotalk_worker_active",] == active
    assert found["radiotalk_worker_heartbeat_seconds",] == pytest.approx(90, abs=30)


def test_the_turn_around_of_the_worker_is_told(client: Client) -> None:
    WorkerLease.objects.create(
        name="sender",
        holder="host:1:abc",
        heartbeat_at=timezone.now(),
        turnaround_median=0.004,
        turnaround_p99=0.011,
    )

    found = samples(client)

    assert found["radiotalk_turnaround_seconds", "0.5"] == 0.004
    assert found["radiotalk_turnaround_seconds", "0.99"] == 0.011


@pytest.mark.parametrize(
    ("holder", "silent_seconds", "told"),
    [("host:1:abc", 0, True), ("host:1:abc", 90, False), ("", 0, False)],
    ids=["active", "silent", "stopped"],
)
def test_nothing_is_told_of_a_worker_that_is_not_there_any_more(
    client: Client, holder: str, silent_seconds: int, told: bool
) -> None:
    WorkerLease.objects.create(
        name="sender",
        holder=holder,
        heartbeat_at=timezone.now() - timedelta(seconds=silent_seconds),
        fcm_away_seconds=70.0,
        turnaround_median=0.004,
        settings={"FCM_TIMEOUT": 20, "KEY_IS_OUTDATED": False},
    )

    found = samples(client)

    assert (("radiotalk_fcm_away_seconds",) in found) == told
    assert (("radiotalk_turnaround_seconds", "0.5") in found) == told
    assert (("radiotalk_worker_setting", "FCM_TIMEOUT") in found) == told
    assert ("radiotalk_worker_setting", "KEY_IS_OUTDATED") not in found


def test_a_worker_that_never_was_is_not_told(client: Client) -> None:
    WorkerLease.objects.create(name="sender")

    assert ("radiotalk_worker_active",) not in samples(client)


@pytest.mark.parametrize("error", [OperationalError, InterfaceError, ProgrammingError])
def test_without_the_database_or_its_tables_that_alone_is_told(
    client: Client, caplog: pytest.LogCaptureFixture, error: type[Exception]
) -> None:
    WorkerLease.objects.create(name="sender", holder="host:1:abc", heartbeat_at=timezone.now())

    with database_raising(error):
        found = samples(client)

    assert found == {("radiotalk_database_up",): 0}
    (record,) = caplog.records
    assert (record.getMessage(), record.exc_info) == ("scrape.failed", None)
    assert "hunter-two" not in str(vars(record))


def test_what_was_read_before_the_database_went_away_is_not_told(client: Client) -> None:
    with database_raising(OperationalError, after=1):
        found = samples(client)

    assert found == {("radiotalk_database_up",): 0}


def test_a_reading_costs_a_few_queries_however_much_there_is(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(5):
        TalkFactory.create()

    with django_assert_num_queries(MOST_QUERIES):
        client.get("/metrics")

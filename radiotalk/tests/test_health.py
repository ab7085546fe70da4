"""The web is alive as long as it answers, and ready as long as database and worker are well."""

from datetime import datetime, timedelta

import pytest
from django.db import InterfaceError, OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from notifications.tests.database_away import database_raising
from notifications.tests.factories import (
    NotificationFactory,
    SendingSwitchFactory,
    WorkerLeaseFactory,
)

READY = {"status": "ok", "database": "ok", "worker": "ok"}
PROBES = ["/healthz", "/readyz", "/metrics"]


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """Stop the clock, so that a slow machine counts the same seconds, and return its time."""
    moment = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: moment)
    return moment


@pytest.mark.django_db
def test_it_is_ready_while_the_database_answers(client: Client) -> None:
    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()) == (200, READY)


@pytest.mark.django_db
@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_it_is_not_ready_while_the_database_is_away(
    client: Client, error: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    with database_raising(error):
        answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json() == {"status": "unavailable", "database": "does not answer"}
    assert caplog.records[0].getMessage() == "readyz.failed"


@pytest.mark.django_db
def test_what_the_database_said_is_not_shown(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with database_raising(OperationalError):
        answer = client.get("/readyz")

    assert b"hunter-two" not in answer.content
    assert all("hunter-two" not in str(vars(record)) for record in caplog.records)


@pytest.mark.django_db
def test_it_is_ready_without_redis(client: Client, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert client.get("/readyz").status_code == 200


def test_it_is_alive_without_a_database(client: Client) -> None:
    # A test without the mark django_db must not touch the database.
    answer = client.get("/healthz")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("path", PROBES)
def test_nothing_is_changed_here(client: Client, path: str) -> None:
    assert client.post(path).status_code == 405


@pytest.mark.django_db
@pytest.mark.parametrize("path", PROBES)
def test_a_supervisor_asks_over_plain_http(client: Client, settings: Settings, path: str) -> None:
    settings.SECURE_SSL_REDIRECT = True

    assert client.get(path).status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("redirect", [True, False], ids=["TLS", "plain"])
@pytest.mark.parametrize("host", ["127.0.0.1:8000", "10.0.0.7", "elsewhere.example", "", "a b"])
@pytest.mark.parametrize("path", PROBES)
def test_whoever_asks_is_answered_by_whatever_name(
    client: Client,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    path: str,
    host: str,
    redirect: bool,
) -> None:
    settings.ALLOWED_HOSTS = ["radiotalk.example"]
    settings.SECURE_SSL_REDIRECT = redirect

    answer = client.get(path, headers={"Host": host})

    assert answer.status_code == 200
    assert caplog.records == []


@pytest.mark.parametrize("path", ["/", "/admin/login/", "/api/v1/docs/", "/healthz/", "/readyz/x"])
def test_nothing_else_is_answered_by_a_wrong_name(
    client: Client, settings: Settings, path: str
) -> None:
    settings.ALLOWED_HOSTS = ["radiotalk.example"]

    assert client.get(path, headers={"Host": "10.0.0.7"}).status_code == 400


@pytest.mark.django_db
def test_it_is_not_ready_when_the_worker_has_been_silent_for_over_30_seconds(
    client: Client, now: datetime
) -> None:
    WorkerLeaseFactory.create(heartbeat_at=now - timedelta(seconds=45))

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert "last sign of life was 45 s ago" in answer.json()["worker"][0]


@pytest.mark.django_db
def test_it_is_not_ready_when_a_notification_waits_for_over_60_seconds(
    client: Client, now: datetime
) -> None:
    NotificationFactory.create(created_at=now - timedelta(seconds=90))

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert "waiting for 90 s" in answer.json()["worker"][0]


@pytest.mark.django_db
def test_it_is_not_ready_when_the_last_worker_left_long_ago(client: Client, now: datetime) -> None:
    WorkerLeaseFactory.create(holder="", heartbeat_at=now - timedelta(seconds=45))

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert "No worker is active" in answer.json()["worker"][0]
    assert "The last sign of life was 45 s ago" in answer.json()["worker"][0]


@pytest.mark.django_db
def test_it_costs_five_queries(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(5):
        client.get("/readyz")


@pytest.mark.django_db
def test_it_is_not_ready_before_the_migrations(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    MigrationRecorder(connection).record_unapplied("notifications", "0001_initial")

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert "lacks 1 migration (notifications.0001_initial)" in answer.json()["database"]
    assert [record.getMessage() for record in caplog.records][:1] == ["readyz.failed"]


@pytest.mark.django_db
def test_it_is_not_ready_with_the_schema_of_a_later_release(client: Client) -> None:
    MigrationRecorder(connection).record_applied("notifications", "9999_later")

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert "notifications.9999_later" in answer.json()["database"]


@pytest.mark.django_db
def test_what_waits_for_a_resume_is_no_fault_of_the_worker(client: Client) -> None:
    NotificationFactory.create(created_at=timezone.now() - timedelta(seconds=90))
    SendingSwitchFactory.create(paused=True)

    assert client.get("/readyz").status_code == 200

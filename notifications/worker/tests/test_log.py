"""The log's table: lines in bulk, on PostgreSQL by COPY, which Django knows nothing of."""

from datetime import timedelta

import pytest
from django.db import OperationalError, ProgrammingError, connection
from django.utils import timezone

from notifications.models import Delivery, Notification
from notifications.worker.repository import Entry, log

pytestmark = pytest.mark.django_db

NOW = timezone.now()


@pytest.fixture
def notification() -> Notification:
    """Return a notification that is being sent."""
    return Notification.objects.create(title="Night", body="Hello", state="sending")


def test_what_is_added_is_what_is_read(notification: Notification) -> None:
    awkward = "tab\t, backslash \\N, newline\n, 夜のラジオ"
    later = NOW + timedelta(seconds=7)
    entries = [
        Entry(notification.id, 1, Delivery.Outcome.SENT, "", awkward, 1, None),
        Entry(notification.id, 2, Delivery.Outcome.RETRY, "UNAVAILABLE", "", 2, later, 1),
    ]

    log.add(entries, now=NOW)

    sent, retry = Delivery.objects.order_by("device_id")
    assert (sent.outcome, sent.message_id, sent.attempts, sent.at) == ("sent", awkward, 1, NOW)
    assert (sent.next_attempt_at, sent.unreached, sent.note) == (None, 0, "")
    assert (retry.outcome, retry.error_code, retry.attempts) == ("retry", "UNAVAILABLE", 2)
    assert (retry.next_attempt_at, retry.unreached) == (later, 1)


def test_what_is_known_is_told_of_the_same_targets_only(notification: Notification) -> None:
    other = Notification.objects.create(title="Day", body="Hello", state="sending")
    log.add([Entry(notification.id, 1, "sent", "", "", 3, None)], now=NOW)
    asked = [Entry(each.id, 1, "sent", "", "", 1, None) for each in (notification, other)]
    asked.append(Entry(notification.id, 2, "sent", "", "", 1, None))

    assert log.known(asked) == {(notification.id, 1): ("sent", 3)}


def test_nothing_to_add_is_no_error() -> None:
    log.add([], now=NOW)
    log.replace([], now=NOW)

    assert log.known([]) == {}


@pytest.mark.engines
def test_a_copy_that_fails_is_an_error_of_djangos(
    notification: Notification, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The worker waits for a database that is away; one of psycopg's own errors would end it.
    monkeypatch.setattr(log, "COPY", "COPY nowhere FROM STDIN (FORMAT BINARY)")

    with pytest.raises(ProgrammingError):
        log.add([Entry(notification.id, 1, "sent", "", "", 1, None)], now=NOW)


@pytest.mark.engines
@pytest.mark.django_db(transaction=True)
def test_a_connection_that_is_cut_is_a_database_that_is_away(notification: Notification) -> None:
    with connection.cursor() as cursor, pytest.raises(OperationalError):
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(OperationalError):
        log.add([Entry(notification.id, 1, "sent", "", "", 1, None)], now=NOW)
    connection.close()

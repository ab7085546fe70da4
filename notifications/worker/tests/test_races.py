"""Two connections at once, on PostgreSQL: what READ COMMITTED would let through."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from notifications.channel import ANNOUNCED_WITHIN
from notifications.models import Delivery, Notification
from notifications.tests.faults.locks import somebody_waits_for_a_lock
from notifications.worker.lease import Lease
from notifications.worker.repository import Entry, Repository, log
from programs.models import Talk
from programs.tests.factories import ProgramFactory
from testbed.process import eventually

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]

DEADLINE_SECONDS = 120.0  # for a busy machine, no expectation


def in_thread(function: Callable[[], None]) -> threading.Thread:
    """Return a started thread with a connection of its own."""

    def run() -> None:
        function()
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_notification_is_not_finished_while_a_late_retry_is_being_written() -> None:
    notification = Notification.objects.create(title="Night", body="Hello", state="sending")
    repository = Repository(Lease(timedelta(seconds=15)))
    finished: list[Notification | None] = []

    with transaction.atomic():  # as a late record does
        Notification.objects.select_for_update().get(id=notification.id)
        thread = in_thread(
            lambda: finished.append(repository.due.finish(notification.id, now=timezone.now()))
        )
        assert eventually(somebody_waits_for_a_lock)
        Delivery.objects.create(
            notification=notification,
            device_id=1,
            outcome="retry",
            next_attempt_at=timezone.now(),
            at=timezone.now(),
        )
        Notification.objects.filter(id=notification.id).update(retry_count=1)
    thread.join(DEADLINE_SECONDS)

    assert finished == [None]
    notification.refresh_from_db()
    assert notification.state == Notification.State.SENDING


def test_two_producers_of_the_same_missing_notification_make_one() -> None:
    talk_id = a_talk_without_notification()
    repository = Repository(Lease(timedelta(seconds=15)))
    start = threading.Barrier(4)

    def add() -> None:
        start.wait(DEADLINE_SECONDS)
        repository.due.add_missing({talk_id: ANNOUNCED_WITHIN}, now=timezone.now())

    for thread in [in_thread(add) for _ in range(4)]:
        thread.join(DEADLINE_SECONDS)

    assert Notification.objects.filter(talk_id=talk_id).count() == 1


def test_a_database_that_goes_away_while_answers_are_copied_is_away_like_any(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    notification = Notification.objects.create(title="Night", body="Hello", state="sending")
    repository = Repository(Lease(timedelta(seconds=15)))
    answer = Entry(notification.id, 1, "sent", "", "a-name", 1, None)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()

    def cut(*args: object) -> dict[int, tuple[str, int]]:
        in_thread(lambda: terminate(pid)).join(DEADLINE_SECONDS)
        return {}

    monkeypatch.setattr(log, "known", cut)  # the statement before

    with pytest.raises(OperationalError):
        repository.results.record([answer], closed_batches=[], now=timezone.now())
    connection.close()


def terminate(pid: int) -> None:
    """Have PostgreSQL end the connection that this process serves."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [pid])


def a_talk_without_notification() -> int:
    """Return the id of a talk that was imported."""
    program = ProgramFactory.create()
    (talk,) = Talk.objects.bulk_create([Talk(program=program, title="Imported")])
    return talk.id

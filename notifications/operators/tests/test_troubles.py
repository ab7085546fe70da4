"""What is wrong is found in one place, and said in the same words wherever it is told."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from notifications.operators.situation import open_notifications, situation
from notifications.operators.status import status
from notifications.operators.troubles import Listening, Trouble, find, problems
from notifications.tests.factories import (
    NotificationFactory,
    SendingSwitchFactory,
    WorkerLeaseFactory,
)

pytestmark = pytest.mark.django_db

NOW = timezone.now()


def silent_worker() -> None:
    WorkerLeaseFactory.create(heartbeat_at=NOW - timedelta(seconds=45))


def waiting_notification() -> None:
    WorkerLeaseFactory.create(heartbeat_at=NOW)
    NotificationFactory.create(created_at=NOW - timedelta(seconds=90))


def worker_that_left() -> None:
    WorkerLeaseFactory.create(holder="", heartbeat_at=NOW - timedelta(seconds=45))


def restored_database() -> None:
    WorkerLeaseFactory.create(heartbeat_at=NOW - timedelta(seconds=45), remembered_epoch=7)


def all_troubles() -> list[Trouble]:
    """Return what the desk tells, with a Redis that knows as many workers as the database."""
    current = situation(now=NOW)
    known = 1 if current.holder else 0
    return list(find(current, open_notifications(), Listening(counted=known, known=known)))


@pytest.mark.parametrize(
    "arrange", [silent_worker, waiting_notification, worker_that_left, restored_database]
)
def test_the_desk_the_status_and_readyz_say_the_same(arrange: Callable[[], None]) -> None:
    arrange()

    (trouble,) = all_troubles()

    assert problems(situation(now=NOW), open_notifications()) == [str(trouble)]
    assert status(now=NOW)["problems"] == [str(trouble)]


def test_a_restored_database_is_told_with_the_command_that_helps() -> None:
    restored_database()

    told = status(now=NOW)

    assert told["a_talk_posted_now"] == "waits: the database was put back to an earlier state"
    assert told["because"] == "Run: manage.py sending restored --reason TEXT"


def test_a_silent_worker_is_named_with_how_long_it_is_silent_and_what_to_do() -> None:
    silent_worker()

    (trouble,) = all_troubles()

    assert trouble.what == (
        "The worker radio-1:1 has fallen silent: its last sign of life was 45 s ago."
    )
    assert "manage.py listen_notifications" in trouble.todo


def test_what_waits_to_be_started_leads_to_its_page() -> None:
    waiting_notification()

    (trouble,) = all_troubles()

    assert "has been waiting for 90 s to be started" in trouble.what
    assert str(trouble.url).endswith("/change/")


def test_a_worker_that_has_never_been_there_is_told_at_the_desk_alone() -> None:
    (trouble,) = all_troubles()

    assert trouble.what == "No worker is active: nothing is sent."
    assert status(now=NOW)["problems"] == []


def test_a_pause_explains_why_something_waits() -> None:
    waiting_notification()
    SendingSwitchFactory.create(paused=True)

    assert all_troubles() == []


def test_what_waits_for_a_decision_is_no_fault_of_the_worker() -> None:
    WorkerLeaseFactory.create(heartbeat_at=NOW)
    NotificationFactory.create(state="held")
    NotificationFactory.create(state="done", unknown_count=3)

    held, unknown = all_troubles()

    assert (held.urgent, str(held.url)[-17:]) == (True, "state__exact=held")
    assert (unknown.urgent, unknown.what) == (False, "3 deliveries are unknown.")
    assert status(now=NOW)["problems"] == []


def test_the_status_counts_each_open_state_in_one_of_its_four_queries(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for state in ("pending", "sending", "sending", "held", "done"):
        NotificationFactory.create(state=state)

    with django_assert_num_queries(4):
        told = status(now=NOW)

    assert (told["pending"], told["sending"], told["held"]) == (1, 2, 1)

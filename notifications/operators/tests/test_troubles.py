"""What is wrong is found in one place, and said in the same words wherever it is told."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.who import Who
from notifications.models import Notification, SendingMinute, SendingSwitch, Standby
from notifications.operators import acts
from notifications.operators.situation import open_notifications, situation
from notifications.operators.status import status
from notifications.operators.troubles import Listening, Trouble, find, problems
from notifications.tests.factories import (
    BatchFactory,
    DeliveryFactory,
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


def fcm_away() -> None:
    WorkerLeaseFactory.create(
        heartbeat_at=NOW, fcm_away_seconds=70.0, fcm_away_code="NAME_NOT_FOUND"
    )


def refused_credentials() -> None:
    WorkerLeaseFactory.create(
        heartbeat_at=NOW, fcm_away_seconds=70.0, fcm_away_code="PERMISSION_DENIED"
    )


def all_troubles() -> list[Trouble]:
    """Return what the desk tells, with a Redis that knows as many workers as the database."""
    current = situation(now=NOW)
    known = 1 if current.holder else 0
    return list(find(current, open_notifications(), Listening(counted=known, known=known)))


@pytest.mark.parametrize(
    "arrange",
    [
        silent_worker,
        waiting_notification,
        worker_that_left,
        restored_database,
        fcm_away,
        refused_credentials,
    ],
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


def test_an_fcm_that_is_away_is_told_with_its_cause_in_words() -> None:
    fcm_away()

    (trouble,) = all_troubles()

    assert trouble.what == "FCM has taken nothing for 70 s: NAME_NOT_FOUND."
    assert "Look at the DNS" in trouble.todo


def test_what_waits_to_be_started_leads_to_its_page() -> None:
    waiting_notification()

    (trouble,) = all_troubles()

    assert "has been waiting for 90 s to be started" in trouble.what
    assert str(trouble.url).endswith("/change/")


def test_of_all_that_wait_the_one_that_has_waited_longest_is_named() -> None:
    released = NotificationFactory.create(created_at=NOW - timedelta(hours=1), released_at=NOW)
    waiting_notification()

    (trouble,) = all_troubles()

    assert f"Notification {released.id + 1} has been waiting for 90 s" in trouble.what


def test_what_was_held_for_long_waits_from_its_release_on() -> None:
    WorkerLeaseFactory.create(heartbeat_at=NOW)
    held = NotificationFactory.create(state="held", created_at=NOW - timedelta(minutes=20))

    acts.release(held.id, by=Who("anna", 1), reason="looked")

    assert Notification.objects.get().state == "pending"
    assert all_troubles() == []


def test_what_waited_during_a_pause_waits_from_its_end_on() -> None:
    waiting_notification()
    SendingSwitchFactory.create(paused=True)

    acts.resume(by=Who("anna", 1), reason="looked", now=NOW)

    assert all_troubles() == []


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


def test_the_status_counts_each_open_state_in_one_of_its_few_queries(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for state in ("pending", "sending", "sending", "held", "done"):
        NotificationFactory.create(state=state)

    # the switch, the lease, what is open, what is stuck, the standbys
    with django_assert_num_queries(5):
        told = status(now=NOW)

    assert (told["pending"], told["sending"], told["held"]) == (1, 2, 1)


# --- Sending without progress ---------------------------------------------------------------------


def being_sent(**values: Any) -> Notification:
    """Return a notification that was started long ago, with an active worker and nobody's stop."""
    SendingSwitchFactory.create(changed_at=timezone.now() - timedelta(minutes=3))
    WorkerLeaseFactory.create(heartbeat_at=timezone.now())
    return NotificationFactory.create(
        state="sending", started_at=timezone.now() - timedelta(minutes=3), **values
    )


def progress_problems() -> list[str]:
    """Return what is wrong with the progress by now."""
    return [each for each in status(now=timezone.now())["problems"] if "nothing of it" in each]


def test_sending_without_progress_is_unwell() -> None:
    stuck = being_sent()

    (problem,) = progress_problems()

    assert problem.startswith(f"Notification {stuck.id} is being sent, and nothing of it went out")


def test_a_notification_of_which_something_was_answered_lately_is_well() -> None:
    being_sent(last_sent_at=timezone.now() - timedelta(seconds=20))

    assert progress_problems() == []


def test_what_was_released_lately_may_still_be_sent() -> None:
    stuck = being_sent()
    acts.hold(stuck.id, by=Who("anna", 1), reason="a look", now=timezone.now())

    acts.release(stuck.id, by=Who("anna", 1), reason="looked")

    assert Notification.objects.get().state == "sending"
    assert progress_problems() == []


def test_what_was_claimed_lately_may_still_be_answered() -> None:
    BatchFactory.create(notification=being_sent(), claimed_at=timezone.now())

    assert progress_problems() == []


def test_what_was_claimed_long_ago_should_have_been_answered() -> None:
    long_ago = timezone.now() - timedelta(minutes=2)
    BatchFactory.create(notification=being_sent(), claimed_at=long_ago)

    assert len(progress_problems()) == 1


def test_what_is_attempted_again_only_later_is_well() -> None:
    later = timezone.now() + timedelta(minutes=30)
    DeliveryFactory.create(notification=being_sent(), outcome="retry", next_attempt_at=later)

    assert progress_problems() == []


def test_a_notification_that_waits_for_the_others_turns_is_well() -> None:
    being_sent()
    BatchFactory.create(state="done", claimed_at=timezone.now())

    assert progress_problems() == []


def test_the_minute_counts_from_the_last_claim_also_within_a_minute_of_the_clock() -> None:
    being_sent(last_sent_at=timezone.now() - timedelta(seconds=70))
    BatchFactory.create(state="done", claimed_at=timezone.now() - timedelta(seconds=75))
    # Of the charts: it holds all that was answered in a minute that ended up to 59 s ago.
    SendingMinute.objects.create(minute=timezone.now() - timedelta(seconds=100), sent=1)

    assert len(progress_problems()) == 1


def test_a_pause_explains_that_nothing_goes_out_and_so_does_its_end() -> None:
    being_sent()
    SendingSwitch.objects.update(paused=True)
    assert progress_problems() == []

    acts.resume(by=Who("anna", 1), reason="", now=timezone.now())

    assert progress_problems() == []


# --- Workers with other settings ------------------------------------------------------------------


def test_a_standby_with_other_settings_than_the_active_worker_is_told() -> None:
    WorkerLeaseFactory.create(heartbeat_at=NOW, settings={"RATE": 600, "TTL": 15})
    Standby.objects.announce(holder="radio-2:7:abc", settings={"RATE": 60, "TTL": 15})

    (remark,) = status(now=NOW)["remarks"]

    assert "radio-2:7:abc" in remark
    assert "RATE: 600 → 60." in remark
    assert "TTL" not in remark


def test_standbys_with_the_same_settings_are_no_matter() -> None:
    WorkerLeaseFactory.create(heartbeat_at=NOW, settings={"RATE": 600})
    Standby.objects.announce(holder="radio-2:7:abc", settings={"RATE": 600})
    Standby.objects.announce(holder="of-an-earlier-release:7:abc")

    assert status(now=NOW)["remarks"] == []


def test_a_replaced_key_that_the_worker_does_not_use_is_told() -> None:
    WorkerLeaseFactory.create(heartbeat_at=NOW, settings={"KEY_IS_OUTDATED": True})

    (remark,) = status(now=NOW)["remarks"]

    assert "the worker still uses the key before" in remark
    assert "restart all workers" in remark


def test_a_key_that_the_worker_uses_is_no_matter() -> None:
    WorkerLeaseFactory.create(heartbeat_at=NOW, settings={"KEY_IS_OUTDATED": False})

    assert status(now=NOW)["remarks"] == []


def test_a_standby_that_died_is_not_listed() -> None:
    Standby.objects.announce(holder="alive")
    long_ago = timezone.now() - timedelta(minutes=5)
    Standby.objects.create(holder="dead", since=long_ago, heartbeat_at=long_ago)

    assert status(now=NOW)["standbys"] == ["alive"]

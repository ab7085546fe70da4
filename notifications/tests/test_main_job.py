"""The main job, end to end, with real processes: a posted talk reaches each device exactly once."""

from collections.abc import Callable

import pytest

from notifications.models import Delivery, DeviceToken, Notification, WorkerLease
from programs.models import Program
from testbed.system import System, outcomes, post

pytestmark = pytest.mark.engines


def test_each_device_of_each_listener_is_notified_exactly_once(system: System) -> None:
    program = system.listeners(500)
    system.start_worker()

    notification = post(program)
    system.wait_until_settled()

    notification.refresh_from_db()
    assert notification.state == Notification.State.DONE
    assert notification.sent_count == notification.target_count == 500
    assert outcomes() == {"sent": 500}
    assert len(system.accepted()) == 500
    assert set(system.accepted().values()) == {1}


def test_an_upload_through_the_api_is_answered_with_the_address_of_its_progress(
    system: System,
) -> None:
    program = system.listeners(20)
    system.start_web()
    system.start_worker()

    answer = system.upload(program)
    system.wait_until_settled()

    assert answer.status_code == 201
    token = answer.request.headers["Authorization"]
    progress = system.get(answer.json()["notification"], Authorization=str(token))
    assert progress["state"] == "done"
    assert progress["counts"]["sent"] == 20


def test_a_dry_run_is_validated_by_fcm_and_delivered_to_nobody(
    make_system: Callable[..., System],
) -> None:
    system = make_system()
    system.start_redis()
    program = system.listeners(100)
    system.start_worker()

    post(program)
    system.wait_until_settled()

    assert outcomes() == {"simulated": 100}
    assert system.verdicts() == {"validated": 100}
    assert all(entry["validate_only"] for entry in system.journal())


def test_a_program_set_to_dry_run_stays_dry_while_others_are_live(system: System) -> None:
    dry, live = system.listeners(10), system.listeners(10)
    Program.objects.filter(id=dry.id).update(dry_run=True)
    system.start_worker()

    post(dry)
    post(live)
    system.wait_until_settled()

    assert system.verdicts() == {"validated": 10, "accepted": 10}


def test_a_talk_posted_while_redis_is_away_is_notified_without_anybodys_help(
    make_system: Callable[..., System],
) -> None:
    system = make_system()
    system.go_live()
    program = system.listeners(20)
    system.start_web()
    system.start_worker()

    answer = system.upload(program)
    system.wait_until_settled()

    assert answer.status_code == 201
    assert set(system.accepted().values()) == {1}
    assert len(system.accepted()) == 20


def test_a_worker_started_after_the_talk_was_posted_finds_it(system: System) -> None:
    program = system.listeners(20)
    post(program)

    system.start_worker()
    system.wait_until_settled()

    assert outcomes() == {"sent": 20}


def test_two_workers_and_twenty_talks_make_no_double(system: System) -> None:
    program = system.listeners(30)
    system.start_worker("--standby")
    system.start_worker("--standby")

    for number in range(20):
        post(program, f"Talk {number}")
    system.wait_until_settled()

    assert len(system.accepted()) == 20 * 30
    assert set(system.accepted().values()) == {1}


def test_a_second_worker_exits_3_and_says_who_holds_the_lease(system: System) -> None:
    system.start_worker()
    system.wait_for_an_active_worker()

    second = system.start("listen_notifications")

    assert second.wrapper.wait() == 3
    assert WorkerLease.objects.get().holder in second.log.read_text()


def test_once_sends_what_is_due_and_exits(system: System) -> None:
    program = system.listeners(20)
    post(program)

    worker = system.start("listen_notifications", "--once")

    assert worker.wrapper.wait() == 0
    assert outcomes() == {"sent": 20}


def test_a_pause_lets_everything_wait_and_loses_nothing(system: System) -> None:
    program = system.listeners(20)
    system.start("sending", "pause").wrapper.wait()
    notification = post(program)

    worker = system.start("listen_notifications", "--once")
    assert worker.wrapper.wait() == 0
    notification.refresh_from_db()
    assert notification.state == Notification.State.PENDING

    system.start("sending", "resume").wrapper.wait()
    assert system.start("listen_notifications", "--once").wrapper.wait() == 0
    assert outcomes() == {"sent": 20}


def test_what_fcm_refuses_is_rejected_and_its_device_disabled(system: System) -> None:
    program = system.listeners(40)
    gone = system.listeners(2, name="gone-{}-unregistered")
    for clip in gone.clips.all():
        clip.program = program
        clip.save()
    system.start_worker()

    post(program)
    system.wait_until_settled()

    assert outcomes() == {"sent": 40, "rejected": 2}
    refused = [clip.listener_id for clip in program.clips.all()[:2]]
    disabled = DeviceToken.objects.filter(user__in=refused, disabled_at__isnull=False)
    system.wait(lambda: disabled.count() == 2)


def test_a_configuration_error_holds_the_notification_and_loses_no_target(system: System) -> None:
    program = system.listeners(30, name="device-{}-forbidden")
    system.start_worker()

    notification = post(program)
    system.wait(lambda: Notification.objects.filter(state="held").exists())
    system.wait(lambda: Delivery.objects.count() == 30)

    notification.refresh_from_db()
    assert "release" in notification.reason
    assert outcomes() == {"retry": 30}
    assert not program.clips.filter(listener__devices__disabled_at__isnull=False).exists()

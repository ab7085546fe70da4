"""When answers that blame our configuration hold a notification, with the database's knowledge."""

import pytest
from django.utils import timezone

from accounts.who import Who
from notifications.models import Delivery, DeviceToken, Notification
from notifications.operators import acts
from notifications.worker.repository.results import Results
from programs.models import Program
from testbed.system import add_listeners

from .test_invoker import (
    FULL,
    make_room,
    outcomes,
    patient_worker,
    post,
    program_with,
    turn,
    worker,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("live")]
HELD, DONE, SENDING = Notification.State.HELD, Notification.State.DONE, Notification.State.SENDING


def audience(*groups: tuple[str, int, str]) -> Program:
    """Return a program with so many devices of each platform, whose tokens begin so."""
    program = program_with()
    for word, count, platform in groups:
        add_listeners(program, count, name=f"{word}-{{}}-{platform}", platform=platform)
    return program


def after_a_run(notification: Notification) -> Notification:
    """Return the notification after a worker has done what is due."""
    worker().run()
    notification.refresh_from_db()
    return notification


def mend(word: str) -> None:
    """Let these be accepted from now on, and retried at once."""
    for device in DeviceToken.objects.filter(token__startswith=word):
        DeviceToken.objects.filter(id=device.id).update(token=f"mended-{device.id}")
    Delivery.objects.filter(outcome="retry").update(next_attempt_at=timezone.now())


def test_one_device_on_each_platform_is_held_where_nobody_is_reached() -> None:
    everybody = audience(*(("misconfigured", 1, each) for each in ("android", "ios", "web")))

    held = after_a_run(post(everybody))

    assert held.state == HELD
    assert held.reason.startswith("3 of 3 answers for android, ios, web blame")


def test_iphones_that_are_refused_keep_no_android_behind_them_from_being_reached() -> None:
    held = after_a_run(post(audience(("misconfigured", 600, "ios"), ("ok", 600, "android"))))

    assert held.state == HELD
    assert held.reason.startswith("600 of 600 answers for ios blame")
    assert outcomes() == {"sent": 600, "retry": 600}


def test_androids_that_are_refused_as_the_iphones_before_them_hold_it_soon() -> None:
    both = audience(("misconfigured", 600, "ios"), ("misconfigured", 2000, "android"))

    held = after_a_run(post(both))

    assert held.state == HELD
    assert "Nobody on android, ios is reached" in held.reason
    assert 600 < held.target_count <= 600 + FULL


def test_one_platform_alone_is_held_within_what_the_lanes_hold() -> None:
    held = after_a_run(post(audience(("misconfigured", 2000, "ios"))))

    assert held.state == HELD
    assert "Nobody on ios is reached" in held.reason
    assert held.target_count <= FULL


def test_a_platform_that_follows_in_a_single_device_is_waited_for() -> None:
    held = after_a_run(post(audience(("misconfigured", 600, "ios"), ("ok", 1, "web"))))

    assert held.state == HELD
    assert outcomes() == {"sent": 1, "retry": 600}


def test_androids_in_flight_are_waited_for_though_only_iphones_follow() -> None:
    mixed = audience(
        ("misconfigured", 75, "ios"), ("ok", 200, "android"), ("misconfigured", 2000, "ios")
    )
    notification = post(mixed)
    invoker, sender = patient_worker()
    turn(invoker)
    turn(invoker)

    make_room(invoker, sender)  # 75 iPhones are refused
    turn(invoker)

    notification.refresh_from_db()
    assert notification.state == SENDING


def test_androids_to_be_tried_again_are_waited_for_and_a_later_worker_holds_it_all_the_same() -> (
    None
):
    program = audience(("unavailable", 100, "android"), ("misconfigured", 600, "ios"))
    notification = after_a_run(post(program))
    assert notification.state == SENDING
    assert outcomes() == {"retry": 100, "rejected": 600}

    mend("unavailable")
    held = after_a_run(notification)

    assert held.state == HELD
    assert held.reason.startswith("600 of 600 answers for ios blame")
    assert outcomes() == {"sent": 100, "retry": 600}


def test_retries_of_the_platform_that_is_refused_hold_nothing_up() -> None:
    iphones = audience(("unavailable", 100, "ios"), ("misconfigured", 2000, "ios"))

    held = after_a_run(post(iphones))

    assert held.state == HELD
    assert held.target_count <= FULL


def test_few_that_are_tried_again_are_judged_by_all_that_were_reached_before() -> None:
    notification = after_a_run(
        post(audience(("ok", 100, "android"), ("misconfigured", 12, "android")))
    )
    assert notification.state == DONE

    acts.retry_failed(notification.id, by=Who("anna", 1), reason="again", now=timezone.now())

    assert after_a_run(notification).state == DONE
    assert outcomes() == {"sent": 100, "rejected": 12}


def test_many_that_are_tried_again_are_told_with_all_that_were_reached_before() -> None:
    program = audience(("ok", 60, "android"), ("misconfigured", 12, "android"))
    add_listeners(program, 9, name="unavailable-{}")
    notification = after_a_run(post(program))
    assert notification.state == SENDING

    for device in DeviceToken.objects.filter(token__startswith="unavailable"):
        DeviceToken.objects.filter(id=device.id).update(token=f"misconfigured-{device.id}")
    Delivery.objects.filter(outcome="retry").update(next_attempt_at=timezone.now())
    held = after_a_run(notification)

    assert held.state == HELD
    assert held.reason.startswith("21 of 81 answers for android blame")


def test_the_log_is_not_counted_where_this_worker_has_heard_every_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Counting the log of a million takes seconds, for which the loop would stand still.
    monkeypatch.delattr(Results, "answers")

    done = after_a_run(post(audience(("misconfigured", 12, "ios"), ("ok", 600, "ios"))))

    assert done.state == DONE
    assert outcomes() == {"sent": 600, "rejected": 12}

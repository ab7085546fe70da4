"""What FCM's journal proves, against the send log."""

from pathlib import Path

import pytest

from notifications.models import DeviceToken, Notification
from notifications.verification import UnusableEvidenceError, verify

from .scene import Scene, change

REFUSED_503 = {"verdict": "refused", "status": 503, "error": "UNAVAILABLE"}
ACCEPTED_503 = {"verdict": "accepted", "status": 503, "error": "UNAVAILABLE"}


def test_what_went_well_violates_nothing(scene: Scene) -> None:
    scene.went_well()

    assert scene.report(kills=0, within=1.0).violations == {}
    assert scene.report(journal=False).violations == {}


def test_i1_a_device_that_was_accepted_twice(scene: Scene) -> None:
    notification = scene.went_well()
    scene.saw(notification, scene.devices[0])

    report = scene.report()

    assert report.violations == {"I1": 1, "I5": 1}
    assert scene.devices[0].token not in str(report)
    assert scene.devices[0].token[-6:] in str(report)


def test_i1_tells_apart_a_retry_after_a_5xx_that_had_accepted(scene: Scene) -> None:
    notification = scene.notification()
    scene.claim(notification)
    for device in scene.devices:
        scene.saw(notification, device, **ACCEPTED_503)
        scene.saw(notification, device)
        scene.log(notification, device, "sent", attempts=2)

    assert scene.report(on_5xx="retry").violations == {}
    assert "3 accepted again after a 500 or 503" in scene.report(on_5xx="retry")["I1"].remarks[0]
    assert scene.report(on_5xx="hold").violations == {"I1": 3}


def test_i1_two_acceptances_behind_a_5xx_need_the_same_tag(scene: Scene) -> None:
    notification = scene.went_well()
    device = scene.listener()
    scene.devices.append(device)
    other = scene.notification()
    scene.claim(other)
    for each in scene.devices:
        scene.saw(other, each, **ACCEPTED_503, tag=notification.tag)
        scene.saw(other, each)
        scene.log(other, each, "sent", attempts=2)

    assert scene.report(on_5xx="retry")["I1"].violations == 4


def test_i1_what_an_operator_sent_again_is_told_apart(scene: Scene) -> None:
    notification = scene.went_well()
    scene.saw(notification, scene.devices[0])
    change(notification, scene.devices[0], attempts=2, note="anna: nobody heard it")

    report = scene.report()

    assert report.violations == {}
    assert report["I1"].remarks == ["1 accepted again because an operator said so"]


def test_i1_a_talk_announced_by_two_notifications(scene: Scene) -> None:
    first = scene.went_well()
    second = scene.went_well()
    data = {"talk_id": str(first.talk_id), "notification_id": second.tag}
    scene.saw(second, scene.devices[0], data=data, verdict="refused", status=401)

    assert scene.report().violations == {"I1": 1}


def test_i2_a_device_disabled_for_what_fcm_never_said(scene: Scene) -> None:
    notification = scene.notification()
    scene.claim(notification)
    gone, unfound, kept = scene.devices
    scene.saw(notification, gone, verdict="refused", status=404, error="UNREGISTERED")
    scene.saw(notification, unfound, verdict="refused", status=404, error="NOT_FOUND")
    scene.saw(notification, kept)
    scene.log(notification, gone, "rejected")
    scene.log(notification, unfound, "rejected")
    scene.log(notification, kept, "sent")
    DeviceToken.objects.filter(id__in=[gone.id, unfound.id]).update(
        disabled_at=notification.created_at, disabled_reason="FCM: unregistered"
    )

    report = scene.report()

    assert report.violations == {"I2": 1}
    assert str(unfound.id) in report["I2"].examples[0]


@pytest.mark.parametrize("outcome", ["rejected", "retry", "abandoned", "skipped"])
def test_i3_accepted_and_logged_as_something_else(scene: Scene, outcome: str) -> None:
    notification = scene.notification(state="cancelled" if outcome == "abandoned" else "sending")
    scene.claim(notification)
    for device in scene.devices:
        scene.saw(notification, device)
        scene.log(notification, device, outcome, next_attempt_at=notification.created_at)

    assert scene.report()["I3"].violations == 3


def test_i3_unknown_is_true_whether_fcm_accepted_or_not(scene: Scene) -> None:
    notification = scene.notification()
    scene.claim(notification)
    accepted, reset, unseen = scene.devices
    scene.saw(notification, accepted)
    scene.saw(notification, reset, verdict="refused", status=None, error="reset-before")
    for device in (accepted, reset, unseen):
        scene.log(notification, device, "unknown")

    assert scene.report().violations == {}


def test_i3_sent_and_never_accepted(scene: Scene) -> None:
    notification = scene.notification()
    scene.claim(notification)
    for device in scene.devices:
        scene.saw(notification, device, **REFUSED_503)
        scene.log(notification, device, "sent")

    assert scene.report().violations == {"I3": 3}


def test_i3_rejected_and_never_refused(scene: Scene) -> None:
    notification = scene.notification()
    scene.claim(notification)
    for device in scene.devices:
        scene.saw(notification, device, **REFUSED_503)
        scene.log(notification, device, "rejected")

    assert scene.report().violations == {"I3": 3}


def test_i3_accepted_for_nobody_in_the_log(scene: Scene) -> None:
    notification = scene.went_well()
    scene.saw(notification, scene.listener(created_at=notification.created_at))

    assert scene.report()["I3"].violations == 1


def test_i3_a_request_that_names_no_notification(scene: Scene) -> None:
    notification = scene.went_well()
    scene.saw(notification, scene.devices[0], data=None)

    assert scene.report().violations == {"I3": 1}


def test_i3_a_device_that_was_deleted_since_is_told_and_no_violation(scene: Scene) -> None:
    scene.went_well()
    scene.devices[0].delete()

    report = scene.report()

    assert report.violations == {}
    assert "1 of devices deleted since: their tokens are gone" in report["I3"].remarks


def test_what_is_in_flight_is_left_out_and_told(scene: Scene) -> None:
    notification = scene.notification(state="sending")
    scene.claim(notification, state="sending")
    for device in scene.devices:
        scene.saw(notification, device)

    report = scene.report()

    assert report.violations == {}
    assert "3 still in flight, not looked at" in report["I3"].remarks
    assert "1 notifications are still pending or being sent" in report["I2"].remarks


def test_i4_a_dry_run_that_asked_for_a_delivery(scene: Scene) -> None:
    notification = scene.notification(dry_run=True)
    scene.claim(notification)
    for device in scene.devices:
        scene.saw(notification, device, validate_only=True, verdict="validated")
        scene.log(notification, device, "simulated")
    assert scene.report().violations == {}
    scene.saw(notification, scene.devices[0], verdict="refused", status=401)

    assert scene.report().violations == {"I4": 1}


def test_i5_more_posts_than_attempts_whatever_fcm_answered(scene: Scene) -> None:
    notification = scene.notification()
    scene.claim(notification)
    for device in scene.devices:
        scene.saw(notification, device, **REFUSED_503)
        scene.saw(notification, device, **REFUSED_503)
        scene.log(notification, device, "abandoned", attempts=1)

    assert scene.report().violations == {"I5": 3}


def test_i5_an_attempt_of_which_nothing_left_is_none(scene: Scene) -> None:
    notification = scene.notification()
    scene.claim(notification)
    for device in scene.devices:
        scene.saw(notification, device, **REFUSED_503)
        scene.saw(notification, device)
        scene.log(notification, device, "sent", attempts=2, unreached=1)

    assert scene.report().violations == {"I5": 3}


def test_i5_a_401_is_followed_by_the_same_attempt_with_a_newer_access_token(scene: Scene) -> None:
    notification = scene.notification()
    scene.claim(notification)
    for device in scene.devices:
        scene.saw(notification, device, verdict="refused", status=401, error="UNAUTHENTICATED")
        scene.saw(notification, device)
        scene.log(notification, device, "sent", attempts=1)

    assert scene.report().violations == {}


def test_i9_is_told_and_a_violation_only_where_something_is_expected(scene: Scene) -> None:
    notification = scene.went_well()
    Notification.objects.filter(id=notification.id).update(
        created_at="2026-05-01T11:59:50Z", cutoff="2026-05-01T11:59:50Z"
    )

    assert scene.report().violations == {}
    assert "10.20 s (p99)" in scene.report()["I9"].remarks[0]
    assert scene.report(within=1.0).violations == {"I9": 1}


def test_without_a_journal_it_says_what_it_could_not_check(scene: Scene) -> None:
    scene.went_well()

    report = scene.report(journal=False)

    assert report["I5"].verdict == report["I9"].verdict == "not checked: needs the journal"
    assert report["I10"].verdict == "not checked: needs --log"


def test_a_journal_that_is_being_written_is_read_up_to_its_last_whole_line(scene: Scene) -> None:
    scene.went_well()
    with scene.file.open("a") as lines:
        lines.write('{"at": 1')

    assert scene.report().violations == {}


@pytest.mark.parametrize("content", ["no json\n", "[]\n", "{}\n"])
def test_something_else_than_a_journal_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "something"
    file.write_text(content)

    with pytest.raises(UnusableEvidenceError, match="is no journal of the emulator"):
        verify(file)


def test_i1_the_same_message_twice_for_a_notification_that_the_database_does_not_have(
    scene: Scene,
) -> None:
    notification = scene.went_well()
    scene.saw(notification, scene.devices[0])
    Notification.objects.all().delete()

    assert scene.report().violations == {"I1": 1, "I3": 3}


def test_the_requests_of_the_releases_before_name_the_number_of_their_notification(
    scene: Scene,
) -> None:
    notification = scene.notification()
    scene.claim(notification)
    data = {"talk_id": str(notification.talk_id), "notification_id": str(notification.id)}
    for device in scene.devices:
        scene.saw(notification, device, data=data)
        scene.log(notification, device, "sent")

    assert scene.report().violations == {}

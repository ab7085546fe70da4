"""The payload: one body for all targets, small enough, and the same as the Firebase SDK's."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from firebase_admin import messaging
from pytest_django import Settings

from notifications import payload
from notifications.fcm.message import ANY_TARGET, complete
from notifications.models import Notification
from notifications.tests.factories import NotificationFactory
from programs.tests.factories import TalkFactory

NOW = datetime(2026, 11, 23, 22, 37, tzinfo=UTC)
HOUR = timedelta(hours=1)
MOST_BYTES = 4096
DEVICE = "device-1"
TAG = "9f0c53ab4e1d4c58a90f6d2b7e31c804"

# A family of four: seven characters, 25 bytes, and one sign to whoever reads it.
FAMILY = "👨‍👩‍👧‍👦"


def notification(**values: Any) -> Notification:
    """Return one of a talk that was posted NOW."""
    given = {
        "id": 7,
        "talk_id": 42,
        "tag": TAG,
        "title": "夜のラジオ",
        "body": 'Episode "42"',
        "dry_run": False,
        "created_at": NOW,
    }
    return Notification(**(given | values))


def request(one: Notification, *, kind: str = "token", token: str = DEVICE) -> Any:
    """Return what FCM reads in a request for this target."""
    head, tail = payload.encode(one, now=NOW)
    return json.loads(complete(head, tail, kind=kind, token=token))


@pytest.mark.parametrize("kind", ["token", "fid"])
def test_a_request_is_what_the_sdk_would_send(kind: str) -> None:
    one = notification()
    built = payload.build(one, ttl=HOUR, now=NOW)
    setattr(built, kind, "device-1")
    if kind == "token":
        built.fid = None

    message = json.loads(str(built))

    assert request(one, kind=kind) == {"validate_only": False, "message": message}


@pytest.mark.parametrize("kind", ["token", "fid"])
def test_a_request_has_one_target(kind: str) -> None:
    message = request(notification(), kind=kind)["message"]

    assert {key: message[key] for key in ("token", "fid") if key in message} == {kind: "device-1"}


@pytest.mark.parametrize(
    "token", ['a"b', "a\\", '","validate_only":true,"x":"', "a\nb", "\x00", "夜", "\ud800"]
)
def test_a_token_cannot_break_out_of_its_place(token: str) -> None:
    sent = request(notification(), token=token)

    assert sent["message"]["token"] == token
    assert sent["validate_only"] is False


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_dry_run_is_validated_only(dry_run: bool) -> None:
    assert request(notification(dry_run=dry_run))["validate_only"] is dry_run


def test_the_title_and_text_arrive_as_they_were_written() -> None:
    shown = request(notification())["message"]["notification"]

    assert shown == {"title": "夜のラジオ", "body": 'Episode "42"'}


def test_the_app_learns_which_talk_it_is() -> None:
    data = request(notification())["message"]["data"]

    assert data == {"talk_id": "42", "notification_id": TAG}


def test_a_doubled_push_replaces_the_first_on_every_platform() -> None:
    message = request(notification())["message"]

    assert message["android"]["notification"]["tag"] == TAG
    assert message["apns"]["headers"]["apns-collapse-id"] == TAG
    assert message["webpush"]["notification"]["tag"] == TAG


@pytest.mark.django_db
def test_the_apns_collapse_id_is_short_enough() -> None:
    one = NotificationFactory.create()

    headers = request(one)["message"]["apns"]["headers"]

    assert 0 < len(headers["apns-collapse-id"].encode()) <= 64


@pytest.mark.django_db
def test_no_notification_has_the_tag_of_another_that_had_its_numbers() -> None:
    talk = TalkFactory.create()
    before = talk.notification
    Notification.objects.all().delete()

    again = Notification.objects.create(id=before.id, talk=talk)

    seen, sent = (request(one)["message"] for one in (before, again))
    assert sent["data"]["talk_id"] == seen["data"]["talk_id"]
    assert sent["data"]["notification_id"] != seen["data"]["notification_id"]
    assert sent["android"]["notification"]["tag"] != seen["android"]["notification"]["tag"]


def test_fcm_is_not_asked_to_drop_any() -> None:
    # FCM keeps four collapse keys per device, and drops the rest.
    assert "collapse_key" not in json.dumps(request(notification()))
    assert "collapseKey" not in json.dumps(request(notification()))


@pytest.mark.parametrize(
    ("age", "left"), [(0, 3600), (1, 3599), (3500, 100), (3541, 60), (3600, 60), (9999, 60)]
)
def test_it_lives_for_what_is_left_of_its_time(settings: Settings, age: int, left: int) -> None:
    settings.NOTIFICATIONS_MAX_AGE = 3600

    message = request(notification(created_at=NOW - timedelta(seconds=age)))["message"]

    assert message["android"]["ttl"] == f"{left}s"
    assert message["webpush"]["headers"]["TTL"] == str(left)
    expires_at = int((NOW + timedelta(seconds=left)).timestamp())
    assert message["apns"]["headers"]["apns-expiration"] == str(expires_at)


@pytest.mark.parametrize(
    "sign", ["夜", "📻", FAMILY, '"', "\\", "é", "a", "\t"], ids=lambda sign: ascii(sign)[:8]
)
def test_the_longest_titles_fit_into_what_fcm_takes(sign: str) -> None:
    longest = (sign * 200)[:200]
    one = notification(title=longest, body=longest, id=2**63 - 1, talk_id=2**63 - 1)

    head, tail = payload.encode(one, now=NOW)

    assert len(head + tail) <= MOST_BYTES
    assert request(one)["message"]["notification"] == {"title": longest, "body": longest}


def test_half_a_character_is_refused_with_a_value_error() -> None:
    # The invoker holds the notification on a ValueError; anything else would end the worker.
    with pytest.raises(ValueError, match="surrogates"):
        payload.encode(notification(title="\ud800"), now=NOW)


def test_the_sdk_is_not_asked_for_what_it_deprecates() -> None:
    # Warnings are errors here: Message(token=…) would raise one.
    built = payload.build(notification(), ttl=HOUR, now=NOW)

    assert isinstance(built, messaging.Message)
    assert built.fid == ANY_TARGET

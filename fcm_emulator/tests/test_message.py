"""What FCM takes and what it refuses."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from firebase_admin import messaging

from fcm_emulator.answers import invalid_argument
from fcm_emulator.message import PAYLOAD_MAX_BYTES, Send, read


def read_message(**message: Any) -> Send:
    return read(json.dumps({"message": message}).encode())


def read_to_token(**message: Any) -> Send:
    return read_message(token="dev-1", **message)


def described(send: Send) -> list[str]:
    return [violation.description for violation in send.violations]


def test_what_the_official_sdk_encodes_is_valid() -> None:
    message = messaging.Message(
        fid="fid-1",
        data={"talk_id": "42"},
        notification=messaging.Notification("Night Radio", "Episode 42", "https://x.test/i.png"),
        fcm_options=messaging.FCMOptions("talks"),
        android=messaging.AndroidConfig(
            collapse_key="k",
            priority="high",
            ttl=timedelta(seconds=3.5),
            restricted_package_name="test.radio",
            data={"a": "b"},
            fcm_options=messaging.AndroidFCMOptions("talks"),
            direct_boot_ok=True,
            bandwidth_constrained_ok=True,
            restricted_satellite_ok=False,
            notification=messaging.AndroidNotification(
                color="#aabbcc",
                tag="talk-42",
                body_loc_key="b",
                body_loc_args=["1"],
                channel_id="talks",
                event_timestamp=datetime(2026, 1, 1, tzinfo=UTC),
                priority="max",
                vibrate_timings_millis=[100, 200],
                light_settings=messaging.LightSettings("#aabbcc", 100, 200),
                visibility="public",
                notification_count=1,
                proxy="allow",
                sticky=True,
            ),
        ),
        apns=messaging.APNSConfig(
            headers={"apns-priority": "5", "apns-collapse-id": "talk-42"},
            payload=messaging.APNSPayload(messaging.Aps(alert="x", badge=1), talk_id="42"),
            fcm_options=messaging.APNSFCMOptions("talks", "https://x.test/i.png"),
            live_activity_token="t",
        ),
        webpush=messaging.WebpushConfig(
            headers={"TTL": "60"},
            data={"a": "b"},
            notification=messaging.WebpushNotification("t", "b", tag="talk-42"),
            fcm_options=messaging.WebpushFCMOptions("https://x.test/"),
        ),
    )

    send = read(f'{{"message": {message}}}'.encode())

    assert described(send) == []
    assert (send.kind, send.target, send.tag) == ("fid", "fid-1", "talk-42")


def test_names_may_be_in_camel_case() -> None:
    send = read_to_token(android={"fcmOptions": {"analyticsLabel": "a"}, "collapseKey": "k"})

    assert described(send) == []


def test_null_is_as_good_as_absent() -> None:
    send = read_to_token(topic=None, android=None, data=None)

    assert described(send) == []
    assert send.kind == "token"


@pytest.mark.parametrize("kind", ["token", "fid", "topic", "condition"])
def test_each_kind_of_target_is_told_apart(kind: str) -> None:
    send = read_message(**{kind: "somebody"})

    assert (send.kind, send.target) == (kind, "somebody")
    assert described(send) == []


def test_a_message_without_a_target_is_refused() -> None:
    assert described(read_message(data={})) == ["Recipient of the message is not set."]


def test_a_message_with_two_targets_is_refused() -> None:
    send = read_message(token="dev-1", topic="news")

    assert "oneof field 'target' is already set" in described(send)[0]
    assert send.kind is None


def test_an_empty_token_is_refused() -> None:
    assert [found.field for found in read_message(token="").violations] == ["message.token"]


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"notifications": {}}, "message"),
        ({"notification": {"sound": "x"}}, "message.notification"),
        ({"android": {"tag": "x"}}, "message.android"),
        ({"android": {"notification": {"badge": "x"}}}, "message.android.notification"),
        ({"apns": {"aps": {}}}, "message.apns"),
        ({"webpush": {"icon": "x"}}, "message.webpush"),
        ({"fcm_options": {"link": "x"}}, "message.fcm_options"),
        ({"data": {"talk_id": 42}}, "message.data[0].value"),
        ({"data": ["talk_id"]}, "message.data"),
        ({"notification": "x"}, "message.notification"),
        ({"notification": {"title": 1}}, "message.notification.title"),
        ({"android": {"ttl": 60}}, "message.android.ttl"),
        ({"android": {"ttl": "60"}}, "message.android.ttl"),
        ({"android": {"priority": "urgent"}}, "message.android.priority"),
        ({"android": {"direct_boot_ok": "yes"}}, "message.android.direct_boot_ok"),
        ({"apns": {"payload": "x"}}, "message.apns.payload"),
    ],
)
def test_what_the_parser_refuses_is_named_and_carries_no_fcm_error(
    message: dict[str, Any], field: str
) -> None:
    violations = read_to_token(**message).violations

    assert [(found.field, found.malformed) for found in violations] == [(field, True)]
    assert b"FcmError" not in invalid_argument(violations).body


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"data": {"from": "x"}}, "message.data"),
        ({"data": {"google.x": "x"}}, "message.data"),
        ({"android": {"ttl": "-1s"}}, "message.android.ttl"),
        ({"android": {"ttl": "2419201s"}}, "message.android.ttl"),
        ({"android": {"notification": {"color": "red"}}}, "message.android.notification.color"),
        ({"fcm_options": {"analytics_label": "a b"}}, "message.fcm_options.analytics_label"),
        ({"apns": {"headers": {"apns-collapse-id": "x" * 65}}}, "message.apns.headers"),
        ({"apns": {"headers": {"apns-priority": "7"}}}, "message.apns.headers"),
        (
            {"webpush": {"fcm_options": {"link": "http://x.test"}}},
            "message.webpush.fcm_options.link",
        ),
    ],
)
def test_what_fcm_refuses_is_named_and_carries_its_error(
    message: dict[str, Any], field: str
) -> None:
    violations = read_to_token(**message).violations

    assert [(found.field, found.malformed) for found in violations] == [(field, False)]
    details = json.loads(invalid_argument(violations).body)["error"]["details"]
    assert details[0]["errorCode"] == "INVALID_ARGUMENT"
    assert details[1]["fieldViolations"][0]["field"] == field


def test_a_malformed_field_hides_what_fcm_would_have_said() -> None:
    violations = read_to_token(data={"from": "x"}, nonsense=1).violations

    shown = json.loads(invalid_argument(violations).body)["error"]["details"][0]["fieldViolations"]

    assert [found["field"] for found in shown] == ["message"]


def test_a_topic_has_no_prefix() -> None:
    assert described(read_message(topic="/topics/news")) == ["Invalid topic name: /topics/news"]


@pytest.mark.parametrize("filler", ["x", "夜"])
def test_payload_is_bounded_in_bytes_and_the_target_is_not_counted(filler: str) -> None:
    room = PAYLOAD_MAX_BYTES - len("k")
    fitting = filler * (room // len(filler.encode()))

    assert described(read_message(token="t" * 200, data={"k": fitting})) == []
    too_big = described(read_message(token="t", data={"k": fitting + filler}))
    assert too_big[0] == "Android message is too big"


def test_a_big_apns_payload_is_refused_for_apns_alone() -> None:
    send = read_to_token(apns={"payload": {"x": "y" * PAYLOAD_MAX_BYTES}})

    assert described(send) == ["APNs message is too big"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe{",
        b'{"message": {"token": NaN}}',
        b'{"message": {"token": "' + b"[" * 5,
        b"[" * 200_000,
    ],
)
def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    send = read(body)

    assert [found.malformed for found in send.violations] == [True]


@pytest.mark.parametrize("name", ["validate_only", "validateOnly"])
def test_a_request_to_validate_only_is_recognised(name: str) -> None:
    assert read(json.dumps({"message": {"token": "t"}, name: True}).encode()).validate_only


def test_a_request_to_validate_only_must_be_a_boolean() -> None:
    send = read(b'{"message": {"token": "t"}, "validate_only": "true"}')

    assert not send.validate_only
    assert [found.field for found in send.violations] == ["validate_only"]


def test_titles_come_from_the_notification_or_else_from_androids() -> None:
    general = read_to_token(notification={"title": "A", "body": "B"})
    android = read_to_token(android={"notification": {"title": "C", "body": "D"}})

    assert (general.title, general.body) == ("A", "B")
    assert (android.title, android.body) == ("C", "D")

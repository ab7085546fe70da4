"""The message of a notification: built by the Firebase SDK, encoded once, split around the target.

https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages
"""

from datetime import datetime, timedelta

from firebase_admin import messaging

from .fcm.message import ANY_TARGET, split
from .models import Notification
from .models.notification import max_age

# The shortest time to live: a last retry must not be expired when it is sent.
LEAST_TTL = timedelta(seconds=60)


def encode(notification: Notification, *, now: datetime) -> tuple[bytes, bytes]:
    """Return what stands before and after `"token":"<target>"` in the notification's requests.

    Everything but the target is the same for all, so it is built, checked and encoded once.
    """
    ttl = max(notification.created_at + max_age() - now, LEAST_TTL)
    message = build(notification, ttl=ttl, now=now)
    return split(message, validate_only=notification.dry_run is not False)


def build(notification: Notification, *, ttl: timedelta, now: datetime) -> messaging.Message:
    """Return the SDK's message.

    The tag protects the device from a doubled push: a notification replaces one with its tag. So
    it must never be another notification's, and no number of ours does: after a restore of the
    database its sequences give the same numbers once more.
    Never a collapse_key: FCM keeps four of them per device and drops the rest.
    """
    tag = notification.tag
    expiration = str(int((now + ttl).timestamp()))  # APNs wants a Unix time
    return messaging.Message(
        fid=ANY_TARGET,
        notification=messaging.Notification(title=notification.title, body=notification.body),
        data={"talk_id": str(notification.talk_id), "notification_id": tag},
        android=messaging.AndroidConfig(
            ttl=timedelta(seconds=int(ttl.total_seconds())),
            priority="high",
            notification=messaging.AndroidNotification(tag=tag),
        ),
        apns=messaging.APNSConfig(
            headers={"apns-collapse-id": tag, "apns-expiration": expiration},
        ),
        webpush=messaging.WebpushConfig(
            headers={"TTL": str(int(ttl.total_seconds()))},
            notification=messaging.WebpushNotification(tag=tag),
        ),
    )

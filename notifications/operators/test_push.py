"""A test to an operator's own device: one POST, real even in a dry run, of a message of its own.

It takes the worker's way (fcm, credentials, outcomes), since that one never posts twice; the rest
of the worker has no part in it, and the send log knows nothing of it.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.utils.translation import gettext as _
from firebase_admin import messaging

from notifications.fcm.connection import Connection, Endpoint
from notifications.fcm.credentials import (
    AccessToken,
    CredentialsRefusedError,
    CredentialsUnavailableError,
)
from notifications.fcm.outcomes import Answer, Meaning, Verdict, classify
from notifications.models import Delivery, DeviceToken
from notifications.payload import ANY_TARGET

TTL = timedelta(minutes=5)  # a test that comes later confuses
WAIT_SECONDS = 0.5  # between two looks; the connection itself ends after FCM_TIMEOUT


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a test: an outcome as the send log would have it, and FCM's code."""

    outcome: Delivery.Outcome
    code: str


def send(device: DeviceToken, *, by: str, now: datetime) -> Result:
    """Send the test, and return what became of it."""
    verdict = attempt(device, by=by, now=now)
    outcome = {
        Meaning.ACCEPTED: Delivery.Outcome.SENT,
        Meaning.UNKNOWN: Delivery.Outcome.UNKNOWN,
    }.get(verdict.meaning, Delivery.Outcome.REJECTED)
    return Result(outcome, verdict.code)


def attempt(device: DeviceToken, *, by: str, now: datetime) -> Verdict:
    """Return what FCM made of the one POST."""
    try:
        access = AccessToken(settings.GOOGLE_APPLICATION_CREDENTIALS, ca_file=settings.FCM_CA_FILE)
        authorization = access.header()
    except CredentialsUnavailableError:
        return Verdict(Meaning.UNREACHED, code="NO_ACCESS_TOKEN")
    except (CredentialsRefusedError, OSError, ValueError):  # refused, no file, or none of Google's
        return Verdict(Meaning.MISCONFIGURED, code="CREDENTIALS_REFUSED")
    endpoint = Endpoint(
        url=f"{settings.FCM_ENDPOINT}/v1/projects/{access.project_id}/messages:send",
        ca_file=settings.FCM_CA_FILE,
        timeout=settings.FCM_TIMEOUT,
    )
    return classify(post(endpoint, encode(device, by=by, now=now), authorization))


def post(endpoint: Endpoint, body: bytes, authorization: str) -> Answer:
    """Return the answer to the one POST."""
    connection = Connection(endpoint)
    try:
        connection.post("test", body, authorization=authorization)
        answers: list[tuple[object, Answer]] = []
        while not answers:
            answers = connection.wait(WAIT_SECONDS)
        return answers[0][1]
    finally:
        connection.close()


def encode(device: DeviceToken, *, by: str, now: datetime) -> bytes:
    """Return the request's body; it names no talk and no notification."""
    text = _("A test by %(who)s at %(time)s UTC.") % {"who": by, "time": f"{now:%H:%M:%S}"}
    message = json.loads(
        str(
            messaging.Message(
                fid=ANY_TARGET,
                notification=messaging.Notification(title="Radiotalk", body=text),
                data={"test": "1"},
                android=messaging.AndroidConfig(ttl=TTL, priority="high"),
            )
        )
    )
    del message["fid"]
    message[device.kind] = device.token
    return json.dumps({"validate_only": False, "message": message}).encode()

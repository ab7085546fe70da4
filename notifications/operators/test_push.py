"""A test push to an operator's own device: one POST of its own message, real even in a dry run.

The test takes the worker's way to FCM (notifications/fcm), which never posts twice. The worker has
no part in it, and the send log knows nothing of it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext as _
from firebase_admin import messaging

from accounts.acts import keep
from accounts.who import Who
from notifications import fcm_config
from notifications.fcm.connection import Connection
from notifications.fcm.credentials import AccessToken
from notifications.fcm.endpoint import Endpoint
from notifications.fcm.failures import Failure
from notifications.fcm.key import CredentialsRefusedError, NoAccessTokenError
from notifications.fcm.message import ANY_TARGET, complete, split
from notifications.fcm.outcomes import Answer, Meaning, Verdict, classify
from notifications.models import Delivery, DeviceToken, WorkerLease

from .differences import differences

TTL = timedelta(minutes=5)  # a test that comes later confuses
WAIT_SECONDS = 0.5  # between two looks; the connection itself ends after FCM_TIMEOUT


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a test: an outcome as the send log would have it, and FCM's code.

    `other_key` says how its key differs from the active worker's, "" where it does not.
    """

    outcome: Delivery.Outcome
    code: str
    other_key: str = ""


def send(device: DeviceToken, *, by: Who, reason: str = "", now: datetime) -> Result:
    """Send the test, and return what became of it.

    The act is kept before anything is sent: the process may die before it knows the answer.
    """
    keep("operator.test", by=by, reason=reason, about=f"device {device.pk}")
    try:
        access = fcm_config.access_token()
    except ValueError:  # no file, or none of a service account
        return Result(Delivery.Outcome.REJECTED, CredentialsRefusedError.verdict.code)
    differing = other_key(access)  # asked of the database before anything is sent
    verdict = attempt(access, device, by=by.name, now=now)
    outcome = {
        Meaning.ACCEPTED: Delivery.Outcome.SENT,
        Meaning.UNKNOWN: Delivery.Outcome.UNKNOWN,
    }.get(verdict.meaning, Delivery.Outcome.REJECTED)
    return Result(outcome, verdict.code, differing)


def other_key(access: AccessToken) -> str:
    """Return how our key differs from the active worker's, as far as that one is known."""
    lease, ours = WorkerLease.objects.held(), fcm_config.account(access)
    shown = (lease and lease.settings) or {}
    theirs = {name: shown.get(name, ours[name]) for name in ours}
    return differences(theirs, ours)


def attempt(access: AccessToken, device: DeviceToken, *, by: str, now: datetime) -> Verdict:
    """Return what FCM made of the one POST."""
    try:
        authorization = access.header()
    except NoAccessTokenError as error:
        return error.verdict
    try:
        endpoint = fcm_config.endpoint(access)
    except ValueError:  # no address, or one without TLS: nothing is sent
        return classify(Answer(Failure.NO_TLS))
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
    message = messaging.Message(
        fid=ANY_TARGET,
        notification=messaging.Notification(title="Radiotalk", body=text),
        data={"test": "1"},
        android=messaging.AndroidConfig(ttl=TTL, priority="high"),
    )
    head, tail = split(message, validate_only=False)
    return complete(head, tail, kind=device.kind, token=device.token)

"""What went wrong and what to do, in plain words, for each code of FCM and of ours."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from notifications.fcm.failures import Failure
from notifications.models import Delivery
from notifications.models.delivery import OF_THE_DEVICE

Outcome = Delivery.Outcome

UNKNOWN = _(
    "The request had left when the connection failed, so FCM may have delivered it. It is never "
    "sent again by itself: settle it."
)

CODES: dict[str, Any] = {
    "UNREGISTERED": _(
        "The app was uninstalled, or its token is out of date. The device is disabled until it "
        "registers again; nothing is to be done."
    ),
    "SENDER_ID_MISMATCH": _(
        "The token belongs to another Firebase project. Check whose credentials are in use."
    ),
    "INVALID_ARGUMENT": _(
        "FCM refused the request: the token is none, or the message itself is wrong. When others "
        "got the same message, it is the token, and the device is disabled."
    ),
    "QUOTA_EXCEEDED": _(
        "More was sent than FCM allows. It was not accepted; sending has slowed down by itself."
    ),
    "UNAVAILABLE": _("FCM was overloaded and said that it did not accept. It is tried again."),
    "INTERNAL": _("FCM had an error of its own and did not accept. It is tried again."),
    "THIRD_PARTY_AUTH_ERROR": _(
        "Apple or the web push service refused FCM: upload a valid key in the Firebase console."
    ),
    "UNAUTHENTICATED": _("FCM does not accept our access token: check the service account."),
    "PERMISSION_DENIED": _(
        "The service account may not send in this project: give it the role in the Google console."
    ),
    "HTTP_401": _(
        "FCM, or a proxy on the way, does not accept our credentials: look at FCM_PROXY and the "
        "service account."
    ),
    "HTTP_403": _(
        "FCM, or a proxy on the way, lets us send nothing: look at FCM_PROXY and the service "
        "account."
    ),
    "NOT_FOUND": _("FCM knows no such project: check whose credentials are in use."),
    "NO_ACCESS_TOKEN": _(
        "Google gave no access token, so nothing was sent. It is tried again; token.failed in the "
        "log says why."
    ),
    "CREDENTIALS_REFUSED": _("Google refused the service account: make a new key, and release."),
    "NO_MESSAGE_NAME": _(
        "Something between us and FCM answered in its place; whether FCM got it is not known."
    ),
    "WORKER_LOST": _(
        "The worker was killed while this was under way. It may or may not have arrived: settle it."
    ),
    "LANE_DIED": _(
        "A defect of the worker's; it may or may not have arrived. Its log has the traceback."
    ),
    Failure.NAME_NOT_FOUND: _(
        "The name of FCM, or of the proxy in FCM_PROXY, could not be resolved; nothing was sent. "
        "Look at the DNS."
    ),
    Failure.NOT_CONNECTED: _(
        "FCM, or the proxy in FCM_PROXY, could not be reached: the connection was refused, or "
        "nobody answered. Nothing was sent. Look at the network."
    ),
    Failure.PROXY_REFUSED: _("The proxy let nothing through; nothing was sent. Look at FCM_PROXY."),
    Failure.NO_CA_FILE: _("FCM_CA_FILE cannot be read; nothing was sent. Look at the file."),
    Failure.CERTIFICATE_EXPIRED: _(
        "FCM's certificate has expired, or this machine's clock is ahead; nothing was sent."
    ),
    Failure.CERTIFICATE_NOT_YET_VALID: _(
        "FCM's certificate is not valid yet, or this machine's clock is behind; nothing was sent."
    ),
    Failure.CERTIFICATE_OF_ANOTHER_NAME: _(
        "The certificate is another server's; nothing was sent. Look at FCM_ENDPOINT and the DNS."
    ),
    Failure.CERTIFICATE_NOT_TRUSTED: _(
        "FCM's certificate is not trusted; nothing was sent. Look at FCM_CA_FILE."
    ),
    Failure.NO_TLS: _("TLS could not be agreed on; nothing was sent. Look at the network."),
    Failure.NO_HTTP2: _(
        "The server does not speak HTTP/2, so it is not FCM; nothing was sent. Look at "
        "FCM_ENDPOINT, and at what inspects TLS on the way."
    ),
    Failure.NO_SETTINGS: _("The server took the connection and said nothing; nothing was sent."),
    Failure.NOT_TAKEN: _(
        "FCM, or what stands before it, took the connection and no request: it closed the "
        "connection at once, or allowed none. Nothing was sent. Look at the network and at FCM's "
        "status page."
    ),
    Failure.NOT_SENT: _(
        "Nothing was sent: sending was stopped first, or others had failed on the way."
    ),
    Failure.NOT_PROCESSED: _(
        "FCM, or what stands before it, said that it did not process the request. It is tried "
        "again; when it says so to all, look at FCM's status page."
    ),
    Failure.TIMED_OUT: _("FCM did not answer in time. It may have delivered it: settle it."),
    Failure.CONNECTION_LOST: UNKNOWN,
    Failure.STREAM_RESET: _(
        "FCM gave up the request without an answer. It may have delivered it: settle it."
    ),
    Failure.BAD_HTTP2: _(
        "The server broke the rules of HTTP/2. FCM may have delivered it: settle it."
    ),
    Failure.ANSWER_TOO_LONG: _(
        "The answer was longer than any of FCM's. FCM may have delivered it: settle it."
    ),
}

OUTCOMES: dict[str, Any] = {
    Outcome.UNKNOWN: UNKNOWN,
    Outcome.RETRY: _("FCM did not accept it yet. It is tried again by itself."),
    Outcome.ABANDONED: _("FCM had not accepted it when the notification ended."),
    Outcome.SKIPPED: _("When it was to be tried again, the listener was no target any more."),
    Outcome.REJECTED: _("FCM refused this target; trying again would change nothing."),
}


# No list of FCM's codes is complete, and whatever stands before FCM has others.
NO_GOOD_ANSWER = _(
    "FCM, or what stands before it, answered with an error. Look at FCM's status page, and at what "
    "is between: FCM_PROXY, the network."
)

OUR_MISTAKE = _(
    "FCM blamed the configuration, not the device: check the credentials and the Firebase project, "
    "then retry what failed."
)


def explain(outcome: str, code: str) -> Any:
    """Return what an outcome with this code means and what to do; "" only when nothing is wrong."""
    if outcome == Outcome.SKIPPED:
        return OUTCOMES[Outcome.SKIPPED]
    if code in CODES:
        return CODES[code]
    if outcome == Outcome.REJECTED and code not in OF_THE_DEVICE:
        return OUR_MISTAKE
    return OUTCOMES.get(outcome) or (NO_GOOD_ANSWER if code else "")

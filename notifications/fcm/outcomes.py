"""What an answer of FCM means: the one table that decides.

    200 with `name`                              accepted
    none, and no byte of the request left        unreached: `failures` names when that is certain
    none, and GOAWAY or REFUSED_STREAM           not processed: so FCM says (RFC 9113, 8.7)
    429                                          throttled: not accepted
    401                                          unauthenticated: not accepted
    404 UNREGISTERED                             unregistered
    403 SENDER_ID_MISMATCH                       mismatched
    400 INVALID_ARGUMENT                         invalid
    other 400, 403, 404; 401 THIRD_PARTY_AUTH…   misconfigured: ours, where many get it
    500, 503 with FCM's JSON                     unavailable
    everything else, and any other failure       unknown: it may have been delivered

https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode; told apart by status and code,
never by a message's text. Answers are untrusted: whatever does not parse is unknown.
"""

import json
import re
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from .failures import NOTHING_WAS_SENT, Failure


class Meaning(StrEnum):
    """What an answer means for the target and for us."""

    ACCEPTED = "accepted"
    UNREACHED = "unreached"
    NOT_PROCESSED = "not_processed"
    THROTTLED = "throttled"
    UNAUTHENTICATED = "unauthenticated"
    UNREGISTERED = "unregistered"
    MISMATCHED = "mismatched"
    INVALID = "invalid"
    MISCONFIGURED = "misconfigured"
    CREDENTIALS_REFUSED = "credentials_refused"  # by the token endpoint: no answer of FCM's
    UNAVAILABLE = "unavailable"
    UNKNOWN = "unknown"


# FCM refused the target itself: nothing was delivered and no attempt will change that.
REFUSED = frozenset({Meaning.UNREGISTERED, Meaning.MISMATCHED, Meaning.INVALID})

# FCM did not accept the notification, and may accept it later.
NOT_YET = frozenset(
    {
        Meaning.UNREACHED,
        Meaning.NOT_PROCESSED,
        Meaning.THROTTLED,
        Meaning.UNAVAILABLE,
        Meaning.CREDENTIALS_REFUSED,
    }
)

# The statuses whose code says whether the device or the configuration is to blame.
REFUSALS = {
    (404, "UNREGISTERED"): Meaning.UNREGISTERED,
    (403, "SENDER_ID_MISMATCH"): Meaning.MISMATCHED,
    (400, "INVALID_ARGUMENT"): Meaning.INVALID,
}


# FCM's usual answer, read at a glance. Any other one is left to the parser; a test says that both
# understand the same.
WHITE = rb"[ \t\r\n]*"
USUAL_SUCCESS = re.compile(
    WHITE.join((rb"", rb"\{", rb'"name"', rb":", rb'"([!#-\[\]-~]{1,255})"', rb"\}", rb""))
)


class Answer(NamedTuple):
    """What came back for one POST: a status and a body, or why there is no answer."""

    failure: Failure | None = None
    status: int = 0
    body: bytes = b""
    retry_after: float = 0  # seconds
    date: datetime | None = None  # the server's clock, where its headers were read


class Verdict(NamedTuple):
    """What an answer means, with FCM's code for the send log."""

    meaning: Meaning
    code: str = ""
    message_id: str = ""


def classify(answer: Answer) -> Verdict:
    """Return what the answer means, by the table above."""
    if answer.failure:
        return Verdict(classify_failure(answer.failure), code=answer.failure)
    if answer.status == 200 and (usual := USUAL_SUCCESS.fullmatch(answer.body)):
        return Verdict(Meaning.ACCEPTED, "", usual[1].decode())
    content = parse(answer.body)
    if answer.status == 200:
        return classify_success(content)
    code = error_code(content)
    return Verdict(classify_status(answer.status, code), code=code or f"HTTP_{answer.status}")


def classify_failure(failure: Failure) -> Meaning:
    """Return what it means that there is no answer."""
    if failure in NOTHING_WAS_SENT:
        return Meaning.UNREACHED
    return Meaning.NOT_PROCESSED if failure is Failure.NOT_PROCESSED else Meaning.UNKNOWN


def classify_success(content: dict[str, Any]) -> Verdict:
    """Return accepted only for FCM's own answer; the 200 of a proxy in between proves nothing."""
    if name := text(content.get("name"), most=255):
        return Verdict(Meaning.ACCEPTED, message_id=name)
    return Verdict(Meaning.UNKNOWN, code="NO_MESSAGE_NAME")


def classify_status(status: int, code: str) -> Meaning:
    """Return what a status other than 200 means, with FCM's code ("" when it is not FCM's)."""
    if status == 429:
        return Meaning.THROTTLED
    if status == 401:
        third_party = code == "THIRD_PARTY_AUTH_ERROR"
        return Meaning.MISCONFIGURED if third_party else Meaning.UNAUTHENTICATED
    if status in (400, 403, 404):
        return REFUSALS.get((status, code), Meaning.MISCONFIGURED)
    if status in (500, 503) and code:
        return Meaning.UNAVAILABLE
    return Meaning.UNKNOWN


def parse(body: bytes) -> dict[str, Any]:
    """Return the JSON object, an empty one when it is none."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def error_code(content: dict[str, Any]) -> str:
    """Return FCM's error code: the FcmError's, else the status of the error, else ""."""
    error = content.get("error")
    if not isinstance(error, dict):
        return ""
    details = error.get("details")
    for detail in details if isinstance(details, list) else []:
        if isinstance(detail, dict) and (code := text(detail.get("errorCode"), most=100)):
            return code
    return text(error.get("status"), most=100)


def text(value: object, *, most: int) -> str:
    """Return a text's first `most` characters; "" for no text, or one that is not printable."""
    return value[:most] if isinstance(value, str) and value.isprintable() else ""

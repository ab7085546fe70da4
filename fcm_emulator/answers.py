"""FCM's answers as it words them, and how each one goes back to the client.

Status, `error.status` and `FcmError.errorCode` are those of
https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode; the texts are FCM's own, as
developers quoted them in issues of the Admin SDKs.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

Headers = list[tuple[str, str]]
JSON_HEADERS: Headers = [("content-type", "application/json; charset=UTF-8")]
HTML_HEADERS: Headers = [("content-type", "text/html; charset=UTF-8")]

FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"


class Violation(NamedTuple):
    """A refused field: FCM's JSON parser refuses what is `malformed`, FCM itself the rest."""

    field: str
    description: str
    malformed: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; `error` is its `FcmError` code if it has one, or else its `error.status`."""

    status: int
    body: bytes
    headers: Headers
    error: str | None = None


class Delivery(Enum):
    """How an answer goes back to the client."""

    WHOLE = "at once"
    DRIP = "one byte a second"
    NEVER = "not at all, while the connection stays open"
    RESET = "not at all: the connection is reset"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The verdict on one request, and what the client sees of it."""

    accepted: bool
    answer: Answer
    error: str | None = None
    delivery: Delivery = Delivery.WHOLE
    delay_seconds: float = 0

    @property
    def status(self) -> int | None:
        """Return the HTTP status that the client will see, None when it will see none."""
        return None if self.delivery in (Delivery.NEVER, Delivery.RESET) else self.answer.status


def refused(answer: Answer) -> Outcome:
    """Return the outcome of a request that FCM refuses with this answer."""
    return Outcome(accepted=False, answer=answer, error=answer.error)


def success(name: str) -> Answer:
    """Return the answer to an accepted message; `name` is `projects/…/messages/…`."""
    return Answer(200, f'{{\n  "name": "{name}"\n}}\n'.encode(), JSON_HEADERS)


def html(status: int, title: str) -> Answer:
    """Return a page like those of Google's front ends, for a request that does not reach FCM."""
    page = f"<!DOCTYPE html>\n<html lang=en>\n<title>{title}</title>\n<p><b>{title}</b>\n"
    return Answer(status, page.encode(), HTML_HEADERS)


def error(
    code: int,
    status: str,
    message: str,
    *,
    fcm_error: str | None = None,
    details: Sequence[dict[str, Any]] = (),
) -> Answer:
    """Return a Google API error; `fcm_error` becomes its `FcmError` detail."""
    found = [{"@type": FCM_ERROR, "errorCode": fcm_error}] if fcm_error else []
    content = {"code": code, "message": message, "status": status, "details": [*found, *details]}
    if not content["details"]:
        del content["details"]
    body = json.dumps({"error": content}, indent=2, ensure_ascii=False)
    return Answer(code, body.encode(errors="backslashreplace"), JSON_HEADERS, fcm_error or status)


def invalid_argument(violations: Sequence[Violation]) -> Answer:
    """Return the answer to a message that is not valid, naming each field at fault.

    As at FCM, malformed fields hide all other violations, and the answer carries no `FcmError`.
    """
    malformed = [violation for violation in violations if violation.malformed]
    shown = malformed or violations
    fields = [{"field": each.field, "description": each.description} for each in shown]
    return error(
        400,
        "INVALID_ARGUMENT",
        "\n".join(each.description for each in shown),
        fcm_error=None if malformed else "INVALID_ARGUMENT",
        details=[{"@type": BAD_REQUEST, "fieldViolations": fields}],
    )


def permission_denied(project: str) -> Answer:
    """Return the answer to a service account that may not send for this project."""
    permission = "cloudmessaging.messages.create"
    resource = f"//cloudresourcemanager.googleapis.com/projects/{project}"
    return error(
        403,
        "PERMISSION_DENIED",
        f"Permission '{permission}' denied on resource '{resource}' (or it may not exist).",
        details=[
            {
                "@type": ERROR_INFO,
                "reason": "IAM_PERMISSION_DENIED",
                "domain": "cloudresourcemanager.googleapis.com",
                "metadata": {"permission": permission, "resource": f"projects/{project}"},
            }
        ],
    )


NOT_FOUND_PAGE = html(404, "Error 404 (Not Found)!!1")

UNAUTHENTICATED = error(
    401,
    "UNAUTHENTICATED",
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie "
    "or other valid authentication credential. "
    "See https://developers.google.com/identity/sign-in/web/devconsole-project.",
    details=[
        {
            "@type": ERROR_INFO,
            "reason": "ACCESS_TOKEN_TYPE_UNSUPPORTED",
            "domain": "googleapis.com",
            "metadata": {
                "service": "fcm.googleapis.com",
                "method": "google.firebase.fcm.v1.FcmService.SendMessage",
            },
        }
    ],
)

INVALID_TOKEN = invalid_argument(
    [
        Violation(
            "message.token", "The registration token is not a valid FCM registration token", False
        )
    ]
)

UNREGISTERED = error(404, "NOT_FOUND", "Requested entity was not found.", fcm_error="UNREGISTERED")

NOT_FOUND = error(404, "NOT_FOUND", "Requested entity was not found.")

SENDER_ID_MISMATCH = error(
    403, "PERMISSION_DENIED", "SenderId mismatch", fcm_error="SENDER_ID_MISMATCH"
)

SERVICE_DISABLED = error(
    403,
    "PERMISSION_DENIED",
    "Firebase Cloud Messaging API has not been used in this project before or it is disabled.",
    details=[
        {
            "@type": ERROR_INFO,
            "reason": "SERVICE_DISABLED",
            "domain": "googleapis.com",
            "metadata": {"service": "fcm.googleapis.com"},
        }
    ],
)

THIRD_PARTY_AUTH_ERROR = error(
    401,
    "UNAUTHENTICATED",
    "Auth error from APNS or Web Push Service",
    fcm_error="THIRD_PARTY_AUTH_ERROR",
)

QUOTA_EXCEEDED = error(
    429,
    "RESOURCE_EXHAUSTED",
    "Quota exceeded for quota metric 'Send requests' and limit 'Send requests per minute'.",
    fcm_error="QUOTA_EXCEEDED",
)

INTERNAL = error(500, "INTERNAL", "Internal error encountered.", fcm_error="INTERNAL")

UNAVAILABLE = error(
    503, "UNAVAILABLE", "The service is currently unavailable.", fcm_error="UNAVAILABLE"
)

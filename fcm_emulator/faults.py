"""Answers that a device token asks for by name: `dev-17-unregistered`, `dev-18-once-http503`.

A marker stands anywhere in a token, with no letter or digit touching it. A token without a marker
is accepted. `FAULTS` is the whole list; README.md shows the same, held by a test.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Final, NamedTuple

from . import answers
from .answers import Answer, Delivery, Headers, Outcome

SLOW_SECONDS: Final = 10.0  # what FCM needs for about one answer in 500
HUGE_BYTES: Final = 1024 * 1024
RETRY_DATE_SECONDS: Final = 9  # how far ahead a Retry-After that is a date lies

_SECONDS = r"\d*"
_WHEN = r"(?:\d+|date|garbage|none)"


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to a request: the verdict, the answer, and how the answer goes back.

    `answer` makes the answer from that of a success and the marker's parameter. `parameter` is the
    pattern of what may follow the marker's name: seconds, or a Retry-After.
    """

    meaning: str
    accepted: bool
    answer: Callable[[Answer, str], Answer]
    delivery: Delivery = Delivery.WHOLE
    delay: Callable[[str], float] = lambda parameter: 0.0
    parameter: str = ""
    until_new_access_token: bool = False


def _always(answer: Answer) -> Callable[[Answer, str], Answer]:
    return lambda success, parameter: answer


def _success(success: Answer, parameter: str) -> Answer:
    return success


def _retry_after(answer: Answer) -> Callable[[Answer, str], Answer]:
    """Return a maker of this answer with the Retry-After that the marker asks for."""

    def make(success: Answer, parameter: str) -> Answer:
        when = parameter.removeprefix("after")
        values = {"": None, "none": None, "garbage": "soon", "date": _http_date()}
        value = values.get(when, when)
        headers: Headers = [] if value is None else [("retry-after", value)]
        return replace(answer, headers=answer.headers + headers)

    return make


def _http_date() -> str:
    ahead = datetime.now(UTC) + timedelta(seconds=RETRY_DATE_SECONDS)
    return format_datetime(ahead, usegmt=True)


def _body(body: bytes) -> Callable[[Answer, str], Answer]:
    return lambda success, parameter: replace(success, body=body)


def _cut(success: Answer, parameter: str) -> Answer:
    return replace(success, body=success.body[: len(success.body) // 2])


def _padded(success: Answer, parameter: str) -> Answer:
    return replace(success, body=success.body + b" " * (HUGE_BYTES - len(success.body)))


FAULTS: Final[dict[str, Fault]] = {
    "unregistered": Fault(
        "404 with UNREGISTERED: the app was uninstalled, or the token has expired",
        False,
        _always(answers.UNREGISTERED),
    ),
    "mismatch": Fault(
        "403 with SENDER_ID_MISMATCH: the token belongs to another project's app",
        False,
        _always(answers.SENDER_ID_MISMATCH),
    ),
    "invalid": Fault(
        "400 with INVALID_ARGUMENT: not a registration token",
        False,
        _always(answers.INVALID_TOKEN),
    ),
    "forbidden": Fault(
        "403 without an FcmError: the FCM API is switched off for the project",
        False,
        _always(answers.SERVICE_DISABLED),
    ),
    "notfound": Fault(
        "404 without an FcmError: nothing is known of this token's registration",
        False,
        _always(answers.NOT_FOUND),
    ),
    "thirdparty": Fault(
        "401 with THIRD_PARTY_AUTH_ERROR: the APNs key or web push certificate is wrong",
        False,
        _always(answers.THIRD_PARTY_AUTH_ERROR),
    ),
    "expiredauth": Fault(
        "401 until the client uses a newer access token than the first it used for this token",
        False,
        _always(answers.UNAUTHENTICATED),
        until_new_access_token=True,
    ),
    "429after": Fault(
        "429 with Retry-After as named: `429after2` (seconds), `429after0`, `429afterdate` "
        "(nine seconds ahead), `429aftergarbage` (`soon`), `429afternone` (no such header)",
        False,
        _retry_after(answers.QUOTA_EXCEEDED),
        parameter=_WHEN,
    ),
    "http500": Fault(
        "500 with FCM's JSON, not accepted; `http500after7` adds a Retry-After as in `429after`",
        False,
        _retry_after(answers.INTERNAL),
        parameter=f"(?:after{_WHEN})?",
    ),
    "http503": Fault(
        "503 with FCM's JSON, not accepted; `http503after7` adds a Retry-After as in `429after`",
        False,
        _retry_after(answers.UNAVAILABLE),
        parameter=f"(?:after{_WHEN})?",
    ),
    "accepted-then-500": Fault(
        "accepted, and answered with 500 and FCM's JSON all the same",
        True,
        _always(answers.INTERNAL),
    ),
    "accepted-then-503": Fault(
        "accepted, and answered with 503 and FCM's JSON all the same",
        True,
        _always(answers.UNAVAILABLE),
    ),
    "http502": Fault(
        "502 with an HTML page, not accepted: FCM's front end has lost FCM",
        False,
        _always(answers.html(502, "Error 502 (Server Error)!!1")),
    ),
    "html200": Fault(
        "200 with an HTML page, not accepted: a captive portal or a proxy has answered",
        False,
        _always(answers.html(200, "Welcome to the hotel's network")),
    ),
    "redirect": Fault(
        "302 to another path, not accepted",
        False,
        _always(Answer(302, b"", [("location", "/elsewhere")])),
    ),
    "reset-before": Fault(
        "not accepted; the connection is reset, with all its streams",
        False,
        _success,
        Delivery.RESET,
    ),
    "reset-after": Fault(
        "accepted; then the connection is reset, with all its streams, without an answer",
        True,
        _success,
        Delivery.RESET,
    ),
    "hang": Fault("accepted, and never answered", True, _success, Delivery.NEVER),
    "hang-before": Fault("not accepted, and never answered", False, _success, Delivery.NEVER),
    "slow": Fault(
        "accepted; the answer takes 10 s, or as many seconds as named: `slow2`",
        True,
        _success,
        delay=lambda parameter: float(parameter or SLOW_SECONDS),
        parameter=_SECONDS,
    ),
    "broken-json": Fault("accepted; 200 with half of the JSON", True, _cut),
    "empty-body": Fault("accepted; 200 with no body", True, _body(b"")),
    "huge-body": Fault("accepted; 200 with 1 MiB of JSON", True, _padded),
    "no-name": Fault("accepted; 200 with `{}`", True, _body(b"{}\n")),
    "drip": Fault("accepted; the answer comes one byte a second", True, _success, Delivery.DRIP),
}

_LONGEST_FIRST = sorted(FAULTS, key=len, reverse=True)
_MARKER = re.compile(
    r"(?<![0-9A-Za-z])(?P<once>once-)?(?:"
    + "|".join(f"{re.escape(name)}{FAULTS[name].parameter}" for name in _LONGEST_FIRST)
    + r")(?![0-9A-Za-z])"
)


class Marker(NamedTuple):
    """A fault that a token names."""

    name: str
    parameter: str
    once: bool


def named_in(token: str) -> Marker | None:
    """Return the marker in a token; None for a plain token."""
    found = _MARKER.search(token)
    if found is None:
        return None
    once = found["once"] is not None
    written = found[0].removeprefix("once-")
    name = next(name for name in _LONGEST_FIRST if written.startswith(name))
    return Marker(name, written[len(name) :], once)


class Faults:
    """Remembers which tokens a fault has met, for the faults that pass: `once-…`, `expiredauth`."""

    def __init__(self) -> None:
        self._met: set[str] = set()
        self._first_access: dict[str, int] = {}

    def outcome(self, token: str, access_serial: int, success: Answer) -> Outcome:
        """Return the outcome of a request for the token; `access_serial` counts access tokens."""
        marker = named_in(token)
        if marker is None or self._is_over(token, marker, access_serial):
            return Outcome(accepted=True, answer=success)
        fault = FAULTS[marker.name]
        answer = fault.answer(success, marker.parameter)
        return Outcome(
            fault.accepted,
            answer,
            error=answer.error or marker.name,
            delivery=fault.delivery,
            delay_seconds=fault.delay(marker.parameter),
        )

    def _is_over(self, token: str, marker: Marker, access_serial: int) -> bool:
        if marker.once:
            over = token in self._met
            self._met.add(token)
            return over
        if FAULTS[marker.name].until_new_access_token:
            return access_serial > self._first_access.setdefault(token, access_serial)
        return False

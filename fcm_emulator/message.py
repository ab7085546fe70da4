"""What FCM calls a valid message: one target, known fields, at most 4,096 bytes of payload."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

from . import schema
from .answers import Violation

PAYLOAD_MAX_BYTES = 4096  # https://firebase.google.com/docs/cloud-messaging/concept-options
TARGETS = ("token", "fid", "topic", "condition")

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Send:
    """A request to messages:send as it was read; it is valid when there are no violations."""

    kind: str | None
    target: str | None
    validate_only: bool
    message: JsonObject
    violations: list[Violation]

    @property
    def device(self) -> str:
        """Return the target when it is a registration token or installation ID, else ''."""
        return self.target or "" if self.kind in ("token", "fid") else ""

    @property
    def title(self) -> Any:
        """Return the title that a phone shows."""
        return self._shown("title")

    @property
    def body(self) -> Any:
        """Return the text that a phone shows."""
        return self._shown("body")

    @property
    def tag(self) -> Any:
        """Return `android.notification.tag`: a later one with the same tag replaces this one."""
        return _inner(self.message, "android", "notification").get("tag")

    def _shown(self, name: str) -> Any:
        general = _inner(self.message, "notification").get(name)
        return general or _inner(self.message, "android", "notification").get(name)


def read(body: bytes) -> Send:
    """Return what a body asks for, with the violations for which FCM would refuse it."""
    try:
        content = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return _nothing("Invalid JSON payload received. Unexpected token.")
    if type(content) is not dict:
        return _nothing("Invalid JSON payload received. Root element must be a message.")
    violations: list[Violation] = []
    schema.request("", content, violations)
    message = _inner(content, "message")
    kinds = [kind for kind in TARGETS if message.get(kind) is not None]
    violations += _target_violations(kinds, message)
    if len(body) > PAYLOAD_MAX_BYTES and not violations:  # no payload is longer than its JSON
        violations += _size_violations(message)
    kind = kinds[0] if len(kinds) == 1 else None
    target = message[kind] if kind else None
    return Send(
        kind=kind,
        target=target if type(target) is str else None,
        validate_only=content.get("validate_only", content.get("validateOnly")) is True,
        message=message,
        violations=violations,
    )


def _nothing(problem: str) -> Send:
    return Send(None, None, False, {}, [Violation("", problem, True)])


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")  # Python's parser takes NaN and Infinity, FCM does not


def _inner(value: JsonObject, *names: str) -> JsonObject:
    """Return the object at the end of these names, {} where there is none."""
    for name in names:
        inner = value.get(name)
        if type(inner) is not dict:
            return {}
        value = inner
    return value


def _target_violations(kinds: list[str], message: JsonObject) -> list[Violation]:
    if len(kinds) > 1:
        taken = f"oneof field 'target' is already set. Cannot set '{kinds[1]}'"
        return [Violation("message", f"Invalid value at 'message' (oneof), {taken}", True)]
    if not kinds:
        return [Violation("message", "Recipient of the message is not set.", False)]
    if message[kinds[0]] == "":
        problem = "The registration token is not a valid FCM registration token"
        return [Violation(f"message.{kinds[0]}", problem, False)]
    return []


def _size_violations(message: JsonObject) -> list[Violation]:
    """Return a violation for each platform on which a valid message is too big."""
    general = _size(_inner(message, "notification").values())
    android = _inner(message, "android")
    sizes = {
        "Android": _map_size(android.get("data") or message.get("data"))
        + general
        + _size(_inner(android, "notification").values()),
        "APNs": _json_size(_inner(message, "apns").get("payload"))
        + _map_size(message.get("data"))
        + general,
        "Web push": _json_size(_inner(message, "webpush").get("notification"))
        + _map_size(_inner(message, "webpush").get("data") or message.get("data"))
        + general,
    }
    return [
        Violation("message", f"{platform} message is too big", False)
        for platform, size in sizes.items()
        if size > PAYLOAD_MAX_BYTES
    ]


def _map_size(content: JsonObject | None) -> int:
    return _size(content) + _size(content.values()) if content else 0


def _json_size(content: JsonObject | None) -> int:
    return _size([json.dumps(content, ensure_ascii=False, separators=(",", ":"))]) if content else 0


def _size(values: Iterable[Any]) -> int:
    """Return the UTF-8 bytes of the strings among the values."""
    return sum(len(value.encode(errors="replace")) for value in values if type(value) is str)

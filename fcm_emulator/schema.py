"""The fields of a message that FCM knows, level by level, and what each may hold.

From https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages. As in all of Google's
JSON, a field may be spelled `channel_id` or `channelId`, and `null` is as good as absent.
"""

import re
from collections.abc import Callable
from typing import Any

from .answers import Violation

Found = list[Violation]
Check = Callable[[str, Any, Found], None]

TTL_MAX_SECONDS = 4 * 7 * 24 * 3600  # FCM stores a message for at most four weeks
COLLAPSE_ID_MAX_BYTES = 64  # APNs refuses a longer apns-collapse-id

_DURATION = re.compile(r"-?\d{1,12}(\.\d{1,9})?s")
_LABEL = re.compile(r"[a-zA-Z0-9-_.~%]{1,50}")
_TOPIC = re.compile(r"[a-zA-Z0-9-_.~%]+")
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_RESERVED_KEY = re.compile(r"(from|message_type)$|google\.|gcm\.notification\.")


def _malformed(field: str, kind: str, value: Any) -> Violation:
    return Violation(field, f"Invalid value at '{field}' ({kind}), {str(value)[:80]!r}", True)


def _refused(field: str, description: str) -> Violation:
    return Violation(field, description, False)


def text(field: str, value: Any, found: Found) -> None:
    """Find a value that is no string."""
    if type(value) is not str:
        found.append(_malformed(field, "TYPE_STRING", value))


def flag(field: str, value: Any, found: Found) -> None:
    """Find a value that is neither true nor false."""
    if type(value) is not bool:
        found.append(_malformed(field, "TYPE_BOOL", value))


def number(field: str, value: Any, found: Found) -> None:
    """Find a value that is no number."""
    if type(value) not in (int, float):
        found.append(_malformed(field, "TYPE_FLOAT", value))


def integer(field: str, value: Any, found: Found) -> None:
    """Find a value that is no 32-bit integer."""
    if type(value) is not int or not -(2**31) <= value < 2**31:
        found.append(_malformed(field, "TYPE_INT32", value))


def struct(field: str, value: Any, found: Found) -> None:
    """Find a value that is no JSON object; its content is free."""
    if type(value) is not dict:
        found.append(_malformed(field, "type.googleapis.com/google.protobuf.Struct", value))


def strings(field: str, value: Any, found: Found) -> None:
    """Find a value that is no map from strings to strings."""
    if type(value) is not dict:
        found.append(_malformed(field, "Map", value))
        return
    for index, inner in enumerate(value.values()):
        if type(inner) is not str:
            found.append(_malformed(f"{field}[{index}].value", "TYPE_STRING", inner))


def data(field: str, value: Any, found: Found) -> None:
    """Find data that is no map of strings, or has a key that FCM keeps for itself."""
    strings(field, value, found)
    if type(value) is dict:
        for key in value:
            if _RESERVED_KEY.match(key):
                found.append(_refused(field, f"Invalid data payload key: {key}"))


def duration(field: str, value: Any, found: Found) -> None:
    """Find a value that is not written as seconds with at most nine decimals, such as `3.5s`."""
    if type(value) is not str or not _DURATION.fullmatch(value):
        kind = "type.googleapis.com/google.protobuf.Duration"
        hint = "Illegal duration format; duration must end with 's'"
        found.append(Violation(field, f"Invalid value at '{field}' ({kind}), {hint}", True))


def ttl(field: str, value: Any, found: Found) -> None:
    """Find a duration that is malformed, negative or longer than four weeks."""
    if type(value) is not str or not _DURATION.fullmatch(value):
        duration(field, value, found)
    elif not 0 <= float(value[:-1]) <= TTL_MAX_SECONDS:
        limits = f"must be between 0 and {TTL_MAX_SECONDS} seconds"
        found.append(_refused(field, f"Invalid ttl: {limits}"))


def spelled(pattern: re.Pattern[str], meaning: str) -> Check:
    """Return a check for strings that must match the whole pattern."""

    def check(field: str, value: Any, found: Found) -> None:
        if type(value) is not str:
            text(field, value, found)
        elif not pattern.fullmatch(value):
            found.append(_refused(field, f"Invalid {meaning}: {value[:80]}"))

    return check


def one_of(*names: str) -> Check:
    """Return a check for an enum; FCM takes its names in any case."""

    def check(field: str, value: Any, found: Found) -> None:
        if type(value) is not str or value.upper() not in names:
            found.append(_malformed(field, "type.googleapis.com/google.firebase.fcm.v1", value))

    return check


def each(check_one: Check) -> Check:
    """Return a check for a list whose every element must pass."""

    def check(field: str, value: Any, found: Found) -> None:
        if type(value) is not list:
            found.append(_malformed(field, "LIST", value))
            return
        for index, element in enumerate(value):
            check_one(f"{field}[{index}]", element, found)

    return check


def apns_headers(field: str, value: Any, found: Found) -> None:
    """Find headers that APNs refuses: a long collapse id, an unknown priority."""
    strings(field, value, found)
    if type(value) is not dict:
        return
    collapse_id = value.get("apns-collapse-id")
    if type(collapse_id) is str and len(collapse_id.encode()) > COLLAPSE_ID_MAX_BYTES:
        limit = f"apns-collapse-id is longer than {COLLAPSE_ID_MAX_BYTES} bytes"
        found.append(_refused(field, f"BadCollapseId: {limit}"))
    if value.get("apns-priority", "10") not in ("1", "5", "10"):
        found.append(_refused(field, "BadPriority: apns-priority must be 1, 5 or 10"))


def fields(**checks: Check) -> Check:
    """Return a check for an object that may have these fields and no others."""
    known = {_camel_case(name): check for name, check in checks.items()} | checks

    def check(field: str, value: Any, found: Found) -> None:
        if type(value) is not dict:
            found.append(_malformed(field, "Object", value))
            return
        prefix = f"{field}." if field else ""
        for name, inner in value.items():
            check_inner = known.get(name)
            if check_inner is None:
                problem = f"Unknown name \"{name[:80]}\" at '{field}': Cannot find field."
                found.append(Violation(field, f"Invalid JSON payload received. {problem}", True))
            elif inner is not None:
                check_inner(prefix + name, inner, found)

    return check


def _camel_case(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


label = spelled(_LABEL, "analytics label")

android_notification = fields(
    title=text,
    body=text,
    icon=text,
    color=spelled(_COLOR, "color (#RRGGBB)"),
    sound=text,
    tag=text,
    click_action=text,
    body_loc_key=text,
    body_loc_args=each(text),
    title_loc_key=text,
    title_loc_args=each(text),
    channel_id=text,
    ticker=text,
    sticky=flag,
    event_time=text,
    local_only=flag,
    notification_priority=one_of(
        "PRIORITY_UNSPECIFIED",
        "PRIORITY_MIN",
        "PRIORITY_LOW",
        "PRIORITY_DEFAULT",
        "PRIORITY_HIGH",
        "PRIORITY_MAX",
    ),
    default_sound=flag,
    default_vibrate_timings=flag,
    default_light_settings=flag,
    vibrate_timings=each(duration),
    visibility=one_of("VISIBILITY_UNSPECIFIED", "PRIVATE", "PUBLIC", "SECRET"),
    notification_count=integer,
    light_settings=fields(
        color=fields(red=number, green=number, blue=number, alpha=number),
        light_on_duration=duration,
        light_off_duration=duration,
    ),
    image=text,
    bypass_proxy_notification=flag,
    proxy=one_of("PROXY_UNSPECIFIED", "ALLOW", "DENY", "IF_PRIORITY_LOWERED"),
)

android = fields(
    collapse_key=text,
    priority=one_of("NORMAL", "HIGH"),
    ttl=ttl,
    restricted_package_name=text,
    data=data,
    notification=android_notification,
    fcm_options=fields(analytics_label=label),
    direct_boot_ok=flag,
    bandwidth_constrained_ok=flag,
    restricted_satellite_ok=flag,
)

apns = fields(
    headers=apns_headers,
    payload=struct,
    fcm_options=fields(analytics_label=label, image=text),
    live_activity_token=text,
)

webpush = fields(
    headers=strings,
    data=data,
    notification=struct,
    fcm_options=fields(
        link=spelled(re.compile(r"https://.+"), "link (https only)"), analytics_label=label
    ),
)

message = fields(
    name=text,
    data=data,
    notification=fields(title=text, body=text, image=text),
    android=android,
    webpush=webpush,
    apns=apns,
    fcm_options=fields(analytics_label=label),
    token=text,
    fid=text,
    topic=spelled(_TOPIC, "topic name"),
    condition=text,
)

request = fields(message=message, validate_only=flag)

"""The settings by which a worker sends, as it shows them to people and to other workers."""

from typing import Any

from django.conf import settings

from notifications import fcm_config
from notifications.fcm.credentials import AccessToken
from notifications.fcm.endpoint import Endpoint

# Each of these decides what goes out, when, or what becomes of it.
NAMES = (
    "ENVIRONMENT",
    "NOTIFICATIONS_BATCH_SIZE",
    "NOTIFICATIONS_MAX_PER_MINUTE",
    "NOTIFICATIONS_MAX_AGE",
    "NOTIFICATIONS_LEASE_TTL",
    "NOTIFICATIONS_ON_5XX",
    "FCM_TIMEOUT",
)


def configuration(*, lanes: int, endpoint: Endpoint, access: AccessToken) -> dict[str, Any]:
    """Return them by name; of an address nothing but host and port, since all else may be secret.

    The key is the one in use: it changes when its file is replaced.
    """
    return {
        "NOTIFICATIONS_MAX_WORKERS": lanes,
        **{name: getattr(settings, name) for name in NAMES},
        "FCM": f"{endpoint.host}:{endpoint.port}",
        "FCM_PROXY": ":".join(map(str, endpoint.proxy_address)) if endpoint.proxy else "",
        **fcm_config.account(access),
        "KEY_IS_OUTDATED": access.is_outdated,
    }

"""FCM's address and our service account, from the settings: for worker and probe alone.

What these settings hold may be a secret: somebody may have put the key in place of its file's name.
"""

import os

from django.conf import settings

from .fcm.credentials import AccessToken
from .fcm.endpoint import Endpoint


def access_token() -> AccessToken:
    """Return the access token of the settings' service account, which is asked for later.

    Raise ValueError when its file cannot be used (fcm/service_account.py).
    """
    return AccessToken(
        settings.GOOGLE_APPLICATION_CREDENTIALS,
        ca_file=settings.FCM_CA_FILE,
        proxy=settings.FCM_PROXY,
    )


def endpoint(access: AccessToken) -> Endpoint:
    """Return where FCM takes messages for the service account's project.

    Raise ValueError for an FCM_ENDPOINT or a project that makes no address, or one without TLS.
    """
    return Endpoint(
        url=f"{settings.FCM_ENDPOINT}/v1/projects/{access.project_id}/messages:send",
        ca_file=settings.FCM_CA_FILE,
        timeout=settings.FCM_TIMEOUT,
        proxy=settings.FCM_PROXY,
    )


def account(access: AccessToken) -> dict[str, str]:
    """Return by which project and key something is sent, as the worker shows it."""
    return {"FIREBASE_PROJECT": access.project_id, "KEY": access.key_end}


def said_of_file(setting: str, problem: object) -> str:
    """Return a sentence that says what is wrong with the file that a setting names.

    The setting's value is shown only where there is such a file: it may be the key itself.
    """
    value: str = getattr(settings, setting)
    return f"{setting}: {value} {problem}." if os.path.exists(value) else f"{setting} {problem}."

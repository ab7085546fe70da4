"""FCM's address and our service account, from the settings: for worker, test push and probe."""

from django.conf import settings

from .fcm.credentials import AccessToken
from .fcm.endpoint import Endpoint


def access_token() -> AccessToken:
    """Return the access token of the settings' service account, which is asked for later.

    Raise OSError when its file cannot be read, ValueError when it is no service account's.
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

"""The access token of the service account, refreshed once for all lanes."""

import functools
import logging
import threading
import time

import requests
from firebase_admin import credentials
from google.auth import exceptions
from google.auth.transport.requests import Request

from . import service_account
from .outcomes import Meaning, Verdict

logger = logging.getLogger(__name__)

# google-auth's default is 120 s. A lane waits for the refresh while its answers come in.
REFRESH_TIMEOUT_SECONDS = 10

# A token endpoint that failed is not asked again for this long. Otherwise the lanes, one after the
# other, would wait for its timeout with each batch, and their answers would time out meanwhile.
PAUSE_SECONDS = 2.0


class NoAccessTokenError(Exception):
    """There is no access token, so nothing is sent; `verdict` says what that means for a target."""

    verdict: Verdict


class CredentialsUnavailableError(NoAccessTokenError):
    """There is no access token now (the token endpoint is away); later there may be one."""

    verdict = Verdict(Meaning.UNREACHED, code="NO_ACCESS_TOKEN")


class CredentialsRefusedError(NoAccessTokenError):
    """The token endpoint refused the service account: an operator must look."""

    verdict = Verdict(Meaning.CREDENTIALS_REFUSED, code="CREDENTIALS_REFUSED")


class AccessToken:
    """The Authorization header's value for all lanes.

    google-auth's refresh takes no lock, so this class has one: the first lane refreshes, the others
    wait and use the same token. google-auth's `before_request` is not called: it starts a thread
    that asks iamcredentials.googleapis.com for regions, which FCM does not need.
    """

    def __init__(self, service_account_file: str, *, ca_file: str, proxy: str = "") -> None:
        certificate = credentials.Certificate(service_account.load(service_account_file))
        self.project_id: str = certificate.project_id
        self._google = certificate.get_credential()
        session = requests.Session()
        session.trust_env = False  # no proxy and no authority of the environment's
        session.proxies = {"https": proxy, "http": proxy} if proxy else {}
        session.verify = ca_file or True
        self._request = functools.partial(Request(session), timeout=REFRESH_TIMEOUT_SECONDS)
        self._lock = threading.Lock()
        self._paused_until = 0.0
        self._refreshing = threading.Thread()  # none yet

    def header(self, *, refused: str = "") -> str:
        """Return a valid "Bearer …"; refresh the token when FCM has `refused` the present one.

        Raise CredentialsUnavailableError or CredentialsRefusedError when there is none.
        """
        with self._lock:
            if not self._google.valid or self._bearer() == refused:
                self._refresh()
            return self._bearer()

    def _bearer(self) -> str:
        return f"Bearer {self._google.token}"

    def _refresh(self) -> None:
        if time.monotonic() < self._paused_until:
            raise CredentialsUnavailableError
        try:
            self._refresh_in_time()
        except Exception as error:  # google-auth raises anything for a page where JSON should be
            logger.warning("token.failed", extra={"error": told(error)})
            if is_refusal(error):
                raise CredentialsRefusedError from error
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            raise CredentialsUnavailableError from error

    def _refresh_in_time(self) -> None:
        """Refresh; raise TimeoutError when that takes too long in all.

        The timeout of `requests` is for each read, and an answer may come byte by byte.
        """
        if self._refreshing.is_alive():
            raise TimeoutError
        failures: list[Exception] = []

        def refresh() -> None:
            try:
                self._google.refresh(self._request)
            except Exception as error:  # noqa: BLE001  (raised again by whoever waits)
                failures.append(error)

        self._refreshing = threading.Thread(target=refresh, name="token", daemon=True)
        self._refreshing.start()
        self._refreshing.join(REFRESH_TIMEOUT_SECONDS)
        if self._refreshing.is_alive():
            raise TimeoutError
        if failures:
            raise failures[0]


def is_refusal(error: Exception) -> bool:
    """Return whether OAuth's own JSON says no; a page of a proxy in between says nothing."""
    return (
        isinstance(error, exceptions.RefreshError)
        and not error.retryable
        and isinstance(answer := error.args[-1], dict)
        and "error" in answer
    )


def told(error: Exception) -> str:
    """Return the error as the log may show it: no part of an answer, which may repeat a secret."""
    return str(error) if isinstance(error, exceptions.TransportError) else type(error).__name__

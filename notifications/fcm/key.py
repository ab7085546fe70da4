"""A key of the service account, and the access token that it was given last."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from firebase_admin import credentials
from google.auth import exceptions

from .outcomes import Meaning, Verdict

logger = logging.getLogger(__name__)

# google-auth's default is 120 s. A lane waits for the refresh while its answers come in.
REFRESH_TIMEOUT_SECONDS = 10

# A token endpoint that failed or refused is not asked again for this long. Otherwise the lanes, one
# after the other, would wait for its timeout with each batch, and their answers would time out
# meanwhile; a refused key was asked for 185 times a second (measured).
PAUSE_SECONDS = 2.0

# A token is replaced so long before it expires, as google-auth does; or after half of its life,
# where that is shorter, or each request would ask for a new one.
REPLACED_BEFORE_SECONDS = 225.0
USUAL_LIFE_SECONDS = 3600.0  # where the token endpoint names none
# It will do until shortly before its end, which FCM's clock decides.
VALID_SHARE = 0.99

# What is counted when a token was given; else it is the code of what was wrong.
GIVEN = "given"


class NoAccessTokenError(Exception):
    """There is no access token, so nothing is sent; `verdict` says what that means for a target."""

    verdict: Verdict


class CredentialsUnavailableError(NoAccessTokenError):
    """There is no access token now (the token endpoint is away); later there may be one."""

    verdict = Verdict(Meaning.UNREACHED, code="NO_ACCESS_TOKEN")


class CredentialsRefusedError(NoAccessTokenError):
    """The token endpoint refused the service account: an operator must look."""

    verdict = Verdict(Meaning.CREDENTIALS_REFUSED, code="CREDENTIALS_REFUSED")


class SameTokenError(CredentialsRefusedError):
    """The token endpoint gave the very token that FCM had refused: there is no better one."""

    verdict = Verdict(Meaning.CREDENTIALS_REFUSED, code="SAME_TOKEN")


class Key:
    """Not thread-safe. `account` is what a service account file holds, `request` google-auth's way.

    google-auth's `before_request` is not called: it starts a thread that asks
    iamcredentials.googleapis.com for regions, which FCM does not need. `refreshes` counts how often
    a token was asked for, by what came of it: GIVEN, or the code of what was wrong.
    """

    def __init__(
        self,
        account: dict[str, Any],
        request: Callable[..., Any],
        refreshes: Counter[str],
        failing: str = "token.failed",
    ) -> None:
        self.end = end_of_id(account)
        self.failing = failing  # how the log tells that a refresh failed
        self._google = credentials.Certificate(account).get_credential()
        self._request = request
        self._refreshes = refreshes
        self._good_until = 0.0
        self._valid_until = 0.0
        self._paused_until = 0.0
        self._failed: type[NoAccessTokenError] | None = None  # the last time, and how
        self._refreshing = threading.Thread()  # none yet

    @property
    def bearer(self) -> str:
        """Return the Authorization header's value."""
        return f"Bearer {self._google.token}"

    @property
    def is_good(self) -> bool:
        """Return whether there is a token that lasts for a while."""
        return time.monotonic() < self._good_until

    @property
    def is_valid(self) -> bool:
        """Return whether the token will do, though another one is wanted."""
        return time.monotonic() < self._valid_until

    @property
    def is_unproven(self) -> bool:
        """Return whether Google has neither given a token for it nor refused it: it may be good."""
        return self._failed is CredentialsUnavailableError

    def refresh(self, *, seconds: float, refused: str = "") -> None:
        """Get a token within so many seconds, another one than FCM has `refused`.

        Raise NoAccessTokenError when there is none.
        """
        if self._failed and time.monotonic() < self._paused_until:
            raise self._failed
        try:
            self._refresh_in_time(seconds)
            if self.bearer == refused:
                raise SameTokenError("the token that FCM refused was given again")
        except Exception as error:  # google-auth raises anything for a page where JSON should be
            kind = kind_of(error)
            if kind is not self._failed:  # once, however often it is tried again
                logger.warning(self.failing, extra={"error": told(error)})
            self._refreshes[kind.verdict.code] += 1
            self._failed, self._paused_until = kind, time.monotonic() + PAUSE_SECONDS
            raise kind from error
        self._refreshes[GIVEN] += 1
        self._failed = None
        life = life_left(self._google.expiry)
        self._good_until = time.monotonic() + max(life - REPLACED_BEFORE_SECONDS, life / 2)
        self._valid_until = time.monotonic() + life * VALID_SHARE

    def _refresh_in_time(self, seconds: float) -> None:
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
        self._refreshing.join(seconds)
        if self._refreshing.is_alive():
            raise TimeoutError
        if failures:
            raise failures[0]


def end_of_id(account: dict[str, Any]) -> str:
    """Return the last six characters of the key's id, by which people tell keys apart."""
    end = str(account.get("private_key_id", ""))[-6:]
    return f"…{end}" if end.isascii() and end.isalnum() else ""


def life_left(expiry: datetime | None) -> float:
    """Return how many seconds a token has that was given just now; google-auth's times are UTC."""
    if expiry is None:
        return USUAL_LIFE_SECONDS
    return (expiry.replace(tzinfo=UTC) - datetime.now(UTC)).total_seconds()


def kind_of(error: Exception) -> type[NoAccessTokenError]:
    """Return what it means that a refresh ended with this error."""
    if isinstance(error, SameTokenError):
        return SameTokenError
    return CredentialsRefusedError if is_refusal(error) else CredentialsUnavailableError


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
    is_plain = isinstance(error, exceptions.TransportError | SameTokenError)
    return str(error) if is_plain else type(error).__name__

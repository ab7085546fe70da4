"""The access token of the service account, refreshed once for all lanes.

A key is rotated by replacing its file: the file is read again when it has changed, and when its key
is refused. The key before stays in use until the new one has been given a token, so that no send
waits for a key that Google does not know yet.
"""

import logging
import os
import threading
import time
from collections import Counter

from . import service_account
from .key import (
    GIVEN,
    REFRESH_TIMEOUT_SECONDS,
    CredentialsUnavailableError,
    Key,
    NoAccessTokenError,
    SameTokenError,
)
from .token_endpoint import TokenEndpoint

logger = logging.getLogger(__name__)

# How long a lane waits for a refresh while there is a token that will do.
REFRESH_AHEAD_SECONDS = 1.0

# How often to look whether the file is another one.
LOOK_SECONDS = 1.0

Signature = tuple[int, int, int]


class AccessToken:
    """The Authorization header's value for all lanes.

    google-auth's refresh takes no lock, so this class has one: the first lane refreshes, the others
    wait and use the same token.
    """

    def __init__(self, service_account_file: str, *, ca_file: str, proxy: str = "") -> None:
        self._request = TokenEndpoint(ca_file=ca_file, proxy=proxy, timeout=REFRESH_TIMEOUT_SECONDS)
        self._file = service_account_file
        self._seen = signature_of(service_account_file)
        self._look_at = time.monotonic() + LOOK_SECONDS
        account = service_account.load(service_account_file)
        self.project_id: str = account["project_id"]
        # How often one was asked for, by what came of it: GIVEN, or the code of what was wrong.
        self.refreshes = Counter({GIVEN: 0})
        self._key = Key(account, self._request, self.refreshes)
        self._newer: Key | None = None  # that has been given no token yet
        self.is_outdated = False  # the file was replaced, and the key in use is not (yet) its own
        self._lock = threading.Lock()

    @property
    def key_end(self) -> str:
        """Return the end of the id of the key in use."""
        return self._key.end

    def header(self, *, refused: str = "") -> str:
        """Return a valid "Bearer …"; refresh the token when FCM has `refused` the present one.

        Raise CredentialsUnavailableError or CredentialsRefusedError when there is none.
        """
        with self._lock:
            if time.monotonic() >= self._look_at:
                self._look()
            self._change_over(seconds=REFRESH_AHEAD_SECONDS)
            is_refused = self._key.bearer == refused
            if is_refused or not self._key.is_good:
                self._refresh(is_needed=is_refused or not self._key.is_valid, refused=refused)
            return self._key.bearer

    def _refresh(self, *, is_needed: bool, refused: str) -> None:
        """Refresh the token of the key in use, or of its file's newer one if that is refused.

        Raise NoAccessTokenError if one is needed, and there is none. The token that FCM has
        `refused` will do where it is given again: FCM may have refused it for one device alone.
        """
        seconds = REFRESH_TIMEOUT_SECONDS if is_needed else REFRESH_AHEAD_SECONDS
        try:
            self._key.refresh(seconds=seconds, refused=refused)
        except NoAccessTokenError as error:
            self._look()
            if self._change_over(seconds=seconds) or not is_needed:
                return
            if self._newer and self._newer.is_unproven:
                raise CredentialsUnavailableError from None
            if not isinstance(error, SameTokenError):
                raise

    def _change_over(self, *, seconds: float) -> bool:
        """Use the newer key as soon as it is given a token, which Google may refuse at first.

        Return whether it was.
        """
        if not self._newer:
            return False
        try:
            self._newer.refresh(seconds=seconds)
        except NoAccessTokenError:
            return False
        self._key, self._newer = self._newer, None
        self.is_outdated = False
        self._key.failing = "token.failed"
        logger.info("credentials.changed", extra={"file": self._file})
        return True

    def _look(self) -> None:
        """Take the key that the file holds by now; a file that cannot be used changes nothing."""
        self._look_at = time.monotonic() + LOOK_SECONDS
        signature = signature_of(self._file)
        if signature == self._seen:
            return
        self._seen = signature
        self.is_outdated = True
        try:
            account = service_account.load(self._file)
            if account["project_id"] != self.project_id:
                raise ValueError("is of another project: restart the workers to change over to it")
            newer = "credentials.unproven"
            self._newer = Key(account, self._request, self.refreshes, failing=newer)
        except ValueError as error:
            then = "the key before stays in use"
            logger.error(
                "credentials.unusable",
                extra={"error": str(error), "file": self._file, "then": then},
            )


def signature_of(file: str) -> Signature | None:
    """Return what changes with the file; None when it cannot be seen."""
    try:
        status = os.stat(file)
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size

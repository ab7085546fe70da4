"""Reach: whether FCM can be reached and our credentials are taken, and since when it is not so.

What FCM answers says so, and where nothing is sent, each connection that a lane makes ahead.
"""

from collections.abc import Iterable
from typing import Any

from notifications.fcm.failures import NOTHING_WAS_SENT, Failure
from notifications.fcm.key import CredentialsRefusedError, CredentialsUnavailableError
from notifications.fcm.outcomes import Meaning
from notifications.operators.causes import explain

from .inbox import Tried
from .outage import Outage
from .work import Result

# For so long nothing but failures must have come: a connection may fail beside others that do not.
SURE_SECONDS = 1.0
# Where requests had left, so many different devices must have had no good answer: one that FCM
# always answers with an error is none.
SURE_DEVICES = 5

# The request had left, and it may be its device to which FCM does not give a good answer. That a
# request was not processed may be said by what stands before an FCM that is not there.
LEFT = frozenset({Meaning.NOT_PROCESSED, Meaning.UNAVAILABLE, Meaning.UNKNOWN})
# FCM is there, whatever it thinks of the target.
ANSWERED = frozenset(Meaning) - LEFT - {Meaning.UNREACHED, Meaning.CREDENTIALS_REFUSED}
# These say nothing of FCM: sending was stopped, or other requests had failed before.
NO_SIGN = frozenset({"", Failure.NOT_SENT})
NO_TOKEN = frozenset(
    {CredentialsUnavailableError.verdict.code, CredentialsRefusedError.verdict.code}
)
# FCM, or a proxy before it, refused our credentials. By then a lane has tried a fresh access
# token, too.
# Any other answer proves that FCM took them, even a 404 or a THIRD_PARTY_AUTH_ERROR.
KEY_REFUSED = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED", "HTTP_401", "HTTP_403"})

# Of these a connection that was made is the end; of others only an answer is.
NO_CONNECTION = NOTHING_WAS_SENT - {Failure.NO_SETTINGS, Failure.NOT_TAKEN, Failure.NOT_SENT}
# Or that nothing has failed for so long, since nothing was sent: longer than from one attempt to
# the next (retry.py).
FORGOTTEN_SECONDS = 300.0


class Reach:
    """The main thread tells it of every answer."""

    def __init__(self) -> None:
        self._fcm = Outage("fcm", sure_after=SURE_SECONDS)
        self._token = Outage("credentials")  # Google gives none
        self._key = Outage("credentials")  # FCM refuses what Google gives for it
        self._unanswered: set[int] = set()  # devices, since FCM's last answer
        self._refused: set[int] = set()  # devices, since FCM last took our credentials

    def answered(self, results: Iterable[Result]) -> None:
        """Note what came: one answer of FCM's outweighs all failures."""
        failures, refusals = set(), set()
        for result in results:
            meaning, code, _ = result.verdict
            if code in KEY_REFUSED:
                refusals.add(code)
                self._refused.add(result.target.device_id)
            elif meaning in ANSWERED:
                self._is_there()
                self._key.end()
                self._refused.clear()
                return
            elif meaning in LEFT:
                self._unanswered.add(result.target.device_id)
            if meaning not in LEFT or len(self._unanswered) >= SURE_DEVICES:
                failures.add(code)
        if refusals:
            self._is_there()
            failures = refusals if len(self._refused) >= SURE_DEVICES else set()
        for code in failures - NO_SIGN:
            self._fail(code)

    def tried(self, tried: Tried) -> None:
        """Note what came of an attempt without a request."""
        if tried.failure:
            self._fail(tried.failure)
        elif tried.is_of_credentials:
            self._token.end()
        elif self._fcm.error in NO_CONNECTION:
            self._fcm.end()

    def figures(self) -> dict[str, Any]:
        """Return for how many seconds FCM has been away, and by which code, as WorkerLease has it.

        Credentials that are refused come first: nothing else will do. Those that nobody gives may
        have the same cause as FCM's being away. What FCM refused is not forgotten while nothing is
        sent, since it does not pass by itself: somebody has to mend it.
        """
        if self._fcm.error not in NO_CONNECTION and self._fcm.quiet_for >= FORGOTTEN_SECONDS:
            self._fcm.end()
        outages = [self._key, self._fcm, self._token]
        if self._token.error == CredentialsRefusedError.verdict.code:
            outages = [self._token, self._key, self._fcm]
        for outage in outages:
            if outage.since is not None:
                return {"fcm_away_seconds": outage.seconds, "fcm_away_code": outage.error}
        return {"fcm_away_seconds": None, "fcm_away_code": ""}

    def _is_there(self) -> None:
        """Note that FCM answers; it was asked, so there was an access token as well."""
        self._fcm.end()
        self._token.end()
        self._unanswered.clear()

    def _fail(self, code: str) -> None:
        outage = self._fcm
        if code in KEY_REFUSED:
            outage = self._key
        elif code in NO_TOKEN:
            outage = self._token
        outage.begin(code, because=str(explain("", code)))

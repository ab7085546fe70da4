"""Testing: the one real push of an operator's test, to a device of their own.

It is real in a dry run and in a pause as well, the send log knows nothing of it, and the rate does
not count it. One test is under way at a time, on a thread of its own, so that no talk waits for it.
"""

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from firebase_admin import messaging

from notifications.fcm import single
from notifications.fcm.credentials import AccessToken
from notifications.fcm.endpoint import Endpoint
from notifications.fcm.message import ANY_TARGET, complete, split
from notifications.fcm.outcomes import Meaning, Verdict
from notifications.models import TestPush

from .ahead import NOT_SENT
from .inbox import Event, Tested
from .repository.tests_to_send import TestsToSend

logger = logging.getLogger(__name__)

TTL = timedelta(minutes=5)  # a test that comes later confuses

# What a thread that died leaves: FCM may have accepted it.
DIED = Verdict(Meaning.UNKNOWN, code="LANE_DIED")

STATES = {
    Meaning.ACCEPTED: TestPush.State.SENT,
    Meaning.UNKNOWN: TestPush.State.UNKNOWN,
}


class Testing:
    """The main thread calls it; the POST alone is done by another."""

    def __init__(
        self,
        tests: TestsToSend,
        *,
        endpoint: Endpoint,
        access: AccessToken,
        report: Callable[[Event], None],
    ) -> None:
        self._tests = tests
        self._endpoint = endpoint
        self._access = access
        self._report = report
        self._answered: Tested | None = None  # and not written yet
        self.in_flight: set[UUID] = set()  # until it is written; one at most

    def begin(self, now: datetime) -> None:
        """Claim the next test that waits, and send it; nothing while another is under way."""
        if self.in_flight:
            return
        test = self._tests.claim(now=now)
        if test is None:
            return
        self.in_flight = {test.pk}
        thread = threading.Thread(
            target=self._send, args=(test.pk, encode(test)), name="test", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:  # no more threads can be started
            self.take(Tested(test.pk, NOT_SENT))

    def take(self, tested: Tested) -> None:
        """Note what came of the test, to be written in the next turn."""
        self._answered = tested

    def record(self, now: datetime) -> bool:
        """Write what came of the test; return whether there was anything to write."""
        if self._answered is None:
            return False
        verdict = self._answered.verdict
        state = STATES.get(verdict.meaning, TestPush.State.REJECTED)
        self._tests.record(self._answered.test_id, state, code=verdict.code, now=now)
        logger.info("test.answered", extra={"state": state.value, "error": verdict.code})
        self._answered, self.in_flight = None, set()
        return True

    def recover(self, now: datetime) -> None:
        """Mark as unknown what workers before this one had claimed when they died."""
        if lost := self._tests.recover(in_flight=self.in_flight, now=now):
            logger.warning("test.unknown", extra={"tests": lost})

    def _send(self, test_id: UUID, body: bytes) -> None:
        """Do the one POST; whatever happens, the test gets an end."""
        verdict = DIED
        try:
            verdict = single.send(
                self._access, self._endpoint, body, may_begin=self._tests.may_begin
            )
        finally:
            self._report(Tested(test_id, verdict))


def encode(test: TestPush) -> bytes:
    """Return the request's body; it names no talk and no notification."""
    message = messaging.Message(
        fid=ANY_TARGET,
        notification=messaging.Notification(title="Radiotalk", body=test.text),
        data={"test": "1"},
        android=messaging.AndroidConfig(ttl=TTL, priority="high"),
    )
    head, tail = split(message, validate_only=False)
    return complete(head, tail, kind=test.device.kind, token=test.device.token)

"""Operators' tests: the next one, claimed before its first byte, and what came of each."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db import transaction

from notifications.models import TestPush
from notifications.models.delivery import WORKER_LOST

from ..lease import Lease


class TestsToSend:
    """A claimed test is never claimed again: what became of it is known, or `unknown`."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease

    def may_begin(self) -> bool:
        """Return whether the lease is held, as far as this process knows; from any thread."""
        return self._lease.is_held

    def claim(self, *, now: datetime) -> TestPush | None:
        """Return the oldest test that waits, claimed under the lease; None when none waits."""
        test = TestPush.objects.waiting().select_related("device").first()
        if test is None:
            return None
        with transaction.atomic():
            self._lease.fence()
            is_ours = TestPush.objects.filter(pk=test.pk).claim(epoch=self._lease.epoch, now=now)
        return test if is_ours else None

    def record(self, test_id: UUID, state: TestPush.State, *, code: str, now: datetime) -> None:
        """Write what came of a test."""
        TestPush.objects.filter(pk=test_id).answer(state, code=code, now=now)

    def recover(self, *, in_flight: Collection[UUID], now: datetime) -> int:
        """Mark as unknown what earlier epochs claimed; return how many.

        `in_flight` are tests whose answer this very process still awaits.
        """
        left = TestPush.objects.claimed_before(self._lease.epoch).exclude(pk__in=in_flight)
        return left.answer(TestPush.State.UNKNOWN, code=WORKER_LOST, now=now)

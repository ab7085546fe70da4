"""A worker of which one mechanism is broken: `python -m notifications.tests.faults.broken_worker
BREAK [OPTIONS]`. The checker has to see what comes of each (test_planted_breaks.py).

A break patches what stands for a mechanism in the product, so it fails loudly when that moves.
"""

import json
import math
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Any, Final

import django

MANAGE: Final = "manage.py"


def sdk_retries() -> None:
    """The POST is the Firebase SDK's own, which repeats it behind our back."""
    import firebase_admin
    from django.conf import settings
    from firebase_admin import credentials, messaging

    from notifications.fcm.connection import Connection
    from notifications.fcm.endpoint import Endpoint
    from notifications.fcm.failures import Failure
    from notifications.fcm.outcomes import Answer
    from notifications.worker import lane

    address = f"{settings.FCM_ENDPOINT}/v1/projects/{{0}}/messages:send"
    messaging._MessagingService.FCM_URL = address
    firebase_admin.initialize_app(credentials.Certificate(settings.GOOGLE_APPLICATION_CREDENTIALS))

    class SdkConnection(Connection):
        """Stands for ours: a thread a request."""

        def __init__(self, endpoint: Endpoint, **told: Any) -> None:
            super().__init__(endpoint, **told)
            self.pool = ThreadPoolExecutor(max_workers=25)
            self.answers: SimpleQueue[tuple[object, Answer]] = SimpleQueue()

        def post(self, key: object, body: bytes, *, authorization: str) -> None:
            self.pool.submit(self.send, key, json.loads(body)["message"])

        def send(self, key: object, message: dict[str, Any]) -> None:
            sent = messaging.Message(token=message["token"], data=message["data"])
            try:
                answer = Answer(None, 200, json.dumps({"name": messaging.send(sent)}).encode())
            except firebase_admin.exceptions.FirebaseError:
                answer = Answer(Failure.CONNECTION_LOST)
            self.answers.put((key, answer))

        def wait(self, seconds: float) -> list[tuple[object, Answer]]:
            try:
                answer = self.answers.get(timeout=seconds)
            except Empty:
                return []
            return [answer]

        def close(self) -> None:
            self.pool.shutdown()
            super().close()

    replace(lane, "Connection", SdkConnection)


def claim_after_send() -> None:
    """A claim is committed with the results, when the requests have long left."""
    from django.db import transaction

    from notifications.models import Batch, Notification
    from notifications.worker.repository import Claim, ClaimEnd
    from notifications.worker.repository.claims import Claims
    from notifications.worker.repository.results import Results

    claim_first, record_first = Claims.first_attempts, Results.record
    uncommitted: dict[int, list[Batch]] = {}

    def claim(self: Claims, notification_id: int, **options: Any) -> Claim:
        if notification_id in uncommitted:
            return Claim(ClaimEnd.PAUSED)
        with transaction.atomic():
            claimed = claim_first(self, notification_id, **options)
            rows = Batch.objects.filter(id__in=[batch.id for batch in claimed.batches])
            uncommitted[notification_id] = list(rows)
            transaction.set_rollback(True)
        return claimed

    def record(self: Results, entries: Any, **options: Any) -> None:
        for notification_id, batches in uncommitted.items():
            Batch.objects.bulk_create(batches)
            row = Notification.objects.filter(id=notification_id)
            row.update(cursor=max(batch.upto_id or 0 for batch in batches))
        uncommitted.clear()
        record_first(self, entries, **options)

    replace(Claims, "first_attempts", claim)
    replace(Results, "record", record)


def fence_removed() -> None:
    """A worker that once had the lease believes that it has it for ever."""
    from notifications.worker.lease import Lease, LeaseState

    keep_first = Lease.keep

    def keep(self: Lease, **_: float) -> LeaseState:
        kept = LeaseState.HELD if self.epoch else keep_first(self)
        self.until = math.inf
        return kept

    replace(Lease, "fence", lambda self: None)
    replace(Lease, "doubt", lambda self: None)
    replace(Lease, "keep", keep)


def cursor_lost() -> None:
    """The first claim's move of the cursor is lost, as by a read before a lock.

    What then keeps a device out of two batches is the unique constraint alone.
    """
    from notifications.models import Notification
    from notifications.worker.repository import Claim, ClaimEnd
    from notifications.worker.repository.claims import Claims

    claim_first = Claims.first_attempts
    lost: set[int] = set()

    def claim(self: Claims, notification_id: int, **options: Any) -> Claim:
        claimed = claim_first(self, notification_id, **options)
        if claimed.batches and notification_id not in lost:
            lost.add(notification_id)
            Notification.objects.filter(id=notification_id).update(cursor=0)
            return Claim(ClaimEnd.OPEN, claimed.batches)
        return claimed

    replace(Claims, "first_attempts", claim)


def log_appended() -> None:
    """A later answer of a target is a line of its own: the log relies on no unique constraint."""
    from notifications.models.delivery import Delivery, DeliveryQuerySet

    create = DeliveryQuerySet.bulk_create

    def append(self: DeliveryQuerySet, rows: Any, **_conflicts: Any) -> list[Delivery]:
        return create(self, rows)

    replace(DeliveryQuerySet, "bulk_create", append)


def dry_run_ignored() -> None:
    """The request does not say validate_only, whatever was decided."""
    from notifications import payload

    encode = payload.encode

    def encode_live(*arguments: Any, **options: Any) -> tuple[bytes, bytes]:
        head, tail = encode(*arguments, **options)
        return head.replace(b'"validate_only":true', b'"validate_only":false'), tail

    replace(payload, "encode", encode_live)


def prune_by_status() -> None:
    """Whatever is answered 400, 403 or 404, the device is taken for gone."""
    from notifications.fcm import outcomes

    classify = outcomes.classify_status

    def by_status(status: int, code: str) -> outcomes.Meaning:
        gone = status in (400, 403, 404)
        return outcomes.Meaning.UNREGISTERED if gone else classify(status, code)

    replace(outcomes, "classify_status", by_status)


def unknown_resent() -> None:
    """What an earlier epoch left unknown is attempted again by the machine."""
    from django.db.models import F
    from django.utils import timezone

    from notifications.models import Delivery, Notification
    from notifications.worker.repository.recovery import Recovery

    recover_first = Recovery.recover

    def recover(self: Recovery, **options: Any) -> Any:
        recovered = recover_first(self, **options)
        for notification in Notification.objects.filter(state=Notification.State.SENDING):
            unknown = Delivery.objects.filter(notification=notification, outcome="unknown")
            count = unknown.update(outcome="retry", next_attempt_at=timezone.now())
            Notification.objects.filter(id=notification.id).update(
                unknown_count=F("unknown_count") - count, retry_count=F("retry_count") + count
            )
        return recovered

    replace(Recovery, "recover", recover)


def replace(owner: Any, name: str, value: Any) -> None:
    """Put the break in the place of what is there; raise AttributeError if nothing is."""
    getattr(owner, name)
    setattr(owner, name, value)


BREAKS: Final[dict[str, Callable[[], None]]] = {
    each.__name__: each
    for each in (
        sdk_retries,
        claim_after_send,
        fence_removed,
        cursor_lost,
        log_appended,
        dry_run_ignored,
        prune_by_status,
        unknown_resent,
    )
}


def main() -> None:
    """Run the worker's command with the break that the first argument names."""
    from django.core.management import execute_from_command_line

    django.setup()
    BREAKS[sys.argv[1]]()
    execute_from_command_line([MANAGE, "listen_notifications", *sys.argv[2:]])


if __name__ == "__main__":
    main()

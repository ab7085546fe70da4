"""A scene for the checker: notifications that went well, to be spoilt by a test."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.db.models import F

from notifications.models import Batch, Delivery, DeviceToken, Notification
from notifications.tests.factories import (
    BatchFactory,
    DeliveryFactory,
    DeviceTokenFactory,
    NotificationFactory,
    WorkerLeaseFactory,
)
from notifications.verification import Given, Report, verify
from programs.models import Clip, Program, Talk
from programs.tests.factories import ProgramFactory

BEGAN = datetime(2026, 5, 1, 12, tzinfo=UTC)
EARLIER = BEGAN - timedelta(days=1)


class Scene:
    """One program; the journal is what a test has FCM see, in a file below `directory`."""

    def __init__(self, directory: Path, *, listeners: int = 3) -> None:
        self.program: Program = ProgramFactory.create()
        self.devices = [self.listener() for _ in range(listeners)]
        self.file = directory / "journal.jsonl"
        self.file.touch()
        WorkerLeaseFactory.create(epoch=1)

    def listener(self, **device: Any) -> DeviceToken:
        """Return the device of somebody who has long clipped the program."""
        registered = {"created_at": EARLIER, "refreshed_at": EARLIER}
        new = DeviceTokenFactory.create(**registered | device)
        Clip.objects.create(listener=new.user, program=self.program, created_at=EARLIER)
        return new

    def notification(self, *, dry_run: bool = False, state: str = "done") -> Notification:
        """Return a notification that has begun, and has neither batches nor deliveries yet."""
        talk = Talk.objects.create(program=self.program, title="Hello")
        return NotificationFactory.create(
            talk=talk,
            state=state,
            dry_run=dry_run,
            created_at=BEGAN,
            cutoff=BEGAN,
            started_at=BEGAN,
            epoch=1,
        )

    def claim(self, notification: Notification, **batch: Any) -> Batch:
        """Return the one batch of all devices, counted as targets."""
        ids = [device.id for device in self.devices]
        values = {"state": "done", "after_id": 0, "upto_id": ids[-1], "claimed_at": BEGAN}
        Notification.objects.filter(id=notification.id).update(
            target_count=F("target_count") + len(ids), cursor=ids[-1]
        )
        return BatchFactory.create(notification=notification, targets=ids, **values | batch)

    def log(
        self, notification: Notification, device: DeviceToken, outcome: str, **row: Any
    ) -> None:
        """Write a line of the send log, and count it."""
        DeliveryFactory.create(notification=notification, device=device, outcome=outcome, **row)
        Notification.objects.filter(id=notification.id).update(
            **{f"{outcome}_count": F(f"{outcome}_count") + 1}
        )

    def saw(self, notification: Notification, device: DeviceToken, **entry: Any) -> None:
        """Have FCM see a request, and accept it unless said otherwise."""
        values = {
            "at": BEGAN.timestamp() + 0.2,
            "n": 1,
            "token": device.token,
            "kind": "token",
            "validate_only": False,
            "verdict": "accepted",
            "status": 200,
            "error": None,
            "title": "Night Radio",
            "body": "Hello",
            "data": {
                "talk_id": str(notification.talk_id),
                "notification_id": notification.tag,
            },
            "tag": notification.tag,
            "http": "2",
            "access_token": "abc",
        }
        with self.file.open("a") as lines:
            lines.write(json.dumps(values | entry) + "\n")

    def went_well(self) -> Notification:
        """Return a live notification that reached everybody."""
        notification = self.notification()
        self.claim(notification)
        for device in self.devices:
            self.saw(notification, device)
            self.log(notification, device, "sent")
        return notification

    def report(self, *, journal: bool = True, logs: Iterable[Path] = (), **given: Any) -> Report:
        """Return what the checker finds, with the journal or without it."""
        return verify(self.file if journal else None, given=Given(logs=tuple(logs), **given))


def change(notification: Notification, device: DeviceToken, **values: Any) -> None:
    """Spoil a line of the send log; the counters stay."""
    Delivery.objects.filter(notification=notification, device=device).update(**values)

"""The models of notifications for tests: `DeviceTokenFactory.create(user=anna)`."""
# mypy: disable-error-code="no-untyped-call"

from typing import Any

from django.utils import timezone
from factory.declarations import LazyAttribute, LazyFunction, Sequence, SubFactory
from factory.django import DjangoModelFactory

from notifications.models import (
    Batch,
    Delivery,
    DeviceToken,
    Notification,
    SendingSwitch,
    WorkerLease,
)
from programs.tests.factories import TalkFactory, UserFactory


class DeviceTokenFactory(DjangoModelFactory[DeviceToken]):
    class Meta:
        model = DeviceToken

    user = SubFactory(UserFactory)
    token = Sequence(lambda n: f"token-of-a-device-{n:06}")


class NotificationFactory(DjangoModelFactory[Notification]):
    """The notification that came with its talk, changed to the given fields."""

    class Meta:
        model = Notification

    talk = SubFactory(TalkFactory)

    @classmethod
    def _create(cls, model_class: type[Notification], *args: Any, **kwargs: Any) -> Notification:
        notification = model_class.objects.get(talk=kwargs.pop("talk"))
        for name, value in kwargs.items():
            setattr(notification, name, value)
        notification.save()
        return notification


class BatchFactory(DjangoModelFactory[Batch]):
    """A batch of one device that is in flight."""

    class Meta:
        model = Batch

    notification = SubFactory(NotificationFactory)
    targets = LazyFunction(lambda: [DeviceTokenFactory.create().id])
    size = LazyAttribute(lambda batch: len(batch.targets))
    epoch = 1
    worker = "radio-1:1"
    claimed_at = LazyFunction(timezone.now)


class DeliveryFactory(DjangoModelFactory[Delivery]):
    """A line of the send log: sent."""

    class Meta:
        model = Delivery

    notification = SubFactory(NotificationFactory)
    device = SubFactory(DeviceTokenFactory)
    outcome = Delivery.Outcome.SENT
    at = LazyFunction(timezone.now)


class WorkerLeaseFactory(DjangoModelFactory[WorkerLease]):
    """The lease, held and just renewed."""

    class Meta:
        model = WorkerLease

    name = "sender"
    holder = "radio-1:1"
    epoch = 1
    expires_at = LazyFunction(timezone.now)
    heartbeat_at = LazyFunction(timezone.now)


class SendingSwitchFactory(DjangoModelFactory[SendingSwitch]):
    """The switch, live."""

    class Meta:
        model = SendingSwitch

    mode = SendingSwitch.Mode.LIVE
    reason = "a test"
    changed_by = "anna"

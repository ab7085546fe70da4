"""The audience_count: the size of a large audience, counted a slice at a time."""

import pytest
from pytest_django import DjangoAssertNumQueries

from notifications.models import DeviceToken, Notification
from notifications.tests.factories import DeviceTokenFactory
from notifications.worker.repository import audience_count
from programs.models import Clip, Program, Talk
from programs.tests.factories import ProgramFactory

pytestmark = pytest.mark.django_db


def notification_for(listeners: int) -> Notification:
    """Return the notification of a new talk with so many listeners."""
    program: Program = ProgramFactory.create()
    for _ in range(listeners):
        Clip.objects.create(listener=DeviceTokenFactory.create().user, program=program)
    return Talk.objects.create(program=program, title="Hello").notification


def counted(notification: Notification) -> int | None:
    """Return what its row says."""
    notification.refresh_from_db()
    return notification.audience_count


def test_it_counts_slice_by_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audience_count, "SLICE_LISTENERS", 2)
    notification = notification_for(5)
    counting = audience_count.AudienceCount()

    assert [counting.go_on(notification.id) for _ in range(2)] == [True, True]
    assert counted(notification) is None
    assert counting.go_on(notification.id) is False
    assert counted(notification) == 5


def test_it_counts_the_devices_that_are_targets() -> None:
    notification = notification_for(3)
    first, second, _third = DeviceToken.objects.order_by("id")
    DeviceTokenFactory.create(user=first.user, created_at=notification.created_at)
    DeviceTokenFactory.create()
    Clip.objects.filter(listener=second.user).update(muted=True)

    audience_count.AudienceCount().go_on(notification.id)

    assert counted(notification) == 3


def test_it_does_not_replace_what_is_known() -> None:
    notification = notification_for(3)
    Notification.objects.update(audience_count=7)

    audience_count.AudienceCount().go_on(notification.id)

    assert counted(notification) == 7


def test_a_deleted_talk_is_not_counted() -> None:
    notification = notification_for(1)
    Talk.objects.all().delete()

    assert audience_count.AudienceCount().go_on(notification.id) is False
    assert counted(notification) is None


def test_a_slice_takes_few_statements(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    notification = notification_for(3)

    # Whose, listeners, devices, the sum.
    with django_assert_num_queries(4):
        audience_count.AudienceCount().go_on(notification.id)

"""A device that changes while FCM calls it unregistered stays enabled."""

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from notifications.models import DeviceToken, Notification
from testbed.hostile.fcm import HostileFcm
from testbed.hostile.manners import CallsUnregistered
from testbed.lasting_system import assert_outcomes, ended, journal_of
from testbed.system import System, post

pytestmark = [pytest.mark.engines, pytest.mark.faults]

User = get_user_model()


def test_a_device_that_registers_again_or_moves_while_it_is_refused_stays(
    system: System, hostile: HostileFcm
) -> None:
    program = system.listeners(4)
    _gone, again, moved, renewed = DeviceToken.objects.order_by("id")
    hostile.manners = refusing = CallsUnregistered()
    system.start_worker()
    notification = post(program)
    system.wait(lambda: len(journal_of(system, notification)) == 4)

    register(again, user=again.user)
    register(moved, user=User.objects.create(username="stranger"))
    DeviceToken.objects.filter(id=renewed.id).update(token="another-token")
    refusing.answer_now()

    assert ended(system, notification).state == Notification.State.DONE
    assert_outcomes(notification, rejected=4)
    system.wait(lambda: DeviceToken.objects.filter(disabled_at__isnull=False).exists())
    assert list(DeviceToken.objects.enabled().order_by("id")) == [again, moved, renewed]
    # The one thing to complain of: FCM has never heard of the token that is in the log now.
    report = system.report(kills=0)
    assert report.violations == {"I3": 1}
    assert f"device {renewed.id} " in report["I3"].examples[0]


def register(device: DeviceToken, *, user: object) -> None:
    """Register a device again, as the API does."""
    DeviceToken.objects.register(
        user=user,  # type: ignore[arg-type]
        token=device.token,
        kind=device.kind,
        platform=device.platform,
        now=timezone.now(),
    )

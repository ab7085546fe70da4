"""FCM refuses all, and many lanes send: they claim no more than they hold before it is held."""

from collections.abc import Callable

import pytest

from notifications.models import DeviceToken, Notification
from notifications.worker.sender import HELD_A_LANE
from testbed.lasting_system import ended
from testbed.system import System, post

pytestmark = [pytest.mark.engines, pytest.mark.faults]

LANES = 10


def test_ten_lanes_claim_no_more_than_they_hold_of_what_is_refused_for_all(
    make_system: Callable[..., System],
) -> None:
    system = make_system(latency_ms=50)
    system.start_redis()
    system.go_live()
    program = system.listeners(3 * LANES * HELD_A_LANE, name="device-{}-forbidden")
    worker = system.start_worker("--max-workers", str(LANES))

    held = ended(system, post(program))

    assert held.state == Notification.State.HELD
    assert "PERMISSION_DENIED" in held.reason
    assert held.target_count <= LANES * HELD_A_LANE
    assert not DeviceToken.objects.filter(disabled_at__isnull=False).exists()
    worker.check()
    system.verify(kills=0)

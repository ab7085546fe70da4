"""Production's data started, or live asked for, in another environment: nothing is sent live."""

import pytest

from accounts.who import Who
from notifications.models import Notification, SendingSwitch
from notifications.operators import acts
from testbed.hostile.fcm import HostileFcm
from testbed.lasting_system import assert_outcomes, ended, half_way
from testbed.system import System, kill, post

pytestmark = [pytest.mark.engines, pytest.mark.faults]

TARGETS = 1000
LANES = 2


def verdicts_by_notification(system: System, notification: Notification) -> set[str]:
    """Return what FCM made of the requests for a notification."""
    return {
        entry["verdict"]
        for entry in system.journal()
        if entry["data"]["notification_id"] == notification.tag
    }


def test_productions_dump_started_in_staging_sends_nothing_live(
    system: System, hostile: HostileFcm
) -> None:
    # The dump: a switch that says live, one notification half sent live, one not begun.
    worker = system.start_worker("--max-workers", str(LANES))
    with half_way(system, hostile, system.listeners(TARGETS)) as half_sent:
        kill(worker)
        system.wait(lambda: not hostile.peers)  # all that had left it is in the journal
    system.expire_lease()
    pending = post(system.listeners(50, name="later-{}"))
    accepted = system.verdicts()["accepted"]
    assert SendingSwitch.objects.current().mode == SendingSwitch.Mode.LIVE

    system.env["ENVIRONMENT"] = "staging"
    system.start_worker()

    assert ended(system, half_sent).state == Notification.State.HELD
    assert "staging" in half_sent.reason
    assert ended(system, pending).state == Notification.State.DONE
    assert_outcomes(pending, simulated=50)
    assert verdicts_by_notification(system, pending) == {"validated"}
    assert system.verdicts()["accepted"] == accepted

    # Released there by mistake, it is held again.
    acts.release(half_sent.id, by=Who("anna", 1), reason="mistaken")
    assert ended(system, half_sent).state == Notification.State.HELD
    assert system.verdicts()["accepted"] == accepted
    system.verify(kills=1, threads=LANES)


@pytest.mark.parametrize("environment", ["staging", "development"])
def test_live_asked_for_outside_production_is_refused(system: System, environment: str) -> None:
    SendingSwitch.objects.all().delete()
    system.env["ENVIRONMENT"] = environment

    asked = system.start("sending", "live", "--reason", "just once")

    assert asked.wrapper.wait() == 2
    assert "only production may send" in asked.log.read_text()
    assert SendingSwitch.objects.current().mode == SendingSwitch.Mode.DRY_RUN
    system.verify(kills=0)

"""What is meant for production is started or asked for elsewhere: nothing is sent live there."""

import pytest

from notifications import desk
from notifications.models import Notification, SendingSwitch
from notifications.tests.lasting import assert_outcomes, ended
from notifications.tests.system import System, kill, post

pytestmark = [pytest.mark.engines, pytest.mark.faults]

TARGETS = 3000


def verdicts_by_notification(system: System, notification: Notification) -> set[str]:
    """Return what FCM made of the requests for a notification."""
    return {
        entry["verdict"]
        for entry in system.journal()
        if entry["data"]["notification_id"] == str(notification.id)
    }


def test_productions_dump_started_in_staging_sends_nothing_live(system: System) -> None:
    # The dump: a switch that says live, one notification half sent live, one not begun.
    half_sent = post(system.listeners(TARGETS))
    worker = system.start_worker()
    system.wait(lambda: half_sent.deliveries.exists())
    kill(worker)
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
    desk.release(half_sent.id, by="anna", reason="mistaken")
    assert ended(system, half_sent).state == Notification.State.HELD
    assert system.verdicts()["accepted"] == accepted
    system.verify(kills=1)


@pytest.mark.parametrize("environment", ["staging", "development"])
def test_live_asked_for_outside_production_is_refused(system: System, environment: str) -> None:
    SendingSwitch.objects.all().delete()
    system.env["ENVIRONMENT"] = environment

    asked = system.start("sending", "live", "--reason", "just once")

    assert asked.tether.wait() == 2
    assert "only production may send" in asked.log.read_text()
    assert SendingSwitch.objects.current().mode == SendingSwitch.Mode.DRY_RUN
    system.verify(kills=0)

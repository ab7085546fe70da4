"""FCM, or Google's token endpoint, is away or refuses us altogether, with real processes."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.db.models import F

from fcm_emulator import oauth
from fcm_emulator.process import running as emulator
from notifications.models import DeviceToken, Notification
from testbed.hostile.fcm import HostileFcm
from testbed.hostile.manners import KnowsNobody
from testbed.lasting_system import assert_outcomes, ended, journal_of
from testbed.system import System, add_listeners, outcomes, post

pytestmark = [pytest.mark.engines, pytest.mark.faults]

TARGETS = 50
TOO_OLD = timedelta(hours=2)  # NOTIFICATIONS_MAX_AGE is an hour


def kill_emulator(system: System) -> int:
    """Kill the emulator, and return its port."""
    system.fcm.process.kill()
    system.fcm.process.wait()
    return system.fcm.port


def error_codes() -> set[str]:
    """Return what the log says of those that were not sent."""
    codes = Notification.objects.values_list("deliveries__error_code", flat=True)
    return {code for code in codes if code}


def test_fcm_away_is_not_fcm_refusing(system: System) -> None:
    program = system.listeners(TARGETS)
    port = kill_emulator(system)
    system.start_worker()
    notification = post(program)
    system.wait(lambda: outcomes() == {"retry": TARGETS})
    notification.refresh_from_db()
    assert notification.state == Notification.State.SENDING

    with emulator(system.directory / "fcm", port=port):
        ended(system, notification)

    assert_outcomes(notification, sent=TARGETS)
    system.verify(kills=0)


def test_an_fcm_that_stays_away_until_it_is_too_late_is_given_up(system: System) -> None:
    program = system.listeners(TARGETS)
    port = kill_emulator(system)
    system.start_worker()
    notification = post(program)
    system.wait(lambda: outcomes() == {"retry": TARGETS})
    Notification.objects.update(created_at=F("created_at") - TOO_OLD)
    ended(system, notification)

    with emulator(system.directory / "fcm", port=port):
        again = ended(system, post(program))

    assert_outcomes(notification, abandoned=TARGETS)
    assert notification.finished_at is not None
    assert journal_of(system, notification) == []
    assert_outcomes(again, sent=TARGETS)
    system.verify(kills=0)


def test_nothing_is_posted_while_the_token_endpoint_is_down_and_nothing_is_lost(
    system: System, hostile: HostileFcm
) -> None:
    program = system.listeners(TARGETS)
    port = kill_emulator(system)
    system.start_worker()
    notification = post(program)
    system.wait(lambda: outcomes() == {"retry": TARGETS})
    assert error_codes() == {"NO_ACCESS_TOKEN"}
    assert journal_of(system, notification) == []

    with emulator(system.directory / "fcm", port=port):
        ended(system, notification)

    assert_outcomes(notification, sent=TARGETS)
    system.verify(kills=0)


def test_a_service_account_that_google_refuses_holds_it(system: System, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    oauth.write_service_account(other, f"{system.fcm.url}/token")
    account = json.loads(system.fcm.service_account_file.read_text())
    account["private_key"] = json.loads(other.read_text())["private_key"]
    other.write_text(json.dumps(account))
    system.env["GOOGLE_APPLICATION_CREDENTIALS"] = str(other)
    system.start_worker()

    notification = ended(system, post(system.listeners(TARGETS)))

    assert notification.state == Notification.State.HELD
    assert "CREDENTIALS_REFUSED" in notification.reason
    assert journal_of(system, notification) == []
    system.verify(kills=0)


def test_a_401_for_every_access_token_holds_it(system: System, hostile: HostileFcm) -> None:
    hostile.manners = KnowsNobody()
    system.start_worker()

    notification = ended(system, post(system.listeners(TARGETS)))

    tokens = [entry["token"] for entry in journal_of(system, notification)]
    assert notification.state == Notification.State.HELD
    assert "UNAUTHENTICATED" in notification.reason
    assert {tokens.count(token) for token in tokens} == {2}
    assert not DeviceToken.objects.filter(disabled_at__isnull=False).exists()
    system.verify(kills=0)


def test_who_fears_doubles_has_an_accepted_5xx_unknown_and_not_sent_again(system: System) -> None:
    system.env["NOTIFICATIONS_ON_5XX"] = "hold"
    program = system.listeners(TARGETS, name="device-{}-accepted-then-500")
    add_listeners(program, TARGETS, name="device-{}-accepted-then-503")
    system.start_worker()

    notification = ended(system, post(program))

    assert_outcomes(notification, unknown=2 * TARGETS)
    system.verify(kills=0)

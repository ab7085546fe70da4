"""FCM, or Google's token endpoint, is away or refuses us altogether, with real processes."""

import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from django.db.models import F
from django.utils import timezone

from accounts.who import Who
from fcm_emulator import oauth
from fcm_emulator.process import running as emulator
from notifications.models import DeviceToken, Notification
from notifications.operators import acts
from notifications.operators.status import status
from testbed.hostile.fcm import HostileFcm
from testbed.hostile.manners import (
    HangsUp,
    KnowsNobody,
    Manners,
    RefusesStreams,
    ServesNoProject,
)
from testbed.lasting_system import assert_outcomes, ended, journal_of
from testbed.system import HALF_WAY, REQUEST_SECONDS, System, add_listeners, outcomes, post

pytestmark = [pytest.mark.engines, pytest.mark.faults]

TARGETS = 50
# At this rate so many take half a minute: what happens half-way happens while they are sent.
MANY = 1000
A_MINUTE = 2000
FEW = 6
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


def readiness(system: System) -> requests.Response:
    """Return what /readyz answers."""
    return requests.get(f"http://127.0.0.1:{system.web_port}/readyz", timeout=REQUEST_SECONDS)


def away_seconds(system: System) -> float:
    """Return for how long FCM is away, as /metrics has it."""
    address = f"http://127.0.0.1:{system.web_port}/metrics"
    page = requests.get(address, timeout=REQUEST_SECONDS).text
    [line] = [line for line in page.splitlines() if line.startswith("radiotalk_fcm_away_seconds")]
    return float(line.split()[1])


def problems() -> list[str]:
    """Return what `manage.py sending status` complains of."""
    return list(status(now=timezone.now())["problems"])


def rotate(file: Path, directory: Path) -> None:
    """Replace a service account's key at once, as docs/operations.md says."""
    account = json.loads(file.read_text())
    other = directory / "other.json"
    oauth.write_service_account(other, account["token_uri"])
    other.replace(file)


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


def test_an_outage_of_fcm_is_told_everywhere_from_its_start_to_its_end(system: System) -> None:
    program = system.listeners(TARGETS)
    worker = system.start_worker()
    system.start_web()
    ended(system, post(program))

    port = kill_emulator(system)
    system.wait_for_the_log("fcm.away", worker)  # though nothing is to be sent

    system.wait(lambda: readiness(system).status_code == 503)
    assert "FCM has taken nothing" in readiness(system).text
    system.wait(lambda: "Look at the network" in readiness(system).text)
    assert "NOT_CONNECTED" in problems()[0]
    assert "FCM has taken nothing" in problems()[0]
    assert away_seconds(system) > 0

    with emulator(system.directory / "fcm", port=port):
        system.wait_for_the_log("fcm.back", worker)
        system.wait(lambda: readiness(system).status_code == 200)
        assert away_seconds(system) == 0
        notification = ended(system, post(program))

    assert_outcomes(notification, sent=TARGETS)
    system.verify(kills=0)


@pytest.mark.parametrize(
    ("manners", "code"),
    [(HangsUp(), "NOT_TAKEN"), (RefusesStreams(every=1), "NOT_PROCESSED")],
    ids=["closes_connections", "refuses_streams"],
)
def test_an_fcm_that_takes_connections_and_serves_nobody_is_away(
    system: System, hostile: HostileFcm, manners: Manners, code: str
) -> None:
    hostile.manners = manners
    worker = system.start_worker()
    system.start_web()
    notification = post(system.listeners(TARGETS))
    system.wait_for_the_log("fcm.away", worker)
    system.wait(lambda: readiness(system).status_code == 503)
    assert code in readiness(system).text

    hostile.manners = Manners()

    system.wait_for_the_log("fcm.back", worker)
    system.wait(lambda: readiness(system).status_code == 200)
    ended(system, notification)
    assert_outcomes(notification, sent=TARGETS)
    system.verify(kills=0)


def test_a_key_is_rotated_under_a_worker_that_sends(system: System, tmp_path: Path) -> None:
    system.env["NOTIFICATIONS_MAX_PER_MINUTE"] = str(A_MINUTE)
    worker = system.start_worker()
    notification = post(system.listeners(MANY))
    system.wait_for_deliveries(HALF_WAY)
    before = status(now=timezone.now())["worker_settings"]["KEY"]

    # From now on the emulator answers 401 to what the key before was given, and refuses the key.
    rotate(system.fcm.service_account_file, tmp_path)
    system.wait_for_the_log("credentials.changed", worker)
    system.wait(lambda: status(now=timezone.now())["worker_settings"]["KEY"] != before)
    ended(system, notification)

    assert_outcomes(notification, sent=MANY)
    accepted = [
        entry["access_token"]
        for entry in journal_of(system, notification)
        if entry["verdict"] == "accepted"
    ]
    old, new = accepted[0], accepted[-1]
    assert old != new
    assert accepted == [old] * accepted.count(old) + [new] * accepted.count(new)
    assert "credentials.away" not in worker.log.read_text()
    assert "CREDENTIALS" not in "".join(problems())
    system.verify(kills=0)


def test_refused_credentials_are_told_until_the_key_is_replaced(
    system: System, tmp_path: Path
) -> None:
    account = tmp_path / "account.json"
    shutil.copy(system.fcm.service_account_file, account)
    system.env["GOOGLE_APPLICATION_CREDENTIALS"] = str(account)
    rotate(system.fcm.service_account_file, tmp_path)
    program = system.listeners(TARGETS)
    worker = system.start_worker()
    notification = ended(system, post(program))
    assert notification.state == Notification.State.HELD
    system.wait_for_the_log("credentials.away", worker)
    system.wait(lambda: "CREDENTIALS_REFUSED" in "".join(problems()))

    shutil.copy(system.fcm.service_account_file, account)
    system.wait_for_the_log("credentials.back", worker)
    acts.release(notification.id, by=Who("anna", 1), reason="the key is replaced")

    ended(system, notification)
    assert_outcomes(notification, sent=TARGETS)
    system.wait(lambda: not problems())
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


def test_credentials_that_fcm_refuses_are_told_until_an_answer_proves_them(
    system: System, hostile: HostileFcm
) -> None:
    hostile.manners = ServesNoProject()
    worker = system.start_worker()
    system.start_web()
    notification = ended(system, post(system.listeners(FEW)))
    assert notification.state == Notification.State.HELD
    system.wait_for_the_log("credentials.away", worker)
    system.wait(lambda: readiness(system).status_code == 503)
    assert "PERMISSION_DENIED" in readiness(system).text
    assert "PERMISSION_DENIED" in problems()[0]
    assert away_seconds(system) > 0

    hostile.manners = Manners()
    acts.release(notification.id, by=Who("anna", 1), reason="the API is enabled")

    ended(system, notification)
    assert_outcomes(notification, sent=FEW)
    system.wait_for_the_log("credentials.back", worker)
    system.wait(lambda: readiness(system).status_code == 200)
    system.verify(kills=0)


def test_who_fears_doubles_has_an_accepted_5xx_unknown_and_not_sent_again(system: System) -> None:
    system.env["NOTIFICATIONS_ON_5XX"] = "hold"
    program = system.listeners(TARGETS, name="device-{}-accepted-then-500")
    add_listeners(program, TARGETS, name="device-{}-accepted-then-503")
    system.start_worker()

    notification = ended(system, post(program))

    assert_outcomes(notification, unknown=2 * TARGETS)
    system.verify(kills=0)

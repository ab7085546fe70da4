"""The one POST of an operator's test, to a real FCM: what it says, and what is written of it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.utils import timezone
from pytest_django import Settings

from fcm_emulator.process import EmulatorProcess, running
from notifications import fcm_config
from notifications.fcm import single
from notifications.models import Delivery, DeviceToken, TestPush
from notifications.tests.factories import DeviceTokenFactory
from notifications.worker.inbox import Inbox, Tested
from notifications.worker.lease import Lease
from notifications.worker.repository.tests_to_send import TestsToSend
from notifications.worker.testing import Testing

pytestmark = [pytest.mark.engines, pytest.mark.django_db]

ANSWER_SECONDS = 60.0  # a deadline


@pytest.fixture
def fcm(tmp_path: Path, settings: Settings) -> Iterator[EmulatorProcess]:
    """Yield an FCM to which the settings lead."""
    with running(tmp_path) as emulator:
        settings.FCM_ENDPOINT = emulator.url
        settings.FCM_CA_FILE = str(emulator.ca_file)
        settings.GOOGLE_APPLICATION_CREDENTIALS = str(emulator.service_account_file)
        yield emulator


def asked_for(token: str, **device: str) -> TestPush:
    """Return a test to a device with this token, which its owner has just asked for."""
    own: DeviceToken = DeviceTokenFactory.create(token=token, **device)
    asked = {"by": "anna", "by_id": own.user_id, "requested_at": timezone.now()}
    return TestPush.objects.create(pk=uuid4(), device=own, text="Hello", **asked)


def active() -> Lease:
    """Return the lease of an active worker."""
    lease = Lease(timedelta(minutes=15))
    lease.keep()
    return lease


def carried_out(test: TestPush, lease: Lease | None = None) -> TestPush:
    """Return the test once a worker has sent it, and has written what came of it."""
    inbox, access = Inbox(), fcm_config.access_token()
    testing = Testing(
        TestsToSend(lease or active()),
        endpoint=fcm_config.endpoint(access),
        access=access,
        report=inbox.put,
    )
    testing.begin(timezone.now())
    assert testing.in_flight == {test.pk}
    [event] = inbox.drain(timeout=ANSWER_SECONDS)
    assert isinstance(event, Tested)
    testing.take(event)
    assert testing.record(timezone.now())
    assert not testing.in_flight
    test.refresh_from_db()
    return test


def test_it_is_delivered_and_the_send_log_has_nothing_of_it(fcm: EmulatorProcess) -> None:
    test = carried_out(asked_for("annas-own-device"))

    [entry] = fcm.entries()
    assert (entry["verdict"], entry["token"]) == ("accepted", "annas-own-device")
    assert (entry["data"], entry["validate_only"]) == ({"test": "1"}, False)
    assert (test.state, test.code) == ("sent", "")
    assert not Delivery.objects.exists()


@pytest.mark.parametrize(
    ("marker", "state", "code"),
    [
        ("unregistered", "rejected", "UNREGISTERED"),
        ("http502", "unknown", "HTTP_502"),
        ("http503", "rejected", "UNAVAILABLE"),
        ("reset-after", "unknown", "CONNECTION_LOST"),
    ],
)
def test_what_fcm_says_is_written_and_it_is_posted_once(
    fcm: EmulatorProcess, marker: str, state: str, code: str
) -> None:
    test = carried_out(asked_for(f"own-{marker}"))

    assert (test.state, test.code) == (state, code)
    assert len(fcm.entries()) == 1


def test_a_device_with_an_installation_id_is_reached_by_that(fcm: EmulatorProcess) -> None:
    carried_out(asked_for("annas-own-device", kind="fid"))

    assert fcm.entries()[0]["kind"] == "fid"


def test_a_worker_whose_lease_is_over_by_then_sends_nothing(fcm: EmulatorProcess) -> None:
    lease = active()
    lease.until = 0

    test = carried_out(asked_for("annas-own-device"), lease)

    assert (test.state, test.code) == ("rejected", "NOT_SENT")
    assert fcm.entries() == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_breaks_leaves_unknown(
    fcm: EmulatorProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*args: object, **options: object) -> None:
        raise SystemExit  # no traceback of a thread

    monkeypatch.setattr(single, "send", break_down)

    test = carried_out(asked_for("annas-own-device"))

    assert (test.state, test.code) == ("unknown", "LANE_DIED")

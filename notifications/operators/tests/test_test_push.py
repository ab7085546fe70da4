"""A test to an operator's own device: one POST, real in a dry run, and to nobody else's."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from uuid import UUID, uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from accounts.who import Who
from fcm_emulator.process import EmulatorProcess, running
from notifications.admin.tests.rows import listener, staff, superuser
from notifications.models import Delivery, DeviceToken, SendingSwitch
from notifications.operators import test_push
from notifications.tests.factories import WorkerLeaseFactory

pytestmark = [pytest.mark.engines, pytest.mark.django_db]


@pytest.fixture
def fcm(tmp_path: Path, settings: Settings) -> Iterator[EmulatorProcess]:
    """Yield an FCM to which the settings lead."""
    with running(tmp_path) as emulator:
        settings.FCM_ENDPOINT = emulator.url
        settings.FCM_CA_FILE = str(emulator.ca_file)
        settings.GOOGLE_APPLICATION_CREDENTIALS = str(emulator.service_account_file)
        yield emulator


def own_device(token: str = "annas-own-device") -> tuple[Client, DeviceToken]:  # noqa: S107
    """Return the browser of a superuser, and a device of theirs."""
    client = superuser()
    anna = get_user_model().objects.get(username="anna")
    return client, DeviceToken.objects.create(user=anna, token=token)


def send(client: Client, device: DeviceToken, once: UUID | None = None) -> tuple[int, str]:
    """Answer a question with yes, a new one by default; return the status and what follows."""
    address = reverse("admin:notifications_devicetoken_test", args=[device.pk])
    answer = client.post(address, {"once": once or uuid4(), "reason": "a new phone"}, follow=True)
    return answer.status_code, answer.content.decode()


def test_it_is_delivered_even_in_a_dry_run_and_logged(fcm: EmulatorProcess) -> None:
    client, device = own_device()
    assert not SendingSwitch.objects.current().is_live(now=timezone.now())

    _status, page = send(client, device)

    [entry] = fcm.entries()
    assert (entry["verdict"], entry["token"], entry["validate_only"]) == (
        "accepted",
        "annas-own-device",
        False,
    )
    assert "FCM accepted the test" in page
    assert LogEntry.objects.get().change_message.startswith("test: a new phone")


def test_it_is_of_no_talk_and_the_send_log_has_nothing_of_it(fcm: EmulatorProcess) -> None:
    client, device = own_device()

    send(client, device)

    [entry] = fcm.entries()
    assert entry["data"] == {"test": "1"}
    assert not Delivery.objects.exists()


@pytest.mark.parametrize(
    ("marker", "told"),
    [
        ("unregistered", "UNREGISTERED). The app was uninstalled"),
        ("http502", "HTTP_502). The request had left"),
        ("http503", "UNAVAILABLE). "),
        ("reset-after", ". The request had left"),
    ],
)
def test_what_fcm_says_is_told_and_it_is_never_posted_again(
    fcm: EmulatorProcess, marker: str, told: str
) -> None:
    client, device = own_device(f"own-{marker}")

    _status, page = send(client, device)

    assert told in page
    assert len(fcm.entries()) == 1


def test_a_device_with_an_installation_id_is_reached_by_that(fcm: EmulatorProcess) -> None:
    client, device = own_device()
    DeviceToken.objects.update(kind="fid")

    send(client, device)

    assert fcm.entries()[0]["kind"] == "fid"


def test_nobody_elses_device_is_sent_to(fcm: EmulatorProcess) -> None:
    client = superuser()

    status, _page = send(client, listener("lena"))

    assert status == 403
    assert fcm.entries() == []


def test_it_needs_its_permission(fcm: EmulatorProcess) -> None:
    vera = staff("view_devicetoken")
    user = get_user_model().objects.get(username="vera")
    device = DeviceToken.objects.create(user=user, token="veras-own-device")

    status, _page = send(vera, device)

    assert status == 403
    assert fcm.entries() == []


@pytest.mark.parametrize("file", ["", "/no/such/file.json"])
def test_without_credentials_nothing_breaks(
    fcm: EmulatorProcess, settings: Settings, file: str
) -> None:
    settings.GOOGLE_APPLICATION_CREDENTIALS = file
    _client, device = own_device()

    result = test_push.send(device, by=Who("anna", 1), now=timezone.now())

    assert (result.outcome, result.code) == ("rejected", "CREDENTIALS_REFUSED")
    assert fcm.entries() == []


def test_a_test_by_another_key_than_the_workers_says_so(fcm: EmulatorProcess) -> None:
    client, device = own_device()
    account = json.loads(fcm.service_account_file.read_text())
    ours = {"FIREBASE_PROJECT": account["project_id"], "KEY": f"…{account['private_key_id'][-6:]}"}
    lease = WorkerLeaseFactory.create(settings={**ours, "RATE": 600})

    _status, page = send(client, device)
    assert "another key" not in page

    lease.settings = {"FIREBASE_PROJECT": "elsewhere", "KEY": "…before"}
    lease.save()
    _status, page = send(client, device)

    told = f"FIREBASE_PROJECT: elsewhere → {ours['FIREBASE_PROJECT']}, KEY: …before → {ours['KEY']}"
    assert f"It was sent with another key than the worker&#x27;s: {told}." in page


def test_a_worker_that_does_not_show_its_key_is_not_compared(fcm: EmulatorProcess) -> None:
    client, device = own_device()
    WorkerLeaseFactory.create(settings={"RATE": 600})

    _status, page = send(client, device)

    assert "FCM accepted the test" in page
    assert "another key" not in page


def test_a_second_click_sends_no_second_test(fcm: EmulatorProcess) -> None:
    client, device = own_device()
    once = uuid4()

    send(client, device, once)
    _status, page = send(client, device, once)

    assert "This form was sent before, and nothing was done now. Then: FCM accepted" in page
    assert len(fcm.entries()) == 1


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_the_same_moment_send_one_test(fcm: EmulatorProcess) -> None:
    client, device = own_device()
    once, together = uuid4(), Barrier(2)

    def click() -> None:
        again = Client()
        again.cookies = client.cookies
        together.wait()
        send(again, device, once)
        connection.close()

    with ThreadPoolExecutor(2) as clicks:
        for done in [clicks.submit(click) for _twice in range(2)]:
            done.result()

    assert len(fcm.entries()) == 1

"""A test to an operator's own device, as the desk sees it: asked for once, and told what came."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Act
from accounts.who import Who
from notifications.admin.tests.rows import listener, page_of, staff, superuser
from notifications.models import DeviceToken, TestPush
from notifications.models.test_push import TAKEN_WITHIN
from notifications.operators import test_push

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for no worker: there is none."""
    monkeypatch.setattr(test_push, "PATIENCE_SECONDS", 0)


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


def test_a_yes_asks_the_worker_and_keeps_the_act() -> None:
    client, device = own_device()
    once = uuid4()

    _status, page = send(client, device, once)

    test = TestPush.objects.get()
    assert (test.pk, test.device, test.state) == (once, device, "requested")
    assert (test.by, test.by_id) == ("anna", device.user_id)
    assert test.text == f"A test by anna at {test.requested_at:%H:%M:%S} UTC."
    assert "The test waits for the worker." in page
    act = Act.objects.get()
    assert (act.name, act.about, act.reason) == (
        "operator.test", f"device {device.pk}", "a new phone",
    )  # fmt: skip
    assert LogEntry.objects.get().change_message.startswith("test: a new phone")


def test_the_desk_waits_a_moment_for_what_comes_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    client, device = own_device()
    looks = []

    def answer(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 2:
            TestPush.objects.update(state=TestPush.State.SENT)

    monkeypatch.setattr(test_push, "PATIENCE_SECONDS", 60)
    monkeypatch.setattr("time.sleep", answer)

    _status, page = send(client, device)

    assert "FCM accepted the test: it is on its way." in page
    assert len(looks) == 2


def test_a_second_click_asks_for_no_second_test() -> None:
    client, device = own_device()
    once = uuid4()

    send(client, device, once)
    _status, page = send(client, device, once)

    assert "This form was sent before, and nothing was done now. Then: The test waits" in page
    assert TestPush.objects.count() == Act.objects.count() == 1


def test_one_act_is_one_test_whoever_asks() -> None:
    _client, device = own_device()
    once, anna = uuid4(), Who("anna", device.user_id)
    test_push.request(device, form=once, by=anna, now=timezone.now())

    with pytest.raises(IntegrityError), transaction.atomic():
        test_push.request(device, form=once, by=anna, now=timezone.now())

    assert TestPush.objects.count() == Act.objects.count() == 1


def test_nobody_elses_device_is_asked_for() -> None:
    client = superuser()

    status, _page = send(client, listener("lena"))

    assert status == 403
    assert not TestPush.objects.exists()


def test_it_needs_its_permission() -> None:
    vera = staff("view_devicetoken")
    user = get_user_model().objects.get(username="vera")
    device = DeviceToken.objects.create(user=user, token="veras-own-device")

    status, _page = send(vera, device)

    assert status == 403
    assert not TestPush.objects.exists()


@pytest.mark.parametrize(
    ("state", "code", "told", "is_live"),
    [
        ("requested", "", "The test waits for the worker.", True),
        ("claimed", "", "A worker took the test.", True),
        ("sent", "", "FCM accepted the test: it is on its way.", False),
        (
            "rejected", "UNREGISTERED",
            "FCM did not take the test (UNREGISTERED). The app was uninstalled", False,
        ),
        (
            "unknown", "WORKER_LOST",
            "It is not known whether FCM took the test (WORKER_LOST). The worker was killed", False,
        ),
    ],
)  # fmt: skip
def test_the_devices_page_shows_what_came_of_the_last_test(
    state: str, code: str, told: str, is_live: bool
) -> None:
    client, device = own_device()
    send(client, device)
    TestPush.objects.update(state="sent", requested_at=timezone.now() - timedelta(hours=1))
    send(client, device)
    last = TestPush.objects.latest("requested_at")
    TestPush.objects.filter(pk=last.pk).update(state=state, code=code)

    page = client.get(page_of(device)).content.decode()

    assert told in page
    assert ('<div id="desk-last-test" data-live>' in page) is is_live


def test_a_device_that_was_never_tested_has_a_dash_for_it() -> None:
    client, device = own_device()

    page = client.get(page_of(device)).content.decode()

    assert '<div class="readonly">None</div>' not in page


def test_a_test_that_no_worker_took_is_told_as_given_up() -> None:
    client, device = own_device()
    send(client, device)
    TestPush.objects.update(requested_at=timezone.now() - TAKEN_WITHIN)

    page = client.get(page_of(device)).content.decode()

    assert '<div id="desk-last-test"><' in page
    assert "No worker took the test, so nothing was sent." in page


def test_what_came_of_a_test_is_its_owners_alone() -> None:
    client, device = own_device()
    send(client, device)

    page = staff("view_devicetoken").get(page_of(device)).content.decode()

    assert "desk-last-test" not in page

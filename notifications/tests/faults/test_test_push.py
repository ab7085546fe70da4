"""An operator's test push through real workers: once at most, whatever happens to them.

The desk runs in this process, whose settings name no key.
"""

import signal
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from accounts.who import Who
from notifications.admin.tests.rows import page_of, superuser
from notifications.models import DeviceToken, TestPush
from notifications.operators import acts, test_push
from testbed.system import System, failing_at, kill, outcomes, post

pytestmark = [pytest.mark.engines, pytest.mark.faults]

KILLED = 128 + signal.SIGKILL


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the desk wait for the answer for as long as a busy machine takes."""
    monkeypatch.setattr(test_push, "PATIENCE_SECONDS", 120)
    assert not settings.GOOGLE_APPLICATION_CREDENTIALS


def own_device(token: str = "annas-own-device") -> tuple[Client, DeviceToken]:  # noqa: S107
    """Return the browser of a superuser, and a device of theirs."""
    client = superuser()
    return client, DeviceToken.objects.create(user=User.objects.get(username="anna"), token=token)


def click(client: Client, device: DeviceToken, once: UUID | None = None) -> str:
    """Answer the desk's question with yes; return the page that follows."""
    yes = {"once": once or uuid4(), "reason": "a new phone"}
    return client.post(page_of(device, "test"), yes, follow=True).content.decode()


def ask(device: DeviceToken) -> TestPush:
    """Return a test that was asked for, without waiting for it."""
    anna = Who("anna", device.user_id)
    return test_push.request(device, form=uuid4(), by=anna, now=timezone.now())


def posted(system: System) -> list[str]:
    """Return the tokens of the tests that reached FCM."""
    return [entry["token"] for entry in system.journal() if entry["data"] == {"test": "1"}]


def test_a_desk_without_the_key_has_the_worker_send_one_test_for_two_clicks(
    system: System,
) -> None:
    client, device = own_device()
    for stop in (acts.dry_run, acts.pause):
        stop(by=Who("anna", device.user_id), reason="quiet", now=timezone.now())
    system.start_worker()
    once = uuid4()

    pages = [click(client, device, once) for _twice in range(2)]

    assert all("FCM accepted the test: it is on its way." in page for page in pages)
    [entry] = system.journal()  # though it is a dry run, and paused
    assert (entry["token"], entry["verdict"]) == (device.token, "accepted")
    assert not entry["validate_only"]
    system.verify(kills=0)


def test_a_test_of_a_worker_that_was_killed_is_unknown_and_not_sent_again(system: System) -> None:
    client, device = own_device()
    worker = system.start_worker(**failing_at("request_written=kill"))
    lost = ask(device)
    assert worker.wrapper.wait() == KILLED
    system.expire_lease()
    system.start_worker()

    page = click(client, device)  # the next worker would have sent the first one first

    assert "FCM accepted the test" in page
    lost.refresh_from_db()
    assert (lost.state, lost.code) == ("unknown", "WORKER_LOST")
    assert len(posted(system)) <= 2  # the killed worker's may have got through, once
    system.verify(kills=0)  # it left no target of a notification unknown


def test_a_standby_sends_no_test_and_takes_over_those_that_wait(system: System) -> None:
    _client, device = own_device("annas-own-hang")
    active = system.start_worker()
    system.wait_for_an_active_worker()
    system.start_worker("--standby")
    first = ask(device)  # which FCM never answers
    system.wait(lambda: TestPush.objects.filter(state="claimed").exists())
    waiting = ask(device)  # behind it: one is under way at a time
    system.wait(lambda: len(posted(system)) == 1)
    assert TestPush.objects.get(pk=waiting.pk).state == "requested"

    kill(active)
    system.expire_lease()
    system.wait(lambda: len(posted(system)) == 2)

    states = dict(TestPush.objects.values_list("pk", "state"))
    assert states == {first.pk: "unknown", waiting.pk: "claimed"}
    system.verify(kills=0)


def test_a_test_in_the_middle_of_a_fan_out_costs_nobody(system: System) -> None:
    client, device = own_device()
    program = system.listeners(1000)
    system.start_worker()
    system.wait_for_an_active_worker()
    post(program)
    system.wait_for_deliveries(0)

    page = click(client, device)
    system.wait_until_settled()

    assert "FCM accepted the test" in page
    assert outcomes() == {"sent": 1000}
    system.verify(kills=0)

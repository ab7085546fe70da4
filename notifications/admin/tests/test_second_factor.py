"""What makes phones ring needs a fresh second factor; what stops needs none."""

from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts.tests.people import PASSWORD, anna, code, let_pass, log_in, logged_in, with_app
from notifications.admin.controls import CONTROLS
from notifications.admin.device import TEST
from notifications.admin.program import ProgramDeskAdmin
from notifications.admin.switch import SendingSwitchAdmin
from notifications.models import Notification, SendingSwitch

from .rows import in_doubt, notification, page_of, set_live

pytestmark = pytest.mark.django_db

LIVE = "/admin/notifications/sendingswitch/live/"
YES = {"reason": "a test", "minutes": 5, "max_audience": 10, "word": "LIVE"}
PROVE = "/admin/second-factor/reauthenticate/"

FRESH = {"live", "resume", "release", "retry", "resend-unknown", "program: live"}
STOPS = {"pause", "dry-run", "hold", "cancel", "program: dry-run"}
NEITHER = {"abandon-unknown", "device: test"}


@pytest.fixture(autouse=True)
def _staff_need_it(settings: Settings) -> None:
    settings.STAFF_SECOND_FACTOR = True
    cache.clear()


@pytest.fixture
def secret() -> str:
    """Return the secret of anna's app."""
    return with_app(anna())


@pytest.fixture
def client(secret: str) -> Client:
    """Return the browser of anna, who has logged in just now."""
    return logged_in(User.objects.get(username="anna"), secret)


@pytest.fixture
def by_password() -> Client:
    """Return the browser of anna, who has shown her password and has no second factor yet."""
    anna()
    client = Client()
    log_in(client)
    return client


def say(client: Client, path: str, **values: Any) -> Any:
    """Answer a control's question."""
    return client.post(path, {"once": uuid4(), "reason": "a test", **values})


def test_each_control_says_what_it_needs() -> None:
    named = {
        **{control.name: control for control in (*CONTROLS, *SendingSwitchAdmin.controls)},
        **{f"program: {control.name}": control for control in ProgramDeskAdmin.controls},
        "device: test": TEST,
    }

    assert {name for name, control in named.items() if control.needs_fresh_factor} == FRESH
    assert {name for name, control in named.items() if control.stops} == STOPS
    assert set(named) == FRESH | STOPS | NEITHER


# --- What stops -------------------------------------------------------------------------------


@pytest.mark.usefixtures("production")
def test_the_password_alone_pauses_and_goes_on_nowhere(by_password: Client) -> None:
    set_live()
    switch = "/admin/notifications/sendingswitch"

    assert say(by_password, f"{switch}/pause/").status_code == 302
    assert SendingSwitch.objects.current().paused
    assert say(by_password, f"{switch}/dry-run/").status_code == 302
    assert SendingSwitch.objects.current().mode == "dry_run"

    # It says so at the page to which the desk leads, which shows the banner.
    page = by_password.get(f"{switch}/", follow=True).content.decode()
    assert "Changed. A talk posted now" in page
    assert "PAUSED" in page

    for act, values in (("resume", {}), ("live", YES)):
        assert say(by_password, f"{switch}/{act}/", **values)["Location"].startswith(
            "/admin/login/"
        )
    current = SendingSwitch.objects.current()
    assert (current.paused, current.mode) == (True, "dry_run")


@pytest.mark.parametrize(("act", "state"), [("hold", "held"), ("cancel", "cancelled")])
def test_the_password_alone_stops_one(by_password: Client, act: str, state: str) -> None:
    row = notification("sending")

    assert by_password.get(page_of(row, act)).status_code == 200
    assert say(by_password, page_of(row, act)).status_code == 302

    row.refresh_from_db()
    assert row.state == state


def test_the_page_that_sets_a_second_factor_up_leads_to_pause(by_password: Client) -> None:
    page = by_password.get("/admin/", follow=True).content.decode()

    assert reverse("admin:notifications_sendingswitch_pause") in page


@pytest.mark.parametrize("who", ["nobody", "a talker"])
def test_what_stops_is_for_staff_alone(who: str) -> None:
    client = Client()
    if who == "a talker":
        client.force_login(User.objects.create_user("talker"))

    answer = say(client, "/admin/notifications/sendingswitch/pause/")

    assert answer["Location"].startswith("/admin/login/")
    assert not SendingSwitch.objects.exists()


# --- What makes phones ring -------------------------------------------------------------------


@pytest.mark.usefixtures("production")
def test_going_live_is_asked_right_after_the_log_in(client: Client) -> None:
    assert client.get(LIVE).status_code == 200
    assert say(client, LIVE, **YES).status_code == 302
    assert SendingSwitch.objects.current().mode == "live"


@pytest.mark.usefixtures("production")
def test_an_older_log_in_is_asked_for_the_second_factor_before_the_question(
    client: Client, secret: str
) -> None:
    let_pass(client, 301)

    asked = client.get(LIVE)["Location"]
    assert asked == f"{PROVE}?{urlencode({'next': LIVE})}"
    answer = client.post(asked, {"code": code(secret, later=1), "next": LIVE})
    assert answer["Location"] == LIVE
    assert client.get(LIVE).status_code == 200


@pytest.mark.usefixtures("production")
def test_an_answer_that_comes_too_late_does_nothing_and_is_kept(client: Client) -> None:
    assert client.get(LIVE).status_code == 200
    let_pass(client, 301)

    answer = say(client, LIVE, **YES | {"reason": "the typed reason"})

    page = answer.content.decode()
    assert answer.status_code == 409
    assert not SendingSwitch.objects.exists()
    assert "Nothing was done: your second factor was shown more than five minutes ago." in page
    assert 'value="the typed reason"' in page
    assert PROVE in page


@pytest.mark.usefixtures("production")
def test_the_password_is_no_second_factor(client: Client) -> None:
    let_pass(client, 301)

    client.post("/admin/reauthenticate/", {"password": PASSWORD})

    assert client.get(LIVE)["Location"].startswith(PROVE)
    assert say(client, LIVE, **YES).status_code == 409


@pytest.mark.parametrize("act", ["release", "retry", "resend-unknown"])
def test_nothing_is_sent_again_by_an_old_log_in(client: Client, act: str) -> None:
    row = in_doubt("lena")
    Notification.objects.update(state="held")
    let_pass(client, 301)

    assert say(client, page_of(row, act), accepted="on").status_code == 409

    row.refresh_from_db()
    assert (row.state, row.unknown_count) == ("held", 1)


def test_an_old_log_in_looks_and_stops(client: Client) -> None:
    let_pass(client, 11 * 3600)

    assert client.get("/admin/").status_code == 200
    assert say(client, "/admin/notifications/sendingswitch/pause/").status_code == 302


@pytest.mark.usefixtures("production")
def test_where_none_is_needed_none_is_asked_for(settings: Settings) -> None:
    settings.STAFF_SECOND_FACTOR = False
    anna()
    client = Client()
    log_in(client)

    assert say(client, LIVE, **YES).status_code == 302

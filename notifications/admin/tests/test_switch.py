"""The switch's page: who may change what, what is refused, and what is kept of each change."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from notifications.models import SendingSwitch

from .rows import listing, notification, say_yes, set_live, staff, superuser, worker

pytestmark = pytest.mark.django_db

Mode = SendingSwitch.Mode
LOOK, LIVE, DRY_RUN = "view_sendingswitch", "go_live", "set_dry_run"
PAUSE, RESUME = "pause_sending", "resume_sending"

# What going live asks for.
ALL = {"reason": "evening programme", "minutes": 10, "max_audience": 50_000, "word": "LIVE"}


def address(name: str) -> str:
    """Return the address of the page on which a control of the switch asks."""
    return reverse(f"admin:notifications_sendingswitch_{name}")


def change(client: Client, name: str, **values: object) -> tuple[int, str]:
    """Answer a question of the switch; return the answer's status and the page that follows."""
    return say_yes(client, address(name), **values)


# --- What the page says -----------------------------------------------------------------------


def test_it_says_what_a_talk_posted_now_would_do_and_why() -> None:
    worker()
    notification("held")

    page = superuser().get(listing("sendingswitch")).content.decode()

    assert "… is validated by FCM and reaches nobody." in page
    assert "ENVIRONMENT is development; only production may send." in page
    assert "radio-1:1, last sign of life" in page
    assert "held 1" in page


@pytest.mark.usefixtures("production")
def test_it_says_live_when_everything_says_so() -> None:
    worker()
    set_live()

    page = superuser().get(listing("sendingswitch")).content.decode()

    assert "… is sent to everybody." in page
    assert "bert" in page


def test_it_says_before_the_button_that_going_live_is_not_possible() -> None:
    client = superuser()

    page = client.get(listing("sendingswitch")).content.decode()
    question = client.get(address("live")).content.decode()

    assert "Going live is not possible here: ENVIRONMENT is development" in page
    assert "Not possible here: ENVIRONMENT is development" in question
    assert "disabled>Go live" in question


def test_it_offers_what_would_change_something() -> None:
    client = superuser()

    def offered() -> set[str]:
        page = client.get(listing("sendingswitch")).content.decode()
        names = ("pause", "resume", "dry-run", "live")
        return {name for name in names if f'<a href="{address(name)}"' in page}

    assert offered() == {"pause", "live"}
    set_live(paused=True)
    assert offered() == {"resume", "dry-run", "live"}


# --- Going live -------------------------------------------------------------------------------


@pytest.mark.usefixtures("production")
def test_going_live_is_done_in_the_users_name_and_logged() -> None:
    status, page = change(superuser(), "live", **ALL)

    switch, entry = SendingSwitch.objects.get(), LogEntry.objects.get()
    assert (status, switch.mode) == (302, Mode.LIVE)
    assert (switch.changed_by, switch.live_by) == ("anna (admin)", "anna (admin)")
    assert (switch.reason, switch.max_audience) == ("evening programme", 50_000)
    assert entry.user.get_username() == "anna"
    assert entry.change_message.startswith("live: evening programme")
    assert "Changed. A talk posted now waits: no worker is active." in page


@pytest.mark.usefixtures("production")
def test_going_live_ends_by_itself() -> None:
    before = timezone.now()

    change(superuser(), "live", **ALL)

    until = SendingSwitch.objects.get().live_until
    assert until
    assert timedelta() <= until - before - timedelta(minutes=10) < timedelta(minutes=1)


@pytest.mark.usefixtures("production")
@pytest.mark.parametrize("name", ALL)
def test_going_live_asks_for_all_of_it(name: str) -> None:
    values = {key: value for key, value in ALL.items() if key != name}

    status, page = change(superuser(), "live", **values)

    assert status == 200
    assert 'class="errorlist"' in page
    assert not SendingSwitch.objects.exists()


@pytest.mark.usefixtures("production")
@pytest.mark.parametrize(
    "values",
    [
        {"reason": "   "},
        {"reason": "x" * 501},
        {"minutes": 0},
        {"minutes": -5},
        {"minutes": "soon"},
        {"minutes": 10**9},
        {"max_audience": 0},
        {"max_audience": 10**12},
        {"word": "live"},
        {"word": "yes"},
    ],
)
def test_going_live_wants_sane_answers(values: dict[str, object]) -> None:
    status, page = change(superuser(), "live", **ALL | values)

    assert status == 200
    assert 'class="errorlist"' in page
    assert not SendingSwitch.objects.exists()


def test_going_live_is_refused_outside_production() -> None:
    status, page = change(superuser(), "live", **ALL)

    assert status == 409
    assert "Not switched to live: ENVIRONMENT is development; only production may send." in page
    assert not SendingSwitch.objects.exists()


def test_going_live_is_refused_without_credentials(settings: Settings) -> None:
    settings.ENVIRONMENT = "production"

    _status, page = change(superuser(), "live", **ALL)

    assert "Not switched to live: GOOGLE_APPLICATION_CREDENTIALS is not set." in page
    assert not SendingSwitch.objects.exists()


def test_a_web_without_the_key_goes_live_by_the_workers(settings: Settings) -> None:
    settings.ENVIRONMENT = "production"
    lease = worker()
    lease.settings = {"FIREBASE_PROJECT": "radiotalk", "KEY": "…a1b2c3"}
    lease.save()
    client = superuser()

    _status, page = change(client, "live", **ALL)  # the switch's page follows

    assert SendingSwitch.objects.get().mode == "live"
    assert "A talk posted now is sent to everybody." in page
    assert "GOOGLE_APPLICATION_CREDENTIALS" not in page


@pytest.mark.usefixtures("production")
def test_going_live_needs_a_permission_of_its_own() -> None:
    client = staff(LOOK, DRY_RUN, PAUSE, RESUME)

    status, _page = change(client, "live", **ALL)

    assert status == 403
    assert not SendingSwitch.objects.exists()
    assert "Go live" not in client.get(listing("sendingswitch")).content.decode()


@pytest.mark.usefixtures("production")
def test_that_permission_is_enough() -> None:
    status, _page = change(staff(LOOK, LIVE), "live", **ALL)

    assert (status, SendingSwitch.objects.get().mode) == (302, Mode.LIVE)


# --- Stopping and going on --------------------------------------------------------------------


def test_turning_back_to_dry_run_forgets_the_end() -> None:
    set_live(live_until=timezone.now() + timedelta(hours=1))

    change(staff(LOOK, DRY_RUN), "dry-run", reason="enough")

    switch = SendingSwitch.objects.get()
    assert (switch.mode, switch.live_until) == (Mode.DRY_RUN, None)
    assert switch.changed_by == "vera (admin)"


def test_a_pause_keeps_the_mode_and_ends_by_resuming() -> None:
    set_live()
    client = staff(LOOK, PAUSE, RESUME)

    _status, page = change(client, "pause", reason="too loud")
    paused = SendingSwitch.objects.get()
    change(client, "resume", reason="quiet again")

    assert (paused.paused, paused.mode, paused.paused_reason) == (True, Mode.LIVE, "too loud")
    assert "Changed. A talk posted now waits: sending is paused." in page
    assert SendingSwitch.objects.get().paused is False
    messages = LogEntry.objects.order_by("id").values_list("change_message", flat=True)
    assert [message.split(" →")[0] for message in messages] == [
        "pause: too loud",
        "resume: quiet again",
    ]


PERMISSIONS = {"live": LIVE, "dry-run": DRY_RUN, "pause": PAUSE, "resume": RESUME}


@pytest.mark.usefixtures("production")
@pytest.mark.parametrize("name", PERMISSIONS)
def test_each_change_needs_its_own_permission(name: str) -> None:
    others = [permission for other, permission in PERMISSIONS.items() if other != name]

    status, _page = change(staff(LOOK, "change_sendingswitch", *others), name, **ALL)

    assert status == 403
    assert not SendingSwitch.objects.exists()


@pytest.mark.parametrize("name", ["live", "dry-run", "pause", "resume"])
def test_strangers_change_nothing(name: str) -> None:
    answer = Client().post(address(name), {"reason": "a test"})

    assert (answer.status_code, answer["Location"].split("?")[0]) == (302, reverse("admin:login"))
    assert not SendingSwitch.objects.exists()


def test_another_site_cannot_press_the_buttons() -> None:
    client = superuser()
    client.handler.enforce_csrf_checks = True

    assert change(client, "pause", reason="a test")[0] == 403
    assert not SendingSwitch.objects.exists()


def test_the_history_tells_who_changed_it() -> None:
    client = superuser()
    change(client, "pause", reason="too loud")

    page = client.get(reverse("admin:notifications_sendingswitch_history", args=[1]))

    assert "pause: too loud" in page.content.decode()

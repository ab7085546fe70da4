"""The banner: each page says what a talk posted now would do and what is wrong, in four queries."""

import socket
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from notifications.admin import subscribers
from notifications.models import Notification, SendingSwitch, Standby
from notifications.tests.redis_urls import UNUSABLE
from testbed.hostile.name_server import silent_resolver
from testbed.process import LOOPBACK

from .rows import listing, notification, set_live, staff, superuser, worker

pytestmark = pytest.mark.django_db

INDEX = "/admin/auth/group/"


def banner(client: Client, page: str = INDEX) -> str:
    """Return the banner of a page."""
    html = client.get(page).content.decode()
    return html.split('<section id="sending"')[1].split('<div class="breadcrumbs"')[0]


def test_a_dry_run_is_told_with_its_reason() -> None:
    shown = banner(superuser())

    assert "DRY RUN" in shown
    assert "ENVIRONMENT is development" in shown


@pytest.mark.usefixtures("production")
def test_live_is_told_with_its_end() -> None:
    set_live(live_until=timezone.now() + timedelta(minutes=5))

    shown = banner(superuser())

    assert "LIVE" in shown
    assert f"until {timezone.now():%Y-}" in shown


@pytest.mark.usefixtures("production")
def test_live_that_has_run_out_is_a_dry_run() -> None:
    set_live(live_until=timezone.now() - timedelta(minutes=5))

    assert "DRY RUN" in banner(superuser())


def test_live_where_nothing_may_be_sent_is_a_dry_run() -> None:
    set_live()

    assert "DRY RUN" in banner(superuser())


def test_a_pause_is_told() -> None:
    SendingSwitch.objects.change(changed_by="anna", now=timezone.now(), reason="", paused=True)

    assert "PAUSED" in banner(superuser())


def test_no_worker_is_told() -> None:
    assert "NO WORKER" in banner(superuser())


def test_a_worker_that_has_fallen_silent_is_told() -> None:
    worker(silent_for=timedelta(minutes=1))

    assert "WORKER SILENT" in banner(superuser())


def test_an_active_worker_needs_no_words() -> None:
    worker()

    shown = banner(superuser())

    assert "Worker active" in shown
    assert "WORKER" not in shown


def test_it_is_on_the_pages_of_other_apps_too() -> None:
    client = superuser()

    assert "DRY RUN" in banner(client, reverse("admin:auth_user_changelist"))
    assert "DRY RUN" in banner(client, reverse("admin:programs_program_changelist"))


def needs(client: Client) -> str:
    """Return what the banner says is to be done."""
    return banner(client).partition('class="needs"')[2]


@pytest.fixture
def listening(monkeypatch: pytest.MonkeyPatch) -> Callable[[int | None], None]:
    """Return what sets how many listen to Redis."""

    def listen(count: int | None) -> None:
        monkeypatch.setattr(subscribers, "count", lambda: count)

    listen(1)
    return listen


Listening = Callable[[int | None], None]


def test_when_all_is_well_nothing_is_to_be_done(listening: Listening) -> None:
    worker()

    assert needs(superuser()) == ""


def test_no_worker_says_how_to_start_one(listening: Listening) -> None:
    assert "manage.py listen_notifications --standby" in needs(superuser())


def test_a_talk_that_nobody_starts_is_told_with_its_number(listening: Listening) -> None:
    worker()
    posted = notification("pending")
    Notification.objects.update(created_at=timezone.now() - timedelta(minutes=5))

    shown = needs(superuser())

    assert f"Notification {posted.pk} has been waiting for 3" in shown
    assert f"/notification/{posted.pk}/change/" in shown


def test_a_pause_explains_why_a_talk_waits(listening: Listening) -> None:
    worker()
    notification("pending")
    Notification.objects.update(created_at=timezone.now() - timedelta(minutes=5))
    SendingSwitch.objects.change(changed_by="anna", now=timezone.now(), reason="", paused=True)

    assert needs(superuser()) == ""


def test_what_is_held_leads_to_the_held(listening: Listening) -> None:
    worker()
    notification("held")

    shown = needs(superuser())

    assert "1 notification is held." in shown
    assert "?state__exact=held" in shown


def test_what_is_unknown_is_to_be_settled(listening: Listening) -> None:
    worker()
    notification("done")
    Notification.objects.update(unknown_count=3)

    assert "3 deliveries are unknown." in needs(superuser())


def test_a_subscriber_that_nobody_knows_is_a_second_worker(listening: Listening) -> None:
    worker()
    listening(2)

    assert "2 workers listen to Redis, and only 1 are known here." in needs(superuser())


def test_a_standby_listens_as_well(listening: Listening) -> None:
    worker()
    Standby.objects.announce(holder="radio-2:7:abc")
    listening(2)

    assert needs(superuser()) == ""


def test_a_standby_that_fell_silent_is_not_expected_to_listen(listening: Listening) -> None:
    worker()
    long_ago = timezone.now() - timedelta(minutes=5)
    Standby.objects.create(holder="radio-2:7:abc", since=long_ago, heartbeat_at=long_ago)
    listening(2)

    assert "only 1 are known" in needs(superuser())


def test_a_worker_that_redis_does_not_have_is_told(listening: Listening) -> None:
    worker()
    listening(0)

    assert "The worker does not hear Redis." in needs(superuser())


def test_a_redis_that_does_not_answer_breaks_no_page(listening: Listening) -> None:
    worker()
    listening(None)

    assert "Redis does not answer." in needs(superuser())


@pytest.mark.parametrize("url", UNUSABLE)
def test_a_page_is_shown_whatever_redis_py_makes_of_the_url(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    worker()
    settings.REDIS_URL = url
    monkeypatch.setattr(subscribers, "last", subscribers.LastAnswer())

    assert "Redis does not answer." in needs(superuser())


def test_a_redis_that_hangs_is_not_asked_by_every_page(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server((LOOPBACK, 0)) as deaf:  # accepts, and never answers
        settings.REDIS_URL = f"redis://{LOOPBACK}:{deaf.getsockname()[1]}/0"
        monkeypatch.setattr(subscribers, "last", subscribers.LastAnswer())

        first = subscribers.count()
        monkeypatch.setattr(subscribers, "ask", lambda: 7)

        assert first is None
        assert subscribers.count() is None


def test_a_silent_name_server_breaks_no_page_and_keeps_no_threads(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REDIS_URL = "redis://redis.internal:6379/0"
    monkeypatch.setattr(subscribers, "KEPT_SECONDS", -1.0)
    worker()
    client = superuser()
    with silent_resolver(monkeypatch) as asked:
        pages = [needs(client) for _ in range(3)]

        assert asked == ["redis.internal"]
    assert all("Redis does not answer." in page for page in pages)


def test_it_links_to_the_switch_only_for_who_may_see_it() -> None:
    switch = f'<a href="{listing("sendingswitch")}"'

    assert switch in banner(staff("view_sendingswitch", name="wim"), "/admin/password_change/")
    assert switch not in banner(staff("view_notification", name="paul"), "/admin/password_change/")


@pytest.mark.parametrize("page", ["/admin/", "/admin/password_change/"])
@pytest.mark.parametrize(
    ("permission", "is_told"),
    [
        ("view_sendingswitch", True),
        ("view_notification", True),
        ("view_devicetoken", False),
        ("send_test", False),
    ],
)
def test_it_is_for_who_may_view_sending(page: str, permission: str, is_told: bool) -> None:
    SendingSwitch.objects.change(changed_by="anna", now=timezone.now(), reason="Fire", paused=True)

    html = staff(permission).get(page).content.decode()

    assert ('<section id="sending"' in html) is is_told
    assert ("PAUSED" in html) is is_told


def test_strangers_are_told_nothing() -> None:
    page = Client().get(reverse("admin:login")).content.decode()

    assert '<section id="sending"' not in page


def test_it_costs_four_queries_a_page() -> None:
    client = staff("view_sendingswitch", name="kim")

    with CaptureQueriesContext(connection) as queries:
        client.get("/admin/password_change/")

    ours = [query["sql"] for query in queries if 'FROM "notifications_' in query["sql"]]
    assert len(ours) == 4


def test_a_page_without_a_banner_pays_nothing() -> None:
    other = staff(name="olga")
    with CaptureQueriesContext(connection) as queries:
        Client().get(reverse("admin:login"))
        other.get("/admin/password_change/")

    assert not [query for query in queries if "notifications_" in query["sql"]]

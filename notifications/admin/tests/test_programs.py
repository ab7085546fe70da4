"""Programs and devices on the desk: whom a program reaches, its dry run, how fresh a device is."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.utils import timezone

from notifications.admin import program as desk_program
from notifications.admin.filters import freshness
from notifications.models import DeviceToken, Notification
from programs.models import Clip, Program

from .rows import User, listener, listing, notification, page_of, staff, superuser

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def followed(listeners: int) -> Notification:
    """Return the notification of a program with so many listeners, one of them muted."""
    row = notification("done")
    assert row.talk
    for number in range(listeners):
        Clip.objects.create(
            listener=listener(f"listener-{number}").user,
            program=row.talk.program,
            muted=number == 0,
        )
    return row


def program_of(row: Notification) -> Program:
    """Return the program of a notification."""
    assert row.talk
    return row.talk.program


def test_a_program_tells_whom_it_reaches_and_its_last_notifications() -> None:
    row = followed(4)
    DeviceToken.objects.filter(user__username="listener-1").disable(reason="x", now=timezone.now())
    Notification.objects.update(audience_count=812_345)

    page = superuser().get(page_of(program_of(row))).content.decode()

    tiles = page.split('class="tiles"')[1]
    assert '<p class="big">3</p>' in tiles
    assert '<p class="big">2</p>' in tiles
    assert "812,345 when the last one was sent" in tiles
    assert "Owls" in tiles


def test_a_million_listeners_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_program, "MOST", 2)
    row = followed(5)

    page = superuser().get(page_of(program_of(row))).content.decode()

    assert '<p class="big">2+</p>' in page


def test_who_may_not_see_notifications_sees_the_form_alone() -> None:
    row = followed(2)
    client = staff()
    User.objects.get(username="vera").user_permissions.set(
        Permission.objects.filter(codename="view_program")
    )

    page = client.get(page_of(program_of(row))).content.decode()

    assert "Night Radio" in page
    assert 'class="tiles"' not in page


def test_a_new_program_has_no_such_part() -> None:
    page = superuser().get("/admin/programs/program/add/").content.decode()

    assert 'id="desk-program"' not in page


@pytest.mark.parametrize(("name", "dry_run"), [("dry-run", True), ("live", False)])
def test_its_dry_run_is_changed_with_a_reason_and_logged(name: str, dry_run: bool) -> None:
    program = program_of(followed(1))
    Program.objects.update(dry_run=not dry_run)
    client = superuser()
    address = page_of(program, name)
    assert address in client.get(page_of(program)).content.decode()

    without = client.post(address, {"once": uuid4(), "reason": ""})
    client.post(address, {"once": uuid4(), "reason": "a rehearsal"})

    program.refresh_from_db()
    assert without.status_code == 200
    assert program.dry_run is program.dry_run_by_operator is dry_run
    assert LogEntry.objects.get().change_message.startswith(f"{name}: a rehearsal")


def test_the_form_does_not_change_the_dry_run() -> None:
    program = program_of(followed(1))
    form = {"owner": program.owner_id, "title": "Day Radio", "dry_run": "on"}

    superuser().post(page_of(program), form)

    program.refresh_from_db()
    assert (program.title, program.dry_run) == ("Day Radio", False)


# --- Devices --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "name"), [(0, "fresh"), (29, "fresh"), (31, "stale"), (269, "stale"), (271, "dead")]
)
def test_a_device_is_stale_after_a_month_and_dead_after_270_days(days: int, name: str) -> None:
    assert freshness(days * DAY).name == name


@pytest.mark.parametrize("name", ["fresh", "stale", "dead"])
def test_devices_are_found_by_freshness_newest_first(name: str) -> None:
    now = timezone.now()
    for number, days in enumerate([300, 280, 100, 50, 10, 5]):
        device = listener(f"listener-{number}")
        DeviceToken.objects.filter(pk=device.pk).update(refreshed_at=now - days * DAY)

    rows = superuser().get(listing("devicetoken", f"?freshness={name}")).context["cl"].result_list

    found = [(now - row.refreshed_at).days for row in rows]
    assert found == {"fresh": [5, 10], "stale": [50, 100], "dead": [280, 300]}[name]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?disabled=unregistered", {"a"}),
        ("?disabled=mismatched", {"b"}),
        ("?disabled=operator", {"c"}),
        ("?disabled=other", {"a", "b", "c", "d"}),
        ("?mine=yes", set()),
    ],
)
def test_devices_are_found_by_why_they_are_disabled(query: str, found: set[str]) -> None:
    reasons = {
        "a": "FCM: unregistered",
        "b": "FCM: mismatched",
        "c": "Disabled by anna",
        "d": None,
    }
    for name, reason in reasons.items():
        device = listener(name)
        if reason:
            DeviceToken.objects.filter(pk=device.pk).disable(reason=reason, now=timezone.now())

    rows = superuser().get(listing("devicetoken", query)).context["cl"].result_list

    assert {row.user.username for row in rows} == found

"""An act of the desk needs its permission, by link and by URL, and who only looks changes nothing.

Who is answered what at every address is held by radiotalk/tests/test_access.py.
"""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db.models import Q
from django.test import Client
from django.urls import NoReverseMatch, URLPattern, URLResolver, reverse
from django.utils import timezone

from notifications.admin.asking import ControlsAdmin
from notifications.models import (
    AnsweredForm,
    Batch,
    Delivery,
    DeviceToken,
    Notification,
    SendingMinute,
    SendingSwitch,
    Standby,
    WorkerLease,
)
from programs.models import Clip, Program, Talk

from .rows import User, batch, delivery, listener, notification, staff, worker

# Everything but the permissions says yes.
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("production")]

# The permission that each act needs, by the name of its address.
ACTS = {
    "notifications_notification_cancel": "cancel_notification",
    "notifications_notification_hold": "hold_notification",
    "notifications_notification_release": "release_notification",
    "notifications_notification_retry": "retry_failed",
    "notifications_notification_resend-unknown": "settle_unknown",
    "notifications_notification_abandon-unknown": "settle_unknown",
    "notifications_sendingswitch_live": "go_live",
    "notifications_sendingswitch_dry-run": "set_dry_run",
    "notifications_sendingswitch_pause": "pause_sending",
    "notifications_sendingswitch_resume": "resume_sending",
    "notifications_devicetoken_test": "send_test",
    "programs_program_dry-run": "switch_program",
    "programs_program_live": "switch_program",
}

YES = {
    "reason": "a test",
    "accepted": "on",
    "minutes": 10,
    "max_audience": 10,
    "word": "LIVE",
    "post": "yes",
    "mode": "live",
    "dry_run": "on",
}
SEEN = (
    "answeredform",
    "batch",
    "delivery",
    "devicetoken",
    "notification",
    "sendingswitch",
    "workerlease",
)
LOOKING = [f"view_{model}" for model in SEEN]


@pytest.fixture
def rows() -> dict[str, Any]:
    """Return the number of a row of each model: one notification to which all could be done."""
    row, device = notification("held"), listener("lena")
    delivery(row, device, "unknown")
    delivery(row, listener("otto"), "abandoned")
    Notification.objects.update(unknown_count=1, abandoned_count=1, target_count=2)
    now = timezone.now()
    SendingSwitch.objects.change(changed_by="x", now=now, reason="", mode="dry_run", paused=False)
    assert row.talk
    return {
        "answeredform": AnsweredForm.objects.create(id=uuid4(), by="x", asked="Cancel: x").pk,
        "batch": batch(row, [device.id]).pk,
        "delivery": Delivery.objects.earliest("id").pk,
        "devicetoken": device.pk,
        "notification": row.pk,
        "sendingswitch": SendingSwitch.ONLY_PK,
        "workerlease": worker().pk,
        "standby": Standby.objects.create(holder="b:1:x", since=now, heartbeat_at=now).pk,
        "sendingminute": SendingMinute.objects.create(minute=now).pk,
        "program": row.talk.program_id,
        "talk": row.talk.pk,
        "clip": Clip.objects.create(listener=device.user, program=row.talk.program).pk,
    }


def ours() -> Iterator[str]:
    """Yield the name of every address of the admin that is about our apps."""

    def names(patterns: list[URLPattern | URLResolver]) -> Iterator[str]:
        for pattern in patterns:
            if isinstance(pattern, URLResolver):
                yield from names(pattern.url_patterns)
            elif pattern.name and pattern.name.startswith(("notifications_", "programs_")):
                yield pattern.name

    yield from sorted(set(names(admin.site.get_urls())))


def address(name: str, rows: dict[str, Any]) -> str:
    """Return the address of that name, about the row of its model."""
    _app, model, *_rest = name.split("_")
    try:
        return reverse(f"admin:{name}")
    except NoReverseMatch:
        return reverse(f"admin:{name}", args=[rows[model]])


def yes() -> dict[str, Any]:
    """Return an answer to every question of the desk; each form has a number of its own."""
    return {**YES, "once": uuid4()}


def everything() -> list[list[Any]]:
    """Return all rows that an act could change."""
    models = (Notification, Delivery, Batch, DeviceToken, SendingSwitch, WorkerLease, Program, Talk)
    return [list(model._default_manager.values()) for model in models]


def role(*permissions: str) -> Client:
    """Return the browser of somebody who may look at everything, and has these permissions."""
    return staff(*LOOKING, *permissions, name=f"somebody-{User.objects.count()}")


def test_the_walk_covers_every_act() -> None:
    assert set(ACTS) <= set(ours())
    granted = {
        permission.codename
        for permission in Permission.objects.filter(
            content_type__app_label="notifications"
        ).exclude(
            Q(codename__startswith="view_")
            | Q(codename__startswith="add_")
            | Q(codename__startswith="change_")
            | Q(codename__startswith="delete_")
        )
    }
    assert granted == set(ACTS.values()), "a permission without an act, or the other way round"


def test_every_control_of_the_desk_is_walked() -> None:
    controls = {
        f"{desk.opts.app_label}_{desk.opts.model_name}_{control.name}": control.permission
        for desk in admin.site._registry.values()
        if isinstance(desk, ControlsAdmin)
        for control in desk.controls
    }

    assert controls == ACTS


@pytest.mark.parametrize("model", ["notification", "sendingswitch", "devicetoken", "program"])
def test_an_address_that_names_no_control_does_nothing(rows: dict[str, Any], model: str) -> None:
    before = everything()
    client = role(*set(ACTS.values()))
    act = next(name for name in ACTS if name.split("_")[1] == model)
    nothing = address(act, rows).replace(f"/{act.split('_')[2]}/", "/burn/")

    client.get(nothing)
    client.post(nothing, yes())

    assert everything() == before


def test_who_may_only_look_changes_nothing_anywhere(rows: dict[str, Any]) -> None:
    before = everything()
    client = role()

    for name in ours():
        client.get(address(name, rows))
        client.post(address(name, rows), yes())

    assert everything() == before


@pytest.mark.parametrize("permission", sorted(set(ACTS.values())))
def test_one_permission_opens_its_own_acts_and_no_other(
    rows: dict[str, Any], permission: str
) -> None:
    client = role(permission)

    opened = {name for name in ACTS if client.get(address(name, rows)).status_code == 200}

    # A test goes only to the operator's own device, and the one in `rows` is lena's.
    own = {name for name, needed in ACTS.items() if needed == permission}
    assert opened == own - {"notifications_devicetoken_test"}


@pytest.mark.parametrize("name", sorted(ACTS))
def test_all_other_permissions_do_not_do_it_by_url(rows: dict[str, Any], name: str) -> None:
    others = sorted(set(ACTS.values()) - {ACTS[name]})
    client = role(*others, "change_notification", "change_sendingswitch", "change_devicetoken")
    before = everything()

    answer = client.post(address(name, rows), yes())

    assert answer.status_code == 403
    assert everything() == before


@pytest.mark.parametrize("name", sorted(ACTS))
def test_a_page_shows_no_way_to_what_one_may_not_do(rows: dict[str, Any], name: str) -> None:
    client = role(*sorted(set(ACTS.values()) - {ACTS[name]}))
    pages = [
        reverse("admin:index"),
        reverse("admin:notifications_notification_changelist"),
        reverse("admin:notifications_notification_change", args=[rows["notification"]]),
        reverse("admin:notifications_sendingswitch_changelist"),
        reverse("admin:notifications_delivery_change", args=[rows["delivery"]]),
    ]

    for page in pages:
        html = client.get(page).content.decode()
        assert f'href="{address(name, rows)}' not in html, page


def test_acting_needs_looking_too(rows: dict[str, Any]) -> None:
    blind = staff(*set(ACTS.values()), name="blind")

    answer = blind.post(address("notifications_notification_cancel", rows), yes())

    assert answer.status_code == 403

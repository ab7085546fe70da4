"""Whatever an operator does in the desk is kept, and is still there when the account is gone."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.core.files.base import ContentFile
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from accounts.acts import keep
from accounts.kept_edits import as_json
from accounts.models import Act
from accounts.who import Who
from notifications.models import DeviceToken
from notifications.tests.factories import DeviceTokenFactory
from programs.models import Program
from programs.tests.factories import ProgramFactory, UserFactory

from .rows import act as tick
from .rows import listener, notification, page_of, say_yes, superuser

pytestmark = pytest.mark.django_db

ACTS = "/admin/accounts/act/"


def kept() -> list[tuple[str, str]]:
    """Return what was done and to what, the first act first."""
    return list(Act.objects.order_by("id").values_list("name", "about"))


# --- What is kept ------------------------------------------------------------------------------


def test_an_act_on_a_notification_is_kept_with_who_why_and_what_changed() -> None:
    row, client = notification("sending"), superuser()

    say_yes(client, page_of(row, "hold"), reason="let me look")

    act = Act.objects.get()
    assert (act.name, act.about, act.reason) == (
        "operator.held",
        f"notification {row.pk}",
        "let me look",
    )
    assert act.account_id == User.objects.get(username="anna").pk
    assert (act.account_name, act.address) == ("anna (admin)", "127.0.0.1")
    assert (act.before, act.after) == (
        {"state": "sending"},
        {"state": "held", "sent": 0, "in_flight": 0},
    )


def test_a_pause_is_kept_with_how_the_switch_stood() -> None:
    say_yes(superuser(), reverse("admin:notifications_sendingswitch_pause"), reason="too loud")

    act = Act.objects.get()
    switch = {"mode": "dry_run", "live_until": None, "max_audience": None}
    assert (act.name, act.before) == ("operator.paused", {**switch, "paused": False})
    assert act.after == {**switch, "paused": True}


def test_a_programs_dry_run_is_kept() -> None:
    program: Program = notification().talk.program  # type: ignore[union-attr]
    client = superuser()

    for control in ("dry-run", "live"):
        say_yes(client, page_of(program, control), reason="a test")

    assert kept() == [
        ("operator.program.dry_run", f"program {program.pk}"),
        ("operator.program.live", f"program {program.pk}"),
    ]
    assert Act.objects.earliest("id").before == {"dry_run": False}


def test_each_device_that_is_disabled_or_enabled_is_kept() -> None:
    devices, client = [listener("lena"), listener("otto")], superuser()

    tick(client, "devicetoken", "disable", *devices)
    tick(client, "devicetoken", "enable", devices[0])

    assert kept() == [
        *(("operator.device.disabled", f"device {each.pk}") for each in devices),
        ("operator.device.enabled", f"device {devices[0].pk}"),
    ]


def test_as_many_are_enabled_as_their_user_may_have_the_latest_refreshed_ones(
    settings: Settings,
) -> None:
    settings.NOTIFICATIONS_DEVICES_PER_USER = 2
    user, client = User.objects.create_user("lena"), superuser()
    enabled, oldest, latest = (
        DeviceTokenFactory.create(user=user, refreshed_at=datetime(2026, 1, day, tzinfo=UTC))
        for day in (1, 2, 3)
    )
    DeviceToken.objects.filter(id__in=[oldest.pk, latest.pk]).update(disabled_at=timezone.now())
    other = DeviceTokenFactory.create(disabled_at=timezone.now())

    page = tick(client, "devicetoken", "enable", enabled, oldest, latest, other)

    assert "2 devices were enabled." in page
    assert "1 device stays disabled: its user has as many as they may have." in page
    ids = set(DeviceToken.objects.enabled().values_list("id", flat=True))
    assert ids == {enabled.pk, latest.pk, other.pk}
    assert [about for _, about in kept()] == [f"device {latest.pk}", f"device {other.pk}"]
    assert set(LogEntry.objects.values_list("object_id", flat=True)) == {
        str(latest.pk),
        str(other.pk),
    }


def add_user(client: Client) -> User:
    """Return a user that the form of the admin has made."""
    password: dict[str, Any] = {"password1": "long enough 1", "password2": "long enough 1"}
    client.post(
        reverse("admin:auth_user_add"), {"username": "otto", "usable_password": "true", **password}
    )
    return User.objects.get(username="otto")


def test_what_the_forms_of_the_admin_do_is_kept() -> None:
    client = superuser()

    user = add_user(client)
    client.post(reverse("admin:auth_user_delete", args=[user.pk]), {"post": "yes"})

    assert kept() == [
        ("operator.admin.added", f"user {user.pk}"),
        ("operator.admin.deleted", f"user {user.pk}"),
    ]
    assert Act.objects.earliest("id").after == {
        "username": "changed",
        "usable_password": "changed",
        "password1": "changed",
        "password2": "changed",
    }
    deleted = Act.objects.latest("id")
    assert (deleted.before, deleted.after) == (None, None)
    assert not Act.objects.filter(account_name__contains="otto").exists()


def change(client: Client, row: Model, **values: object) -> Act:
    """Send the row's form with these values instead of its own, and return the act."""
    where = page_of(row)
    form = client.get(where).context["adminform"].form
    sent: dict[str, object] = {}
    for field in form:
        sent[field.name] = field.value()
    for name in ("date_joined", "last_login"):
        if (moment := sent.pop(name, None)) is not None:
            assert isinstance(moment, datetime)
            local = timezone.localtime(moment)
            for field_name in (name, f"initial-{name}"):  # the page says what it was, hidden
                sent[f"{field_name}_0"] = f"{local:%Y-%m-%d}"
                sent[f"{field_name}_1"] = f"{local:%H:%M:%S}"
    sent = {name: value for name, value in (sent | values).items() if value not in (None, False)}
    assert client.post(where, sent).status_code == 302
    return Act.objects.latest("id")


def test_who_is_made_superuser_is_kept() -> None:
    client, otto = superuser(), User.objects.create_user("otto")

    act = change(client, otto, is_superuser="on")

    assert (act.name, act.about) == ("operator.admin.changed", f"user {otto.pk}")
    assert (act.before, act.after) == ({"is_superuser": False}, {"is_superuser": True})


def test_groups_and_permissions_are_kept_by_their_numbers() -> None:
    client, otto = superuser(), User.objects.create_user("otto")
    old, new = (Group.objects.create(name=name) for name in ("old", "new"))
    permission = Permission.objects.earliest("id")
    otto.groups.add(old)

    act = change(client, otto, groups=[new.pk, old.pk], user_permissions=[permission.pk])

    assert act.before == {"groups": [old.pk], "user_permissions": []}
    assert act.after == {"groups": [old.pk, new.pk], "user_permissions": [permission.pk]}


def test_a_programs_owner_is_kept_and_that_its_title_changed() -> None:
    """The title is its owner's, who may ask to be forgotten."""
    client, program = superuser(), ProgramFactory.create(title="Owls")
    owner = UserFactory.create()
    before = program.owner_id

    act = change(client, program, title="Night Owls", owner=owner.pk)

    assert act.before == {"owner": before}
    assert act.after == {"title": "changed", "owner": owner.pk}


def test_a_form_that_changes_nothing_keeps_no_values() -> None:
    act = change(superuser(), ProgramFactory.create())

    assert (act.name, act.before, act.after) == ("operator.admin.changed", None, None)


def test_of_a_person_and_of_a_password_no_value_is_kept() -> None:
    client, otto = superuser(), User.objects.create_user("otto", email="otto@example.com")

    act = change(client, otto, email="bert@example.com", username="bert")
    assert (act.before, act.after) == (None, {"username": "changed", "email": "changed"})

    password = {"password1": "long enough 1", "password2": "long enough 1"}
    client.post(
        reverse("admin:auth_user_password_change", args=[otto.pk]),
        {**password, "usable_password": "true"},
    )
    act = Act.objects.latest("id")
    assert (act.name, act.about) == ("operator.admin.changed", f"user {otto.pk}")
    assert (act.before, act.after) == (None, {"password": "changed"})


@pytest.mark.parametrize(
    ("value", "is_kept_as"),
    [
        ("o" * 201, "o" * 200),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
        (ContentFile(b"RIFF"), "changed"),
    ],
    ids=["a long text", "a time", "a file"],
)
def test_each_kind_of_value(value: object, is_kept_as: str) -> None:
    assert as_json(value) == is_kept_as


def test_what_is_deleted_in_one_go_is_kept_one_by_one() -> None:
    client = superuser()
    users = [User.objects.create_user(name) for name in ("lena", "otto")]
    chosen = [user.pk for user in users]

    client.post(
        reverse("admin:auth_user_changelist"),
        {"action": "delete_selected", "_selected_action": chosen, "post": "yes"},
    )

    assert not User.objects.filter(id__in=chosen).exists()
    assert sorted(kept()) == [("operator.admin.deleted", f"user {pk}") for pk in sorted(chosen)]


def test_deleting_the_operator_erases_nothing() -> None:
    row, client = notification("sending"), superuser()
    say_yes(client, page_of(row, "hold"), reason="let me look")
    number = User.objects.get(username="anna").pk

    User.objects.get(username="anna").delete()

    assert not LogEntry.objects.exists()  # Django's own log goes with its user
    act = Act.objects.get()
    assert (act.account_id, act.account_name) == (number, "anna (admin)")
    row.refresh_from_db()
    assert row.state == "held"


# --- The page ----------------------------------------------------------------------------------


def found(client: Client, query: str) -> list[str]:
    """Return the acts on a page of the list."""
    return [act.name for act in client.get(ACTS + query).context["cl"].result_list]


def test_acts_are_found_by_account_and_by_how_their_names_begin() -> None:
    client = superuser()
    for name, number in (("operator.live", 1), ("operator.paused", 2), ("operator.admin.added", 1)):
        keep(name, by=Who("x", number))

    assert found(client, "?q=1") == ["operator.admin.added", "operator.live"]
    assert found(client, "?q=operator.admin.") == ["operator.admin.added"]
    assert found(client, f"?q={2**63}") == []


def test_an_act_is_read_and_nothing_else() -> None:
    client = superuser()
    keep("operator.live", by=Who("x", 1), after={"mode": "live"})
    act = Act.objects.get()

    page = client.get(reverse("admin:accounts_act_change", args=[act.pk]))
    refused = [
        client.post(reverse("admin:accounts_act_change", args=[act.pk]), {"name": "y"}),
        client.post(reverse("admin:accounts_act_delete", args=[act.pk]), {"post": "yes"}),
        client.get(reverse("admin:accounts_act_add")),
    ]

    assert "live" in page.content.decode()
    assert [answer.status_code for answer in refused] == [403, 403, 403]


def test_it_needs_its_permission() -> None:
    user = User.objects.create_user("vera", is_staff=True)
    client = Client()
    client.force_login(user)

    assert client.get(ACTS).status_code == 403


def test_a_page_counts_nothing() -> None:
    client = superuser()
    for _ in range(60):
        keep("operator.live", by=Who("x", 1))
    client.get(ACTS)

    with CaptureQueriesContext(connection) as asked:
        client.get(ACTS)

    of_acts = [each["sql"] for each in asked if "accounts_act" in each["sql"]]
    assert len(of_acts) == 2  # the page's ids, and its rows
    assert not any("COUNT(" in sql for sql in of_acts)

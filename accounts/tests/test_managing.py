"""Who manages accounts changes no superuser, and gives nothing that they do not have."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.core.cache import cache
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import Act
from accounts.tests.doors import PASSWORD
from accounts.tests.people import anna, let_pass, logged_in, with_app

pytestmark = pytest.mark.django_db
NEW = "another-horse-battery"


def permission(codename: str) -> Permission:
    """Return a permission by its name."""
    return Permission.objects.get(codename=codename)


def account(name: str, *codenames: str, **fields: Any) -> User:
    """Return a new account that has these permissions."""
    user = User.objects.create_user(name, password=PASSWORD, **fields)
    user.user_permissions.set([permission(codename) for codename in codenames])
    return user


MANAGING = [
    *(f"{act}_user" for act in ("add", "change", "delete", "view")),
    *(f"{act}_group" for act in ("add", "change", "delete", "view")),
]


@pytest.fixture
def manager() -> User:
    """Return somebody who may manage accounts and groups, and nothing else."""
    return account("manager", *MANAGING, is_staff=True)


@pytest.fixture
def desk(manager: User) -> Client:
    """Return the manager's browser."""
    client = Client()
    client.force_login(manager)
    return client


@pytest.fixture
def root() -> User:
    """Return a superuser."""
    return User.objects.create_superuser("root", password=PASSWORD)


def form_of(user: User, **changed: Any) -> dict[str, Any]:
    """Return what the form of the account sends, with changes."""
    fields = {
        "username": user.username,
        "is_active": user.is_active,
        "is_staff": user.is_staff,
        "is_superuser": user.is_superuser,
        "groups": list(user.groups.values_list("pk", flat=True)),
        "user_permissions": list(user.user_permissions.values_list("pk", flat=True)),
        "date_joined_0": "2026-01-01",
        "date_joined_1": "00:00:00",
    }
    sent = fields | changed
    return {name: value for name, value in sent.items() if value is not False}


def change(desk: Client, user: User, **changed: Any) -> Any:
    """Send the form of the account, with changes."""
    return desk.post(f"/admin/auth/user/{user.pk}/change/", form_of(user, **changed))


def set_password(desk: Client, user: User) -> Any:
    """Send the form of the account's password."""
    twice = {"password1": NEW, "password2": NEW, "usable_password": "true", "set-password": "1"}
    return desk.post(f"/admin/auth/user/{user.pk}/password/", twice)


def delete(desk: Client, user: User) -> Any:
    """Say yes to the account's deletion."""
    return desk.post(f"/admin/auth/user/{user.pk}/delete/", {"post": "yes"})


def delete_from_list(desk: Client, user: User) -> Any:
    """Say yes to the list's action."""
    sent = {"action": "delete_selected", "_selected_action": [user.pk], "post": "yes"}
    return desk.post("/admin/auth/user/", sent)


def deactivate(desk: Client, user: User) -> Any:
    """Send the form without the tick at `active`."""
    return change(desk, user, is_active=False)


def rename(desk: Client, user: User) -> Any:
    """Send the form with another name."""
    return change(desk, user, username="renamed")


TAKING = [change, rename, deactivate, set_password, delete, delete_from_list]
stronger = {
    "a superuser": lambda: User.objects.create_superuser("x", password=PASSWORD),
    "a superuser who is deactivated": lambda: User.objects.create_superuser(
        "x", password=PASSWORD, is_active=False
    ),
    "an operator": lambda: account("x", "go_live", is_staff=True),
    "an operator who is deactivated": lambda: account("x", "go_live", is_active=False),
    "one of a group": lambda: member("x", "go_live"),
}


def member(name: str, codename: str) -> User:
    """Return a new account that has a permission by its group."""
    group = Group.objects.create(name=f"group of {name}")
    group.permissions.add(permission(codename))
    user = account(name)
    user.groups.add(group)
    return user


@pytest.mark.parametrize("act", TAKING)
@pytest.mark.parametrize("who", stronger)
def test_nobody_takes_an_account_that_may_more(
    desk: Client, who: str, act: Callable[[Client, User], Any]
) -> None:
    user = stronger[who]()
    before = User.objects.filter(pk=user.pk).values().get()

    assert act(desk, user).status_code == 403

    assert User.objects.filter(pk=user.pk).values().get() == before


@pytest.mark.parametrize("name", ["manager", "listener"])
def test_nobody_makes_a_superuser(desk: Client, name: str) -> None:
    user = User.objects.filter(username=name).first() or account(name)

    assert change(desk, user, is_superuser="on").status_code == 302

    user.refresh_from_db()
    assert not user.is_superuser


@pytest.mark.parametrize("name", ["manager", "listener"])
def test_nobody_gives_a_permission_that_they_lack(desk: Client, name: str) -> None:
    user = User.objects.filter(username=name).first() or account(name)
    had = set(user.user_permissions.values_list("pk", flat=True))

    form = change(desk, user, user_permissions=[*had, permission("go_live").pk])

    assert list(form.context["adminform"].form.errors) == ["user_permissions"]
    assert set(user.user_permissions.values_list("pk", flat=True)) == had


@pytest.mark.parametrize("name", ["manager", "listener"])
def test_nobody_gives_a_group_that_may_more(desk: Client, name: str) -> None:
    user = User.objects.filter(username=name).first() or account(name)
    group = Group.objects.create(name="night shift")
    group.permissions.set([permission("view_user"), permission("go_live")])

    form = change(desk, user, groups=[group.pk])

    assert list(form.context["adminform"].form.errors) == ["groups"]
    assert not user.groups.exists()


def test_the_form_does_not_offer_what_cannot_be_given(desk: Client) -> None:
    user = account("listener")

    form = desk.get(f"/admin/auth/user/{user.pk}/change/").context["adminform"].form

    offered = {each.codename for each in form.fields["user_permissions"].queryset}
    assert offered == set(MANAGING)
    assert "is_superuser" not in form.fields


def test_what_they_have_themselves_they_give(desk: Client) -> None:
    user = account("listener")
    group = Group.objects.create(name="helpers")
    group.permissions.add(permission("view_user"))
    given = permission("change_user")

    answer = change(desk, user, is_staff="on", groups=[group.pk], user_permissions=[given.pk])

    assert answer.status_code == 302
    user.refresh_from_db()
    assert user.is_staff
    assert list(user.groups.all()) == [group]
    assert list(user.user_permissions.all()) == [given]
    assert set_password(desk, user).status_code == 302
    user.refresh_from_db()
    assert user.check_password(NEW)


def group_form(*codenames: str) -> dict[str, Any]:
    """Return what the form of a group sends."""
    return {"name": "mine", "permissions": [permission(codename).pk for codename in codenames]}


@pytest.mark.parametrize("is_new", [True, False])
def test_nobody_puts_into_a_group_what_they_lack(desk: Client, manager: User, is_new: bool) -> None:
    group = Group.objects.create(name="mine")
    manager.groups.add(group)
    address = "add/" if is_new else f"{group.pk}/change/"

    form = desk.post(f"/admin/auth/group/{address}", group_form("go_live"))

    assert "permissions" in form.context["adminform"].form.errors
    assert not group.permissions.exists()


@pytest.mark.parametrize("act", ["change", "delete"])
def test_nobody_takes_a_group_that_may_more(desk: Client, act: str) -> None:
    group = Group.objects.create(name="night shift")
    group.permissions.add(permission("go_live"))

    answer = desk.post(f"/admin/auth/group/{group.pk}/{act}/", {"name": "x", "post": "yes"})

    assert answer.status_code == 403
    assert list(Group.objects.get(pk=group.pk).permissions.all()) == [permission("go_live")]


def test_a_group_of_what_they_have_is_theirs_to_change(desk: Client) -> None:
    group = Group.objects.create(name="helpers")

    answer = desk.post(f"/admin/auth/group/{group.pk}/change/", group_form("view_user"))

    assert answer.status_code == 302
    assert list(group.permissions.all()) == [permission("view_user")]


def was_in_the_desk(user: User) -> None:
    """Have the account change something in the desk, as Django's own log tells."""
    LogEntry.objects.create(user=user, action_flag=2, object_repr="a program", change_message="")


def acted(user: User) -> None:
    """Have the account do an act of an operator."""
    Act.objects.create(name="operator.paused", account_id=user.pk, account_name=user.username)


def is_staff(user: User) -> None:
    """Make the account one of the staff."""
    User.objects.filter(pk=user.pk).update(is_staff=True)


@pytest.mark.parametrize("act", [delete, delete_from_list])
@pytest.mark.parametrize("did", [is_staff, was_in_the_desk, acted])
def test_an_operator_is_deactivated_and_never_deleted(
    root: User,
    act: Callable[[Client, User], Any],
    did: Callable[[User], None],
) -> None:
    user = account("vera")
    did(user)
    desk = Client()
    desk.force_login(root)

    assert act(desk, user).status_code == 403
    assert User.objects.filter(pk=user.pk).exists()
    user.refresh_from_db()
    assert deactivate(desk, user).status_code == 302
    user.refresh_from_db()
    assert not user.is_active


@pytest.mark.parametrize("act", [delete, delete_from_list])
def test_a_listener_can_be_deleted(desk: Client, act: Callable[[Client, User], Any]) -> None:
    user = account("listener")

    assert act(desk, user).status_code == 302
    assert not User.objects.filter(pk=user.pk).exists()


def test_a_superuser_manages_everybody(root: User) -> None:
    user = account("vera", "go_live", is_staff=True)
    desk = Client()
    desk.force_login(root)

    answer = change(desk, user, is_superuser="on", user_permissions=[permission("set_dry_run").pk])

    assert answer.status_code == 302
    user.refresh_from_db()
    assert user.is_superuser


def test_the_list_asks_nothing_for_each_account(
    desk: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    User.objects.bulk_create(User(username=f"listener-{number:03}") for number in range(40))
    with django_assert_num_queries(7):
        desk.get("/admin/auth/user/")


# --- A stolen session -------------------------------------------------------------------------


@pytest.fixture
def root_desk(settings: Settings) -> Client:
    """Return the desk of a superuser who has just shown the second factor that it needs."""
    settings.STAFF_SECOND_FACTOR = True
    cache.clear()
    root = anna()
    return logged_in(root, with_app(root))


@pytest.mark.parametrize("act", [change, set_password, delete, delete_from_list])
def test_an_old_second_factor_changes_no_account(
    root_desk: Client, act: Callable[[Client, User], Any]
) -> None:
    let_pass(root_desk, 301)
    lena = User.objects.create_user("lena")
    before = User.objects.values_list().get(pk=lena.pk)

    answer = act(root_desk, lena)

    assert answer["Location"].startswith("/admin/second-factor/reauthenticate/?next=")
    assert User.objects.values_list().get(pk=lena.pk) == before


@pytest.mark.parametrize("page", ["add/", "{}/delete/", "{}/password/"])
def test_a_page_that_acts_asks_for_the_factor_before_anything_is_typed(
    root_desk: Client, page: str
) -> None:
    path = f"/admin/auth/user/{page.format(User.objects.create_user('lena').pk)}"

    assert root_desk.get(path).status_code == 200
    let_pass(root_desk, 301)
    assert root_desk.get(path)["Location"].startswith("/admin/second-factor/reauthenticate/?next=")


def test_a_form_says_that_the_factor_is_old_before_anything_is_typed(root_desk: Client) -> None:
    path = f"/admin/auth/user/{User.objects.create_user('lena').pk}/change/"
    told = f'<a href="/admin/second-factor/reauthenticate/?{urlencode({"next": path})}">'

    assert told not in root_desk.get(path).content.decode()
    let_pass(root_desk, 301)
    assert told in root_desk.get(path).content.decode()


def test_a_stolen_session_makes_no_account_of_the_thiefs_own(root_desk: Client) -> None:
    let_pass(root_desk, 301)
    new = {"username": "thief", "usable_password": "true"}

    root_desk.post("/admin/auth/user/add/", {**new, "password1": PASSWORD, "password2": PASSWORD})

    assert not User.objects.filter(username="thief").exists()
    assert root_desk.get("/admin/auth/user/").status_code == 200  # looking needs none

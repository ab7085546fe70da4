"""A session lasts a working day, and ends with the password that it was given for."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client

from accounts.tests.doors import PASSWORD, operator
from radiotalk import clock

pytestmark = pytest.mark.django_db
HOURS = timedelta(hours=12)


@pytest.fixture
def anna() -> User:
    """Return the account whose sessions these are."""
    return operator("anna")


def logged_in() -> Client:
    """Return a browser in which anna has logged in."""
    client = Client()
    client.post("/admin/login/", {"username": "anna", "password": PASSWORD})
    assert is_in(client)
    return client


def is_in(client: Client) -> bool:
    """Return whether the desk knows who asks."""
    return client.get("/admin/").status_code == 200


@pytest.mark.usefixtures("anna")
def test_it_ends_twelve_hours_after_the_log_in_however_much_it_is_used() -> None:
    client = logged_in()
    session = client.session
    end = session.get_expiry_date()
    assert abs(end - clock.now() - HOURS) < timedelta(minutes=5)

    session["used"] = True
    session.save()

    assert client.session.get_expiry_date() == end
    assert Session.objects.get().expire_date == end
    session.set_expiry(clock.now() - timedelta(seconds=1))
    session.save()
    assert not is_in(client)


@pytest.mark.usefixtures("anna")
def test_its_key_is_another_one_after_the_log_in() -> None:
    client = Client()
    session = client.session
    session.save()
    client.cookies["sessionid"] = planted = session.session_key or ""

    client.post("/admin/login/", {"username": "anna", "password": PASSWORD})

    assert client.cookies["sessionid"].value != planted
    assert not Session.objects.filter(session_key=planted).exists()


@pytest.mark.usefixtures("anna")
def test_a_new_password_ends_all_others() -> None:
    here, there = logged_in(), logged_in()
    new = "another-horse-battery"
    form = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}

    assert here.post("/admin/password_change/", form).status_code == 302

    assert is_in(here)
    assert not is_in(there)


@pytest.mark.parametrize(
    "act",
    [
        lambda anna: User.objects.filter(pk=anna.pk).update(is_active=False),
        lambda anna: User.objects.filter(pk=anna.pk).update(is_staff=False),
    ],
)
def test_a_deactivation_ends_it(anna: User, act: Callable[[User], None]) -> None:
    client = logged_in()

    act(anna)

    assert not is_in(client)

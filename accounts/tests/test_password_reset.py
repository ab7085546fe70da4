"""A forgotten password is set anew by a link in an e-mail, which is no way past a second factor."""

import re

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from .people import PASSWORD, anna, with_app

pytestmark = pytest.mark.django_db

ASK = "/account/password/reset/"
NEW = "another-password-in-a-test"


@pytest.fixture(autouse=True)
def _staff_need_a_second_factor(settings: Settings) -> None:
    settings.STAFF_SECOND_FACTOR = True
    cache.clear()


def link_for(client: Client, address: str) -> str:
    """Return the path of the link in the e-mail that answers."""
    client.post(ASK, {"email": address})
    [letter] = mail.outbox
    assert letter.to == [address]
    found = re.search(r"http://testserver(\S+)", str(letter.body))
    assert found
    return found[1]


def set_password(client: Client, link: str) -> None:
    """Follow the link and type a password."""
    form = client.get(link)["Location"]
    client.post(form, {"password1": NEW, "password2": NEW})


def test_a_reset_sets_the_password_and_logs_nobody_in() -> None:
    user = anna()
    with_app(user)
    client = Client()

    set_password(client, link_for(client, "anna@radio.example"))

    user.refresh_from_db()
    assert user.check_password(NEW)
    assert "_auth_user_id" not in client.session
    answer = client.post("/admin/login/", {"username": "anna", "password": NEW})
    assert answer["Location"] == "/admin/second-factor/authenticate/"


def test_the_last_page_leads_staff_to_their_log_in() -> None:
    assert 'href="/admin/login/"' in Client().get(f"{ASK}done/").content.decode()


def test_a_link_works_once() -> None:
    user = anna()
    client = Client()
    link = link_for(client, "anna@radio.example")
    set_password(client, link)

    assert Client().get(link).status_code == 200  # the page that says so, and no form
    user.refresh_from_db()
    assert user.check_password(NEW)


def test_a_link_is_worth_nothing_once_the_address_has_changed() -> None:
    user = anna()
    client = Client()
    link = link_for(client, "anna@radio.example")
    user.email = "anna@new.example"
    user.save()

    assert Client().get(link).status_code == 200
    client.post(ASK, {"email": "anna@radio.example"})
    assert len(mail.outbox) == 1
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


def test_nobody_learns_whose_address_it_is_and_nobody_is_written_to_in_vain() -> None:
    anna()

    answers = [Client().post(ASK, {"email": f"{who}@radio.example"}) for who in ("anna", "nobody")]

    assert len({(answer.status_code, answer["Location"]) for answer in answers}) == 1
    assert [letter.to for letter in mail.outbox] == [["anna@radio.example"]]


def test_an_account_without_a_password_is_sent_no_link() -> None:
    User.objects.create_user("robot", email="robot@example.com", is_staff=True)

    Client().post(ASK, {"email": "robot@example.com"})

    assert mail.outbox == []


def test_nobody_waits_for_an_e_mail_that_is_not_sent(settings: Settings) -> None:
    anna()
    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"

    answer = Client().post(ASK, {"email": "anna@radio.example"})

    assert answer.status_code == 200  # the form again, and no page that says it was sent
    assert "No e-mail is sent from here." in answer.content.decode()

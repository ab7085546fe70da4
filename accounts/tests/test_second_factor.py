"""Staff show a second factor: at the first log-in it is set up, then it is asked for."""

import logging
import re

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings

from accounts.adapters import FactorAdapter
from accounts.models import Act

from .people import PASSWORD, anna, code, let_pass, log_in, logged_in, say, with_app

pytestmark = pytest.mark.django_db

INDEX = "/admin/second-factor/"
ACTIVATE = f"{INDEX}totp/activate/"
REAUTHENTICATE = f"{INDEX}reauthenticate/"
CODES = f"{INDEX}recovery-codes/"
APP_LIST = "/admin/auth/user/"


@pytest.fixture(autouse=True)
def _staff_need_it(settings: Settings) -> None:
    settings.STAFF_SECOND_FACTOR = True
    cache.clear()  # of the attempts of other tests


def led_to(client: Client, path: str) -> str:
    """Return where a page leads in the end."""
    answer = client.get(path, follow=True)
    return str(answer.redirect_chain[-1][0]) if answer.redirect_chain else path


def shown_at(client: Client, path: str) -> list[str]:
    """Return the recovery codes that a page shows."""
    return re.findall(r"\b\d{8}\b", client.get(path).content.decode())


# --- Logging in -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/admin/", APP_LIST, "/admin/password_change/"])
def test_the_password_alone_opens_no_page_of_the_desk(path: str) -> None:
    anna()
    client = Client()

    assert log_in(client, then=path)["Location"] == path
    assert led_to(client, path) == INDEX


def test_where_none_is_needed_name_and_password_open_the_desk(settings: Settings) -> None:
    settings.STAFF_SECOND_FACTOR = False
    anna()
    client = Client()

    assert log_in(client, then=APP_LIST)["Location"] == APP_LIST
    assert client.get(APP_LIST).status_code == 200


def test_whoever_has_a_second_factor_is_asked_for_it_before_there_is_a_session() -> None:
    secret = with_app(anna())
    client = Client()

    assert log_in(client, then=APP_LIST)["Location"] == f"{INDEX}authenticate/"
    assert led_to(client, APP_LIST) == f"{INDEX}authenticate/"
    assert say(client, "000000").status_code == 200
    assert "_auth_user_id" not in client.session

    assert say(client, code(secret))["Location"] == APP_LIST
    assert client.get(APP_LIST).status_code == 200


def test_a_code_is_taken_once() -> None:
    user = anna()
    secret = with_app(user)
    logged_in(user, secret)
    thief = Client()
    log_in(thief)

    assert say(thief, code(secret)).status_code == 200
    assert "_auth_user_id" not in thief.session


def test_codes_cannot_be_guessed_one_after_the_other() -> None:
    secret = with_app(anna())
    client = Client()
    log_in(client)
    for guess in range(5):
        say(client, f"{guess:06}")

    assert say(client, code(secret)).status_code == 200
    assert "_auth_user_id" not in client.session


def test_a_recovery_code_logs_in_once(caplog: pytest.LogCaptureFixture) -> None:
    user = anna()
    with_app(user)
    [first, *_others] = Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes()
    client, again = Client(), Client()
    log_in(client)
    log_in(again)

    with caplog.at_level(logging.INFO, "accounts"):
        assert say(client, first)["Location"] == "/admin/"
    assert say(again, first).status_code == 200

    [line] = [each for each in caplog.records if each.msg == "second_factor.recovery_code_used"]
    assert vars(line).items() >= {"account": user.pk, "address": "127.0.0.1"}.items()
    assert first not in caplog.text


def test_the_log_in_is_for_staff_alone() -> None:
    User.objects.create_user("talker", password=PASSWORD)
    client = Client()

    page = client.get(log_in(client, "talker")["Location"]).content.decode()

    assert "This log-in is for staff." in page
    assert "_auth_user_id" not in client.session


def test_whoever_has_lost_the_desk_is_not_sent_round_in_circles() -> None:
    client = Client()
    client.force_login(User.objects.create_user("talker"))

    assert client.get("/admin/", follow=True).status_code == 403


def test_nobody_signs_up_and_no_page_shows_a_second_factor_of_somebody_else() -> None:
    user = anna()
    client = logged_in(user, with_app(user))

    for path in ("mfa/authenticator/", "account/emailaddress/", "signup/"):
        assert client.get(f"/admin/{path}").status_code == 404


def test_who_is_asked_anew_reads_why_and_finds_the_way_back() -> None:
    user = anna()
    client = logged_in(user, with_app(user))

    page = client.get("/admin/second-factor/reauthenticate/?next=/admin/").content.decode()

    assert "Going live" in page
    assert '<a href="/admin/">To the desk</a>' in page


# --- Setting it up ------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_an_app_is_set_up_at_the_first_log_in_and_recovery_codes_are_shown_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    user = anna()
    client = Client()
    log_in(client)

    # Whoever has just logged in is not asked for the password again.
    page = client.get(ACTIVATE).content.decode()
    secret = client.session["mfa.totp.secret"]
    assert "data:image/svg+xml;base64," in page
    assert secret in page
    with caplog.at_level(logging.INFO, "accounts"):
        assert client.post(ACTIVATE, {"code": code(secret)})["Location"] == CODES

    assert [len(shown_at(client, CODES)) for _look in ("first", "second")] == [10, 0]
    assert client.get("/admin/").status_code == 200
    added = [vars(each) for each in caplog.records if each.msg == "second_factor.added"]
    assert {(each["kind"], each["account"]) for each in added} == {
        ("totp", user.pk),
        ("recovery_codes", user.pk),
    }
    assert secret not in caplog.text


@pytest.mark.parametrize("path", [ACTIVATE, f"{INDEX}webauthn/add/", CODES])
def test_a_session_and_the_password_are_not_enough_for_another_factor(path: str) -> None:
    user = anna()
    secret = with_app(user)
    client = logged_in(user, secret)
    if path == ACTIVATE:
        Authenticator.objects.filter(type="totp").update(type="webauthn", data={"name": "a key"})
    let_pass(client, 301)

    assert REAUTHENTICATE.split("/reauth")[0] in client.get(path)["Location"]
    # The page that asks for the password leads to the second factor, too.
    answer = client.post("/admin/reauthenticate/", {"password": PASSWORD})
    assert answer["Location"].startswith(INDEX)
    assert client.get(path).status_code == 302


def test_a_password_of_long_ago_is_asked_for_before_the_first_factor() -> None:
    anna()
    client = Client()
    log_in(client)
    let_pass(client, 301)

    assert client.get(ACTIVATE)["Location"].startswith("/admin/reauthenticate/")
    client.post("/admin/reauthenticate/", {"password": PASSWORD})
    assert client.get(ACTIVATE).status_code == 200


def test_secrets_are_encrypted_and_read_under_the_key_before(settings: Settings) -> None:
    secret = with_app(anna())
    stored = {each.type: each.data for each in Authenticator.objects.all()}
    assert secret not in str(stored)
    in_database = stored["totp"]["secret"]

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another" * 9, [settings.SECRET_KEY]
    assert FactorAdapter().decrypt(in_database) == secret
    again = FactorAdapter().encrypt(secret)

    settings.SECRET_KEY_FALLBACKS = []
    assert FactorAdapter().decrypt(again) == secret
    assert secret != FactorAdapter().decrypt(in_database) != FactorAdapter().decrypt(in_database)


def test_a_secret_that_no_key_reads_is_a_wrong_code_and_no_error(settings: Settings) -> None:
    client = Client()
    secret = with_app(anna())
    settings.SECRET_KEY = "another" * 9
    log_in(client)

    answer = client.post("/admin/second-factor/authenticate/", {"code": code(secret)})

    assert answer.status_code == 200
    assert client.get("/admin/").status_code == 302


# --- Who has lost it -----------------------------------------------------------------------------


def test_a_lost_second_factor_is_taken_away_on_the_host(
    capsys: pytest.CaptureFixture[str],
) -> None:
    user = anna()
    client = logged_in(user, with_app(user))
    other = User.objects.create_superuser("bert", password=PASSWORD)
    of_other = logged_in(other, with_app(other))

    call_command("reset_second_factor", "anna", "--reason", "lost the phone")

    assert "anna: 2 authenticators removed, 1 sessions ended." in capsys.readouterr().out
    assert Authenticator.objects.filter(user=other).count() == 2
    assert of_other.get("/admin/").status_code == 200
    assert led_to(client, "/admin/") == "/admin/login/?next=/admin/"
    log_in(client)
    assert led_to(client, "/admin/") == INDEX
    act = Act.objects.get(name="operator.second_factor_reset")
    assert (act.about, act.reason) == (f"account {user.pk}", "lost the phone")


def test_nobodys_second_factor_is_not_taken_away() -> None:
    with pytest.raises(CommandError, match="There is no account 'nobody'") as refused:
        call_command("reset_second_factor", "nobody", "--reason", "a slip")

    assert refused.value.returncode == 2  # as docs/operations.md says

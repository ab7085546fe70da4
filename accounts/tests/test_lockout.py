"""Who guesses passwords is refused, by either door; nobody else is."""

import re
import unicodedata
from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts import lockout, names
from accounts.models import Act
from accounts.tests.doors import (
    ELSEWHERE,
    HOME,
    PASSWORD,
    Door,
    at_api,
    at_desk,
    fail,
    gets_in,
    operator,
)
from accounts.who import on_this_host
from radiotalk import clock

pytestmark = pytest.mark.django_db
both_doors = pytest.mark.parametrize("door", [at_api, at_desk])


@pytest.fixture(autouse=True)
def anna() -> User:
    """Return the account that is attacked."""
    return operator("anna")


def age(**by: Any) -> None:
    """Let time pass over what has failed."""
    for row in AccessFailureLog.objects.all():
        AccessFailureLog.objects.filter(pk=row.pk).update(
            attempt_time=row.attempt_time - timedelta(**by)
        )


def failed(count: int, *, username: str = "anna", address: str = ELSEWHERE) -> None:
    """Have so many log-ins failed."""
    rows = [AccessFailureLog(username=username, ip_address=address) for _ in range(count)]
    AccessFailureLog.objects.bulk_create(rows)


@both_doors
def test_after_five_failures_not_even_the_right_password_is_heard(door: Door) -> None:
    fail(door, *["anna"] * 5)

    refused = door("anna", PASSWORD)

    assert refused.status_code == 429
    assert 890 < int(refused["Retry-After"]) <= 900


@both_doors
def test_failures_by_one_door_count_for_the_other(door: Door) -> None:
    fail(door, *["anna"] * 5)

    assert at_api("anna", PASSWORD).status_code == 429
    assert at_desk("anna", PASSWORD).status_code == 429


@both_doors
def test_after_a_quarter_of_an_hour_it_is_heard_again(door: Door) -> None:
    fail(door, *["anna"] * 5)
    for _ in range(3):  # what is refused does not prolong anything
        assert door("anna", "wrong").status_code == 429
    age(minutes=15)

    assert gets_in(door("anna", PASSWORD))


@both_doors
def test_another_address_and_another_account_are_heard(door: Door) -> None:
    operator("bert")
    fail(door, *["anna"] * 5)

    assert gets_in(door("anna", PASSWORD, address=ELSEWHERE))
    assert gets_in(door("bert", PASSWORD))


@both_doors
def test_right_passwords_are_heard_however_often(door: Door) -> None:
    assert all(gets_in(door("anna", PASSWORD)) for _ in range(12))


@pytest.mark.parametrize("forged", ["1.1.1.{}", "192.0.2.{}", "nonsense {}"])
def test_forging_x_forwarded_for_wins_nothing(forged: str) -> None:
    for number in range(5):
        at_api("anna", "wrong", x_forwarded_for=forged.format(number))

    refused = at_api("anna", PASSWORD, x_forwarded_for=forged.format(9))

    assert refused.status_code == 429


def test_behind_our_proxy_only_who_failed_is_refused(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = 1
    for _ in range(5):
        at_api("anna", "wrong", x_forwarded_for="9.9.9.9, 203.0.113.1")

    assert at_api("anna", PASSWORD, x_forwarded_for="8.8.8.8, 203.0.113.1").status_code == 429
    assert gets_in(at_api("anna", PASSWORD, x_forwarded_for="203.0.113.2"))


@both_doors
def test_redis_that_is_away_changes_nothing(settings: Settings, door: Door) -> None:
    settings.CACHES = {"default": {"BACKEND": "radiotalk.cache.RedisCache"}}

    fail(door, *["anna"] * 5)

    assert door("anna", PASSWORD).status_code == 429
    assert gets_in(door("anna", PASSWORD, address=ELSEWHERE))


def test_a_client_of_ipv6_is_its_network() -> None:
    for number in range(5):
        fail(at_api, "anna", address=f"2001:db8::{number + 1}")

    assert at_api("anna", PASSWORD, address="2001:db8::9").status_code == 429
    assert gets_in(at_api("anna", PASSWORD, address="2001:db8:0:1::9"))


def test_another_user_agent_wins_nothing() -> None:
    for number in range(5):
        at_api("anna", "wrong", user_agent=f"agent {number}")

    assert at_api("anna", PASSWORD, user_agent="agent 9").status_code == 429


def test_a_name_is_the_same_however_it_is_written() -> None:
    for name in ("anna", "ANNA", "Anna", " anna ", "\uff41nna"):  # the last begins with a wide a
        at_api(name, "wrong")

    assert at_api("anna", PASSWORD).status_code == 429


def test_who_tries_one_password_on_many_accounts_is_refused() -> None:
    for number in range(99):
        failed(1, username=f"listener-{number}")
    fail(at_api, "listener-99", address=ELSEWHERE)

    assert at_api("anna", PASSWORD, address=ELSEWHERE).status_code == 429
    assert gets_in(at_api("anna", PASSWORD))
    age(hours=1)
    assert gets_in(at_api("anna", PASSWORD, address=ELSEWHERE))


def test_an_account_that_fails_from_everywhere_is_locked_but_for_where_it_is_known() -> None:
    assert gets_in(at_desk("anna", PASSWORD))
    for number in range(60):
        failed(1, address=f"203.0.113.{number}")

    assert at_desk("anna", PASSWORD, address=ELSEWHERE).status_code == 429
    assert gets_in(at_desk("anna", PASSWORD))
    fail(at_desk, *["anna"] * 5)
    assert at_desk("anna", PASSWORD).status_code == 429


def test_an_address_is_not_known_for_ever() -> None:
    assert gets_in(at_desk("anna", PASSWORD))
    AccessLog.objects.update(attempt_time=clock.now() - lockout.KNOWN_FOR)
    failed(60)

    assert at_desk("anna", PASSWORD).status_code == 429


def test_an_unknown_name_is_answered_as_a_known_one_by_as_much_work() -> None:
    answers = []
    for name in ("anna", "nobody"):
        fail(at_api, *[name] * 4)
        for _ in ("the fifth failure", "a refusal"):
            with CaptureQueriesContext(connection) as queries:
                answer = at_api(name, "wrong")
            answers.append((answer.status_code, answer.content, len(queries)))

    assert answers[:2] == answers[2:]


def test_the_api_answers_json_in_the_language_that_was_asked_for() -> None:
    fail(at_api, *["anna"] * 5)

    english = at_api("anna", PASSWORD)
    assert english.json() == {"detail": "Too many log-ins failed. Try again in 15 minutes."}
    assert english["Content-Type"] == "application/json"
    assert at_api("anna", PASSWORD, accept_language="ja")["Content-Language"] == "ja"


def test_the_desk_answers_with_a_page_that_explains_it() -> None:
    fail(at_desk, *["anna"] * 5)

    page = at_desk("anna", PASSWORD)

    assert page["Content-Type"].startswith("text/html")
    text = page.content.decode()
    assert "Too many log-ins failed. Try again in 15 minutes." in text
    assert "A passkey lets you in at once." in text
    assert "anna" not in text


def test_the_log_in_page_itself_is_shown_to_whoever_is_refused() -> None:
    fail(at_desk, *["anna"] * 5)

    assert Client(REMOTE_ADDR=HOME).get("/admin/login/").status_code == 200


def test_who_is_logged_in_stays_so() -> None:
    client = Client(REMOTE_ADDR=HOME)
    client.post("/admin/login/", {"username": "anna", "password": PASSWORD})
    fail(at_desk, *["anna"] * 5)

    assert client.get("/admin/").status_code == 200


@both_doors
def test_nothing_that_was_typed_is_kept_but_an_accounts_name(door: Door) -> None:
    door("my-secret-password", "another-secret")
    door("anna", "another-secret")

    rows = [str(row) for row in AccessFailureLog.objects.values()]
    assert len(rows) == 2
    assert "secret" not in "".join(rows)
    assert "anna" in "".join(rows)
    assert not AccessAttempt.objects.exists()


def test_an_api_client_gets_no_session() -> None:
    assert "sessionid" not in at_api("anna", "wrong").cookies
    assert "sessionid" not in at_api("anna", PASSWORD).cookies


def test_an_operator_is_let_in_again_by_a_command() -> None:
    operator("bert")
    fail(at_api, *["anna"] * 5, *["bert"] * 5)

    call_command("axes_reset_username", "anna")

    assert gets_in(at_api("anna", PASSWORD))
    assert at_api("bert", PASSWORD).status_code == 429
    [act] = Act.objects.filter(name="operator.lockout_lifted")
    assert act.about == f"account {User.objects.get(username='anna').pk}"
    assert act.account_name == on_this_host().name


def test_an_address_is_let_in_again_by_a_command() -> None:
    fail(at_api, *["anna"] * 5, address=ELSEWHERE)

    call_command("axes_reset_ip", ELSEWHERE, HOME)  # of the second nothing is known: no act

    assert gets_in(at_api("anna", PASSWORD, address=ELSEWHERE))
    [act] = Act.objects.filter(name="operator.lockout_lifted")
    assert act.about == f"address {ELSEWHERE}"


def test_one_row_is_kept_of_an_account_and_an_address() -> None:
    for address in (HOME, HOME, ELSEWHERE):
        assert gets_in(at_desk("anna", PASSWORD, address=address))

    assert sorted(AccessLog.objects.values_list("ip_address", flat=True)) == [HOME, ELSEWHERE]


def test_what_no_rule_counts_any_more_is_deleted() -> None:
    now = clock.now()
    failed(3)
    assert gets_in(at_desk("anna", PASSWORD))

    assert lockout.old_failures(now + timedelta(days=6)).count() == 0
    assert lockout.old_failures(now + timedelta(days=8)).count() == 3
    assert lockout.old_log_ins(now + timedelta(days=29)).count() == 0
    assert lockout.old_log_ins(now + timedelta(days=31)).count() == 1


@pytest.mark.parametrize("model", ["accessfailurelog", "accesslog"])
def test_the_desk_shows_them_and_lets_nobody_change_them(admin_client: Client, model: str) -> None:
    assert gets_in(at_desk("anna", PASSWORD))
    fail(at_api, "anna")
    row = (AccessLog if model == "accesslog" else AccessFailureLog).objects.get(username="anna")
    listing = f"/admin/axes/{model}/"

    page = admin_client.get(f"{listing}?q=an")
    form = admin_client.get(f"{listing}{row.pk}/change/")

    assert "anna" in page.content.decode()
    assert not re.search(r'name="(_save|action)"', (page.content + form.content).decode())
    for address in (f"{row.pk}/change/", f"{row.pk}/delete/", "add/"):
        assert admin_client.post(listing + address, {"post": "yes"}).status_code == 403


def test_guessing_at_the_old_password_of_a_session_is_counted_as_log_ins() -> None:
    anna = User.objects.get(username="anna")
    session = Client(REMOTE_ADDR=HOME)
    session.force_login(anna)
    new = {"new_password1": "another-horse-battery", "new_password2": "another-horse-battery"}

    for _ in range(5):
        answer = session.post("/admin/password_change/", {"old_password": "wrong", **new})
        assert answer.status_code == 200
    answer = session.post("/admin/password_change/", {"old_password": PASSWORD, **new})

    assert answer.status_code == 429
    anna.refresh_from_db()
    assert anna.check_password(PASSWORD)


@both_doors
def test_no_more_of_a_name_is_composed_than_an_accounts_has(
    monkeypatch: pytest.MonkeyPatch, door: Door
) -> None:
    """Nobody needs to be known for it: a body of 1 MB with accents froze a process for minutes."""
    composed: list[int] = []
    normalize = unicodedata.normalize

    def note(form: Any, text: str) -> str:
        composed.append(len(text))
        return normalize(form, text)

    monkeypatch.setattr(unicodedata, "normalize", note)

    door("a" + "\u0315\u0300\u05ae\u0301" * 100, "wrong")

    assert max(composed, default=0) <= names.LONGEST_NAME + 1

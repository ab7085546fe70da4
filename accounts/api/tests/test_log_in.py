"""Logging in and out of the API, and what an owner sees and does of their tokens."""

from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import ApiToken
from accounts.revoking import MOST_TOKENS
from accounts.tests.devices import LOG_IN, PASSWORD, TOKENS, device, gets_in, log_in, person

pytestmark = pytest.mark.django_db


def listed(client: APIClient) -> list[dict[str, Any]]:
    """Return the tokens in the list of whoever asks."""
    results: list[dict[str, Any]] = client.get(TOKENS).json()["results"]
    return results


# --- In --------------------------------------------------------------------------------------


def test_a_password_is_exchanged_for_a_token_that_lets_in() -> None:
    lena = person("lena")

    answer = log_in(lena)

    row = ApiToken.objects.get(user=lena)
    assert answer.status_code == 200
    assert set(answer.json()) == {"token", "id", "expiry"}
    assert answer.json()["id"] == row.pk
    client = APIClient(headers={"Authorization": f"Token {answer.json()['token']}"})
    assert client.get("/api/v1/programs/").status_code == 200


def test_a_form_as_curl_sends_it_logs_in() -> None:
    person("lena")

    answer = Client().post(
        LOG_IN,
        f"username=lena&password={PASSWORD.replace(' ', '+')}",
        content_type="application/x-www-form-urlencoded",
    )

    assert answer.status_code == 200


def test_each_kind_of_form_will_do() -> None:
    person("lena")
    lena = {"username": "lena", "password": PASSWORD}

    assert Client().post(LOG_IN, lena).status_code == 200  # multipart
    assert Client().post(LOG_IN, lena, content_type="application/json").status_code == 200


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"username": "lena", "password": "wrong"}, "non_field_errors"),
        ({"username": "nobody", "password": PASSWORD}, "non_field_errors"),
        ({"username": "gone", "password": PASSWORD}, "non_field_errors"),
        ({"username": "lena"}, "password"),
        ({"username": "lena", "password": "nul\x00"}, "password"),
    ],
)
def test_who_is_wrong_or_inactive_gets_no_token(body: dict[str, str], error: str) -> None:
    person("lena")
    person("gone", is_active=False)

    answer = APIClient().post(LOG_IN, body)

    assert answer.status_code == 400
    assert list(answer.json()) == [error]
    assert not ApiToken.objects.exists()


def test_a_token_that_has_ended_is_no_reason_to_refuse_a_new_one() -> None:
    lena = person("lena")
    client = APIClient(headers={"Authorization": "Token gone"})

    answer = client.post(LOG_IN, {"username": lena.username, "password": PASSWORD})

    assert answer.status_code == 200


def test_each_device_has_a_token_of_its_own() -> None:
    lena = person("lena")

    tokens = {log_in(lena).json()["token"] for _ in range(3)}

    assert len(tokens) == 3


def test_of_too_many_the_one_that_was_used_longest_ago_goes() -> None:
    lena, otto = person("lena"), person("otto")
    others = device(otto)
    first, second = device(lena, "first"), device(lena, "second")
    assert gets_in(second)
    assert gets_in(first)  # used last

    for _ in range(MOST_TOKENS - 2):
        ApiToken.objects.create(lena)
    device(lena, "third")

    assert ApiToken.objects.filter(user=lena).count() == MOST_TOKENS
    assert gets_in(first)
    assert not gets_in(second)
    assert gets_in(others)


@pytest.mark.parametrize(
    ("body", "user_agent", "name"),
    [
        ({"device": "Lena's phone"}, "Radiotalk/1.0", "Lena's phone"),
        ({}, "Radiotalk/1.0 (iPhone; iOS 19)", "Radiotalk/1.0 (iPhone; iOS 19)"),
        ({"device": " "}, "Radiotalk/1.0", "Radiotalk/1.0"),
        ({"device": "\u202egnp\n\u200bphone"}, "", "gnp phone"),
        ({"device": "d" * 200}, "", "d" * 100),
        ({"device": "音声📻"}, "", "音声📻"),
        ({}, "caf\xe9\x85", "café"),
        ({}, "", ""),
    ],
)
def test_a_device_is_called_what_it_calls_itself_as_far_as_it_can_be_seen(
    body: dict[str, str], user_agent: str, name: str
) -> None:
    person("lena")

    answer = APIClient().post(
        LOG_IN,
        {"username": "lena", "password": PASSWORD, **body},
        headers={"user-agent": user_agent},
    )

    assert answer.status_code == 200
    assert ApiToken.objects.get().name == name


# --- Out, and taken back ---------------------------------------------------------------------


def test_a_log_out_is_of_this_device_and_at_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    lena = person("lena")
    phone, tablet = device(lena), device(lena)
    row = ApiToken.objects.order_by("id")[0]

    assert phone.delete(LOG_IN).status_code == 204

    assert not gets_in(phone)
    assert phone.delete(LOG_IN).status_code == 401
    assert gets_in(tablet)
    event = next(each for each in caplog.records if each.message == "token.revoked")
    told = {"token": row.pk, "account": lena.pk, "by": lena.pk, "address": "127.0.0.1"}
    assert vars(event) | told == vars(event)


def test_who_has_no_token_cannot_log_out() -> None:
    lena = person("lena")
    browser = APIClient()
    browser.force_login(lena)

    assert browser.delete(LOG_IN).status_code == 401
    assert APIClient().delete(LOG_IN).status_code == 401


def test_the_list_has_ones_own_devices_and_says_which_one_asks() -> None:
    lena = person("lena")
    device(person("otto"), "another's")
    phone, tablet = device(lena, "phone"), device(lena, "tablet")

    before = listed(phone)
    after = listed(tablet)

    assert [(each["device"], each["current"]) for each in before] == [
        ("phone", True),
        ("tablet", False),
    ]
    assert before[1]["last_used_at"] is None
    assert [(each["device"], each["current"]) for each in after] == [
        ("tablet", True),
        ("phone", False),
    ]
    assert after[1]["last_used_at"] is not None
    assert set(after[0]) == {"id", "device", "created", "last_used_at", "expiry", "current"}


def test_a_browser_lists_and_revokes_with_its_csrf_token_alone() -> None:
    lena = person("lena")
    phone = device(lena)
    browser = APIClient(enforce_csrf_checks=True)
    browser.force_login(lena)
    browser.cookies["csrftoken"] = "c" * 32
    [row] = listed(browser)

    assert row["current"] is False
    assert browser.delete(f"{TOKENS}{row['id']}/").status_code == 403
    assert gets_in(phone)
    answer = browser.delete(f"{TOKENS}{row['id']}/", headers={"X-CSRFToken": "c" * 32})
    assert answer.status_code == 204
    assert not gets_in(phone)


def test_an_owner_revokes_a_lost_device() -> None:
    lena = person("lena")
    lost, here = device(lena, "lost"), device(lena, "here")
    number = next(each["id"] for each in listed(here) if each["device"] == "lost")

    assert here.delete(f"{TOKENS}{number}/").status_code == 204

    assert not gets_in(lost)
    assert gets_in(here)
    assert here.delete(f"{TOKENS}{number}/").status_code == 404


def test_nobody_revokes_anothers() -> None:
    otto = person("otto")
    others, mine = device(otto), device(person("lena"))
    number = ApiToken.objects.get(user=otto).pk

    assert mine.delete(f"{TOKENS}{number}/").status_code == 404
    assert mine.delete(f"{TOKENS}{'9' * 30}/").status_code == 404
    assert mine.get(f"{TOKENS}{number}/").status_code == 405

    assert gets_in(others)


def test_no_answer_shows_a_secret() -> None:
    lena = person("lena")
    phone = device(lena)
    row = ApiToken.objects.get(user=lena)

    page = phone.get(TOKENS).content.decode()

    for secret in (row.digest, row.token_key, row.fingerprint):
        assert secret not in page

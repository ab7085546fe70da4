"""Who gets an access token, and how long it lasts."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from fcm_emulator.answers import Answer
from fcm_emulator.oauth import (
    ACCESS_TOKEN_SECONDS,
    CLIENT_EMAIL,
    CLOCK_SKEW_SECONDS,
    GOOGLE_TOKEN_URI,
    GRANT_TYPE,
    Authority,
    write_service_account,
)

TOKEN_URI = "https://127.0.0.1:1/token"
NOW = 1_800_000_000.0
CLAIMS = {"iss": CLIENT_EMAIL, "aud": TOKEN_URI, "iat": NOW, "exp": NOW + 3600}


class Account:
    """The service account as a client holds it."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "service-account.json"
        self.authority = Authority(write_service_account(self.file, TOKEN_URI))
        self.private_key = json.loads(self.file.read_text())["private_key"]

    def ask(self, *, key: Any = None, algorithm: str = "RS256", **claims: Any) -> Answer:
        assertion = jwt.encode(CLAIMS | claims, key or self.private_key, algorithm=algorithm)
        return self.exchange({"grant_type": GRANT_TYPE, "assertion": assertion})

    def exchange(self, form: dict[str, str]) -> Answer:
        return self.authority.exchange(urlencode(form).encode(), NOW)

    def bearer(self) -> str:
        return f"Bearer {json.loads(self.ask().body)['access_token']}"


@pytest.fixture
def account(tmp_path: Path) -> Account:
    return Account(tmp_path)


@pytest.mark.parametrize("audience", [TOKEN_URI, GOOGLE_TOKEN_URI])
def test_a_signed_request_gets_an_access_token(account: Account, audience: str) -> None:
    answer = account.ask(aud=audience)

    assert answer.status == 200
    assert json.loads(answer.body)["expires_in"] == ACCESS_TOKEN_SECONDS


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "somebody@else.test"},
        {"aud": "https://elsewhere.test/token"},
        {"exp": NOW},
        {"iat": NOW - 4000, "exp": NOW - 400},
        {"iat": NOW, "exp": NOW + 7200},
        {"iat": NOW + CLOCK_SKEW_SECONDS + 1, "exp": NOW + 3600},
        {"exp": "soon"},
        {"exp": None},
    ],
)
def test_a_request_with_a_wrong_claim_is_refused(account: Account, claims: dict[str, Any]) -> None:
    answer = account.ask(**claims)

    assert (answer.status, json.loads(answer.body)["error"]) == (400, "invalid_grant")


def test_a_request_signed_with_another_key_is_refused(account: Account) -> None:
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    answer = account.ask(key=stranger)

    assert json.loads(answer.body) == {
        "error": "invalid_grant",
        "error_description": "Invalid JWT Signature.",
    }


def test_a_request_signed_with_a_shared_secret_is_refused(account: Account) -> None:
    assert account.ask(key="x" * 32, algorithm="HS256").status == 400


def test_a_request_that_is_not_signed_is_refused(account: Account) -> None:
    header_and_claims = jwt.encode(CLAIMS, "", algorithm="none")

    answer = account.exchange({"grant_type": GRANT_TYPE, "assertion": header_and_claims})

    assert answer.status == 400


@pytest.mark.parametrize("assertion", ["", "a.b", "a.b.c", "e30.e30.e30", "W10.W10.W10", "é.é.é"])
def test_a_request_that_cannot_be_read_is_refused(account: Account, assertion: str) -> None:
    answer = account.exchange({"grant_type": GRANT_TYPE, "assertion": assertion})

    assert json.loads(answer.body)["error"] == "invalid_grant"


def test_another_grant_type_is_refused(account: Account) -> None:
    answer = account.exchange({"grant_type": "refresh_token"})

    assert json.loads(answer.body)["error"] == "unsupported_grant_type"


def test_an_access_token_is_known_again_until_it_expires(account: Account) -> None:
    bearer = account.bearer()

    assert account.authority.find(bearer, NOW + ACCESS_TOKEN_SECONDS - 1)
    assert account.authority.find(bearer, NOW + ACCESS_TOKEN_SECONDS) is None


@pytest.mark.parametrize("header", ["", "Bearer ", "Bearer ya29.other", "Basic eDp5"])
def test_an_unknown_access_token_is_not_found(account: Account, header: str) -> None:
    account.bearer()

    assert account.authority.find(header, NOW) is None


def test_an_access_token_of_a_key_that_was_replaced_is_not_found(account: Account) -> None:
    before = account.bearer()
    other = account.file.with_name("other.json")
    write_service_account(other, TOKEN_URI)

    other.replace(account.file)

    assert account.authority.find(before, NOW) is None


def test_a_later_access_token_has_a_greater_serial(account: Account) -> None:
    first, second = (account.authority.find(account.bearer(), NOW) for _ in range(2))

    assert first
    assert second
    assert first.serial < second.serial


def test_the_key_outlives_a_restart_and_the_address_follows_the_port(account: Account) -> None:
    write_service_account(account.file, "https://127.0.0.1:2/token")

    content = json.loads(account.file.read_text())
    assert content["private_key"] == account.private_key
    assert content["token_uri"] == "https://127.0.0.1:2/token"


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"private_key": "x"}', '{"private_key": 1}'])
def test_a_damaged_file_is_made_anew(tmp_path: Path, content: str) -> None:
    file = tmp_path / "service-account.json"
    file.write_text(content)

    write_service_account(file, TOKEN_URI)

    assert json.loads(file.read_text())["client_email"] == CLIENT_EMAIL


def test_only_the_owner_can_read_the_key(account: Account) -> None:
    assert account.file.stat().st_mode & 0o077 == 0

"""Devices of people, for tests: each has logged in and holds a token."""

from typing import Any

from django.contrib.auth.models import User
from rest_framework.test import APIClient

from accounts.models import ApiToken

PASSWORD = "correct horse battery"
LOG_IN = "/api/v1/auth/token/"
TOKENS = "/api/v1/auth/tokens/"


def person(name: str, **fields: Any) -> User:
    """Return a new account with the password PASSWORD."""
    return User.objects.create_user(name, password=PASSWORD, **fields)


def with_token(token: str) -> APIClient:
    """Return a client that sends this token."""
    return APIClient(headers={"Authorization": f"Token {token}"})


def log_in(user: User, **body: str) -> Any:
    """Return the answer to a log-in."""
    body = {"username": user.username, "password": PASSWORD, **body}
    return APIClient().post(LOG_IN, body, headers={"user-agent": ""})


def device(user: User, name: str = "phone") -> APIClient:
    """Return a device of the user's that has logged in."""
    return with_token(log_in(user, device=name).json()["token"])


def gets_in(client: APIClient) -> bool:
    """Return whether the API answers the client, and does not ask it to log in."""
    code = client.get(TOKENS).status_code
    assert code in (200, 401)
    return code == 200


def token_of(user: User) -> ApiToken:
    """Return the row of the account's only token."""
    row: ApiToken = ApiToken.objects.get(user=user)
    return row

"""Staff who log in with a password and, perhaps, an app's code or a recovery code."""

import time
from typing import Any

from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
)
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase
from django.test import Client

PASSWORD = "of-somebody-in-a-test"
PERIOD = 30  # seconds of a code


def code(secret: str, later: int = 0) -> str:
    """Return the app's code of this moment, or of so many periods later: each is taken once."""
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // PERIOD + later)))


def anna(**values: Any) -> User:
    """Return a superuser who has a password and no second factor."""
    return User.objects.create_superuser("anna", "anna@radio.example", PASSWORD, **values)


def with_app(user: User) -> str:
    """Give the user an app and recovery codes, and return the app's secret."""
    secret: str = generate_totp_secret()
    TOTP.activate(user, secret)
    RecoveryCodes.activate(user)
    return secret


def log_in(client: Client, name: str = "anna", then: str = "/admin/") -> Any:
    """Log in by name and password, and return the answer."""
    form = {"username": name, "password": PASSWORD, "next": then}
    return client.post("/admin/login/", form)


def say(client: Client, said: str) -> Any:
    """Answer the log-in's question for a code."""
    return client.post("/admin/second-factor/authenticate/", {"code": said})


def logged_in(user: User, secret: str) -> Client:
    """Return the browser of somebody who has logged in with password and code."""
    client = Client()
    log_in(client, user.username)
    assert say(client, code(secret))["Location"] == "/admin/"
    return client


def let_pass(client: Client, seconds: float) -> None:
    """Make all that somebody has shown so much older."""
    make_older(client.session, seconds)


def make_older(session: SessionBase, seconds: float) -> None:
    """Make all that was shown in this session so much older."""
    records = session[AUTHENTICATION_METHODS_SESSION_KEY]
    session[AUTHENTICATION_METHODS_SESSION_KEY] = [
        {**record, "at": record["at"] - seconds} for record in records
    ]
    session.save()

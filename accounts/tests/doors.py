"""The two doors for passwords, API and desk, as tests knock at them."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

PASSWORD = "correct-horse-battery"
HOME = "192.0.2.7"
ELSEWHERE = "198.51.100.9"

Door = Callable[..., Any]


def at_api(username: str, password: str, *, address: str = HOME, **headers: str) -> Any:
    """Ask the API for a token."""
    form = {"username": username, "password": password}
    return Client(REMOTE_ADDR=address).post(reverse("auth-token"), form, headers=headers)


def at_desk(username: str, password: str, *, address: str = HOME, **headers: str) -> Any:
    """Log in to the desk."""
    form = {"username": username, "password": password, "next": "/admin/"}
    return Client(REMOTE_ADDR=address).post(reverse("admin:login"), form, headers=headers)


def gets_in(answer: Any) -> bool:
    """Return whether this is the answer to a log-in that succeeded."""
    if answer.status_code == 302:
        return bool(answer.cookies["sessionid"].value)
    return answer.status_code < 300 and "token" in getattr(answer, "data", {})


def fail(door: Door, *names: str, address: str = HOME) -> None:
    """Fail to log in to these accounts, one after the other."""
    for name in names:
        answer = door(name, "wrong", address=address)
        assert answer.status_code in {200, 400, 401}, answer.content
        assert not gets_in(answer)


def operator(name: str) -> User:
    """Return a new account that may use both doors."""
    return User.objects.create_user(name, password=PASSWORD, is_staff=True)

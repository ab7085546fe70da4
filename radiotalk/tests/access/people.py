"""Who asks: each column of a table is one way of coming, or several that are answered alike."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode, urlsplit

from allauth.account.internal.flows.login import record_authentication
from django.contrib.auth.models import Permission, User
from django.core.cache import cache as counters
from django.db import transaction
from django.http import HttpRequest
from django.test import Client
from django.test.utils import override_settings

from accounts.models import ApiToken
from accounts.second_factor import PASSWORD as PASSWORD_METHOD
from accounts.second_factor import SECOND_FACTOR
from accounts.tests.doors import ELSEWHERE, HOME, PASSWORD, at_desk, fail
from accounts.tests.people import make_older, with_app

from .endpoints import Endpoint
from .world import World, make_world

# HEAD is answered as GET is: test_access.py holds that.
METHODS = ("GET", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
CSRF = "a" * 32
FRESH, OLD = 0, 11 * 3600  # seconds since somebody has shown a second factor
# A run may take minutes, and no test is about how many of them are fresh.
STAYS_FRESH = 3600  # seconds


AS_IN_PRODUCTION = {
    "STAFF_SECOND_FACTOR": True,
    "ACCOUNT_REAUTHENTICATION_TIMEOUT": STAYS_FRESH,
    # Everything but the permissions lets phones ring.
    "ENVIRONMENT": "production",
    "GOOGLE_APPLICATION_CREDENTIALS": "/a/service-account.json",
}


@cache
def browser() -> Client:
    """Return the one client of all requests: a new one would look for all static files."""
    return Client(enforce_csrf_checks=True, raise_request_exception=False)


@dataclass(frozen=True)
class Person:
    """What a request carries besides what it is about."""

    session: str = ""
    token: str = ""
    csrf: bool = True
    address: str = HOME

    def ask(self, method: str, path: str, body: dict[str, Any], *, json: bool) -> Any:
        """Make the request as a browser or an app does, and return the answer."""
        client = browser()
        client.cookies.clear()
        headers = {"X-CSRFToken": CSRF} if self.csrf else {}
        client.cookies["csrftoken"] = CSRF
        if self.session:
            client.cookies["sessionid"] = self.session
        if self.token:
            headers["Authorization"] = f"Token {self.token}"
        told: dict[str, Any] = {"headers": headers, "REMOTE_ADDR": self.address}
        if json and "audio" not in body:
            told["content_type"] = "application/json"
        if method == "POST":
            return client.post(path, body, **told)
        if method in ("PUT", "PATCH", "DELETE") and json:
            return getattr(client, method.lower())(path, body, **told)
        return getattr(client, method.lower())(path, **told)


@dataclass(frozen=True)
class Cast:
    """All who ask, by the heading of their column."""

    world: World
    holder: User
    api: dict[str, list[Person]]
    log_in: dict[str, list[Person]]
    desk: dict[str, list[Person]]
    others: dict[str, list[Person]]

    def columns(self, section: str) -> dict[str, list[Person]]:
        """Return who asks for the addresses under this heading."""
        return {"API": self.api, "Log-in": self.log_in, "Others": self.others}.get(
            section, self.desk
        )


Lines = dict[str, list[str]]


def answers(cast: Cast, endpoint: Endpoint) -> Lines:
    """Return what everybody is answered at an address: for some methods at a time, a cell each.

    A method that nobody may use has no line.
    """
    columns = cast.columns(endpoint.section)
    lines: dict[tuple[str, ...], list[str]] = {}
    with rolled_back():
        if endpoint.permission:
            cast.holder.user_permissions.add(endpoint.permission)
        for method in METHODS:
            cells = tuple(cell(cast, endpoint, method, people) for people in columns.values())
            lines.setdefault(cells, []).append(method)
    return {
        " ".join(methods): list(cells)
        for cells, methods in lines.items()
        if not all(is_refusal(*pair) for pair in zip(columns, cells, strict=True))
    }


def is_refusal(column: str, cell: str) -> bool:
    """Return whether the cell says: no such method; Django asks for the CSRF token before that."""
    return cell == "405" or (column == "no CSRF" and cell == "403")


def cell(cast: Cast, endpoint: Endpoint, method: str, people: list[Person]) -> str:
    """Return what these people are answered; all that is different, if they are not alike."""
    said = {answer(cast.world, endpoint, method, person): None for person in people}
    return "/".join(said)


def answer(
    world: World,
    endpoint: Endpoint,
    method: str,
    person: Person,
    more: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Return the status of one answer, or where it leads; all that it did is undone.

    `more` is said in the query and in the body besides.
    """
    is_json = endpoint.section == "API"
    with rolled_back():
        counters.clear()  # of attempts
        path = world.path(endpoint) + (f"?{urlencode(more)}" if more else "")
        body = {**world.body(endpoint, method), **more}
        said = person.ask(method, path, body, json=is_json)
        if hasattr(said, "streaming_content"):
            b"".join(said.streaming_content)  # closes the file
    where = said.headers.get("Location")
    return str(said.status_code) if where is None or said.status_code < 300 else led(path, where)


def led(asked: str, where: str) -> str:
    """Return a redirect in one word; raise ValueError for one that leads out of the site."""
    target = urlsplit(where)
    if target.netloc or target.scheme or not where.startswith("/"):
        raise ValueError(f"{asked} leads to {where}, out of the site.")
    if target.path == "/admin/login/":
        return "log-in"
    factor = "/admin/second-factor/"
    if target.path.endswith(("authenticate/", "/webauthn/reauthenticate/")) or (
        target.path == factor and not asked.startswith(factor)
    ):
        return "factor"
    return "302"


@contextmanager
def rolled_back() -> Iterator[None]:
    """Undo what is done in the database."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@contextmanager
def on_stage() -> Iterator[Cast]:
    """Make everybody and everything, where staff need a second factor, and undo it all."""
    with override_settings(**AS_IN_PRODUCTION), rolled_back():
        yield make_cast()


def make_cast() -> Cast:
    """Return everybody who asks, and what they ask about."""
    owner = account("owner")
    chief = account("chief", is_staff=True, is_superuser=True)
    with_app(chief)
    world = make_world(owner, chief)

    listener = account("listener")
    nobody = staff("nobody")
    looks = staff("looks", *Permission.objects.filter(codename__startswith="view_"))
    holder = staff("holder", *looks.user_permissions.all())
    plain = account("plain", is_staff=True, is_superuser=True)
    gone = account("gone", is_staff=True, is_superuser=True)
    gone_session, gone_token = session(gone, FRESH), token(gone)
    User.objects.filter(pk=gone.pk).update(is_active=False)
    moved = account("moved", is_staff=True, is_superuser=True)
    moved_session, moved_token = session(moved, FRESH), token(moved)
    moved.set_password("an entirely different one")
    moved.save()
    expired = token(owner, timedelta(seconds=-1))
    fail(at_desk, *["owner", "chief"] * 5, address=ELSEWHERE)

    fresh, old = session(chief, FRESH), session(chief, OLD)
    dead = [Person(), Person(session=gone_session), Person(session=moved_session)]
    owners, owners_session = token(owner), session(owner)
    listeners = [Person(session=session(listener))]
    without_csrf = [Person(session=fresh, csrf=False)]
    by_password = [Person(session=session(plain))]
    return Cast(
        world,
        holder,
        api={
            "nobody": dead,
            "ended": [Person(token=each) for each in (expired, gone_token, moved_token, "0" * 64)],
            "stranger": [Person(token=token(listener))],
            "superuser": [Person(token=token(chief))],
            "owner": [Person(token=owners)],
            "session": [Person(session=owners_session)],
            "no CSRF": [Person(session=owners_session, csrf=False)],
            "locked": [Person(token=owners, address=ELSEWHERE)],
        },
        log_in={
            "nobody": dead,
            "locked": [Person(address=ELSEWHERE)],
            "listener": listeners,
            "password": by_password,
            "stranger": [Person(session=session(nobody, FRESH))],
            "old": [Person(session=old)],
            "fresh": [Person(session=fresh)],
            "no CSRF": without_csrf,
        },
        desk={
            "nobody": dead,
            "listener": listeners,
            "none": [Person(session=session(nobody, FRESH))],
            "looks": [Person(session=session(looks, FRESH))],
            "holder": [Person(session=session(holder, FRESH))],
            "all": [Person(session=fresh)],
            "password": by_password,
            "old": [Person(session=old)],
            "no CSRF": without_csrf,
        },
        others={
            "nobody": dead,
            "listener": listeners,
            "staff": [Person(session=fresh)],
            "no CSRF": without_csrf,
        },
    )


def account(name: str, **fields: Any) -> User:
    """Return a new account with a password."""
    return User.objects.create_user(name, f"{name}@radio.example", PASSWORD, **fields)


def staff(name: str, *permissions: Permission) -> User:
    """Return somebody of the staff who may do this, and has a second factor."""
    user = account(name, is_staff=True)
    user.user_permissions.set(permissions)
    with_app(user)
    return user


def session(user: User, shown: int | None = None) -> str:
    """Return a session; its password, and perhaps its second factor, was shown so long ago."""
    client = Client()
    client.force_login(user)
    request = HttpRequest()
    request.session = client.session
    record_authentication(request, user, PASSWORD_METHOD)
    if shown is not None:
        record_authentication(request, user, SECOND_FACTOR, type="totp")
    make_older(request.session, shown or 0)
    return str(request.session.session_key)


def token(user: User, expiry: timedelta | None = None) -> str:
    """Return a token of the API."""
    _row, text = ApiToken.objects.create(user, expiry=expiry)
    return str(text)

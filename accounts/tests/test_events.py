"""The log tells who came in, who did not and who left: whose account, from where, by which door."""

import logging
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from accounts.tests.doors import HOME, PASSWORD, Door, at_api, at_desk, fail, operator

pytestmark = pytest.mark.django_db
both_doors = pytest.mark.parametrize(("door", "name"), [(at_api, "API"), (at_desk, "desk")])


@pytest.fixture(autouse=True)
def anna() -> User:
    """Return the account that somebody logs in to."""
    return operator("anna")


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Any:
    """Return a function that lists the events told until then, with what they tell."""
    caplog.set_level(logging.INFO, "accounts")
    keys = ("account", "account_name", "address", "door")
    return lambda: [
        (record.getMessage(), {key: vars(record)[key] for key in keys if key in vars(record)})
        for record in caplog.records
        if record.name == "accounts.events"
    ]


def test_a_log_in_is_told(told: Any, anna: User) -> None:
    at_desk("anna", PASSWORD)

    about = {"account": anna.pk, "account_name": "anna", "address": HOME, "door": "desk"}
    assert told() == [("login.succeeded", about)]


@both_doors
def test_a_failure_and_a_lock_out_are_told(told: Any, anna: User, door: Door, name: str) -> None:
    fail(door, *["anna"] * 5)
    door("anna", PASSWORD)

    about = {"account": anna.pk, "account_name": "anna", "address": HOME, "door": name}
    assert told() == [("login.failed", about)] * 5 + [("login.locked_out", about)]


@both_doors
def test_a_password_that_was_typed_as_a_name_is_not_told(
    told: Any, caplog: pytest.LogCaptureFixture, door: Door, name: str
) -> None:
    door("my-secret-password", "another-secret")

    about = {"account": "unknown", "address": HOME, "door": name}
    assert told() == [("login.failed", about)]
    assert "secret" not in str([vars(record) for record in caplog.records])


def test_a_log_out_is_told(told: Any, anna: User) -> None:
    client = Client(REMOTE_ADDR=HOME)
    client.force_login(anna)
    client.post("/admin/logout/")

    about = {"account": anna.pk, "account_name": "anna", "address": HOME, "door": "desk"}
    assert told()[-1] == ("logout", about)

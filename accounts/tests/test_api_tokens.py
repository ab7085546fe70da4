"""A stolen token is worthless in the database, ends, and is taken back with its account."""

import hashlib
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts.models import ApiToken
from radiotalk import clock

from .devices import device, gets_in, log_in, person, token_of, with_token

pytestmark = pytest.mark.django_db

NEXT_PASSWORD = "another horse battery"


def save_a_new_password(user: User) -> None:
    user.set_password(NEXT_PASSWORD)
    user.save()


def save_the_password_alone(user: User) -> None:
    user.set_password(NEXT_PASSWORD)
    user.save(update_fields=["password"])


def update_the_password(user: User) -> None:
    user.set_password(NEXT_PASSWORD)
    User.objects.filter(pk=user.pk).update(password=user.password)


def change_the_password_by_the_command(
    user: User,
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("getpass.getpass", lambda prompt: NEXT_PASSWORD)
        call_command("changepassword", user.username)


def write_the_password_in_sql(user: User) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE auth_user SET password = '!' WHERE id = %s", [user.pk])


def deactivate(user: User) -> None:
    user.is_active = False
    user.save()


def deactivate_by_update(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


CHANGES = [
    save_a_new_password,
    save_the_password_alone,
    update_the_password,
    change_the_password_by_the_command,
    write_the_password_in_sql,
    deactivate,
    deactivate_by_update,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_stolen_token_lets_nobody_in_after(change: Callable[[User], None]) -> None:
    lena, other = person("lena"), person("otto")
    stolen, kept = device(lena), device(other)
    assert gets_in(stolen)

    change(lena)

    assert not gets_in(stolen)
    assert gets_in(kept)


@pytest.mark.parametrize("change", [save_a_new_password, save_the_password_alone, deactivate])
def test_its_row_is_gone(change: Callable[[User], None]) -> None:
    lena = person("lena")
    device(lena)

    change(lena)

    assert not ApiToken.objects.exists()


def test_an_account_that_is_activated_again_logs_in_again() -> None:
    lena = person("lena")
    stolen = device(lena)
    deactivate(lena)

    lena.is_active = True
    lena.save()

    assert not gets_in(stolen)
    assert gets_in(device(lena))


def test_a_token_that_is_made_while_the_password_changes_is_of_the_password_before() -> None:
    lena = person("lena")
    as_it_was_verified = User.objects.get(pk=lena.pk)
    save_a_new_password(lena)

    _, late = ApiToken.objects.create(as_it_was_verified)

    assert not gets_in(with_token(late))


def test_what_does_not_change_who_gets_in_leaves_the_tokens() -> None:
    lena = person("lena")
    phone = device(lena)

    lena.first_name = "Lena"
    lena.save()

    assert gets_in(phone)


# --- Stored hashed ---------------------------------------------------------------------------


def test_no_column_has_the_token_nor_what_anybody_could_compute_from_it() -> None:
    lena = person("lena")
    token = log_in(lena).json()["token"]

    stored = [str(value) for value in ApiToken.objects.values().get().values()]

    assert token not in stored
    assert hashlib.sha512(token.encode()).hexdigest() not in stored
    assert len(token_of(lena).digest) == 128


def test_a_rotated_key_logs_nobody_out(settings: Settings) -> None:
    lena = person("lena")
    phone = device(lena)
    before = token_of(lena).digest

    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "k" * 50
    assert gets_in(phone)

    assert token_of(lena).digest != before
    settings.SECRET_KEY_FALLBACKS = []
    assert gets_in(phone)


def test_a_key_that_is_given_up_logs_out(settings: Settings) -> None:
    phone = device(person("lena"))

    settings.SECRET_KEY = "k" * 50

    assert not gets_in(phone)


@pytest.mark.parametrize("text", ["", "é", "a b", "\x00", "f" * 64])
def test_what_is_no_token_lets_nobody_in(text: str) -> None:
    assert not gets_in(with_token(text))


# --- The end, and the last use ---------------------------------------------------------------


def change(user: User, **fields: object) -> None:
    """Write columns of the account's token."""
    ApiToken.objects.filter(user=user).update(**fields)


def test_a_token_ends_after_90_days_without_use() -> None:
    lena = person("lena")
    phone = device(lena)
    token = token_of(lena)
    assert token.expiry - token.created == timedelta(days=90)

    change(lena, expiry=clock.now() - timedelta(seconds=1))

    assert not gets_in(phone)


def test_each_use_moves_the_end_on() -> None:
    lena = person("lena")
    phone = device(lena)
    change(lena, expiry=clock.now() + timedelta(days=1))

    assert gets_in(phone)

    token = token_of(lena)
    assert token.last_used_at is not None
    assert token.expiry == token.last_used_at + timedelta(days=90)


def test_after_a_year_it_ends_however_often_it_is_used() -> None:
    lena = person("lena")
    phone = device(lena)
    made = clock.now() - timedelta(days=364)
    change(lena, created=made)

    assert gets_in(phone)

    assert token_of(lena).expiry == made + timedelta(days=365)


def test_a_request_asks_once_and_writes_the_last_use_once_a_minute() -> None:
    lena = person("lena")
    phone = device(lena)

    def statements() -> list[str]:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert gets_in(phone)
        about = [each["sql"] for each in captured if "digest" in each["sql"]]
        return [sql.partition(" ")[0] for sql in about if "IN (" in sql or sql.startswith("UPDATE")]

    assert statements() == ["SELECT", "UPDATE"]
    assert statements() == ["SELECT"]
    change(lena, last_used_at=clock.now() - timedelta(seconds=61))
    assert statements() == ["SELECT", "UPDATE"]


def test_a_token_that_is_revoked_while_it_is_used_is_not_written_again() -> None:
    lena = person("lena")
    device(lena)
    in_use = token_of(lena)
    ApiToken.objects.all().delete()

    in_use.note_use(in_use.digest, now=clock.now())

    assert not ApiToken.objects.exists()


def test_what_lets_nobody_in_is_known_in_the_table() -> None:
    people = [person(name) for name in ("lena", "otto", "mia", "leo")]
    for each in people:
        device(each)
    deactivate_by_update(people[1])
    update_the_password(people[2])
    change(people[3], expiry=clock.now() - timedelta(seconds=1))

    assert [token.user for token in ApiToken.objects.living()] == people[:1]
    assert {token.user for token in ApiToken.objects.dead()} == set(people[1:])

"""The plain tokens of the release before: they go on letting in, hashed, and are then forgotten."""

from collections.abc import Iterator
from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection

from accounts import plain_tokens
from accounts.models import ApiToken

from .devices import gets_in, person, with_token
from .plain_table import plain_table, plain_token

copying = import_module("accounts.migrations.0003_copy_plain_tokens")

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def old_table(transactional_db: None) -> Iterator[None]:
    """Have a database that an earlier release made."""
    with plain_table():
        yield


def plain_left() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM authtoken_token")
        return int(cursor.fetchone()[0])


def migrate() -> None:
    """Run the migration's function on the schema of now."""
    with connection.schema_editor(atomic=False) as editor:
        copying.copy(apps, editor)


@pytest.mark.usefixtures("old_table")
def test_a_phones_token_goes_on_letting_in_and_is_readable_nowhere() -> None:
    lena, otto = person("lena"), person("otto")
    tokens = [plain_token(lena, "a"), plain_token(otto, "b")]

    migrate()
    migrate()  # as after a stop half-way
    assert plain_tokens.forget() == 2

    assert [gets_in(with_token(token)) for token in tokens] == [True, True]
    assert plain_left() == 0
    assert not {"a" * 40, "b" * 40} & {
        str(value) for row in ApiToken.objects.values() for value in row.values()
    }


@pytest.mark.usefixtures("old_table")
def test_a_copied_token_is_taken_back_as_any_other() -> None:
    lena = person("lena")
    token = plain_token(lena, "a")
    migrate()

    lena.set_password("another horse battery")
    lena.save()

    assert not gets_in(with_token(token))


@pytest.mark.usefixtures("old_table")
def test_who_is_inactive_gets_no_copy() -> None:
    plain_token(person("lena", is_active=False), "a")

    migrate()

    assert not ApiToken.objects.exists()


@pytest.mark.usefixtures("old_table")
def test_more_than_a_page_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "PAGE", copying.PAGE.replace("5000", "2"))
    for letter in "abcde":
        plain_token(person(letter), letter)

    migrate()

    assert ApiToken.objects.count() == 5


@pytest.mark.usefixtures("old_table")
def test_an_account_is_deleted_with_its_plain_token() -> None:
    lena, otto = person("lena"), person("otto")
    plain_token(lena, "a")
    plain_token(otto, "b")

    lena.delete()

    assert plain_left() == 1


def test_a_new_installation_has_no_such_table() -> None:
    migrate()

    assert plain_tokens.forget() == 0
    person("lena").delete()

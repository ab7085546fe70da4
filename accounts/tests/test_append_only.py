"""What operators did stays: nobody changes or deletes an act, by Python or by SQL."""

from importlib import import_module
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction

from accounts.acts import keep
from accounts.models import Act
from accounts.models.act import AppendOnlyError
from accounts.who import Who

pytestmark = pytest.mark.django_db

ANNA = Who("anna (admin)", 1, "192.0.2.7")


@pytest.fixture
def act() -> Act:
    """Return an act, in a database as the migration leaves it (a test's own has no triggers)."""
    migration = import_module("accounts.migrations.0004_acts_are_append_only")
    editor = SimpleNamespace(
        connection=connection,
        execute=lambda sql, params: connection.cursor().execute(sql, params),
    )
    if connection.vendor == "postgresql":  # there they are only switched off
        migration.unprotect(None, editor)
    migration.protect(None, editor)
    keep("operator.paused", by=ANNA, reason="too loud", before={"paused": False})
    return Act.objects.get()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE accounts_act SET account_name = 'ben'",
        "UPDATE accounts_act SET id = id + 1",
        "DELETE FROM accounts_act",
    ],
)
def test_no_sql_changes_or_deletes_an_act(act: Act, sql: str) -> None:
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(sql)

    assert Act.objects.get().account_name == "anna (admin)"


@pytest.mark.engines
@pytest.mark.parametrize(
    "sql",
    [
        "TRUNCATE accounts_act",
        "TRUNCATE accounts_act CASCADE",
        "SET LOCAL session_replication_role = replica; DELETE FROM accounts_act",
        "INSERT INTO accounts_act SELECT * FROM accounts_act "
        "ON CONFLICT (id) DO UPDATE SET account_name = 'ben'",
    ],
)
def test_postgresql_leaves_no_way_around(act: Act, sql: str) -> None:
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(sql)

    assert Act.objects.get().account_name == "anna (admin)"


def test_no_method_of_django_changes_or_deletes_an_act(act: Act) -> None:
    act.account_name = "ben"
    attacks = (
        act.save,
        act.delete,
        Act.objects.all().delete,
        lambda: Act.objects.update(account_name="ben"),
        lambda: Act.objects.bulk_update([act], ["account_name"]),
        lambda: Act.objects.update_or_create(id=act.id, defaults={"account_name": "ben"}),
        lambda: Act.objects.create(id=act.id, name="x", account_name="ben"),
    )
    for attack in attacks:
        with pytest.raises((AppendOnlyError, DatabaseError)), transaction.atomic():
            attack()

    assert Act.objects.get().account_name == "anna (admin)"


def test_a_deleted_account_leaves_its_acts() -> None:
    account = User.objects.create_user("anna")
    keep("operator.paused", by=Who("anna (admin)", account.pk))
    number = account.pk

    account.delete()

    act = Act.objects.get()
    assert (act.account_id, act.account_name) == (number, "anna (admin)")


def test_an_act_is_a_line_in_the_log_as_well(caplog: pytest.LogCaptureFixture) -> None:
    keep("operator.paused", by=ANNA, reason="too loud", about="notification 7", count=3)

    (line,) = caplog.records
    said = {name: getattr(line, name) for name in ("by", "why", "account", "address", "about")}
    assert line.getMessage() == "operator.paused"
    assert said == {
        "by": "anna (admin)",
        "why": "too loud",
        "account": 1,
        "address": "192.0.2.7",
        "about": "notification 7",
    }

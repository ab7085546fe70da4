"""Whether the database has the schema of this code: told in words, for two small statements."""

import pytest
from django.db import connection
from django.db.migrations import Migration
from django.db.migrations.recorder import MigrationRecorder
from pytest_django import DjangoAssertNumQueries

from notifications import schema

pytestmark = pytest.mark.django_db


@pytest.fixture
def recorder() -> MigrationRecorder:
    """Return what writes which migrations the database has."""
    return MigrationRecorder(connection)


def test_a_database_that_was_migrated_has_the_schema_of_this_code() -> None:
    assert schema.problem() == ""


def test_a_migration_that_the_database_lacks_is_told(recorder: MigrationRecorder) -> None:
    recorder.record_unapplied("notifications", "0001_initial")

    assert schema.problem() == (
        "The database lacks 1 migration (notifications.0001_initial): "
        "`manage.py migrate` applies them."
    )


def test_of_many_one_is_told_with_their_number(recorder: MigrationRecorder) -> None:
    recorder.flush()

    assert "(notifications.0001_initial and " in schema.problem()
    assert f"The database lacks {len(schema.migrations())} migrations" in schema.problem()


def test_a_migration_that_this_code_does_not_know_is_told(recorder: MigrationRecorder) -> None:
    recorder.record_applied("notifications", "9999_later")

    assert schema.problem() == (
        "The database has 1 migration (notifications.9999_later) that this code does not know: "
        "run the release that brought them."
    )


def test_a_release_of_another_branch_is_told_both(recorder: MigrationRecorder) -> None:
    recorder.record_unapplied("notifications", "0001_initial")
    recorder.record_applied("programs", "9999_theirs")

    assert "lacks" in schema.problem()
    assert "programs.9999_theirs" in schema.problem()


def test_an_app_that_was_removed_says_nothing(recorder: MigrationRecorder) -> None:
    recorder.record_applied("an_app_of_the_past", "0001_initial")

    assert schema.problem() == ""


def squashed(name: str, *replaced: str) -> dict[schema.Name, Migration]:
    """Return a migration that stands for others."""

    class Squashed(Migration):
        replaces = [("notifications", each) for each in replaced]

    return {("notifications", name): Squashed(name, "notifications")}


def test_migrations_that_were_squashed_since_are_known(
    recorder: MigrationRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder.record_applied("notifications", "0098_small")
    recorder.record_applied("notifications", "0099_small")
    known = schema.migrations() | squashed("0098_squashed", "0098_small", "0099_small")
    monkeypatch.setattr(schema, "migrations", lambda: known)

    assert schema.problem() == ""


def test_it_costs_two_queries_once_the_code_is_known(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    schema.problem()

    with django_assert_num_queries(2):
        schema.problem()

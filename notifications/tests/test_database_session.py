"""The promise: no session with PostgreSQL is used without what safety rests on."""

import pytest
from django.db import Error, connection, transaction
from django.utils import timezone

from accounts.who import Who
from notifications import database_session
from notifications.operators import acts

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]


def test_a_session_in_which_nothing_could_be_set_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection.close()
    monkeypatch.setattr(database_session, "SET", "SELECT %s, %s, 1 / 0")

    with pytest.raises(Error, match="division by zero"):
        connection.ensure_connection()

    assert connection.connection is None


def test_a_parameter_that_this_postgresql_does_not_know_is_passed_over() -> None:
    database_session.apply(connection, {"timeout_of_the_future": "0", "jit": "off"})


def lock_timeout() -> str:
    """Return how long this session waits for a lock."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        return str(cursor.fetchone()[0])


def test_an_act_that_stops_waits_longer_than_any_statement_of_the_worker_takes() -> None:
    before = lock_timeout()

    with transaction.atomic():
        acts.pause(by=Who("anna", 1), reason="", now=timezone.now())
        assert lock_timeout() == "50s"

    assert lock_timeout() == before != "50s"

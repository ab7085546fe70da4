"""The promise: no session with PostgreSQL is used without what safety rests on."""

import pytest
from django.db import Error, connection

from notifications import database_session

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

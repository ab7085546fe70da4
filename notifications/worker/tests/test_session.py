"""The worker's session: a worker does not work in one that lacks what safety rests on."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.backends.signals import connection_created
from pytest_django import Settings

from notifications import database_session
from notifications.worker.session import UnsafeSessionError, make_safe, open_safely

pytestmark = pytest.mark.engines


@pytest.fixture
def opened(transactional_db: None) -> Iterator[None]:
    """Let the test open the worker's session; the other tests have none."""
    yield
    connection_created.disconnect(make_safe)
    connection.close()


def setting(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting(%s)", [name])
        return str(cursor.fetchone()[0])


@pytest.mark.usefixtures("opened")
def test_each_session_of_the_worker_has_its_limits_and_none_of_its_roles(
    settings: Settings,
) -> None:
    settings.NOTIFICATIONS_LEASE_TTL = 18
    open_safely()
    assert setting("statement_timeout") == "45s"

    connection.close()

    assert setting("statement_timeout") == "45s"
    assert setting("lock_timeout") == "6s"
    assert setting("idle_in_transaction_session_timeout") == "18s"


@pytest.mark.usefixtures("opened")
def test_what_is_not_found_when_asked_back_is_told_and_the_session_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(database_session, "SET", "SELECT %s, %s")  # sets nothing

    with pytest.raises(UnsafeSessionError, match="statement_timeout"):
        open_safely()

    assert connection.connection is None

"""Fixtures for the tests of every folder: a live system, and the lease that a worker holds."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoDbBlocker, Settings

from notifications import channel
from notifications.models import SendingSwitch
from notifications.worker.lease import Lease
from notifications.worker.repository import Repository
from testbed.system import System


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Let tests empty the test database: its triggers refuse to delete what operators did."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        for statement in LET_ACTS_GO[connection.vendor]:
            cursor.execute(statement)


# The tests of these triggers switch them on again (accounts/tests/test_append_only.py).
LET_ACTS_GO = {
    "postgresql": ["ALTER TABLE accounts_act DISABLE TRIGGER act_is_append_only"],
    "sqlite": [f"DROP TRIGGER act_is_append_only_{act}" for act in ("update", "delete")],
}


@pytest.fixture
def production(settings: Settings) -> None:
    """Let the settings allow live sending; the operators' switch has its own say."""
    settings.ENVIRONMENT = "production"
    settings.GOOGLE_APPLICATION_CREDENTIALS = "/a/service-account.json"


@pytest.fixture
def live(db: None, production: None) -> None:
    """Let the settings and the operators' switch allow live sending."""
    SendingSwitch.objects.change(
        changed_by="anna", now=timezone.now(), reason="a test", mode="live"
    )


@pytest.fixture
def lease(db: None) -> Lease:
    """Return the lease, which this test holds."""
    lease = Lease(timedelta(seconds=15))
    lease.keep()
    return lease


@pytest.fixture
def repository(lease: Lease) -> Repository:
    """Return the repository of the active worker."""
    return Repository(lease)


@pytest.fixture
def make_system(
    transactional_db: None, tmp_path: Path, settings: Settings
) -> Iterator[Callable[..., System]]:
    """Yield a function that starts Redis and an FCM emulator; the test starts web and workers."""
    with ExitStack() as stack:

        def make(*, latency_ms: float = 50) -> System:
            system = System(tmp_path, stack, latency_ms=latency_ms)
            settings.REDIS_URL = system.env["REDIS_URL"]
            channel.publisher.cache_clear()
            return system

        yield make
    channel.publisher.cache_clear()


@pytest.fixture
def system(make_system: Callable[..., System]) -> System:
    """Return a live system with Redis and emulator; the test starts web and workers."""
    system = make_system()
    system.start_redis()
    system.go_live()
    return system

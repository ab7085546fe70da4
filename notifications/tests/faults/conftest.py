"""What every fault meets: a live system whose FCM takes as long as the real one."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from testbed.hostile.fcm import HostileFcm, in_the_emulators_place
from testbed.hostile.manners import AnswersSome
from testbed.own_engines import migrated_cluster, own_postgresql, own_sqlite
from testbed.postgresql import Cluster
from testbed.system import HALF_WAY, System


@pytest.fixture
def latency_ms() -> float:
    """Return how long FCM takes for an answer: as long as the real one."""
    return 230


@pytest.fixture
def system(make_system: Callable[..., System], latency_ms: float) -> System:
    """Return a live system, whose FCM takes so long."""
    system = make_system(latency_ms=latency_ms)
    system.start_redis()
    system.go_live()
    return system


@pytest.fixture(scope="module")
def db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Open the database to a whole module, whose tests share a system (lasting.py).

    It has the name of pytest-django's, by which that knows to make the database.
    """
    with django_db_blocker.unblock():
        yield


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Yield a PostgreSQL that may be broken: not the one that the other tests use."""
    with migrated_cluster() as cluster:
        yield cluster


@pytest.fixture
def own_cluster(transactional_db: None, cluster: Cluster) -> Iterator[Cluster]:
    """Yield that PostgreSQL with a fresh database, the test's; to be had before `system`."""
    with own_postgresql(cluster):
        yield cluster


@pytest.fixture
def own_file(transactional_db: None, tmp_path: Path) -> Iterator[Path]:
    """Yield a SQLite file with a fresh database, the test's; to be had before `system`."""
    file = tmp_path / "own.sqlite3"
    with own_sqlite(file):
        yield file


@pytest.fixture
def hostile(system: System, tmp_path: Path) -> Iterator[HostileFcm]:
    """Yield an FCM beside the emulator, which only gives access tokens now."""
    with in_the_emulators_place(system, tmp_path) as fcm:
        yield fcm


@pytest.fixture
def fcm(hostile: HostileFcm) -> Iterator[AnswersSome]:
    """Yield how FCM stops answering in the middle of a fan-out, so that faults come half-way."""
    hostile.manners = answering = AnswersSome(HALF_WAY + 50)
    yield answering
    answering.hurry()

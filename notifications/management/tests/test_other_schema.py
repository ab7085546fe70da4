"""Each command says in one line, with exit code 4, that the database has another schema."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from fcm_emulator.oauth import write_service_account
from radiotalk.tests.command_line import LAPTOP, manage
from testbed.postgresql import running_cluster

LACKS = "CommandError: The database lacks "
COMMANDS = [
    ("listen_notifications", "--once"),
    ("sending", "status"),
    ("sending", "pause"),
    ("verify_sending",),
    ("prune", "--older-than", "90"),
    ("erase_user", "anna", "--yes"),
    ("export_user", "anna", "--to", "/nowhere"),
    ("seed", "--listeners", "1"),
]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.engines)])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Yield the address of a database before its migrations."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/empty.sqlite3"
        return
    with running_cluster(fsync=False) as cluster:
        cluster.execute("CREATE DATABASE empty")
        yield f"{cluster.url}/empty"


def test_before_the_migrations_each_command_says_so_in_one_line(empty_database: str) -> None:
    for command in COMMANDS:
        done = manage(*command, **LAPTOP, DATABASE_URL=empty_database)

        last = done.stderr.splitlines()[-1]
        assert (done.returncode, last[: len(LACKS)]) == (4, LACKS), done.stderr
        assert last.endswith("`manage.py migrate` applies them.")
        assert "Traceback" not in done.stderr


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a SQLite file with the schema of a later release."""
    file = tmp_path / "later.sqlite3"
    assert manage("migrate", **LAPTOP, DATABASE_URL=f"sqlite:///{file}").returncode == 0
    with sqlite3.connect(file) as database:
        database.execute(
            "INSERT INTO django_migrations (app, name, applied) "
            "VALUES ('notifications', '9999_later', '2030-01-01')"
        )
    database.close()
    return file


@pytest.fixture
def later(file: Path, tmp_path: Path) -> dict[str, str]:
    """Return the settings of a worker whose database has this schema."""
    account = tmp_path / "service-account.json"
    write_service_account(account, "https://127.0.0.1:1/token")
    return {
        **LAPTOP,
        "DATABASE_URL": f"sqlite:///{file}",
        "GOOGLE_APPLICATION_CREDENTIALS": str(account),
        "FCM_ENDPOINT": "https://127.0.0.1:1",
        "REDIS_URL": "redis://127.0.0.1:1/0",
    }


def test_a_worker_does_not_start_on_the_schema_of_a_later_release(later: dict[str, str]) -> None:
    done = manage("listen_notifications", "--once", **later)

    assert done.returncode == 4
    assert done.stderr == (
        "CommandError: The database has 1 migration (notifications.9999_later) that this code "
        "does not know: run the release that brought them.\n"
    )


def test_an_operator_who_went_back_a_release_starts_it_all_the_same(later: dict[str, str]) -> None:
    done = manage("listen_notifications", "--once", "--skip-checks", **later)

    assert done.returncode == 0
    assert "worker.stopped" in done.stderr


def test_a_later_schema_that_still_does_keeps_no_operator_from_pausing(
    later: dict[str, str],
) -> None:
    assert manage("sending", "pause", **later).returncode == 0


def test_a_later_schema_that_does_not_do_is_told(later: dict[str, str], file: Path) -> None:
    with sqlite3.connect(file) as database:
        database.execute("ALTER TABLE notifications_sendingswitch RENAME TO elsewhere")
    database.close()

    done = manage("sending", "status", **later)

    assert done.returncode == 4
    assert done.stderr.startswith("CommandError: The database has 1 migration (notifications.9999")
    assert done.stderr.count("\n") == 1

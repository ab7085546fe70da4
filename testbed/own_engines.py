"""Engines that a test may break: a PostgreSQL and a database in it, a SQLite file, a Redis."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import environ
import psycopg
import redis
from django.core.management import call_command
from django.db import connection, connections
from django.db.utils import ConnectionHandler

from testbed import local_settings
from testbed.postgresql import Cluster, running_cluster
from testbed.process import eventually
from testbed.system import pid_of

TEMPLATE = "template_radiotalk"
OWN = "own"


@contextmanager
def as_default(url: str) -> Iterator[None]:
    """Let Django's default connection, in this thread, lead to this database until the end."""
    theirs = connections["default"]
    handler = ConnectionHandler({"default": environ.Env.db_url_config(url)})
    connections["default"] = handler["default"]
    try:
        yield
    finally:
        connection.close()
        connections["default"] = theirs


@contextmanager
def migrated_cluster() -> Iterator[Cluster]:
    """Yield a PostgreSQL with an empty, migrated database: the TEMPLATE of others."""
    with running_cluster(fsync=False) as cluster:
        cluster.execute(f"CREATE DATABASE {TEMPLATE}")
        env = os.environ | {
            "DATABASE_URL": f"{cluster.url}/{TEMPLATE}",
            "DJANGO_SETTINGS_MODULE": "radiotalk.testing",
        }
        local_settings.manage("migrate", env=env)
        yield cluster


def once_unused(cluster: Cluster, statement: str) -> None:
    """Run a statement about a database once no session is in its way.

    PostgreSQL itself waits 5 s for sessions that it ends, and they may stand still for longer.
    """

    def is_done() -> bool:
        try:
            cluster.execute(statement)
        except psycopg.errors.ObjectInUse:
            return False
        return True

    assert eventually(is_done), statement


@contextmanager
def own_postgresql(cluster: Cluster) -> Iterator[None]:
    """Let the ORM use a fresh database of this PostgreSQL until the end."""
    once_unused(cluster, f"CREATE DATABASE {OWN} TEMPLATE {TEMPLATE}")
    with as_default(f"{cluster.url}/{OWN}"):
        yield
    if not cluster.runs():
        cluster.start()
    once_unused(cluster, f"DROP DATABASE {OWN} WITH (FORCE)")


def dump(cluster: Cluster, file: Path) -> None:
    """Back the test's own database up, as an operator does at night."""
    run_of(cluster, "pg_dump", "--format=custom", f"--file={file}", f"{cluster.url}/{OWN}")


def restore(cluster: Cluster, file: Path) -> None:
    """Restore the test's own database from this backup into a new one of its name."""
    connection.close()
    once_unused(cluster, f"DROP DATABASE {OWN} WITH (FORCE)")
    cluster.execute(f"CREATE DATABASE {OWN} TEMPLATE template0")
    run_of(cluster, "pg_restore", f"--dbname={cluster.url}/{OWN}", "--exit-on-error", file)


def restore_in_place(cluster: Cluster, file: Path) -> None:
    """Restore the tables one by one, under whoever is connected."""
    clean = ("--clean", "--if-exists", "--exit-on-error")
    run_of(cluster, "pg_restore", f"--dbname={cluster.url}/{OWN}", *clean, file)
    connection.close()


def run_of(cluster: Cluster, program: str, *arguments: str | Path) -> None:
    """Run a program of PostgreSQL's, which lies beside its server."""
    subprocess.run([cluster.postgres.parent / program, *arguments], check=True)


@contextmanager
def own_sqlite(file: Path) -> Iterator[None]:
    """Let the ORM use a fresh SQLite database until the end."""
    with as_default(f"sqlite:///{file}"):
        connection.cursor().execute("PRAGMA journal_mode=WAL")
        call_command("migrate", verbosity=0)
        yield


@contextmanager
def hung(redis_url: str) -> Iterator[None]:
    """Let a Redis hang by SIGSTOP: the kernel goes on taking connections to it."""
    with redis.Redis.from_url(redis_url) as client:
        process_id = int(client.info("server")["process_id"])
    os.kill(process_id, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process_id, signal.SIGCONT)


def crash(cluster: Cluster) -> None:
    """Stop PostgreSQL without a checkpoint, as `pg_ctl stop -m immediate` does."""
    assert cluster.child is not None
    os.kill(pid_of(cluster.child), signal.SIGQUIT)
    cluster.child.wrapper.wait()
    cluster.stop()


def stop_fast(cluster: Cluster) -> None:
    """Stop PostgreSQL as `pg_ctl stop -m fast` does: sessions end, transactions are rolled back."""
    cluster.stop()

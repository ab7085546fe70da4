"""A PgBouncer of our own in front of a PostgreSQL, gone at the end: the machine's own program.

It is not among the wheels. Debian's package is `pgbouncer`.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from testbed.postgresql import NAME, UNPRIVILEGED_USER, answers, give
from testbed.process import LOOPBACK, ProcessFailed, serving, start

SBIN = "/usr/sbin"  # where Debian keeps it, off the PATH of ordinary users
MISSING = "PgBouncer is not installed: apt-get install pgbouncer"
PORT = 6432  # names the Unix socket in its directory

# `any`: whoever comes is let in, and is the server's superuser. The server is tried every second.
SETTINGS = """
[databases]
* = host={host} port={server_port} user={name}

[pgbouncer]
listen_port = {port}
unix_socket_dir = {directory}
auth_type = any
pool_mode = {pool_mode}
server_login_retry = 1
"""


def program() -> str | None:
    """Return where PgBouncer is, None when it is not installed."""
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:{SBIN}")


@contextmanager
def running_pgbouncer(server_port: int, *, pool_mode: str) -> Iterator[str]:
    """Yield the address of a PgBouncer, without a database.

    It is in front of the PostgreSQL at this port of loopback, and listens on a Unix socket.
    """
    found = program()
    if found is None:
        raise ProcessFailed(MISSING)
    user = UNPRIVILEGED_USER if os.geteuid() == 0 else None  # PgBouncer refuses to run as root
    with tempfile.TemporaryDirectory(prefix="radiotalk-pgbouncer-") as name:
        directory = Path(name)
        file = directory / "pgbouncer.ini"
        file.write_text(
            SETTINGS.format(
                host=LOOPBACK,
                server_port=server_port,
                name=NAME,
                port=PORT,
                directory=directory,
                pool_mode=pool_mode,
            )
        )
        if user is not None:
            give(directory, user)
        url = f"postgres://{NAME}@{quote(name, safe='')}:{PORT}"
        log = directory / "pgbouncer.log"
        child = start("PgBouncer", [found, file], log=log, cwd=directory, user=user)
        with serving(child, lambda: answers(f"{url}/postgres")):
            yield url

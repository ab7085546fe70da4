"""A name server that falls silent while a file is there, as a process sees it.

Python waits for the C library, which gives up after some ten seconds.
"""

import os
import socket
import time
from pathlib import Path
from typing import Any, Final

REDIS: Final = "redis.internal"  # is on loopback
SILENCE: Final = "NAME_SERVER_IS_SILENT_WHILE_THERE_IS"  # the environment's name of the file
GIVES_UP_SECONDS = 10.0


def ask_it() -> None:
    """Have this process ask it for Redis' address."""
    ask_others = socket.getaddrinfo

    def getaddrinfo(host: Any, *given: Any, **options: Any) -> Any:
        if host != REDIS:
            return ask_others(host, *given, **options)
        deadline = time.monotonic() + GIVES_UP_SECONDS
        while Path(os.environ[SILENCE]).exists():
            if time.monotonic() >= deadline:
                raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
            time.sleep(0.05)
        return ask_others("127.0.0.1", *given, **options)

    socket.getaddrinfo = getaddrinfo

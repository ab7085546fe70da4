"""Tells systemd that the loop turns, so that a worker that hangs is restarted (sd_notify(3)).

Without systemd there is nobody to tell, and nothing happens.
"""

import socket
from contextlib import suppress
from dataclasses import dataclass, field

from .timer import Timer

# WatchdogSec= of deploy/systemd/ is many times this.
TELL_SECONDS = 1.0


@dataclass
class Watchdog:
    """`address` is the Unix socket that systemd names in NOTIFY_SOCKET, "" without systemd."""

    address: str
    _timer: Timer = field(default_factory=lambda: Timer(TELL_SECONDS))

    def ready(self) -> None:
        """Say that the worker has started."""
        self._tell("READY=1")

    def turned(self) -> None:
        """Say that the loop has turned; not at every turn, since there are hundreds a second."""
        if self._timer.due():
            self._timer.restart()
            self._tell("WATCHDOG=1")

    def stopping(self) -> None:
        """Say that the worker is stopping, which may take a while."""
        self._tell("STOPPING=1")

    def _tell(self, state: str) -> None:
        if not self.address:
            return
        # "@" stands for the zero byte of an abstract socket.
        address = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)  # a systemd that hangs does not hang us
            sender.sendto(state.encode(), address)

"""The watchdog: systemd hears from the loop itself, and nobody is needed to listen."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from notifications.worker.timer import Timer
from notifications.worker.watchdog import Watchdog

AN_HOUR = 3600


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    """Yield the socket on which systemd listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.setblocking(False)
        yield listener


def test_systemd_hears_of_the_start_the_turns_and_the_stop(systemd: socket.socket) -> None:
    watchdog = Watchdog(systemd.getsockname())

    watchdog.ready()
    watchdog.turned()
    watchdog.stopping()

    heard = [systemd.recv(100) for _ in range(3)]
    assert heard == [b"READY=1", b"WATCHDOG=1", b"STOPPING=1"]


def test_a_fast_loop_does_not_tell_at_every_turn(systemd: socket.socket) -> None:
    watchdog = Watchdog(systemd.getsockname(), Timer(AN_HOUR))

    for _ in range(100):
        watchdog.turned()

    assert systemd.recv(100) == b"WATCHDOG=1"
    with pytest.raises(BlockingIOError):
        systemd.recv(100)


def test_an_abstract_socket_is_heard_as_well() -> None:
    name = "\0radiotalk-watchdog-test"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(name)

        Watchdog("@radiotalk-watchdog-test").ready()

        assert listener.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", ["", "/nobody/listens/here"])
def test_without_systemd_nothing_happens(address: str) -> None:
    Watchdog(address).ready()

"""The promise: no child process outlives its parent, and a failed start shows why."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.process import Child, ProcessFailed, eventually, free_port, listens, serving, start

DEADLINE_SECONDS = 120.0  # for a busy machine, no expectation
SERVER = """
import signal, socket, sys
if "stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("serving", flush=True)
while True:
    server.accept()
"""
PARENT = """
import sys
from pathlib import Path
from testbed.process import start
log, *command = sys.argv[1:]
child = start("server", command, log=Path(log))
print("started", flush=True)
sys.stdin.read()
"""


def server(port: int, *more: str) -> list[str]:
    return [sys.executable, "-c", SERVER, str(port), *more]


def test_a_child_stops_when_its_parent_is_killed(tmp_path: Path) -> None:
    port = free_port()
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "log"), *server(port)],
        stdin=subprocess.PIPE,
    )
    with parent:
        assert eventually(lambda: listens(port))

        parent.kill()

        assert eventually(lambda: not listens(port))


def test_a_child_that_ignores_the_request_to_stop_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("testbed.process.GRACE_SECONDS", 0.1)
    port = free_port()

    with serving(
        start("server", server(port, "stubborn"), log=tmp_path / "log"), lambda: listens(port)
    ) as child:
        assert listens(port)

    assert child.wrapper.returncode == 128 + signal.SIGKILL
    assert not listens(port)


def test_the_wrapper_passes_sigterm_on(tmp_path: Path) -> None:
    port = free_port()
    child = start("server", server(port), log=tmp_path / "log")
    assert eventually(lambda: listens(port))

    child.wrapper.terminate()

    assert child.wrapper.wait(DEADLINE_SECONDS) == 128 + signal.SIGTERM
    assert not listens(port)
    child.stop()


def test_ctrl_c_in_the_terminal_does_not_reach_a_child(tmp_path: Path) -> None:
    child = start("sleeper", ["sleep", "60"], log=tmp_path / "log")

    own_session, session_of_child = os.getsid(0), os.getsid(child.wrapper.pid)

    assert session_of_child != own_session
    child.stop()


def test_a_start_that_fails_shows_the_last_words(tmp_path: Path) -> None:
    child = start("server", ["sh", "-c", "echo no room here; exit 7"], log=tmp_path / "log")

    with (
        pytest.raises(ProcessFailed, match=r"(?s)server ended with exit code 7.*no room here"),
        serving(child, lambda: False),
    ):
        pytest.fail("it must not be called ready")


def test_a_start_that_never_gets_ready_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("testbed.process.READY_SECONDS", 0.1)
    child = start("server", server(free_port()), log=tmp_path / "log")

    with (
        pytest.raises(ProcessFailed, match="server was not ready after"),
        serving(child, lambda: False),
    ):
        pytest.fail("it must not be called ready")

    assert child.wrapper.returncode is not None


def test_the_exit_code_of_a_child_is_known(tmp_path: Path) -> None:
    child: Child = start("command", ["sh", "-c", "exit 5"], log=tmp_path / "log")

    assert child.wrapper.wait(DEADLINE_SECONDS) == 5
    assert child.stop() == 5

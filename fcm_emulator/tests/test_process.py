"""An emulator beside a test leaves nothing behind."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from fcm_emulator.process import PROJECT_ROOT, running

from .conftest import DEADLINE_SECONDS, wait_until

pytestmark = pytest.mark.engines

COMMAND = [sys.executable, "-m", "fcm_emulator"]
PARENT = """
import sys
from pathlib import Path
from fcm_emulator.process import running
with running(Path(sys.argv[1])) as fcm:
    print(fcm.port, flush=True)
    sys.stdin.read()
"""


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_it_is_gone_when_the_block_ends(tmp_path: Path) -> None:
    with running(tmp_path) as fcm:
        assert listens(fcm.port)

    assert fcm.process.returncode == 0
    assert not listens(fcm.port)


def test_it_goes_when_its_parent_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)],
        cwd=PROJECT_ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout
        port = int(parent.stdout.readline())
        assert listens(port)

        parent.kill()
        parent.wait()

    wait_until(lambda: not listens(port))


def test_answers_that_hang_do_not_keep_it(tmp_path: Path) -> None:
    with running(tmp_path) as fcm:
        port = fcm.port
        with socket.create_connection(("127.0.0.1", port)):
            fcm.process.send_signal(signal.SIGTERM)
            assert fcm.process.wait(DEADLINE_SECONDS) == 0


def test_a_second_one_on_the_same_port_says_why_it_does_not_start(tmp_path: Path) -> None:
    with running(tmp_path / "one") as fcm:
        port = fcm.port
        second = subprocess.run(
            [*COMMAND, "--port", str(port), "--directory", str(tmp_path / "two")],
            cwd=PROJECT_ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE_SECONDS,
        )

    assert second.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in second.stderr


def test_its_line_and_its_file_say_how_to_point_a_project_here(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "--tls", "--port", "0", "--directory", str(tmp_path)],
        cwd=PROJECT_ROOT,
        text=True,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        line = process.stdout.readline()
        process.terminate()

    endpoint = json.loads((tmp_path / "endpoint.json").read_text())
    assert f"FCM_ENDPOINT={endpoint['url']}" in line
    assert f"FCM_CA_FILE={tmp_path / 'ca.pem'}" in line
    assert f"GOOGLE_APPLICATION_CREDENTIALS={tmp_path / 'service-account.json'}" in line


def test_it_needs_neither_django_nor_the_rest_of_the_project() -> None:
    imported = subprocess.run(
        [sys.executable, "-c", "import sys, fcm_emulator.__main__; print(*sys.modules)"],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": ""},
    ).stdout.split()

    roots = {name.partition(".")[0] for name in imported}
    assert "fcm_emulator" in roots
    assert (
        roots & {"accounts", "django", "notifications", "programs", "radiotalk", "testbed"} == set()
    )

"""What servers hand on of large bodies and of bodies without a length, over real sockets."""

import sys
from pathlib import Path

import pytest

from testbed.process import LOOPBACK, listening
from testbed.raw_http import answer, connect, head, sending_slowly
from testbed.system import System

pytestmark = [pytest.mark.engines, pytest.mark.timeout(600)]

TOO_LARGE = 300_000_000
CHUNK = b"x" * 1_000_000
SLOW = 50  # more than request_limit.py lets run at once


@pytest.fixture(params=["runserver", "gunicorn", "granian"])
def web(request: pytest.FixtureRequest, system: System, tmp_path: Path) -> System:
    """Return a system with a web by this server, whose uploads wait in a directory of their own."""
    (tmp_path / "uploads").mkdir()
    system.env["TMPDIR"] = str(tmp_path / "uploads")
    if request.param == "runserver":
        system.start_web()
        return system
    system.web_port = system.reserve_port()
    server = [sys.executable, "-m", request.param]
    where = {
        "gunicorn": ["--threads", "4", "--bind", f"{LOOPBACK}:{system.web_port}"],
        "granian": ["--interface", "wsgi", "--host", LOOPBACK, "--port", str(system.web_port)],
    }[request.param]
    listening(
        system.launch(request.param, [*server, *where, "radiotalk.wsgi:application"]),
        system.web_port,
    )
    return system


def uploads(directory: Path) -> list[Path]:
    """Return what of uploads is on the disk."""
    return list((directory / "uploads").rglob("*.upload*"))


@pytest.mark.parametrize("path", ["/api/v1/auth/token/", "/admin/login/", "/media/x"])
def test_nobodys_300_mb_are_refused_at_once_and_nothing_is_stored(
    web: System, tmp_path: Path, path: str
) -> None:
    with connect(web.web_port) as connection:
        connection.sendall(head(path, Content_Length=str(TOO_LARGE)) + CHUNK)

        status, _told = answer(connection)

    assert status == 413
    assert uploads(tmp_path) == []


@pytest.mark.parametrize(
    ("path", "length", "expected"),
    [
        ("/admin/login/", 30_000_000, 413),
        ("/api/v1/programs/1/talks/", 30_000_000, 401),
        ("/admin/programs/talk/add/", 30_000_000, 403),
    ],
)
def test_who_sends_all_before_reading_gets_the_answer_too(
    web: System, tmp_path: Path, path: str, length: int, expected: int
) -> None:
    with connect(web.web_port) as connection:
        connection.sendall(head(path, Content_Length=str(length)))
        for _ in range(0, length, len(CHUNK)):
            connection.sendall(CHUNK)

        status, _told = answer(connection)

    assert status == expected
    assert uploads(tmp_path) == []


def test_a_body_without_a_length_is_refused(web: System) -> None:
    with connect(web.web_port) as connection:
        body = b"5\r\nhello\r\n0\r\n\r\n"
        connection.sendall(head("/api/v1/auth/token/", Transfer_Encoding="chunked") + body)

        status, _told = answer(connection)

    assert status == 411


def test_slow_bodies_do_not_stop_an_upload(system: System) -> None:
    system.start_web()
    program = system.listeners(1)
    slow = [connect(system.web_port) for _ in range(SLOW)]
    for connection in slow:
        connection.sendall(head("/admin/login/", Content_Length="100000"))

    with sending_slowly(slow):
        answered = system.upload(program)

    assert answered.status_code == 201

"""The journal: `journalctl -p warning` shows why a worker ended, and no more than what matters."""

import re
from configparser import ConfigParser

import pytest

from radiotalk.settings import BASE_DIR
from radiotalk.stderr import stream_of
from testbed.system import System, post

PREFIX = re.compile(r"<[0-7]>")


def unit_of(name: str) -> ConfigParser:
    """Return a unit of systemd's as it is shipped."""
    unit = ConfigParser(interpolation=None)
    unit.read_string((BASE_DIR / "deploy" / "systemd" / name).read_text())
    return unit


def test_what_a_worker_says_without_a_priority_is_an_error_to_the_journal() -> None:
    assert unit_of("radiotalk-worker.service")["Service"]["SyslogLevel"] == "err"


def test_gunicorn_whose_own_lines_have_no_priority_makes_no_errors_of_them() -> None:
    assert "SyslogLevel" not in unit_of("radiotalk-web.service")["Service"]


@pytest.mark.engines
def test_a_worker_that_is_well_says_nothing_without_a_priority(system: System) -> None:
    program = system.listeners(20)
    log = system.directory / "listen_notifications.log"
    with log.open("wb") as output:
        worker = system.start_worker(JOURNAL_STREAM=stream_of(output.fileno()))

    post(program)
    system.wait_until_settled()
    worker.wrapper.terminate()
    assert worker.wrapper.wait() == 0

    lines = log.read_text().splitlines()
    assert any("notification.done" in line for line in lines)
    assert [line for line in lines if not PREFIX.match(line)] == []

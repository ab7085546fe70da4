"""The promise of `make run`: what it shows works, and what a person wrote is left alone."""

import socket
import stat
from pathlib import Path

import pytest
from django.contrib.auth.models import User

from testbed import local_settings, logins, run
from testbed.process import ProcessFailed


def test_the_first_start_writes_settings_that_nobody_else_can_read(tmp_path: Path) -> None:
    run.write_env(tmp_path / ".env")

    written = (tmp_path / ".env").read_text()
    assert "FCM_ENDPOINT=https://127.0.0.1:8443\n" in written
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600


def test_settings_that_are_there_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DEBUG=on\n")

    run.write_env(tmp_path / ".env")

    assert (tmp_path / ".env").read_text() == "DEBUG=on\n"


def test_a_taken_port_is_told_with_who_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(run, "WEB_PORT", port)

        with pytest.raises(ProcessFailed, match=f"Port {port} is taken, and the web needs it"):
            run.check_ports()


def test_the_procfile_serves_on_the_ports_that_are_told() -> None:
    commands = run.commands(local_settings.ROOT / "Procfile")

    assert set(commands) == {"emulator", "web", "worker"}
    assert str(run.EMULATOR_PORT) in commands["emulator"]
    assert commands["web"][-1].endswith(f":{run.WEB_PORT}")


@pytest.mark.django_db
def test_the_shown_logins_work_and_stay_the_same(tmp_path: Path) -> None:
    shown = logins.passwords(tmp_path / "logins.json")

    logins.ensure(shown)

    assert logins.passwords(tmp_path / "logins.json") == shown
    for name, password in shown.items():
        assert User.objects.get(username=name).check_password(password)


@pytest.mark.django_db
def test_a_login_whose_password_was_lost_works_again(tmp_path: Path) -> None:
    User.objects.create_user(logins.TALKER, password="forgotten")
    shown = logins.passwords(tmp_path / "logins.json")

    logins.ensure(shown)

    assert User.objects.get(username=logins.TALKER).check_password(shown[logins.TALKER])


@pytest.mark.django_db
def test_only_the_operator_may_enter_the_admin(tmp_path: Path) -> None:
    logins.ensure(logins.passwords(tmp_path / "logins.json"))

    assert list(User.objects.filter(is_superuser=True).values_list("username", flat=True)) == [
        logins.OPERATOR
    ]


def test_the_logins_are_closed_to_others(tmp_path: Path) -> None:
    logins.passwords(tmp_path / "logins.json")

    assert stat.S_IMODE((tmp_path / "logins.json").stat().st_mode) == 0o600

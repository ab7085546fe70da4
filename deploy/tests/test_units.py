"""The units of systemd and `radiotalk-manage`: each part has a user and settings of its own."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.ci import must_be_there

DEPLOY = Path(__file__).parents[1]
UNITS = sorted((DEPLOY / "systemd").iterdir())
PARTS = {"web": "web", "worker": "worker", "prune": "web"}


def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        (pytest.fail if must_be_there() else pytest.skip)("apt-get install systemd")
    for unit in UNITS:
        text = unit.read_text()
        for program in ("python", "gunicorn"):  # which are not there on this machine
            text = text.replace(f"/srv/radiotalk/.venv/bin/{program} ", f"{sys.executable} ")
        (tmp_path / unit.name).write_text(text)

    verified = subprocess.run(
        [verify or "", "verify", "--man=no", *tmp_path.iterdir()],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (verified.returncode, verified.stderr) == (0, "")


@pytest.mark.parametrize(("service", "part"), PARTS.items())
def test_a_service_has_the_user_and_the_settings_of_its_part(service: str, part: str) -> None:
    unit = (DEPLOY / "systemd" / f"radiotalk-{service}.service").read_text().splitlines()

    assert [line for line in unit if line.startswith(("User=", "EnvironmentFile="))] == [
        f"User=radiotalk-{part}",
        f"EnvironmentFile=/etc/radiotalk/{part}.env",
    ]


@pytest.mark.parametrize("service", PARTS)
def test_a_service_may_no_more_than_it_needs(service: str) -> None:
    unit = (DEPLOY / "systemd" / f"radiotalk-{service}.service").read_text().splitlines()

    for line in ("NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet="):
        assert line in unit
    writes = [line for line in unit if line.startswith("ReadWritePaths=")]
    assert writes == ([] if service == "worker" else ["ReadWritePaths=/srv/radiotalk/var/media"])


def test_a_command_runs_as_its_part_and_in_the_name_of_who_typed_it(tmp_path: Path) -> None:
    """`setpriv` is replaced by one that only tells: the users are not on this machine."""
    (tmp_path / "web.env").write_text("A_SETTING='a b $c'\n")
    tells = tmp_path / "setpriv"
    tells.write_text('#!/bin/sh\necho "$A_SETTING|$*"\n')
    tells.chmod(0o755)
    script = (DEPLOY / "radiotalk-manage").read_text()
    script = script.replace("/srv/radiotalk", str(tmp_path)).replace(
        "/etc/radiotalk", str(tmp_path)
    )

    told = subprocess.run(
        ["/bin/sh", "-c", script, "radiotalk-manage", "web", "sending", "pause"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "SUDO_USER": "anna"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert told.stdout == (
        "a b $c|--reuid radiotalk-web --regid radiotalk-web --clear-groups --no-new-privs "
        "env LOGNAME=anna HOME=/ .venv/bin/python manage.py sending pause\n"
    )

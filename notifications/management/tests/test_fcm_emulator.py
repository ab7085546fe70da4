"""`manage.py fcm_emulator` starts the emulator, or says what is missing on this machine."""

import subprocess
import sys

import pytest
from django.conf import settings

WITHOUT_GRANIAN = """
import sys

class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name == "granian":
            raise ModuleNotFoundError("No module named 'granian'", name=name)

sys.meta_path.insert(0, NotInstalled())
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", *sys.argv[1:]])
"""


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("options", [[], ["--tls", "--port", "0"], ["--help"]])
def test_an_emulator_that_is_not_installed_says_in_one_line_what_to_install(
    options: list[str],
) -> None:
    ended = run("-c", WITHOUT_GRANIAN, "fcm_emulator", *options)

    assert ended.stdout == ""
    assert ended.stderr == "The FCM emulator needs granian: pip install -r requirements-demo.txt\n"
    assert ended.returncode == 2


def test_the_options_are_those_of_the_emulator_without_django() -> None:
    django, alone = run("manage.py", "fcm_emulator", "--help"), run("-m", "fcm_emulator", "--help")

    for option in ("--port", "--latency", "--tls", "--journal", "--directory", "--stop-with-stdin"):
        assert option in django.stdout
        assert option in alone.stdout

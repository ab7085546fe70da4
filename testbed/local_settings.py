"""A world to try things in: settings that send to the emulator of FCM, and `manage.py` in it."""

import secrets
import subprocess
import sys
from pathlib import Path

from testbed.process import LOOPBACK, ProcessFailed

ROOT = Path(__file__).parents[1]
VAR = ROOT / "var"
SECRET_BYTES = 50  # Django asks for 50 characters at least


def settings(emulator: Path, emulator_port: int) -> dict[str, str]:
    """Return settings that can go live, to the emulator that keeps its files in `emulator`."""
    return {
        "SECRET_KEY": secrets.token_urlsafe(SECRET_BYTES),
        "ALLOWED_HOSTS": f"localhost,{LOOPBACK}",
        "DEBUG": "off",
        "ENVIRONMENT": "production",  # the only one that can go live; FCM is the emulator
        "SECURE_SSL_REDIRECT": "off",
        "FCM_ENDPOINT": f"https://{LOOPBACK}:{emulator_port}",
        "FCM_CA_FILE": str(emulator / "ca.pem"),
        "GOOGLE_APPLICATION_CREDENTIALS": str(emulator / "service-account.json"),
    }


def manage_command(*arguments: str) -> list[str]:
    """Return the command line of `manage.py ARGUMENTS`."""
    return [sys.executable, str(ROOT / "manage.py"), *arguments]


def manage(*arguments: str, env: dict[str, str]) -> str:
    """Return what `manage.py ARGUMENTS` printed; raise ProcessFailed when it fails."""
    run = subprocess.run(
        manage_command(*arguments), env=env, capture_output=True, text=True, check=False
    )
    if run.returncode != 0:
        raise ProcessFailed(
            f"manage.py {arguments[0]} ended with exit code {run.returncode}:\n"
            f"{(run.stdout + run.stderr).strip()}"
        )
    return run.stdout

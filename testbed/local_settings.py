"""Settings that send to an FCM on this machine, and `manage.py` run with them."""

import secrets
import subprocess
import sys
from pathlib import Path

from testbed.process import LOOPBACK, ProcessFailed

ROOT = Path(__file__).parents[1]
VAR = ROOT / "var"
SECRET_BYTES = 50  # Django asks for 50 characters at least


def settings(endpoint: str, ca_file: Path | None, service_account_file: Path) -> dict[str, str]:
    """Return settings that can go live, with an FCM of this machine at the URL `endpoint`."""
    return {
        "SECRET_KEY": secrets.token_urlsafe(SECRET_BYTES),
        "ALLOWED_HOSTS": f"localhost,{LOOPBACK}",
        "DEBUG": "off",
        "ENVIRONMENT": "production",  # the only one that can go live; FCM is on this machine
        "SECURE_SSL_REDIRECT": "off",
        "STAFF_SECOND_FACTOR": "off",  # the printed log-in is enough: it reaches nobody
        "FCM_ENDPOINT": endpoint,
        "FCM_CA_FILE": str(ca_file or ""),
        "GOOGLE_APPLICATION_CREDENTIALS": str(service_account_file),
    }


def of_emulator(directory: Path, port: int) -> dict[str, str]:
    """Return the settings for the emulator of FCM that will have this directory and port."""
    endpoint = f"https://{LOOPBACK}:{port}"
    return settings(endpoint, directory / "ca.pem", directory / "service-account.json")


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

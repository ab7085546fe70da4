"""I10: what a log must not show."""

import json
from pathlib import Path

import pytest

from accounts.models import ApiToken
from notifications.verification import UnusableEvidenceError

from .scene import Scene

KEY_LINE = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return a log in which nothing is wrong."""
    file = tmp_path / "worker.log"
    file.write_text("2026-05-01 INFO worker.started\n2026-05-01 INFO notification.done sent=3\n")
    return file


def add(file: Path, line: str) -> None:
    """Log one more line."""
    with file.open("a") as lines:
        lines.write(line + "\n")


def test_a_clean_log_is_clean(scene: Scene, log: Path) -> None:
    report = scene.report(logs=[log])

    assert report.violations == {}
    assert report["I10"].verdict == "holds"


def test_a_device_token_in_the_middle_of_a_line_is_found_and_not_repeated(
    scene: Scene, log: Path
) -> None:
    token = scene.devices[1].token
    add(log, f"2026-05-01 ERROR send.failed body={{token:{token}}} status=500")

    report = scene.report(logs=[log])

    assert report.violations == {"I10": 1}
    assert report["I10"].examples == [f"worker.log:3 shows the device token …{token[-6:]}"]


def test_an_api_token_an_authorization_header_and_a_key_are_found(
    scene: Scene, log: Path, tmp_path: Path
) -> None:
    frame = "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n"
    credentials = tmp_path / "account.json"
    credentials.write_text(json.dumps({"private_key": frame.format(KEY_LINE)}))
    _, token = ApiToken.objects.create(scene.program.owner)
    add(log, f"Authorization: Token {token}")
    add(log, "Authorization: Bearer ya29.abc")
    add(log, KEY_LINE)

    report = scene.report(logs=[log], credentials=str(credentials))

    assert report.violations == {"I10": 3}


def test_a_log_that_cannot_be_read_is_refused(scene: Scene, tmp_path: Path) -> None:
    with pytest.raises(UnusableEvidenceError, match="cannot be read"):
        scene.report(logs=[tmp_path / "none.log"])

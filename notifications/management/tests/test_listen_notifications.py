"""`manage.py listen_notifications`: with which settings it refuses to start."""

import json
from pathlib import Path

import pytest
from django.core.management import call_command
from pytest_django import Settings

from fcm_emulator.oauth import write_service_account
from notifications.management.errors import Refused


@pytest.mark.parametrize("project", ["ラジオ", "radio talk", "radio\ntalk"])
def test_a_project_that_no_address_can_hold_is_refused_before_a_lane_dies_of_it(
    settings: Settings, tmp_path: Path, project: str
) -> None:
    file = tmp_path / "service-account.json"
    write_service_account(file, "https://127.0.0.1:1/token")
    file.write_text(json.dumps(json.loads(file.read_text()) | {"project_id": project}))
    settings.GOOGLE_APPLICATION_CREDENTIALS = str(file)

    with pytest.raises(Refused):
        call_command("listen_notifications")

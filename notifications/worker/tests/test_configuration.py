"""The settings that a worker shows: those that decide, and nothing secret."""

import json
from pathlib import Path

from pytest_django import Settings

from fcm_emulator.oauth import write_service_account
from notifications.fcm.credentials import AccessToken
from notifications.fcm.endpoint import Endpoint
from notifications.worker.configuration import NAMES, configuration


def access(directory: Path, **changed: str) -> AccessToken:
    """Return the access token of a new service account, with these fields changed."""
    file = directory / "service-account.json"
    write_service_account(file, "https://127.0.0.1:1/token")
    file.write_text(json.dumps(json.loads(file.read_text()) | changed))
    return AccessToken(str(file), ca_file="")


def test_it_shows_what_decides_by_the_names_that_operators_know(
    settings: Settings, tmp_path: Path
) -> None:
    settings.NOTIFICATIONS_MAX_PER_MINUTE = 60
    endpoint = Endpoint("https://fcm.example/v1/projects/p/messages:send", "", 20)
    account = access(tmp_path, project_id="radio", private_key_id="0123456789abcdef")

    shown = configuration(lanes=7, endpoint=endpoint, access=account)

    assert shown["NOTIFICATIONS_MAX_WORKERS"] == 7
    assert shown["NOTIFICATIONS_MAX_PER_MINUTE"] == 60
    assert shown["FCM"] == "fcm.example:443"
    assert (shown["FIREBASE_PROJECT"], shown["KEY"]) == ("radio", "…abcdef")
    assert shown["KEY_IS_OUTDATED"] is False
    assert set(NAMES) <= set(shown)


def test_nothing_of_an_address_is_shown_but_host_and_port(tmp_path: Path) -> None:
    url = "https://me:hunter-two@fcm.example/hunter?hunter"
    endpoint = Endpoint(url, "", 20, "http://me:hunter@proxy:80")

    shown = configuration(lanes=7, endpoint=endpoint, access=access(tmp_path))

    assert "hunter" not in str(shown)
    assert shown["FCM_PROXY"] == "proxy:80"


def test_of_the_id_of_a_key_nothing_is_shown_that_is_none(tmp_path: Path) -> None:
    endpoint = Endpoint("https://fcm.example", "", 20)

    for other in ("", "\0\0\0\0\0\0", "a\nb"):
        account = access(tmp_path, private_key_id=other)
        assert configuration(lanes=7, endpoint=endpoint, access=account)["KEY"] == ""

"""The settings that a worker shows: those that decide, and nothing secret."""

from pytest_django import Settings

from notifications.fcm.endpoint import Endpoint
from notifications.worker.configuration import NAMES, configuration


def test_it_shows_what_decides_by_the_names_that_operators_know(settings: Settings) -> None:
    settings.NOTIFICATIONS_MAX_PER_MINUTE = 60
    endpoint = Endpoint("https://fcm.example/v1/projects/p/messages:send", "", 20)

    shown = configuration(lanes=7, endpoint=endpoint)

    assert shown["NOTIFICATIONS_MAX_WORKERS"] == 7
    assert shown["NOTIFICATIONS_MAX_PER_MINUTE"] == 60
    assert shown["FCM"] == "fcm.example:443/v1/projects/p/messages:send"
    assert set(NAMES) <= set(shown)


def test_no_password_of_an_address_is_shown() -> None:
    endpoint = Endpoint("https://me:hunter-two@fcm.example/x", "", 20, "http://me:hunter@proxy:80")

    shown = configuration(lanes=7, endpoint=endpoint)

    assert "hunter" not in str(shown)
    assert shown["FCM_PROXY"] == "proxy:80"

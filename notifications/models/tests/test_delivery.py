"""What the send log knows of FCM's codes is what the one table of outcomes says."""

from notifications.fcm.outcomes import REFUSALS
from notifications.models.delivery import OF_THE_DEVICE


def test_the_codes_of_a_refused_device_are_those_of_the_table() -> None:
    assert sorted(OF_THE_DEVICE) == sorted(code for _status, code in REFUSALS)

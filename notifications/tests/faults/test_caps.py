"""A stolen token: whoever posts sixty talks in five seconds rings each phone six times."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from notifications.models import Notification
from programs.models import Talk
from testbed.system import System

pytestmark = [pytest.mark.engines, pytest.mark.faults]

TALKS = 60
AT_ONCE = 20  # more would find the backlog of Django's own server full
LISTENERS = 5
# Those that are set by default; other tests post as often as they like.
CAPS = {"NOTIFICATIONS_PER_PROGRAM_PER_HOUR": "6", "NOTIFICATIONS_PER_PROGRAM_PER_DAY": "24"}


def test_sixty_talks_of_one_token_ring_each_phone_six_times(system: System) -> None:
    system.start_web(**CAPS)
    system.start_worker(**CAPS)
    upload = system.uploader(system.listeners(LISTENERS))

    with ThreadPoolExecutor(AT_ONCE) as clients:
        answers = list(clients.map(lambda _: upload(), range(TALKS)))
    system.wait_until_settled()

    assert Counter(answer.status_code for answer in answers) == {201: TALKS}
    assert Talk.objects.count() == TALKS
    rings = Counter(
        str(each["token"]) for each in system.journal() if each["verdict"] == "accepted"
    )
    assert list(rings.values()) == [6] * LISTENERS
    assert Counter(Notification.objects.values_list("state", flat=True)) == {"done": 6, "held": 54}
    system.verify(kills=0)

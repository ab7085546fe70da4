"""A fan-out to 10,000 during which FCM says, again and again, that it did not process requests.

What it says so of is attempted again, and never unknown: RFC 9113, 6.8 and 8.7.
"""

from collections.abc import Iterator

import pytest

from testbed.hostile.fcm import HostileFcm
from testbed.hostile.manners import GoesAwayAgainAndAgain, RefusesStreams
from testbed.lasting_system import assert_outcomes, ended, journal_of, lasting_world
from testbed.system import System, post

pytestmark = [pytest.mark.engines, pytest.mark.faults]

TARGETS = 10_000
LANES = 10


@pytest.fixture(scope="module")
def world(
    db: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[System, HostileFcm]]:
    """Yield a live system with one worker, and the hostile FCM that it sends to."""
    with lasting_world(tmp_path_factory.mktemp("system"), lanes=LANES) as world:
        yield world


def test_goaway_five_times_in_the_middle_leaves_nobody_unknown_or_out(
    world: tuple[System, HostileFcm],
) -> None:
    system, fcm = world
    fcm.manners = manners = GoesAwayAgainAndAgain(1000, 3000, 5000, 7000, 9000)

    notification = ended(system, post(system.listeners(TARGETS)))

    assert len(manners.last) == 5
    assert manners.not_processed > 0
    assert_outcomes(notification, sent=TARGETS)
    assert len(journal_of(system, notification)) == TARGETS + manners.not_processed
    system.verify(kills=0)


def test_a_third_of_the_requests_refused_leaves_nobody_unknown_or_out(
    world: tuple[System, HostileFcm],
) -> None:
    system, fcm = world
    fcm.manners = manners = RefusesStreams(every=3, of_the_first=TARGETS)

    notification = ended(system, post(system.listeners(TARGETS, name="other-{}")))

    assert manners.refused == TARGETS // 3
    assert_outcomes(notification, sent=TARGETS)
    assert len(journal_of(system, notification)) == TARGETS
    system.verify(kills=0)

"""Faults of the connection to FCM, with real processes and an FCM that misbehaves on purpose.

One worker with one lane, so that up to a hundred requests share each connection. Whatever happens
to the connection, each attempt is one POST, and what cannot be known is unknown.
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from h2.errors import ErrorCodes

from notifications.models import Notification
from testbed.hostile.certificates import Authority, Certificate
from testbed.hostile.fcm import HostileFcm, running
from testbed.hostile.manners import (
    EVERY,
    AllowsFewerStreams,
    GoesAway,
    GoesAwayInGoodOrder,
    GoesAwayWhenIdle,
    LeavesWhenIdle,
    Manners,
    RefusesStreams,
    ResetsConnection,
    ResetsConnectionAfter,
    ResetsStreams,
    ResetsWhenIdle,
)
from testbed.lasting_system import assert_outcomes, ended, journal_of, lasting_system, outcomes_of
from testbed.system import System, post

pytestmark = [pytest.mark.engines, pytest.mark.faults]

# More than one connection's streams, so that some go out after the fault.
TARGETS = 150
STREAMS = 100
CODES = [
    ErrorCodes.NO_ERROR,
    ErrorCodes.INTERNAL_ERROR,
    ErrorCodes.CANCEL,
    ErrorCodes.ENHANCE_YOUR_CALM,
]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return the authority that the worker trusts."""
    return Authority(tmp_path_factory.mktemp("authority"), "trusted")


@pytest.fixture(scope="module")
def world(
    db: None, tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[tuple[System, HostileFcm]]:
    """Yield a live system with one worker, and the hostile FCM that it sends to."""
    directory = tmp_path_factory.mktemp("system")
    with (
        lasting_system(directory, latency_ms=0) as system,
        running(system.fcm.journal, authority.issue("good")) as fcm,
    ):
        trusted = directory / "trusted.pem"  # the token endpoint is the emulator's
        emulators = Path(system.env["FCM_CA_FILE"])
        trusted.write_bytes(authority.ca_file.read_bytes() + emulators.read_bytes())
        system.env |= {"FCM_ENDPOINT": fcm.url, "FCM_CA_FILE": str(trusted)}
        worker = system.start_worker("--max-workers", "1")
        system.wait(lambda: bool(fcm.peers))  # it connects ahead
        yield system, fcm
        worker.check()


@pytest.fixture
def system(world: tuple[System, HostileFcm]) -> System:
    """Return the system."""
    return world[0]


@pytest.fixture
def fcm(world: tuple[System, HostileFcm], authority: Authority) -> HostileFcm:
    """Return the hostile FCM, well-mannered and with no connection left from another test."""
    fcm = world[1]
    fcm.manners = Manners()
    fcm.speak(http2=True)
    fcm.show(authority.issue("good"))
    fcm.drop_connections()
    return fcm


def notify(system: System, *, targets: int = TARGETS) -> Notification:
    """Return the notification of a talk for so many devices, once it has ended."""
    return ended(system, post(system.listeners(targets)))


def test_what_goaway_says_was_not_processed_is_sent_again(system: System, fcm: HostileFcm) -> None:
    fcm.manners = GoesAway(processed=30, received=60)

    notification = notify(system)

    assert_outcomes(notification, sent=TARGETS)
    assert len(journal_of(system, notification)) > TARGETS  # those that it had received as well
    system.verify(kills=0)


def test_goaway_in_good_order_costs_nobody(system: System, fcm: HostileFcm) -> None:
    fcm.manners = GoesAwayInGoodOrder(after=60)

    notification = notify(system)

    assert_outcomes(notification, sent=TARGETS)
    system.verify(kills=0)


def test_a_refused_stream_was_not_processed_and_is_sent_again(
    system: System, fcm: HostileFcm
) -> None:
    fcm.manners = RefusesStreams()

    notification = notify(system)

    assert_outcomes(notification, sent=TARGETS)
    assert len(journal_of(system, notification)) == TARGETS
    system.verify(kills=0)


@pytest.mark.parametrize("accepted", [True, False], ids=["accepted", "not_accepted"])
@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name.lower())
def test_a_stream_reset_in_place_of_its_answer_is_unknown(
    system: System, fcm: HostileFcm, code: ErrorCodes, accepted: bool
) -> None:
    manners = fcm.manners = ResetsStreams(code, accepted=accepted)

    notification = notify(system, targets=2 * EVERY)

    struck = manners.struck
    assert_outcomes(notification, sent=2 * EVERY - struck, unknown=struck)
    assert struck >= 2
    system.verify(kills=0)


@pytest.mark.parametrize(
    "manners",
    [
        ResetsConnection(at=40, body_bytes=0),
        ResetsConnection(at=40, body_bytes=100),
        ResetsConnectionAfter(at=40),
    ],
    ids=["before_the_body", "within_the_body", "after_the_body"],
)
def test_a_reset_connection_makes_unknown_only_what_was_on_it(
    system: System, fcm: HostileFcm, manners: Manners
) -> None:
    fcm.manners = manners
    fcm.drop_connections()  # they have to meet it at their beginning

    notification = notify(system)

    unknown = outcomes_of(notification)["unknown"]
    assert_outcomes(notification, sent=TARGETS - unknown, unknown=unknown)
    assert 1 <= unknown <= STREAMS
    system.verify(kills=0)


@pytest.mark.parametrize(
    "limits",
    [{0: 10}, {0: 1}, {40: 10}, {40: 10, 80: 1}],
    ids=["10", "1", "100_then_10", "100_then_10_then_1"],
)
def test_fewer_streams_at_once_lose_nobody(
    system: System, fcm: HostileFcm, limits: dict[int, int]
) -> None:
    fcm.manners = AllowsFewerStreams(limits)
    fcm.drop_connections()  # they have to meet it at their beginning

    notification = notify(system)

    assert_outcomes(notification, sent=TARGETS)
    system.verify(kills=0)


@pytest.mark.parametrize(
    "manners",
    [LeavesWhenIdle, ResetsWhenIdle, GoesAwayWhenIdle],
    ids=["closed", "reset", "goaway"],
)
def test_a_connection_that_ended_between_two_talks_costs_nobody(
    system: System, fcm: HostileFcm, manners: type[LeavesWhenIdle]
) -> None:
    fcm.manners = leaving = manners()
    notify(system, targets=2)  # whose answers are read by then
    fcm.to_each_connection(leaving.look_at)

    notification = notify(system, targets=2)

    assert_outcomes(notification, sent=2)
    system.verify(kills=0)


def test_an_fcm_that_speaks_no_http_2_gets_nothing_until_it_does(
    system: System, fcm: HostileFcm
) -> None:
    fcm.speak(http2=False)
    fcm.drop_connections()
    notification = post(system.listeners(20))
    system.wait(lambda: outcomes_of(notification) == {"retry": 20})
    assert len(journal_of(system, notification)) == 0

    fcm.speak(http2=True)

    ended(system, notification)
    assert_outcomes(notification, sent=20)
    system.verify(kills=0)


@pytest.mark.parametrize("fault", ["expired", "of_another_authority", "for_another_name"])
def test_a_bad_certificate_gets_nothing_until_it_is_renewed(
    system: System, fcm: HostileFcm, authority: Authority, tmp_path: Path, fault: str
) -> None:
    fcm.show(bad_certificate(fault, authority, tmp_path))
    fcm.drop_connections()
    notification = post(system.listeners(20))
    system.wait(lambda: outcomes_of(notification) == {"retry": 20})
    assert len(journal_of(system, notification)) == 0

    fcm.show(authority.issue("good"))

    ended(system, notification)
    assert_outcomes(notification, sent=20)
    system.verify(kills=0)


def bad_certificate(fault: str, authority: Authority, directory: Path) -> Certificate:
    """Return a certificate that must not be trusted."""
    if fault == "expired":
        return authority.issue("expired", ends=timedelta(days=-1))
    if fault == "for_another_name":
        return authority.issue("another", names=[x509.DNSName("fcm.example")])
    return Authority(directory, "nobody trusts").issue("other")

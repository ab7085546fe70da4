"""The promise: whatever HTTP/2 server it meets, our client sends each notification exactly once.

A server that is not installed is skipped, but on CI. INTEROP_SENDS=10000 sends more than the few
hundred that CI has time for; `python -m testbed.interop` prints what became of them as a table.
"""

import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from notifications.fcm import session
from notifications.fcm.connection import Connection
from notifications.fcm.failures import Failure
from notifications.fcm.outcomes import Meaning, classify
from testbed.ci import must_be_there
from testbed.interop import servers
from testbed.interop.sending import BODY, LANES, Tally, counted_links, send, send_after_rests
from testbed.interop.servers import SERVERS, Server, Target, running

SENDS = int(os.environ.get("INTEROP_SENDS", "500"))
IDLE_SECONDS = 1.0  # after so long without a request, a server with its `idle` setting ends
RESTS = 4  # of each lane
SPREAD_SECONDS = 0.02  # around the moment at which a server ends an idle connection
LONG_REST_SECONDS = 1.5  # by then each such server has ended the connection
RELOADS = 4
LOOK_SECONDS = 0.05  # how often a reload's moment is looked for
FEW_LANES = 3  # so that each sends for longer
DEADLINE_SECONDS = 240.0  # for a busy machine, no expectation
A_LONG_ANSWER_MS = 2_000.0

pytestmark = pytest.mark.engines


def installed(name: str) -> str:
    """Return the name of a server that can run here; skip the test, or fail it on CI, if not."""
    if lacks := SERVERS[name].lacks:
        (pytest.fail if must_be_there() else pytest.skip)(lacks)
    return name


def those(are: Callable[[Server], object]) -> list[str]:
    """Return the names of the servers that are so."""
    return [name for name, server in SERVERS.items() if are(server)]


def assert_each_was_sent_once(tally: Tally) -> None:
    """Fail unless the server took each notification once, and its answer said so."""
    assert (tally.twice, tally.never) == (0, 0)
    assert tally.accepted == tally.sends, tally


def assert_none_was_sent_twice(tally: Tally) -> None:
    """Fail unless each notification was taken, or is unknown since its connection was lost."""
    assert tally.twice == 0
    assert tally.never <= tally.unknown_as[Failure.CONNECTION_LOST]
    assert tally.accepted + tally.unknown_as[Failure.CONNECTION_LOST] == tally.sends, tally


@pytest.mark.parametrize("name", SERVERS)
def test_each_notification_is_sent_once(tmp_path: Path, name: str) -> None:
    with running(installed(name), tmp_path) as target:
        tally = send(target, SENDS)

    assert_each_was_sent_once(tally)


@pytest.mark.parametrize("name", those(lambda server: server.brief))
def test_a_server_that_ends_its_connections_soon_costs_no_notification(
    tmp_path: Path, name: str
) -> None:
    with running(installed(name), tmp_path, setting=SERVERS[name].brief) as target:
        tally = send(target, 2 * SENDS, lanes=FEW_LANES)

    assert_each_was_sent_once(tally)
    assert tally.connections > FEW_LANES


@pytest.mark.parametrize("name", those(lambda it: it.reload and not it.drops_at_reload))
def test_a_server_that_is_reloaded_meanwhile_costs_no_notification(
    tmp_path: Path, name: str
) -> None:
    with (
        running(installed(name), tmp_path) as target,
        reloaded_meanwhile(name, tmp_path, target),
    ):
        tally = send(target, 2 * SENDS, lanes=FEW_LANES, connections=FEW_LANES + 1)

    assert_each_was_sent_once(tally)


@pytest.mark.parametrize("name", those(lambda it: it.reload and it.drops_at_reload))
def test_what_a_server_drops_when_it_is_reloaded_is_unknown_and_not_sent_again(
    tmp_path: Path, name: str
) -> None:
    with (
        running(installed(name), tmp_path) as target,
        reloaded_meanwhile(name, tmp_path, target),
    ):
        tally = send(target, 2 * SENDS, lanes=FEW_LANES)

    assert_none_was_sent_twice(tally)


@pytest.mark.parametrize("name", those(lambda it: it.idle and not it.ends_idle_silently))
def test_a_connection_that_ends_just_when_it_is_used_again_costs_no_notification(
    tmp_path: Path, name: str
) -> None:
    setting = SERVERS[name].idle
    with running(installed(name), tmp_path, latency_ms=5, setting=setting) as target:
        tally = send_after_rests(target, rests())

    assert_each_was_sent_once(tally)
    assert tally.connections > LANES


@pytest.mark.parametrize("name", those(lambda it: it.idle and it.ends_idle_silently))
def test_what_meets_the_end_of_a_connection_without_a_goaway_is_unknown_and_not_sent_again(
    tmp_path: Path, name: str
) -> None:
    setting = SERVERS[name].idle
    with running(installed(name), tmp_path, latency_ms=5, setting=setting) as target:
        tally = send_after_rests(target, rests())

    assert_none_was_sent_twice(tally)


def test_grpc_gives_up_a_request_that_is_no_call_and_the_connection_goes_on(
    tmp_path: Path,
) -> None:
    with running("grpc", tmp_path) as target, closing(Connection(target.endpoint)) as connection:
        as_it_is = Target(target.endpoint, target.journal)
        with servers.not_dressed():
            first = ask(connection, as_it_is, "dev-1")
        second = ask(connection, target, "dev-2")

    assert first is Meaning.UNKNOWN
    assert second is Meaning.ACCEPTED


def test_grpc_is_told_that_we_are_there_while_an_answer_takes_long(tmp_path: Path) -> None:
    asks_often = {"grpc.keepalive_time_ms": 300, "grpc.keepalive_timeout_ms": 60_000}

    with running(
        "grpc", tmp_path, latency_ms=A_LONG_ANSWER_MS, setting=json.dumps(asks_often)
    ) as target:
        tally = send(target, 20, lanes=2)

    assert_each_was_sent_once(tally)
    assert tally.connections <= 2


def test_what_grpc_gives_up_at_the_end_of_its_grace_is_unknown(tmp_path: Path) -> None:
    impatient = {"grpc.max_connection_age_ms": 300, "grpc.max_connection_age_grace_ms": 300}

    with running(
        "grpc", tmp_path, latency_ms=A_LONG_ANSWER_MS, setting=json.dumps(impatient)
    ) as target:
        tally = send(target, 20, lanes=2)

    assert (tally.twice, tally.accepted) == (0, 0)
    assert tally.unknown_as.total() == 20


def test_a_server_that_wants_no_more_questions_costs_no_notification(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running("grpc", tmp_path) as target, closing(Connection(target.endpoint)) as connection:
        before = ask(connection, target, "dev-1")
        with monkeypatch.context() as patched, counted_links() as links:
            patched.setattr(session, "QUIET_SECONDS", 0.0)
            while not links:  # the sixth question gets GOAWAY with ENHANCE_YOUR_CALM
                connection.warm()
                connection.wait(0.1)
        after = ask(connection, target, "dev-2")

    assert (before, after) == (Meaning.ACCEPTED, Meaning.ACCEPTED)


def rests() -> list[float]:
    """Return how long each rest is: none, then about as long as the server waits, then longer.

    By chance all of those about as long may be shorter, and no connection end.
    """
    shortest, longest = IDLE_SECONDS - SPREAD_SECONDS, IDLE_SECONDS + SPREAD_SECONDS
    about = [random.uniform(shortest, longest) for _ in range(RESTS)]
    return [0.0, *about, LONG_REST_SECONDS]


def ask(connection: Connection, target: Target, token: str) -> Meaning:
    """Return what became of one notification."""
    body = target.dressed((BODY % token).encode())
    connection.post(token, body, authorization=target.authorization)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (answers := connection.wait(0.1)):
        assert time.monotonic() < deadline
    [(_, answer)] = answers
    return classify(target.undressed(answer)).meaning


def lines(file: Path) -> int:
    """Return how many lines a file has so far."""
    return file.read_bytes().count(b"\n")


@contextmanager
def reloaded_meanwhile(name: str, directory: Path, target: Target) -> Iterator[None]:
    """Reload a server each time that it has taken some more of the notifications."""
    is_over = threading.Event()

    def run() -> None:
        for reloads in range(1, RELOADS + 1):
            while lines(target.journal) < 2 * SENDS * reloads / (RELOADS + 2):
                if is_over.wait(LOOK_SECONDS):
                    return
            servers.reload(name, directory)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()

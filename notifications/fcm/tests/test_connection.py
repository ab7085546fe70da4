"""The connection to FCM: one attempt is one POST, whatever the network does."""

import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography import x509
from h2.errors import ErrorCodes

from fcm_emulator.journal import Entry
from fcm_emulator.process import EmulatorProcess, running
from notifications.fcm.connection import LOOK_SECONDS, MOST_FRUITLESS, Connection
from notifications.fcm.credentials import AccessToken
from notifications.fcm.endpoint import Endpoint
from notifications.fcm.failures import Failure
from notifications.fcm.outcomes import Answer, Meaning, classify
from notifications.fcm.sending import STREAMS
from notifications.fcm.session import SETTINGS_SECONDS
from testbed.hostile import fcm as hostile
from testbed.hostile.certificates import A_DAY, Authority
from testbed.hostile.firewall import dropping
from testbed.hostile.http import Http2Peer, Peer
from testbed.hostile.manners import (
    AllowsFewerStreams,
    AllowsFewerStreamsAndGoes,
    AnswersTheFirstLast,
    FallsSilent,
    GivesNoRoom,
    GoesAwayAtOnce,
    GoesAwayInGoodOrder,
    HangsUp,
    Manners,
    SaysSettingsLate,
)
from testbed.process import LOOPBACK, eventually, free_port

# Deadlines for a busy machine, no expectations.
DEADLINE_SECONDS = 240.0
TIMEOUT_SECONDS = 120.0
# For what never comes. Where something is to come in it, a machine may stand still for longer.
SHORT_SECONDS = 0.5
A_WHILE_SECONDS = 10.0  # enough for an answer on a machine that stands still for nine seconds
BODY = '{"message":{"token":"%s","notification":{"title":"夜のラジオ","body":"第42回"}}}'


def answers(connection: Connection) -> dict[Any, Answer]:
    """Return the answers to all that is in flight."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    found: dict[Any, Answer] = {}
    while connection.in_flight:
        assert time.monotonic() < deadline, f"{connection.in_flight} are still in flight"
        found.update(connection.wait(0.01))
    return found


def ask(connection: Connection, token: str, *, authorization: str = "Bearer x") -> Answer:
    """Return the answer to one attempt."""
    connection.post(token, (BODY % token).encode(), authorization=authorization)
    return answers(connection)[token]


@contextmanager
def connected(
    url: str, *, ca_file: Path | None = None, timeout: float = SHORT_SECONDS
) -> Iterator[Connection]:
    """Yield a connection that is closed in the end."""
    connection = Connection(Endpoint(url, str(ca_file or ""), timeout))
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def against(
    directory: Path, *, timeout: float, latency_ms: float = 20
) -> Iterator[tuple[hostile.HostileFcm, Connection]]:
    """Yield a hostile FCM, and a connection that trusts it."""
    authority = Authority(directory / "authority", "trusted")
    with (
        hostile.running(
            directory / "journal", authority.issue("good"), latency_ms=latency_ms
        ) as fcm,
        connected(fcm.url, ca_file=authority.ca_file, timeout=timeout) as connection,
    ):
        yield fcm, connection


def post_all(connection: Connection, numbers: Iterable[int]) -> None:
    """Start an attempt for each number, which is its key."""
    for number in numbers:
        connection.post(number, (BODY % f"d{number}").encode(), authorization="Bearer x")


@dataclass
class Client:
    """A connection to the emulator, with an access token that it gave."""

    fcm: EmulatorProcess
    connection: Connection
    authorization: str

    def send(self, token: str) -> Answer:
        """Return the answer to one attempt."""
        return ask(self.connection, token, authorization=self.authorization)

    def posts(self, token: str) -> list[Entry]:
        """Return what FCM saw of a token."""
        return [entry for entry in self.fcm.entries() if entry["token"] == token]


Connect = Callable[..., Client]


def client_of(fcm: EmulatorProcess, *, timeout: float = TIMEOUT_SECONDS) -> Client:
    """Return a client of an emulator."""
    access = AccessToken(str(fcm.service_account_file), ca_file=str(fcm.ca_file))
    url = f"{fcm.url}/v1/projects/{access.project_id}/messages:send"
    return Client(fcm, Connection(Endpoint(url, str(fcm.ca_file), timeout)), access.header())


@pytest.fixture(scope="module")
def fcm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    """Yield an emulator that no test breaks; each uses tokens of its own."""
    with running(tmp_path_factory.mktemp("fcm")) as process:
        yield process


@pytest.fixture
def connect(fcm: EmulatorProcess) -> Iterator[Connect]:
    """Yield a function that returns a client, closed in the end."""
    with ExitStack() as stack:

        def connect(**options: Any) -> Client:
            client = client_of(fcm, **options)
            stack.callback(client.connection.close)
            return client

        yield connect


@pytest.fixture
def token(request: pytest.FixtureRequest) -> str:
    """Return a token that no other test uses."""
    return f"dev-{abs(hash(request.node.nodeid)):x}x"


@pytest.mark.engines
def test_an_accepted_send_has_a_name(connect: Connect, token: str) -> None:
    client = connect()

    verdict = classify(client.send(token))

    assert verdict.meaning is Meaning.ACCEPTED
    assert verdict.message_id.startswith("projects/radiotalk-emulator/messages/")
    assert [entry["verdict"] for entry in client.posts(token)] == ["accepted"]
    assert client.posts(token)[0]["http"] == "2"
    assert client.posts(token)[0]["title"] == "夜のラジオ"


@pytest.mark.engines
@pytest.mark.parametrize("reused", [True, False], ids=["reused", "new"])
@pytest.mark.parametrize(
    ("fault", "verdict"),
    [
        ("reset-before", "refused"),
        ("reset-after", "accepted"),
        ("broken-json", "accepted"),
        ("empty-body", "accepted"),
        ("huge-body", "accepted"),
        ("no-name", "accepted"),
        ("html200", "refused"),
        ("http502", "refused"),
        ("redirect", "refused"),
    ],
)
def test_one_attempt_is_one_post_and_what_became_of_it_is_unknown(
    connect: Connect, token: str, reused: bool, fault: str, verdict: str
) -> None:
    client = connect()
    if reused:
        assert classify(client.send(f"{token}-first")).meaning is Meaning.ACCEPTED

    answer = client.send(f"{token}-{fault}")

    assert classify(answer).meaning is Meaning.UNKNOWN
    assert [entry["verdict"] for entry in client.posts(f"{token}-{fault}")] == [verdict]


@pytest.mark.engines
@pytest.mark.parametrize("reused", [True, False], ids=["reused", "new"])
@pytest.mark.parametrize(
    ("fault", "verdict"),
    [
        ("hang-before", "refused"),
        ("hang", "accepted"),
        ("slow60", "accepted"),
        ("drip", "accepted"),
    ],
)
def test_one_attempt_whose_answer_comes_too_late_is_one_post_and_unknown(
    connect: Connect, token: str, reused: bool, fault: str, verdict: str
) -> None:
    # A machine that stood still for so long that not even a first request got through: again.
    for seconds in (SHORT_SECONDS, 10 * SHORT_SECONDS, 100 * SHORT_SECONDS):
        client = connect(timeout=seconds)
        late = f"{token}-{int(1000 * seconds)}-{fault}"
        first = client.send(f"{token}-first") if reused else None
        meaning = classify(client.send(late)).meaning
        verdicts = [entry["verdict"] for entry in client.posts(late)]
        assert len(verdicts) <= 1
        if verdicts and (first is None or classify(first).meaning is Meaning.ACCEPTED):
            break

    assert meaning is Meaning.UNKNOWN
    assert verdicts == [verdict]


@pytest.mark.engines
def test_a_connection_that_is_closed_under_way_is_not_tried_again(tmp_path: Path) -> None:
    with running(tmp_path) as fcm:
        client = client_of(fcm)
        client.send("first")
        client.connection.post(
            "dev-hang", (BODY % "dev-hang").encode(), authorization=client.authorization
        )
        assert eventually(
            lambda: bool(client.connection.wait(0.01) or client.posts("dev-hang")),
            seconds=DEADLINE_SECONDS,
        )
        fcm.process.kill()

        answer = answers(client.connection)["dev-hang"]

        client.connection.close()
        assert classify(answer).meaning is Meaning.UNKNOWN
        assert len(client.posts("dev-hang")) == 1


@pytest.mark.engines
def test_a_connection_that_died_idle_is_no_unknown(tmp_path: Path) -> None:
    with running(tmp_path) as fcm:
        client = client_of(fcm)
        assert classify(client.send("before")).meaning is Meaning.ACCEPTED
    port = int(fcm.url.rpartition(":")[2])

    with running(tmp_path, port=port) as restarted:
        again = client_of(restarted)
        again.connection.close()
        client.authorization = again.authorization
        meaning = classify(client.send("after")).meaning

    client.connection.close()
    assert meaning in (Meaning.ACCEPTED, Meaning.UNREACHED)
    assert len(client.posts("after")) == (1 if meaning is Meaning.ACCEPTED else 0)


@pytest.mark.engines
def test_a_server_that_went_away_is_unreached(tmp_path: Path) -> None:
    with running(tmp_path) as fcm:
        client = client_of(fcm)
        client.send("before")

    meaning = classify(client.send("after")).meaning

    client.connection.close()
    assert meaning is Meaning.UNREACHED


@pytest.mark.engines
def test_a_server_behind_a_firewall_that_rose_meanwhile_is_unreached(tmp_path: Path) -> None:
    with running(tmp_path) as fcm:
        client = client_of(fcm, timeout=SHORT_SECONDS)
        client.send("before")
    port = int(fcm.url.rpartition(":")[2])

    with dropping(port):
        answer = client.send("after")

    client.connection.close()
    assert classify(answer).meaning is Meaning.UNREACHED


@pytest.mark.engines
def test_a_hundred_at_once_share_one_connection(tmp_path: Path) -> None:
    with running(tmp_path, latency_ms=300) as fcm:
        client = client_of(fcm)
        for number in range(STREAMS):
            client.connection.post(
                number, (BODY % f"d{number}").encode(), authorization=client.authorization
            )
        assert client.connection.in_flight == STREAMS
        early = [answer for _ in range(10) for answer in client.connection.wait(0.01)]
        open_now = connections_to(int(fcm.url.rpartition(":")[2]))

        late = answers(client.connection)

        client.connection.close()
        found = {**dict(early), **late}
        assert open_now == 1
        assert {classify(answer).meaning for answer in found.values()} == {Meaning.ACCEPTED}
        assert sorted(found) == list(range(STREAMS))
        assert len(fcm.entries()) == STREAMS


def connections_to(port: int) -> int:
    """Return how many TCP connections this machine has open to a port."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    established = "01"
    return sum(row[2].endswith(f":{port:04X}") and row[3] == established for row in rows)


@pytest.mark.engines
def test_a_reset_of_the_connection_leaves_none_without_an_answer(
    connect: Connect, token: str
) -> None:
    client = connect()
    tokens = [f"{token}-{number}-slow60" for number in range(20)] + [f"{token}-reset-after"]
    for each in tokens:
        client.connection.post(each, (BODY % each).encode(), authorization=client.authorization)

    found = answers(client.connection)

    assert sorted(found) == sorted(tokens)
    assert {classify(answer).meaning for answer in found.values()} == {Meaning.UNKNOWN}
    assert max(len(client.posts(each)) for each in tokens) == 1


@pytest.mark.engines
def test_an_answer_has_nothing_of_the_one_before(connect: Connect, token: str) -> None:
    client = connect()

    first = client.send(f"{token}-429after7")
    second = client.send(f"{token}-no-name")

    assert (first.status, first.retry_after) == (429, 7)
    assert (second.status, second.retry_after, second.body) == (200, 0, b"{}\n")


@pytest.mark.engines
@pytest.mark.parametrize(
    ("when", "least", "most"),
    [("2", 2, 2), ("0", 0, 0), ("86400", 3600, 86_400), ("date", 1, 9), ("garbage", 0, 0)],
)
def test_retry_after_is_read_as_seconds(
    connect: Connect, token: str, when: str, least: float, most: float
) -> None:
    answer = connect().send(f"{token}-429after{when}")

    assert classify(answer).meaning is Meaning.THROTTLED
    assert least <= answer.retry_after <= most


@pytest.mark.engines
def test_a_huge_answer_is_not_read_to_its_end(connect: Connect, token: str) -> None:
    answer = connect().send(f"{token}-huge-body")

    assert answer == Answer(Failure.ANSWER_TOO_LONG)


@pytest.mark.engines
def test_an_authority_that_is_not_trusted_gets_nothing(fcm: EmulatorProcess, token: str) -> None:
    url = f"{fcm.url}/v1/projects/p/messages:send"
    with connected(url, timeout=TIMEOUT_SECONDS) as connection:
        for each in range(STREAMS):
            connection.post(each, (BODY % token).encode(), authorization="Bearer x")
        found = answers(connection)

    assert {answer.failure for answer in found.values()} == {Failure.CERTIFICATE_NOT_TRUSTED}
    assert {classify(answer).meaning for answer in found.values()} == {Meaning.UNREACHED}
    assert len(found) == STREAMS
    assert token not in str(fcm.entries())


@pytest.mark.parametrize(
    ("ends", "names", "failure"),
    [
        (A_DAY, [x509.DNSName("fcm.googleapis.com")], Failure.CERTIFICATE_OF_ANOTHER_NAME),
        (A_DAY, [x509.IPAddress(ip_address("127.0.0.2"))], Failure.CERTIFICATE_OF_ANOTHER_NAME),
        (-A_DAY, None, Failure.CERTIFICATE_EXPIRED),
    ],
    ids=["name", "address", "expired"],
)
def test_a_bad_certificate_gets_nothing_and_is_told_apart(
    tmp_path: Path, ends: timedelta, names: list[x509.GeneralName] | None, failure: Failure
) -> None:
    authority = Authority(tmp_path / "authority", "trusted")
    certificate = authority.issue("bad", ends=ends, names=names)
    with (
        hostile.running(tmp_path / "journal", certificate) as fcm,
        connected(fcm.url, ca_file=authority.ca_file, timeout=TIMEOUT_SECONDS) as connection,
    ):
        answer = ask(connection, "d")

    assert answer == Answer(failure)


@pytest.mark.engines
def test_a_proxy_of_the_environment_sees_no_device_token(
    connect: Connect, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = connect()
    for name in ("https_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://{LOOPBACK}:{free_port()}")

    assert classify(client.send(token)).meaning is Meaning.ACCEPTED


def test_a_refused_connection_is_unreached() -> None:
    with connected(f"https://{LOOPBACK}:{free_port()}/") as connection:
        assert classify(ask(connection, "d")).meaning is Meaning.UNREACHED


def test_an_unknown_host_is_unreached() -> None:
    with connected("https://fcm.invalid/", timeout=TIMEOUT_SECONDS) as connection:
        assert classify(ask(connection, "d")).meaning is Meaning.UNREACHED


def test_a_network_that_swallows_everything_is_unreached() -> None:
    with dropping() as port, connected(f"https://{LOOPBACK}:{port}/") as connection:
        for number in range(30):
            connection.post(number, b"{}", authorization="Bearer x")

        found = answers(connection)

    assert len(found) == 30
    assert {classify(answer).meaning for answer in found.values()} == {Meaning.UNREACHED}


def test_a_handshake_that_never_ends_is_unreached() -> None:
    with socket.create_server((LOOPBACK, 0)) as silent:
        url = f"https://{LOOPBACK}:{silent.getsockname()[1]}/"
        with connected(url) as connection:
            assert classify(ask(connection, "d")).meaning is Meaning.UNREACHED


@pytest.mark.parametrize(
    "manners",
    [HangsUp(), GoesAwayAtOnce(), AllowsFewerStreams({0: 0})],
    ids=["closes", "goes_away", "allows_no_stream"],
)
def test_a_server_that_takes_connections_and_no_request_is_told_apart_from_a_stop(
    tmp_path: Path, manners: Manners
) -> None:
    with against(tmp_path, timeout=TIMEOUT_SECONDS) as (fcm, connection):
        fcm.manners = manners

        answer = ask(connection, "d")

    assert answer == Answer(Failure.NOT_TAKEN)
    assert classify(answer).meaning is Meaning.UNREACHED


def test_a_wait_for_nothing_ends_when_it_is_woken() -> None:
    with connected(f"https://{LOOPBACK}:{free_port()}/") as connection:
        connection.wake()

        assert connection.wait(DEADLINE_SECONDS) == []


def test_waiting_for_an_answer_does_not_burn_the_processor() -> None:
    with dropping() as port, connected(f"https://{LOOPBACK}:{port}/") as connection:
        connection.post("d", b"{}", authorization="Bearer x")
        busy = time.thread_time()

        answers(connection)

        assert time.thread_time() - busy < SHORT_SECONDS / 2


# --- Kept warm -----------------------------------------------------------------------------------


def warm(connection: Connection) -> None:
    """Connect ahead, and return when a request would find a connection."""
    connection.warm()
    assert eventually(
        lambda: bool(connection.wait(0.01) or is_open(connection)), seconds=DEADLINE_SECONDS
    )


def is_open(connection: Connection) -> bool:
    """Return whether a request would be sent at once."""
    taking = connection._links.taking
    return taking is not None and taking.session.takes(1)


def test_a_connection_is_made_ahead_without_any_request(tmp_path: Path) -> None:
    with against(tmp_path, timeout=TIMEOUT_SECONDS) as (fcm, connection):
        warm(connection)

        assert [peer.posts for peer in fcm.peers] == [[]]


@pytest.mark.engines
def test_a_warm_connection_is_the_one_that_sends(connect: Connect, token: str) -> None:
    client = connect()
    warm(client.connection)
    before = set(client.connection._links._links)

    warm(client.connection)
    answer = client.send(token)

    assert classify(answer).meaning is Meaning.ACCEPTED
    assert set(client.connection._links._links) == before
    assert len(client.posts(token)) == 1


@pytest.mark.engines
def test_a_connection_that_is_idle_is_not_forgotten_on_the_way(
    connect: Connect, token: str
) -> None:
    client = connect()

    client.send(token)

    [descriptor] = client.connection._links._links
    with socket.socket(fileno=os.dup(descriptor)) as used:
        assert used.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


@pytest.mark.parametrize("used", [True, False], ids=["used", "never_used"])
def test_a_connection_that_died_after_it_was_warmed_is_no_unknown(
    tmp_path: Path, used: bool
) -> None:
    with against(tmp_path, timeout=TIMEOUT_SECONDS) as (fcm, connection):
        if used:
            ask(connection, "before")
        warm(connection)
        fcm.drop_connections()

        answer = ask(connection, "after")

    assert classify(answer).meaning is Meaning.ACCEPTED


def test_the_end_of_a_connection_is_seen_behind_what_came_before_it(tmp_path: Path) -> None:
    def ping_and_drop(peer: Peer) -> None:
        cast(Http2Peer, peer).h2.ping(b"a ping..")
        cast(Http2Peer, peer).flush()
        peer.transport.abort()

    with against(tmp_path, timeout=TIMEOUT_SECONDS) as (fcm, connection):
        ask(connection, "before")
        fcm.to_each_connection(ping_and_drop)  # while the lane is busy elsewhere
        assert eventually(lambda: not fcm.peers)

        answer = ask(connection, "after")

    assert classify(answer).meaning is Meaning.ACCEPTED


def nothing(peer: Peer) -> None:
    """Do nothing, in the server's thread, after all that it had to do."""


def stand_still(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let so much time pass at once, as when this process was stopped."""
    now = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: now() + seconds)


def leave_an_answer_unread(fcm: hostile.HostileFcm, connection: Connection) -> dict[Any, Answer]:
    """Return when one attempt was answered, and nobody has looked.

    Return the answer if it came while the request was sent, as on a machine that stood still.
    """
    warm(connection)
    post_all(connection, [1])
    found = dict(connection.wait(0))
    assert eventually(lambda: all(peer.posts and peer.is_idle for peer in fcm.peers))
    fcm.to_each_connection(nothing)
    return found


def test_after_standing_still_answers_are_read_before_times_are_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with against(tmp_path, timeout=TIMEOUT_SECONDS) as (fcm, connection):
        found = leave_an_answer_unread(fcm, connection)
        stand_still(monkeypatch, 2 * TIMEOUT_SECONDS)

        connection.warm()
        found |= answers(connection)

    assert classify(found[1]).meaning is Meaning.ACCEPTED


def test_after_standing_still_nothing_is_sent_on_a_connection_that_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with against(tmp_path, timeout=TIMEOUT_SECONDS) as (fcm, connection):
        leave_an_answer_unread(fcm, connection)
        fcm.to_each_connection(Peer.close)
        assert eventually(lambda: not fcm.peers)
        stand_still(monkeypatch, LOOK_SECONDS)

        post_all(connection, [2])
        found = answers(connection)

    assert {classify(answer).meaning for answer in found.values()} == {Meaning.ACCEPTED}


class ClosesTheNext(Manners):
    """Ends one connection as soon as it is there."""

    has_closed = False

    def opened(self, peer: Http2Peer) -> None:
        if not self.has_closed:
            self.has_closed = True
            peer.close()


def test_connections_that_ended_while_nobody_waited_are_not_held_against_the_next(
    tmp_path: Path,
) -> None:
    with against(tmp_path, timeout=TIMEOUT_SECONDS) as (fcm, connection):
        for _ in range(MOST_FRUITLESS + 1):
            warm(connection)
            fcm.drop_connections()
            assert eventually(lambda: connection.wait(0.01) == [] and not is_open(connection))
        fcm.manners = ClosesTheNext()

        answer = ask(connection, "after")

    assert classify(answer).meaning is Meaning.ACCEPTED


@pytest.mark.parametrize("begins", ["cold", "just_warmed", "after_an_answer", "after_goaway"])
@pytest.mark.parametrize("streams", [1, 10])
def test_a_server_is_never_sent_more_at_once_than_it_takes(
    tmp_path: Path, streams: int, begins: str
) -> None:
    with against(tmp_path, timeout=TIMEOUT_SECONDS, latency_ms=5) as (fcm, connection):
        if begins == "after_goaway":
            fcm.manners = GoesAwayInGoodOrder(after=1)
            ask(connection, "before")
        fcm.manners = manners = AllowsFewerStreams({0: streams})
        if begins == "just_warmed":
            warm(connection)
        elif begins == "after_an_answer":
            ask(connection, "before")
        post_all(connection, range(STREAMS))

        found = answers(connection)

    assert manners.refused == 0
    assert {classify(answer).meaning for answer in found.values()} == {Meaning.ACCEPTED}
    assert len(found) == STREAMS


@pytest.mark.parametrize("streams", [1, 10])
def test_the_connection_after_a_goaway_is_never_sent_more_at_once_than_its_server_takes(
    tmp_path: Path, streams: int
) -> None:
    with against(tmp_path, timeout=TIMEOUT_SECONDS, latency_ms=5) as (fcm, connection):
        fcm.manners = manners = AllowsFewerStreamsAndGoes({0: streams}, after=20)
        post_all(connection, range(STREAMS))

        found = answers(connection)

    assert manners.leaving
    assert manners.refused == 0
    assert {classify(answer).meaning for answer in found.values()} == {Meaning.ACCEPTED}
    assert len(found) == STREAMS


def test_a_connection_on_which_nobody_answers_any_more_is_left(tmp_path: Path) -> None:
    with against(tmp_path, timeout=A_WHILE_SECONDS) as (fcm, connection):
        fcm.manners = FallsSilent(after=1)

        meanings = [classify(ask(connection, f"d{number}")).meaning for number in range(3)]

    assert meanings == [Meaning.ACCEPTED, Meaning.UNKNOWN, Meaning.ACCEPTED]


def test_while_nobody_answers_only_one_more_is_sent(tmp_path: Path) -> None:
    with against(tmp_path, timeout=A_WHILE_SECONDS) as (fcm, connection):
        fcm.manners = FallsSilent(after=1, on_all=True)
        ask(connection, "first")
        ask(connection, "not answered")
        post_all(connection, range(STREAMS))

        found = [classify(answer).meaning for answer in answers(connection).values()]

    assert found.count(Meaning.UNKNOWN) == 1
    assert found.count(Meaning.UNREACHED) == STREAMS - 1


def test_a_server_that_stands_still_before_its_settings_is_not_sent_more_than_it_takes(
    tmp_path: Path,
) -> None:
    with against(tmp_path, timeout=DEADLINE_SECONDS, latency_ms=5) as (fcm, connection):
        fcm.manners = manners = SaysSettingsLate({0: 1}, after_seconds=2.5)
        post_all(connection, range(10))

        found = answers(connection)

    assert manners.refused == 0
    assert {classify(answer).meaning for answer in found.values()} == {Meaning.ACCEPTED}


def test_a_server_that_never_says_its_settings_is_sent_nothing(tmp_path: Path) -> None:
    with against(tmp_path, timeout=TIMEOUT_SECONDS) as (fcm, connection):
        fcm.manners = SaysSettingsLate({}, after_seconds=2 * SETTINGS_SECONDS)
        post_all(connection, range(10))

        found = answers(connection)

    assert {answer.failure for answer in found.values()} == {Failure.NO_SETTINGS}
    assert len(found) == 10


def test_a_connection_that_takes_no_more_is_left_for_another(tmp_path: Path) -> None:
    with against(tmp_path, timeout=DEADLINE_SECONDS) as (fcm, connection):
        fcm.manners = GivesNoRoom()
        post_all(connection, range(2000))

        found = answers(connection)

    assert {classify(answer).meaning for answer in found.values()} == {Meaning.ACCEPTED}
    assert len(found) == 2000


def test_a_server_without_http2_is_sent_nothing(tmp_path: Path) -> None:
    with against(tmp_path, timeout=TIMEOUT_SECONDS) as (fcm, connection):
        fcm.speak(http2=False)

        answer = ask(connection, "d")

    assert answer == Answer(Failure.NO_HTTP2)


@pytest.mark.parametrize("begins", ["cold", "just_warmed", "after_an_answer"])
def test_a_first_answer_that_is_slow_does_not_hold_back_the_others(
    tmp_path: Path, begins: str
) -> None:
    with against(tmp_path, timeout=DEADLINE_SECONDS) as (fcm, connection):
        if begins == "just_warmed":
            warm(connection)
        elif begins == "after_an_answer":
            ask(connection, "before")
        fcm.manners = AnswersTheFirstLast(others=STREAMS - 1)
        post_all(connection, range(STREAMS))

        found = answers(connection)

    # The first is answered only after the others: else its time would have been up.
    assert {classify(answer).meaning for answer in found.values()} == {Meaning.ACCEPTED}


class AlsoResetsTheSecond(AnswersTheFirstLast):
    """The same, and RST_STREAM for the second."""

    def reply(self, peer: Peer, stream: int, status: int, body: bytes) -> None:
        if peer.posts.index(stream) == 1:
            cast(Http2Peer, peer).reset_stream(stream, ErrorCodes.CANCEL)
        else:
            super().reply(peer, stream, status, body)


def test_a_request_that_fails_does_not_put_the_next_behind_a_slow_one(tmp_path: Path) -> None:
    with against(tmp_path, timeout=DEADLINE_SECONDS) as (fcm, connection):
        fcm.manners = AlsoResetsTheSecond(others=10)
        post_all(connection, range(2))
        while connection.in_flight == 2:
            connection.wait(0.01)
        post_all(connection, range(2, 12))

        found = answers(connection)

    # The first is answered only after the last ten: else its time would have been up.
    assert sorted(found) == [0, *range(2, 12)]
    assert {classify(answer).meaning for answer in found.values()} == {Meaning.ACCEPTED}

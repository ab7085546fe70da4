"""The sender: every target that is handed over gets exactly one result, whatever happens."""

import json
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any, cast

import pytest

from fcm_emulator import oauth
from fcm_emulator.journal import read
from fcm_emulator.process import EmulatorProcess, running
from notifications.fcm.connection import Connection
from notifications.fcm.credentials import AccessToken
from notifications.fcm.endpoint import Endpoint
from notifications.fcm.key import CredentialsUnavailableError
from notifications.fcm.outcomes import Meaning, Verdict
from notifications.fcm.sending import STREAMS
from notifications.worker import lane as lane_module
from notifications.worker.ahead import NOT_SENT
from notifications.worker.inbox import Answered, Event, HelperDied, Tried
from notifications.worker.sender import HELD_A_LANE, Sender
from notifications.worker.work import Job, Result, Target
from testbed.hostile import fcm as hostile
from testbed.hostile.certificates import Authority
from testbed.hostile.manners import (
    AllowsFewerStreams,
    AnswersSome,
    AnswersTheFirstLast,
    HangsUp,
    Manners,
    RefusesStreams,
)
from testbed.process import LOOPBACK, eventually, free_port

# Deadlines for a busy machine, no expectations.
DEADLINE_SECONDS = 240.0
TIMEOUT_SECONDS = 120.0
SHORT_SECONDS = 0.5  # for what never comes
HEAD = b'{"message":{"notification":{"title":"Night Radio"},'


class Access:
    """Gives the same Authorization for ever, or raises."""

    def __init__(self, authorization: str = "Bearer x", error: Exception | None = None) -> None:
        self.authorization = authorization
        self.error = error
        self.refused: list[str] = []

    def header(self, *, refused: str = "") -> str:
        """Return the Authorization, and remember what was refused."""
        if refused:
            self.refused.append(refused)
        if self.error:
            raise self.error
        return self.authorization


class FirstTheSame:
    """Gives each lane the same access token for its first attempts, however late the lane begins.

    A lane that was refused gets what the real credentials give.
    """

    def __init__(self, real: AccessToken) -> None:
        self._real = real
        self._first = real.header()

    def header(self, *, refused: str = "") -> str:
        """Return the Authorization."""
        return self._real.header(refused=refused) if refused else self._first


class DiesOfRefusal(Access):
    """Is broken where FCM refused what it gave."""

    def header(self, *, refused: str = "") -> str:
        """Return the Authorization, or raise what nobody expects."""
        if refused:
            raise RuntimeError("a defect")
        return self.authorization


class Lanes:
    """A sender, and what it reported."""

    def __init__(self, endpoint: Endpoint, access: Any, *, lanes: int = 1) -> None:
        self.reports: SimpleQueue[Event] = SimpleQueue()
        self.events: list[Event] = []
        self.jobs: list[Job] = []
        self.sender = Sender(
            lanes=lanes,
            endpoint=endpoint,
            access=cast(AccessToken, access),
            report=self.reports.put,
        )
        self.sender.hold_lease(until=math.inf)

    def send(self, *tokens: str, notification_id: int = 7) -> Job:
        """Hand over a batch of these tokens, and return it."""
        job = Job(
            batch_id=len(self.jobs) + 1,
            notification_id=notification_id,
            head=HEAD,
            tail=b"}}",
            targets=tuple(Target(number, "token", token) for number, token in enumerate(tokens)),
        )
        self.jobs.append(job)
        self.sender.send([job])
        return job

    @property
    def results(self) -> list[Result]:
        """Return the results so far."""
        return [result for event in self.answered for result in event.results]

    @property
    def answered(self) -> list[Answered]:
        """Return the reports with results so far."""
        return [event for event in self.events if isinstance(event, Answered)]

    @property
    def deaths(self) -> list[HelperDied]:
        """Return what died so far."""
        return [event for event in self.events if isinstance(event, HelperDied)]

    def wait_for(self, count: int) -> list[Result]:
        """Return the results once there are so many."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while len(self.results) < count:
            self.events.append(self.reports.get(timeout=deadline - time.monotonic()))
        return self.results

    def wait_to_have_connected(self, failure: str = "") -> None:
        """Return once a lane has connected ahead, or has failed to in this way."""
        while self.reports.get(timeout=DEADLINE_SECONDS) != Tried(failure):
            pass

    def devices(self, meaning: Meaning) -> set[int]:
        """Return the devices whose answer had this meaning."""
        return {each.target.device_id for each in self.results if each.verdict.meaning is meaning}

    def finish(self) -> list[Result]:
        """Close the sender once all is answered, and return all results."""
        self.sender.finish()
        self.wait_for(sum(len(job.targets) for job in self.jobs))
        self.sender.close()
        while not self.reports.empty():
            self.events.append(self.reports.get())
        return self.results

    def answers(self) -> Counter[tuple[int, int]]:
        """Return how many results each target got."""
        return Counter((result.batch_id, result.target.device_id) for result in self.results)

    def once_each(self) -> Counter[tuple[int, int]]:
        """Return one result for each target that was handed over."""
        return Counter(
            (job.batch_id, target.device_id) for job in self.jobs for target in job.targets
        )


Start = Callable[..., Lanes]


@pytest.fixture
def away() -> Iterator[Start]:
    """Yield a function that returns a sender to where nobody listens, closed in the end."""
    with ExitStack() as stack:

        def away(access: Any, *, lanes: int = 1) -> Lanes:
            url = f"https://{LOOPBACK}:{free_port()}/"
            started = Lanes(Endpoint(url, "", TIMEOUT_SECONDS), access, lanes=lanes)
            stack.callback(started.sender.close)
            return started

        yield away


@pytest.fixture(scope="module")
def fcm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    """Yield an emulator that no test breaks; each uses tokens of its own."""
    with running(tmp_path_factory.mktemp("fcm")) as process:
        yield process


@pytest.fixture
def token(request: pytest.FixtureRequest) -> str:
    """Return a token that no other test uses."""
    return f"dev-{abs(hash(request.node.nodeid)):x}x"


@pytest.fixture
def start(fcm: EmulatorProcess) -> Iterator[Start]:
    """Yield a function that returns a sender to the emulator, closed in the end."""
    with ExitStack() as stack:

        def start(*, access: Any = None, lanes: int = 1, timeout: float = TIMEOUT_SECONDS) -> Lanes:
            real = AccessToken(str(fcm.service_account_file), ca_file=str(fcm.ca_file))
            url = f"{fcm.url}/v1/projects/{real.project_id}/messages:send"
            endpoint = Endpoint(url, str(fcm.ca_file), timeout)
            started = Lanes(endpoint, access or real, lanes=lanes)
            stack.callback(started.sender.close)
            return started

        yield start


def entries(fcm: EmulatorProcess, token: str) -> list[Any]:
    """Return what FCM saw of the tokens that begin so."""
    return [entry for entry in fcm.entries() if str(entry["token"]).startswith(token)]


@pytest.mark.engines
def test_each_target_is_sent_to_once(start: Start, fcm: EmulatorProcess, token: str) -> None:
    lanes = start(lanes=3)
    for batch in range(12):
        lanes.send(*[f"{token}-{batch}-{number}" for number in range(25)])

    lanes.finish()

    assert lanes.answers() == lanes.once_each()
    assert {result.verdict.meaning for result in lanes.results} == {Meaning.ACCEPTED}
    assert len({entry["token"] for entry in entries(fcm, token)}) == 300
    assert len(entries(fcm, token)) == 300


@pytest.mark.engines
def test_a_result_says_what_became_of_which_attempt(start: Start, token: str) -> None:
    lanes = start()
    job = Job(5, 9, HEAD, b"}}", (Target(17, "token", f"{token}-429after30", attempt=4),))

    lanes.sender.send([job])

    result = lanes.wait_for(1)[0]
    assert (result.batch_id, result.notification_id, result.target.device_id) == (5, 9, 17)
    assert (result.target.attempt, result.verdict.meaning, result.retry_after) == (
        4,
        Meaning.THROTTLED,
        30,
    )
    assert result.verdict.code == "QUOTA_EXCEEDED"


@pytest.mark.engines
def test_whatever_fcm_answers_each_target_gets_one_result(start: Start, token: str) -> None:
    faults = ["unregistered", "invalid", "http503", "hang", "no-name", "html200", "expiredauth"]
    lanes = start(timeout=1)

    lanes.send(*[f"{token}-{fault}" for fault in faults], f"{token}-reset-after")
    lanes.send(*[f"{token}-more-{number}" for number in range(25)])
    lanes.finish()

    assert lanes.answers() == lanes.once_each()


@contextmanager
def to_a_hostile_fcm(
    directory: Path, manners: Manners, *, lanes: int = 1, timeout: float = TIMEOUT_SECONDS
) -> Iterator[tuple[hostile.HostileFcm, Lanes]]:
    """Yield an FCM with these manners, and a sender to it that is closed in the end."""
    authority = Authority(directory / "authority", "trusted")
    with hostile.running(directory / "journal", authority.issue("good")) as fcm:
        fcm.manners = manners
        endpoint = Endpoint(fcm.url, str(authority.ca_file), timeout)
        started = Lanes(endpoint, Access(), lanes=lanes)
        try:
            yield fcm, started
        finally:
            started.sender.close()


def test_a_slow_answer_holds_back_nobody(tmp_path: Path) -> None:
    with to_a_hostile_fcm(tmp_path, AnswersTheFirstLast(others=49)) as (_fcm, lanes):
        lanes.send(*[f"d{number}" for number in range(25)])
        lanes.send(*[f"next-{number}" for number in range(25)])

        lanes.finish()

    # The first is answered only after the others: else its time would have been up.
    assert lanes.answers() == lanes.once_each()
    assert {result.verdict.meaning for result in lanes.results} == {Meaning.ACCEPTED}


@pytest.mark.engines
def test_all_lanes_share_one_refresh_after_a_401(
    start: Start, fcm: EmulatorProcess, token: str
) -> None:
    real = AccessToken(str(fcm.service_account_file), ca_file=str(fcm.ca_file))
    lanes = start(access=FirstTheSame(real), lanes=4)

    for batch in range(4):
        lanes.send(*[f"{token}-{batch}-{number}-expiredauth" for number in range(25)])
    results = lanes.finish()

    assert {result.verdict.meaning for result in results} == {Meaning.ACCEPTED}
    assert {result.target.attempt for result in results} == {2}
    assert lanes.answers() == lanes.once_each()
    assert len({entry["access_token"] for entry in entries(fcm, token)}) == 2


@pytest.mark.engines
def test_a_second_401_is_for_an_operator(start: Start, fcm: EmulatorProcess, token: str) -> None:
    access = Access("Bearer never-valid")
    lanes = start(access=access)

    lanes.send(token)
    results = lanes.finish()

    assert [(each.verdict.meaning, each.verdict.code) for each in results] == [
        (Meaning.MISCONFIGURED, "UNAUTHENTICATED")
    ]
    assert access.refused == ["Bearer never-valid"]
    assert [entry["status"] for entry in entries(fcm, token)] == [401, 401]


@pytest.mark.engines
def test_a_401_is_not_tried_again_after_the_lease_has_ended(
    start: Start, fcm: EmulatorProcess, token: str
) -> None:
    class Late(Access):
        def header(self, *, refused: str = "") -> str:
            if refused:
                lanes.sender.hold_lease(until=0)  # it ends meanwhile
            return super().header(refused=refused)

    lanes = start(access=Late("Bearer never-valid"))

    lanes.send(token)
    results = lanes.finish()

    # One POST, and one attempt: the repeat did not leave.
    assert [(each.verdict.meaning, each.verdict.code, each.target.attempt) for each in results] == [
        (Meaning.NOT_PROCESSED, NOT_SENT.code, 1)
    ]
    assert [entry["status"] for entry in entries(fcm, token)] == [401]


@pytest.mark.engines
def test_a_401_of_a_third_party_is_not_tried_again(
    start: Start, fcm: EmulatorProcess, token: str
) -> None:
    lanes = start()

    lanes.send(f"{token}-thirdparty")

    assert lanes.wait_for(1)[0].verdict.meaning is Meaning.MISCONFIGURED
    assert len(entries(fcm, token)) == 1


def changed_account(fcm: EmulatorProcess, directory: Path, **values: str) -> AccessToken:
    """Return the access token of the emulator's service account, with these values changed."""
    content = json.loads(fcm.service_account_file.read_text()) | values
    file = directory / "changed.json"
    file.write_text(json.dumps(content))
    return AccessToken(str(file), ca_file=str(fcm.ca_file))


@pytest.mark.engines
def test_nothing_is_posted_while_the_token_endpoint_is_down(
    start: Start, fcm: EmulatorProcess, token: str, tmp_path: Path
) -> None:
    down = changed_account(fcm, tmp_path, token_uri=f"https://{LOOPBACK}:{free_port()}/token")
    lanes = start(access=down, lanes=2)

    for batch in range(4):
        lanes.send(*[f"{token}-{batch}-{number}" for number in range(25)])
    results = lanes.finish()

    assert {(each.verdict.meaning, each.verdict.code) for each in results} == {
        (Meaning.UNREACHED, "NO_ACCESS_TOKEN")
    }
    assert lanes.answers() == lanes.once_each()
    assert entries(fcm, token) == []


@pytest.mark.engines
def test_nothing_is_posted_for_an_account_that_is_refused(
    start: Start, fcm: EmulatorProcess, token: str, tmp_path: Path
) -> None:
    other = tmp_path / "other.json"
    oauth.write_service_account(other, f"{fcm.url}/token")
    key = json.loads(other.read_text())["private_key"]
    lanes = start(access=changed_account(fcm, tmp_path, private_key=key))

    lanes.send(token, f"{token}-2")

    assert {(each.verdict.meaning, each.verdict.code) for each in lanes.wait_for(2)} == {
        (Meaning.CREDENTIALS_REFUSED, "CREDENTIALS_REFUSED")
    }
    assert entries(fcm, token) == []


@pytest.mark.engines
def test_a_lane_that_dies_of_an_answer_leaves_nobody_without_a_result(
    start: Start, fcm: EmulatorProcess, token: str
) -> None:
    good = AccessToken(str(fcm.service_account_file), ca_file=str(fcm.ca_file)).header()
    lanes = start(access=DiesOfRefusal(good))
    tokens = [f"{token}-{number}" for number in range(24)]

    lanes.send(*tokens, f"{token}-expiredauth")
    lanes.finish()

    assert lanes.answers() == lanes.once_each()
    assert len(lanes.deaths) == 1
    accepted = {
        each.target.device_id for each in lanes.results if each.verdict.meaning is Meaning.ACCEPTED
    }
    unknown = {
        each.target.device_id for each in lanes.results if each.verdict.meaning is Meaning.UNKNOWN
    }
    assert 24 in unknown
    assert accepted | unknown == set(range(25))


@pytest.fixture
def broken_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a lane die of the third request that it starts."""
    post = Connection.post

    def die_of_the_third(connection: Connection, key: object, body: bytes, **values: str) -> None:
        if connection.in_flight == 2:
            raise RuntimeError("a defect")
        post(connection, key, body, **values)

    monkeypatch.setattr(Connection, "post", die_of_the_third)


@pytest.mark.usefixtures("broken_connection")
def test_a_lane_that_dies_makes_unknown_only_what_it_had_taken(away: Start) -> None:
    lanes = away(Access())

    lanes.send(*"abcde")

    assert [each.verdict for each in lanes.wait_for(5)] == [
        *[Verdict(Meaning.UNKNOWN, "LANE_DIED")] * 3,
        *[Verdict(Meaning.UNREACHED, "NOT_SENT")] * 2,
    ]
    lanes.finish()
    assert lanes.answers() == lanes.once_each()


@pytest.mark.usefixtures("broken_connection")
def test_a_death_is_known_before_its_results_make_room_for_more(away: Start) -> None:
    lanes = away(Access())

    lanes.send(*"abc")
    lanes.finish()

    ends = [event for event in lanes.events if not isinstance(event, Tried)]
    assert isinstance(ends[0], HelperDied)
    assert lanes.deaths == [HelperDied("lane 0", "RuntimeError: a defect")]


def test_what_is_handed_over_after_the_last_lane_died_is_answered_all_the_same(
    away: Start,
) -> None:
    # Else the worker, which waits for what is in flight, would never end.
    lanes = away(Access(error=RuntimeError("a defect")))
    lanes.send("a")
    lanes.wait_for(1)

    lanes.send("b", "c")

    assert [each.verdict.code for each in lanes.wait_for(3)] == ["NOT_SENT"] * 3
    lanes.finish()
    assert lanes.answers() == lanes.once_each()


def test_a_lane_that_cannot_even_begin_answers_and_is_reported(
    away: Start,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def out_of_descriptors(*_: Any) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(lane_module, "Connection", out_of_descriptors)
    lanes = away(Access())

    lanes.send("a", "b")
    lanes.finish()

    assert lanes.answers() == lanes.once_each()
    assert len(lanes.deaths) == 1


def test_lanes_of_which_one_cannot_be_started_do_not_keep_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start_thread = threading.Thread.start
    started: list[threading.Thread] = []

    def start_two(thread: threading.Thread) -> None:
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start_thread(thread)

    monkeypatch.setattr(threading.Thread, "start", start_two)
    nowhere = Endpoint(f"https://{LOOPBACK}:{free_port()}/", "", TIMEOUT_SECONDS)

    with pytest.raises(RuntimeError):
        Lanes(nowhere, Access(), lanes=4)

    for thread in started:
        thread.join(DEADLINE_SECONDS)
    assert not any(thread.is_alive() for thread in started)


def test_one_dead_lane_does_not_take_the_others_with_it(away: Start) -> None:
    class DiesOnce(Access):
        def header(self, *, refused: str = "") -> str:
            if not dead.is_set():
                dead.set()
                raise RuntimeError("a defect")
            return "Bearer x"

    dead = threading.Event()
    lanes = away(DiesOnce(), lanes=2)

    for _ in range(4):
        lanes.send(*"abcde")
    lanes.finish()

    assert lanes.answers() == lanes.once_each()
    assert Meaning.UNREACHED in {result.verdict.meaning for result in lanes.results}


def test_a_network_that_is_away_reaches_nobody(away: Start) -> None:
    lanes = away(Access(), lanes=2)

    for _ in range(4):
        lanes.send(*"abcde")
    lanes.finish()

    assert lanes.answers() == lanes.once_each()
    assert {result.verdict.meaning for result in lanes.results} == {Meaning.UNREACHED}


def test_a_lane_without_an_access_token_leaves_nothing_waiting(
    away: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_module, "WARM_SECONDS", 2 * DEADLINE_SECONDS)  # it may sleep so long
    lanes = away(Access(error=CredentialsUnavailableError()))

    lanes.send(*map(str, range(HELD_A_LANE)))  # more than there are streams

    assert len(lanes.wait_for(HELD_A_LANE)) == HELD_A_LANE


def test_an_idle_lane_that_loses_its_connection_learns_at_once_that_fcm_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_module, "WARM_SECONDS", 2 * DEADLINE_SECONDS)  # it may sleep so long
    with to_a_hostile_fcm(tmp_path, Manners()) as (fcm, lanes):
        lanes.wait_to_have_connected()

        fcm.speak(http2=False)
        fcm.drop_connections()

        lanes.wait_to_have_connected("NO_HTTP2")


def test_a_server_that_closes_what_is_idle_is_not_dialled_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_module, "WARM_SECONDS", 2 * DEADLINE_SECONDS)
    with to_a_hostile_fcm(tmp_path, HangsUp()) as (_fcm, lanes):
        lanes.wait_to_have_connected()
        lanes.wait_to_have_connected()

        time.sleep(SHORT_SECONDS)

    assert lanes.reports.empty()


def test_closing_ends_the_threads(away: Start) -> None:
    before = set(threading.enumerate())  # another test's may end meanwhile
    lanes = away(Access(), lanes=5)
    started = [each for each in set(threading.enumerate()) - before if is_a_lane(each)]
    assert len(started) == 5

    lanes.finish()

    assert not any(each.is_alive() for each in started)


def is_a_lane(thread: threading.Thread) -> bool:
    """Return whether this is no thread that connects, which ends by itself."""
    return thread.name.startswith("lane")


@pytest.mark.engines
def test_closing_waits_for_what_is_in_flight(start: Start, token: str) -> None:
    lanes = start()

    lanes.send(f"{token}-slow1")
    results = lanes.finish()

    assert [result.verdict.meaning for result in results] == [Meaning.ACCEPTED]


def test_a_lane_starts_no_more_than_its_connection_has_streams(tmp_path: Path) -> None:
    manners = AnswersSome(0)
    with to_a_hostile_fcm(tmp_path, manners) as (_fcm, lanes):
        lanes.send(*map(str, range(HELD_A_LANE)))
        assert eventually(lambda: len(read(tmp_path / "journal")) == STREAMS)

        (lane,) = lanes.sender._lanes
        assert len(lane._attempts) == STREAMS
        manners.hurry()
        lanes.finish()

    assert lanes.answers() == lanes.once_each()


def test_what_waits_ahead_is_sent_by_whichever_lane_has_a_free_stream(tmp_path: Path) -> None:
    # None is answered, and one connection takes a hundred.
    manners = AnswersSome(0)
    with to_a_hostile_fcm(tmp_path, manners, lanes=2) as (fcm, lanes):
        lanes.send(*map(str, range(HELD_A_LANE)))

        assert eventually(lambda: len(read(tmp_path / "journal")) == HELD_A_LANE)
        assert max(len(peer.posts) for peer in fcm.peers) <= STREAMS
        manners.hurry()
        lanes.finish()

    assert lanes.answers() == lanes.once_each()


def test_what_is_answered_makes_room_again(away: Start) -> None:
    lanes = away(Access())
    lanes.send(*map(str, range(HELD_A_LANE)))
    assert lanes.sender.in_flight == lanes.sender.capacity == HELD_A_LANE

    lanes.wait_for(HELD_A_LANE)
    for event in lanes.answered:
        lanes.sender.settle(event)

    assert lanes.sender.in_flight == 0
    lanes.finish()


def test_a_stop_gives_back_what_waits_ahead_where_fcm_is_failing(tmp_path: Path) -> None:
    with to_a_hostile_fcm(tmp_path, AnswersSome(0)) as (fcm, lanes):
        lanes.send(*map(str, range(HELD_A_LANE)))
        assert eventually(lambda: len(read(tmp_path / "journal")) == STREAMS)

        lanes.sender.finish()
        fcm.drop_connections()
        lanes.finish()

    meanings = Counter(result.verdict.meaning for result in lanes.results)
    assert meanings == {Meaning.UNKNOWN: STREAMS, Meaning.UNREACHED: HELD_A_LANE - STREAMS}
    assert lanes.answers() == lanes.once_each()


def test_a_stop_goes_on_where_fcm_does_not_process_some(tmp_path: Path) -> None:
    with to_a_hostile_fcm(tmp_path, RefusesStreams(every=20)) as (_fcm, lanes):
        lanes.send(*map(str, range(HELD_A_LANE)))
        lanes.finish()

    meanings = Counter(result.verdict.meaning for result in lanes.results)
    refused = HELD_A_LANE // 20
    assert meanings == {Meaning.NOT_PROCESSED: refused, Meaning.ACCEPTED: HELD_A_LANE - refused}
    assert lanes.answers() == lanes.once_each()


def test_what_waits_ahead_is_not_begun_after_the_lease_has_ended(tmp_path: Path) -> None:
    # So a worker that stood still, while another took over, sends nothing of what it had claimed.
    manners = AnswersSome(0)
    with to_a_hostile_fcm(tmp_path, manners) as (_fcm, lanes):
        lanes.send(*map(str, range(HELD_A_LANE)))
        assert eventually(lambda: len(read(tmp_path / "journal")) == STREAMS)

        lanes.sender.hold_lease(until=time.monotonic())
        manners.hurry()
        lanes.finish()

        assert len(read(tmp_path / "journal")) == STREAMS
    meanings = Counter(result.verdict.meaning for result in lanes.results)
    assert meanings == {Meaning.ACCEPTED: STREAMS, Meaning.UNREACHED: HELD_A_LANE - STREAMS}
    assert lanes.answers() == lanes.once_each()


class AnswersSomeOnFewStreams(AllowsFewerStreams, AnswersSome):
    """Allows ten streams, and answers on none until it is told to."""

    def __init__(self) -> None:
        AllowsFewerStreams.__init__(self, {0: 10})
        AnswersSome.__init__(self, 0)


def test_what_a_connection_has_no_stream_for_is_not_begun_after_the_lease_has_ended(
    tmp_path: Path,
) -> None:
    manners = AnswersSomeOnFewStreams()
    with to_a_hostile_fcm(tmp_path, manners) as (_fcm, lanes):
        lanes.send(*map(str, range(HELD_A_LANE)))
        assert eventually(lambda: len(read(tmp_path / "journal")) == 10)

        lanes.sender.hold_lease(until=time.monotonic())
        manners.hurry()
        lanes.finish()

        assert len(read(tmp_path / "journal")) == 10
    assert lanes.devices(Meaning.ACCEPTED) == set(range(10))
    assert lanes.answers() == lanes.once_each()


def test_what_waits_ahead_is_taken_back_of_one_notification_and_not_of_another(
    tmp_path: Path,
) -> None:
    manners = AnswersSome(0)
    with to_a_hostile_fcm(tmp_path, manners) as (_fcm, lanes):
        lanes.send(*[f"begun-{number}" for number in range(STREAMS)])
        assert eventually(lambda: len(read(tmp_path / "journal")) == STREAMS)
        lanes.send("b", "c", "d", notification_id=8)
        lanes.send("e", "f", notification_id=7)

        lanes.sender.withdraw({7})

        assert [result.target.token for result in lanes.wait_for(2)] == ["e", "f"]
        assert {result.verdict for result in lanes.results} == {NOT_SENT}
        manners.hurry()
        lanes.finish()

        sent = {str(entry["token"]) for entry in read(tmp_path / "journal")}
        assert len(sent) == STREAMS + 3
        assert {"b", "c", "d"} < sent
    assert lanes.answers() == lanes.once_each()


def test_closing_begins_nothing(tmp_path: Path) -> None:
    # As after a defect of the main thread: nobody would record what came of it.
    manners = AnswersSome(0)
    with to_a_hostile_fcm(tmp_path, manners) as (_fcm, lanes):
        lanes.send(*map(str, range(HELD_A_LANE)))
        assert eventually(lambda: len(read(tmp_path / "journal")) == STREAMS)

        closing = threading.Thread(target=lanes.sender.close)
        closing.start()
        assert len(lanes.wait_for(HELD_A_LANE - STREAMS)) == HELD_A_LANE - STREAMS
        manners.hurry()
        closing.join(DEADLINE_SECONDS)

        assert len(read(tmp_path / "journal")) == STREAMS
    assert not closing.is_alive()


def test_a_request_that_timed_out_counts_among_the_answer_times(tmp_path: Path) -> None:
    # With those alone that were answered, an FCM that answers one of four looks quick.
    with to_a_hostile_fcm(tmp_path, AnswersSome(1), timeout=1) as (_fcm, lanes):
        lanes.send("answered", *[f"in-vain-{number}" for number in range(3)])
        lanes.wait_for(4)

        times = lanes.sender.latency()

    assert {result.verdict.code for result in lanes.results} == {"", "TIMED_OUT"}
    assert sum(times.counts) == 4
    assert times.seconds >= 3


def test_a_request_that_was_never_sent_is_none_of_the_answer_times(away: Start) -> None:
    lanes = away(Access())

    lanes.send("a", "b")
    lanes.finish()

    assert sum(lanes.sender.latency().counts) == 0


def test_streams_that_had_nothing_to_send_for_a_while_did_not_stand_idle(tmp_path: Path) -> None:
    with to_a_hostile_fcm(tmp_path, Manners()) as (_fcm, lanes):
        lanes.sender.expect(more=True)
        lanes.send("a")
        lanes.wait_for(1)
        lanes.sender.expect(more=False)

        lanes.send("b")
        lanes.finish()

    assert lanes.sender.figures()["turnaround_median"] is None


def test_a_stream_that_waits_for_what_is_left_to_claim_stands_idle(tmp_path: Path) -> None:
    with to_a_hostile_fcm(tmp_path, Manners()) as (_fcm, lanes):
        lanes.sender.expect(more=True)
        lanes.send("a")
        lanes.wait_for(1)

        lanes.send("b")
        lanes.wait_for(2)

        assert lanes.sender.figures()["turnaround_median"] is not None


def test_a_lane_that_waits_for_a_slow_answer_is_woken_for_new_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It does not wake by itself before the time of the first is up.
    monkeypatch.setattr(lane_module, "WAIT_SECONDS", DEADLINE_SECONDS)
    with to_a_hostile_fcm(tmp_path, AnswersTheFirstLast(others=1)) as (_fcm, lanes):
        lanes.send("slow")
        assert eventually(lambda: bool(read(tmp_path / "journal")))

        lanes.send("quick")
        lanes.finish()

    assert {result.verdict.meaning for result in lanes.results} == {Meaning.ACCEPTED}


@pytest.mark.engines
def test_an_idle_lane_is_ready_before_the_first_send(
    start: Start, fcm: EmulatorProcess, token: str
) -> None:
    ready = threading.Event()

    class Fetched(Access):
        def header(self, *, refused: str = "") -> str:
            ready.set()
            return super().header(refused=refused)

    before = len(fcm.entries())

    start(access=Fetched(), lanes=2)

    assert ready.wait(DEADLINE_SECONDS)
    assert len(fcm.entries()) == before  # and no message was sent for that

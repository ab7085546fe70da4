"""The receiver: subscribes, and goes on subscribing whatever Redis does."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from queue import SimpleQueue

import pytest
import redis
from pytest_django import Settings

from notifications import channel
from notifications.tests.redis_urls import UNUSABLE
from notifications.worker import receiver
from notifications.worker.inbox import Event, HelperDied, TalkPosted, Wake
from notifications.worker.receiver import Receiver
from testbed.own_engines import hung
from testbed.process import LOOPBACK, eventually, free_port
from testbed.redis import running_redis

DEADLINE_SECONDS = 120.0  # for a busy machine, no expectation
HANGS_SECONDS = receiver.SILENCE_SECONDS
SILENCE_SECONDS = 5.0
TRIES = 3  # of which a machine that stands still spoils one
SUBSCRIBED = Wake("subscribed")


class Heard:
    """What a receiver reported."""

    def __init__(self) -> None:
        self.queue: SimpleQueue[Event] = SimpleQueue()

    def next(self) -> Event:
        """Return the next event."""
        return self.queue.get(timeout=DEADLINE_SECONDS)

    def wait_for(self, event: Event) -> None:
        """Return once this event came, whatever came before it."""
        while self.next() != event:
            pass

    def nothing(self) -> bool:
        """Return whether nothing more has come."""
        return self.queue.empty()


Listen = Callable[[str], Heard]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no Redis be taken for one that hangs, and left, because the machine stands still."""
    monkeypatch.setattr(receiver, "SILENCE_SECONDS", DEADLINE_SECONDS)


@pytest.fixture
def listen(settings: Settings) -> Iterator[Listen]:
    """Yield a function that starts a receiver at a REDIS_URL; it is stopped in the end."""
    with ExitStack() as stack:

        def listen(url: str) -> Heard:
            settings.REDIS_URL = url
            heard = Heard()
            listening = Receiver(heard.queue.put)
            listening.start()
            stack.callback(listening.stop)
            return heard

        yield listen


def publish(url: str, message: bytes) -> None:
    """Publish as any producer may."""
    with redis.Redis.from_url(url) as client:
        client.publish(channel.TALK_POSTED_CHANNEL, message)


def port_of(url: str) -> int:
    """Return the port in the URL of a Redis."""
    return int(url.rpartition(":")[2].removesuffix("/0"))


@pytest.mark.engines
def test_a_subscription_is_a_reason_to_look(listen: Listen) -> None:
    with running_redis() as url:
        assert listen(url).next() == SUBSCRIBED


@pytest.mark.engines
def test_a_message_names_its_talk(listen: Listen) -> None:
    with running_redis() as url:
        heard = listen(url)
        heard.wait_for(SUBSCRIBED)

        publish(url, b'{"talk_id": 42}')

        assert heard.next() == TalkPosted(42)


@pytest.mark.engines
def test_a_signed_message_is_handed_on_as_signed(listen: Listen) -> None:
    with running_redis() as url:
        heard = listen(url)
        heard.wait_for(SUBSCRIBED)

        publish(url, channel.signed(42).encode())

        assert heard.next() == TalkPosted(42, is_signed=True)


@pytest.mark.engines
def test_messages_with_a_wrong_hmac_name_no_talk_and_are_told_once(
    listen: Listen, caplog: pytest.LogCaptureFixture
) -> None:
    with running_redis() as url:
        heard = listen(url)
        heard.wait_for(SUBSCRIBED)

        for _ in range(3):
            publish(url, b'{"talk_id": 42, "hmac": "0123"}')

        assert [heard.next() for _ in range(3)] == [Wake("message")] * 3
    told = [each for each in caplog.records if each.getMessage() == "message.wrong_hmac"]
    assert len(told) == 1


@pytest.mark.engines
def test_garbage_only_means_look_now(listen: Listen) -> None:
    with running_redis() as url:
        heard = listen(url)
        heard.wait_for(SUBSCRIBED)

        for message in (b"", b"{}", b"\xff\xfe", b'{"talk_id": NaN}', b"x" * 1024 * 1024):
            publish(url, message)

            assert heard.next() == Wake("message")


@pytest.mark.engines
def test_garbage_ends_nobody_who_has_redis_py_decode_it(listen: Listen) -> None:
    with running_redis() as url:
        heard = listen(f"{url}?decode_responses=yes")
        heard.wait_for(SUBSCRIBED)

        publish(url, b"\xff\xfe")

        assert heard.next() == SUBSCRIBED  # again, which is a reason to look as well


@pytest.mark.engines
def test_messages_come_in_their_order_and_none_is_lost(listen: Listen) -> None:
    with running_redis() as url:
        heard = listen(url)
        heard.wait_for(SUBSCRIBED)

        with redis.Redis.from_url(url) as client:
            for number in range(1, 1001):
                client.publish(channel.TALK_POSTED_CHANNEL, f'{{"talk_id": {number}}}')

        assert [heard.next() for _ in range(1000)] == [TalkPosted(n) for n in range(1, 1001)]


@pytest.mark.engines
def test_it_subscribes_again_to_a_redis_that_was_restarted(
    listen: Listen, caplog: pytest.LogCaptureFixture
) -> None:
    with running_redis() as url:
        heard = listen(url)
        heard.wait_for(SUBSCRIBED)

    with running_redis(port=port_of(url)):
        heard.wait_for(SUBSCRIBED)

        publish(url, b'{"talk_id": 42}')
        assert heard.next() == TalkPosted(42)
    assert [record.getMessage() for record in caplog.records][:2] == ["redis.away", "redis.back"]


@pytest.mark.engines
def test_it_waits_for_a_redis_that_comes_later(listen: Listen) -> None:
    port = free_port()
    heard = listen(f"redis://{LOOPBACK}:{port}/0")

    with running_redis(port=port):
        assert heard.next() == SUBSCRIBED


@pytest.mark.engines
def test_it_notices_a_redis_that_hangs_and_finds_it_again(
    listen: Listen, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_redis() as url:
        heard = listen(url)
        heard.wait_for(SUBSCRIBED)

        monkeypatch.setattr(receiver, "SILENCE_SECONDS", HANGS_SECONDS)
        with hung(url):
            assert eventually(lambda: bool(caplog.records), seconds=DEADLINE_SECONDS)
            monkeypatch.setattr(receiver, "SILENCE_SECONDS", DEADLINE_SECONDS)

        heard.wait_for(SUBSCRIBED)
        publish(url, b'{"talk_id": 42}')
        heard.wait_for(TalkPosted(42))
    assert caplog.records[0].getMessage() == "redis.away"


@pytest.mark.engines
def test_an_idle_redis_is_not_taken_for_one_that_hangs(
    listen: Listen, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Pinged all the time, so that only a machine that stands still for as long would look like it.
    monkeypatch.setattr(receiver, "PING_SECONDS", 0.2)
    monkeypatch.setattr(receiver, "SILENCE_SECONDS", SILENCE_SECONDS)
    monkeypatch.setattr(receiver, "POLL_SECONDS", 0.05)
    with running_redis() as url:
        heard = listen(url)
        heard.wait_for(SUBSCRIBED)

        for _ in range(TRIES):
            time.sleep(SILENCE_SECONDS + 1)
            if heard.nothing() and not caplog.records:
                break
            while not heard.nothing():
                heard.next()
            caplog.clear()
        else:
            pytest.fail("it was taken for one that hangs each time")


def test_an_outage_is_logged_once_and_not_at_every_attempt(
    listen: Listen, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts: list[float] = []
    connect = channel.connect

    def counted(*, timeout: float) -> redis.Redis:
        attempts.append(timeout)
        return connect(timeout=timeout)

    monkeypatch.setattr(channel, "connect", counted)
    monkeypatch.setattr(receiver, "RECONNECT_SECONDS", 0.01)

    listen(f"redis://:hunter-two@{LOOPBACK}:{free_port()}/0")

    assert eventually(lambda: len(attempts) > 5, seconds=DEADLINE_SECONDS)
    assert [record.getMessage() for record in caplog.records] == ["redis.away"]
    assert "hunter-two" not in str(vars(caplog.records[0]))


@pytest.mark.parametrize("url", UNUSABLE)
def test_it_goes_on_whatever_redis_py_makes_of_the_url(
    listen: Listen, caplog: pytest.LogCaptureFixture, url: str
) -> None:
    heard = listen(url)

    assert eventually(lambda: bool(caplog.records), seconds=DEADLINE_SECONDS)
    assert [record.getMessage() for record in caplog.records] == ["redis.away"]
    assert "hunter" not in str(vars(caplog.records[0]))
    assert heard.nothing()  # nor that it died


def test_it_stops_while_redis_is_away(settings: Settings) -> None:
    settings.REDIS_URL = f"redis://{LOOPBACK}:{free_port()}/0"
    check_that_it_stops()


def test_it_stops_while_redis_hangs(settings: Settings) -> None:
    with socket.create_server((LOOPBACK, 0)) as silent:
        settings.REDIS_URL = f"redis://{LOOPBACK}:{silent.getsockname()[1]}/0"
        check_that_it_stops()


@pytest.mark.engines
def test_it_stops_while_it_listens(settings: Settings) -> None:
    with running_redis() as settings.REDIS_URL:
        check_that_it_stops(SUBSCRIBED)


def check_that_it_stops(first: Event | None = None) -> None:
    """Start a receiver, wait for its first event, and see its thread end."""
    heard = Heard()
    listening = Receiver(heard.queue.put)
    listening.start()
    if first:
        heard.wait_for(first)

    listening.stop()

    def has_ended() -> bool:
        return "receiver" not in {thread.name for thread in threading.enumerate()}

    assert eventually(has_ended, seconds=DEADLINE_SECONDS)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_receiver_that_dies_says_so(listen: Listen, monkeypatch: pytest.MonkeyPatch) -> None:
    def defect(*, timeout: float) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(channel, "connect", defect)

    heard = listen("redis://")

    assert heard.next() == HelperDied("receiver", "RuntimeError")

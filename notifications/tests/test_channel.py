"""The channel: garbage names no talk, and an upload never waits for Redis."""

import hashlib
import hmac
import json
import logging
import socket
import timeit
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import redis
from pytest_django import Settings

from notifications import channel
from notifications.channel import Named
from testbed.hostile.name_server import silent_resolver
from testbed.process import LOOPBACK, free_port
from testbed.redis import documented_user, running_redis

from .redis_urls import UNUSABLE

SECRET = "hunter-two-and-more"
MOST_SECONDS = 3.0  # for a loaded machine; redis-py alone takes 4.2 s, or 57.8 s
DEADLINE_SECONDS = 120.0  # for a busy machine, no expectation
TIMES = 3  # of which a machine that stands still spoils one


@pytest.fixture(autouse=True)
def fresh_publisher() -> Iterator[None]:
    """Let each test publish where its own REDIS_URL points."""
    channel.publisher.cache_clear()
    yield
    with suppress(redis.RedisError):
        channel.publisher().close()
    channel.publisher.cache_clear()


def seconds_to_publish() -> float:
    """Return how long an upload has to wait, of some the one that was disturbed least."""
    return min(timeit.repeat(lambda: channel.publish(42), number=1, repeat=TIMES))


@pytest.mark.parametrize("talk_id", [1, 42, 2**63 - 1])
def test_a_message_names_its_talk(talk_id: int) -> None:
    assert channel.parse(json.dumps({"talk_id": talk_id}).encode()) == Named(talk_id)


def test_another_producer_may_say_more() -> None:
    assert channel.parse(b' {"from": "php", "talk_id": 42}\n') == Named(42)


def test_our_own_message_is_the_contract_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr(channel, "send", sent.append)

    channel.publish(42)

    assert sent == ['{"talk_id": 42}']


def test_a_signed_message_is_known_by_its_hmac() -> None:
    assert channel.parse(channel.signed(42).encode()) == Named(42, is_signed=True)


def test_another_producer_needs_no_django_to_sign(settings: Settings) -> None:
    settings.SECRET_KEY = "a-key-that-two-hosts-share"
    key = hashlib.sha256(b"radiotalk.talk_posted" + settings.SECRET_KEY.encode()).digest()
    signature = hmac.new(key, b"42", hashlib.sha256).hexdigest()

    assert json.loads(channel.signed(42)) == {"talk_id": 42, "hmac": signature}


def test_a_message_signed_with_the_key_before_is_known_until_that_is_gone(
    settings: Settings,
) -> None:
    message = channel.signed(42).encode()
    settings.SECRET_KEY, before = "a-new-key", settings.SECRET_KEY

    settings.SECRET_KEY_FALLBACKS = [before]
    assert channel.parse(message) == Named(42, is_signed=True)

    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(channel.WrongHmacError):
        channel.parse(message)


@pytest.mark.parametrize(
    "told",
    ["", "0" * 64, None, 42, True, ["a"], "\ud800", "ü" * 64, channel.hmac_of(43, key="k")],
    ids=ascii,
)
def test_a_wrong_hmac_is_no_unsigned_message(told: object, settings: Settings) -> None:
    settings.SECRET_KEY = "k"

    with pytest.raises(channel.WrongHmacError):
        channel.parse(json.dumps({"talk_id": 42, "hmac": told}).encode())


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"42",
        b"null",
        b"[]",
        b"[42]",
        b"{}",
        b"\xff\xfe\x00",
        b"\x00" * 100,
        b"NaN",
        b'{"talk_id": NaN}',
        b'{"talk_id": Infinity}',
        b'{"talk_id": null}',
        b'{"talk_id": true}',
        b'{"talk_id": "42"}',
        b'{"talk_id": [42]}',
        b'{"talk_id": {"talk_id": 42}}',
        b'{"talk_id": 42.0}',
        b'{"talk_id": 1e3}',
        b'{"talk_id": 0}',
        b'{"talk_id": -1}',
        b'{"talk_id": 9223372036854775808}',
        b'{"talk_id": ' + b"9" * 900 + b"}",
        b'{"talk_id": 42',
        b'{"Talk_id": 42}',
        b"[" * 1000,
        b'{"talk_id": 42, "x": "' + b"x" * 1024 * 1024 + b'"}',
    ],
    ids=lambda message: f"{message[:20]!r} {len(message)}",
)
def test_garbage_names_no_talk(message: bytes) -> None:
    assert channel.parse(message) is None


def test_an_upload_does_not_wait_for_a_redis_that_refuses(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REDIS_URL = f"redis://:{SECRET}@{LOOPBACK}:{free_port()}/0"

    assert seconds_to_publish() < MOST_SECONDS
    assert [record.message for record in caplog.records] == ["publish.failed"] * TIMES


def test_an_upload_does_not_wait_for_a_redis_that_hangs(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server((LOOPBACK, 0)) as silent:  # the kernel accepts, nobody answers
        settings.REDIS_URL = f"redis://:{SECRET}@{LOOPBACK}:{silent.getsockname()[1]}/0"

        assert seconds_to_publish() < MOST_SECONDS
    assert [record.message for record in caplog.records] == ["publish.failed"] * TIMES


def test_no_upload_waits_for_a_silent_name_server_and_no_threads_pile_up(
    settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REDIS_URL = "redis://redis.internal:6379/0"
    monkeypatch.setattr(channel, "PUBLISH_TIMEOUT_SECONDS", 0.05)
    with silent_resolver(monkeypatch) as asked:
        for talk_id in range(10):
            channel.publish(talk_id)

        assert asked == ["redis.internal"]
    assert [record.message for record in caplog.records] == ["publish.failed"] * 10
    assert "no answer within" in vars(caplog.records[0])["error"]


def test_a_failure_is_told_without_the_password(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REDIS_URL = f"redis://:{SECRET}@{LOOPBACK}:{free_port()}/0"

    channel.publish(42)

    record = caplog.records[0]
    assert record.levelno == logging.WARNING
    assert vars(record)["talk"] == 42
    assert SECRET not in str(vars(record))


@pytest.mark.parametrize("url", UNUSABLE)
def test_an_upload_is_answered_whatever_redis_py_makes_of_the_url(
    settings: Settings, caplog: pytest.LogCaptureFixture, url: str
) -> None:
    settings.REDIS_URL = url

    channel.publish(42)

    assert [record.message for record in caplog.records] == ["publish.failed"]
    assert "hunter" not in str(vars(caplog.records[0]))


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an upload wait for a Redis that is there, however busy the machine."""
    monkeypatch.setattr(channel, "PUBLISH_TIMEOUT_SECONDS", DEADLINE_SECONDS)


@pytest.mark.engines
@pytest.mark.usefixtures("patient")
def test_what_is_published_is_what_is_parsed(settings: Settings) -> None:
    with running_redis() as url:
        settings.REDIS_URL = url
        with channel.connect(timeout=DEADLINE_SECONDS) as client:
            pubsub = client.pubsub()
            pubsub.subscribe(channel.TALK_POSTED_CHANNEL)
            assert pubsub.get_message(timeout=DEADLINE_SECONDS)["type"] == "subscribe"

            channel.publish(42)

            assert channel.parse(pubsub.get_message(timeout=DEADLINE_SECONDS)["data"]) == Named(42)
            pubsub.close()


@pytest.mark.engines
@pytest.mark.usefixtures("patient")
def test_an_upload_finds_a_redis_that_was_restarted(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with running_redis() as url:
        settings.REDIS_URL = url
        channel.publish(1)
    port = int(url.rpartition(":")[2].removesuffix("/0"))

    with running_redis(port=port):
        channel.publish(2)

    assert caplog.records == []


RIGHTS: dict[str, Callable[[redis.Redis], Any]] = {
    "publish": lambda client: client.publish(channel.TALK_POSTED_CHANNEL, "{}"),
    "pubsub": lambda client: client.pubsub_numsub(channel.TALK_POSTED_CHANNEL),
    "ping": lambda client: client.ping(),
    "subscribe": lambda client: heard_by(client, channel.TALK_POSTED_CHANNEL),
}


def heard_by(client: redis.Redis, name: str) -> Any:
    with client.pubsub() as pubsub:  # type: ignore[no-untyped-call]
        pubsub.subscribe(name)
        return pubsub.get_message(timeout=DEADLINE_SECONDS)


@pytest.mark.engines
@pytest.mark.parametrize("right", RIGHTS)
def test_each_right_that_is_documented_for_redis_is_needed_and_given(
    settings: Settings, right: str
) -> None:
    with running_redis() as url, redis.Redis.from_url(url) as admin:
        admin.execute_command(*documented_user())
        settings.REDIS_URL = url.replace("//", "//radiotalk:PASSWORD@")
        with channel.connect(timeout=DEADLINE_SECONDS) as client:
            RIGHTS[right](client)

            admin.execute_command("ACL", "SETUSER", "radiotalk", f"-{right}")

            with pytest.raises(redis.exceptions.NoPermissionError):
                RIGHTS[right](client)


@pytest.mark.engines
def test_a_wrong_password_is_told_and_not_shown(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with running_redis() as url:
        with redis.Redis.from_url(url) as client:
            client.config_set("requirepass", "another-one")
        settings.REDIS_URL = url.replace("//", f"//:{SECRET}@")

        channel.publish(42)

    assert [record.message for record in caplog.records] == ["publish.failed"]
    assert SECRET not in str(vars(caplog.records[0]))

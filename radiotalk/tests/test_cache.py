"""The cache counts for all processes; nothing fails or waits when Redis is away."""

import logging
import socket
import timeit
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import redis
from pytest_django import Settings

from notifications.tests.redis_urls import UNUSABLE
from radiotalk import cache
from testbed.hostile.name_server import silent_resolver
from testbed.process import LOOPBACK, free_port
from testbed.redis import documented_user, running_redis

SECRET = "hunter-two-and-more"
MOST_SECONDS = 3.0  # for a loaded machine
DEADLINE_SECONDS = 120.0  # for a busy machine, no expectation


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let each test ask where its own REDIS_URL points."""
    monkeypatch.setattr(cache, "of_process", cache.Redis())
    cache.connected.cache_clear()
    yield
    with suppress(redis.RedisError):
        cache.connected().close()
    cache.connected.cache_clear()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for a Redis that is there, however busy the machine."""
    monkeypatch.setattr(cache, "TIMEOUT_SECONDS", DEADLINE_SECONDS)


def of_a_thread() -> cache.RedisCache:
    """Return the cache as a thread of the web has it."""
    return cache.RedisCache("", {"KEY_PREFIX": "radiotalk"})


# What each question is answered by an empty cache.
QUESTIONS: dict[str, tuple[Callable[[cache.RedisCache], Any], Any]] = {
    "add": (lambda empty: empty.add("key", 1), True),
    "get": (lambda empty: empty.get("key", [1.5]), [1.5]),
    "set": (lambda empty: empty.set("key", 1), None),
    "touch": (lambda empty: empty.touch("key"), False),
    "delete": (lambda empty: empty.delete("key"), False),
    "get_many": (lambda empty: empty.get_many(["key"]), {}),
    "has_key": (lambda empty: empty.has_key("key"), False),
    "set_many": (lambda empty: empty.set_many({"key": 1}), []),
    "delete_many": (lambda empty: empty.delete_many(["key"]), None),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_without_redis_it_is_empty(settings: Settings, question: str) -> None:
    settings.REDIS_URL = f"redis://{LOOPBACK}:{free_port()}/0"
    ask, answer = QUESTIONS[question]

    assert ask(of_a_thread()) == answer


@pytest.mark.parametrize("url", UNUSABLE)
def test_it_is_empty_whatever_redis_py_makes_of_the_url(
    settings: Settings, caplog: pytest.LogCaptureFixture, url: str
) -> None:
    settings.REDIS_URL = url

    assert of_a_thread().get("key", "none") == "none"

    assert [record.message for record in caplog.records] == ["cache.away"]
    assert "hunter" not in str(vars(caplog.records[0]))


def test_nothing_to_count_in_an_empty_cache(settings: Settings) -> None:
    settings.REDIS_URL = f"redis://{LOOPBACK}:{free_port()}/0"

    with pytest.raises(ValueError, match="There is no key"):
        of_a_thread().incr("key")


def test_nobody_waits_for_a_redis_that_hangs_and_it_is_told_once(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server((LOOPBACK, 0)) as silent:  # the kernel accepts, nobody answers
        settings.REDIS_URL = f"redis://:{SECRET}@{LOOPBACK}:{silent.getsockname()[1]}/0"

        seconds = timeit.timeit(lambda: of_a_thread().get("key"), number=100)

    assert seconds < MOST_SECONDS
    [record] = caplog.records
    assert (record.levelno, record.message) == (logging.WARNING, "cache.away")
    assert SECRET not in str(vars(record))


def test_nobody_waits_for_a_silent_name_server(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REDIS_URL = "redis://redis.internal:6379/0"
    with silent_resolver(monkeypatch) as asked:
        assert timeit.timeit(lambda: of_a_thread().get("key"), number=100) < MOST_SECONDS

        assert asked == ["redis.internal"]


@pytest.mark.engines
@pytest.mark.usefixtures("patient")
def test_redis_that_is_back_is_asked_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "REST_SECONDS", 0.0)
    port = free_port()
    settings.REDIS_URL = f"redis://{LOOPBACK}:{port}/0"
    of_a_thread().set("key", [1.5])

    with running_redis(port=port):
        of_a_thread().set("key", [2.5])
        assert of_a_thread().get("key") == [2.5]


@pytest.mark.engines
@pytest.mark.usefixtures("patient")
def test_all_threads_share_it_and_what_they_keep_is_json(settings: Settings) -> None:
    with running_redis() as settings.REDIS_URL:
        of_a_thread().set("key", [1.5, 2.5], timeout=60)
        of_a_thread().set("number", 1)

        assert of_a_thread().get("key") == [1.5, 2.5]
        assert of_a_thread().incr("number") == 2
        assert of_a_thread().get_many(["key", "gone"]) == {"key": [1.5, 2.5]}
        assert not of_a_thread().add("key", 1)
        assert cache.connected().get("radiotalk:1:key") == b"[1.5, 2.5]"


@pytest.mark.engines
@pytest.mark.usefixtures("patient")
def test_what_somebody_else_wrote_into_redis_is_not_run(settings: Settings) -> None:
    with running_redis() as settings.REDIS_URL:
        # pickle.dumps of something that calls print().
        cache.connected().set("radiotalk:1:key", b"cbuiltins\nprint\n(S'run'\ntR.")

        assert of_a_thread().get("key", "none") == "none"


@pytest.mark.engines
@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("right", ["get", "set", "del"])
def test_each_right_that_throttles_need_is_documented(
    settings: Settings, caplog: pytest.LogCaptureFixture, right: str
) -> None:
    acts: dict[str, Callable[[], Any]] = {
        "get": lambda: of_a_thread().get("key"),
        "set": lambda: of_a_thread().add("key", [1.5], timeout=60),
        "del": lambda: of_a_thread().delete("key"),
    }
    rights = documented_user()
    with running_redis() as url:
        with redis.Redis.from_url(url) as root:
            root.execute_command(*rights)
        settings.REDIS_URL = url.replace("//", "//radiotalk:PASSWORD@")
        acts[right]()

    assert f"+{right}" in rights
    assert caplog.records == []

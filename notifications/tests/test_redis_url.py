"""REDIS_URL: what is wrong with it is told, whatever redis-py raises, and its password is not."""

import pytest
import redis
from pytest_django import Settings

from notifications import redis_url

from .redis_urls import REFUSED


@pytest.mark.parametrize("url", REFUSED)
def test_an_address_that_cannot_be_used_is_told_without_its_password(
    settings: Settings, url: str
) -> None:
    settings.REDIS_URL = url

    with pytest.raises(redis.RedisError) as refused:
        redis_url.pool()

    assert str(refused.value).startswith("REDIS_URL ")
    assert "hunter" not in str(refused.value)


@pytest.mark.parametrize(
    ("options", "number"), [("foo=1", 1), ("socket_timeout=5&foo=1", 2), ("db=0&foo=&foo=1", 3)]
)
def test_the_option_that_cannot_be_used_is_told_by_its_number(options: str, number: int) -> None:
    told = redis_url.problem_of(f"redis://redis.internal/0?{options}")

    assert told == f"has an option that redis-py cannot use: number {number} after the `?`"


@pytest.mark.parametrize(
    "url",
    [
        "redis://:hunter%2Ftwo@redis.internal:6379/0",
        "rediss://me:hunter-two@redis.internal?ssl_cert_reqs=required&health_check_interval=30",
        "redis://[::1]:6379",
        "unix://me@/run/redis.sock?db=1&password=hunter-two",
    ],
)
def test_an_address_that_redis_py_takes_is_taken(url: str) -> None:
    assert redis_url.problem_of(url) == ""


def test_no_option_of_the_address_lets_an_upload_wait_longer(settings: Settings) -> None:
    settings.REDIS_URL = "redis://redis.internal/0?socket_timeout=60&socket_connect_timeout=60"

    options = redis_url.pool(socket_timeout=0.4, socket_connect_timeout=0.4).connection_kwargs

    assert (options["socket_timeout"], options["socket_connect_timeout"]) == (0.4, 0.4)


def test_whatever_redis_py_raises_becomes_its_own_error() -> None:
    with pytest.raises(redis.RedisError) as raised, redis_url.only_redis_errors():
        raise LookupError("hunter-two")

    assert str(raised.value) == "REDIS_URL cannot be used (redis-py raised LookupError)."

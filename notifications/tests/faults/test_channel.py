"""What may come over the channel, or not come: it only ever means "look now"."""

import json
from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest
import redis
from django.utils import timezone
from pytest_django import Settings

from notifications import channel
from notifications.channel import TALK_POSTED_CHANNEL
from notifications.models import Notification
from programs.models import Talk
from testbed.proxy import Proxy, proxy_to
from testbed.system import System, outcomes, post

pytestmark = [pytest.mark.engines, pytest.mark.faults]

GARBAGE = {
    "bytes": b"\xff\xfe",
    "an empty object": b"{}",
    "NaN": b"NaN",
    "NaN as talk": b'{"talk_id": NaN}',
    "a huge number": b'{"talk_id": 1e400}',
    "a number of no database": b'{"talk_id": 99999999999999999999}',
    "deep": b"[" * 9999,
    "1 MB": b"x" * 1024 * 1024,
    "an unknown talk": b'{"talk_id": 123456}',
}


def message(talk_id: int | None) -> bytes:
    """Return what is published of a talk."""
    return json.dumps({"talk_id": talk_id}).encode()


def publish(system: System, *messages: bytes) -> None:
    """Publish as any producer may, each until a worker listens."""
    with system.redis_client() as client:
        for each in messages:
            system.wait(partial(is_heard, client, each))


def is_heard(client: redis.Redis, message: bytes) -> bool:
    """Return whether somebody listened when it was published."""
    return client.publish(TALK_POSTED_CHANNEL, message) == 1


def test_a_thousand_copies_of_a_message_notify_once(system: System) -> None:
    program = system.listeners(20)
    system.start_worker()

    notification = post(program)
    publish(system, *[message(notification.talk_id)] * 1000)
    system.wait_until_settled()

    assert outcomes() == {"sent": 20}
    system.verify(kills=0)


def test_garbage_of_every_kind_changes_nothing(system: System) -> None:
    program = system.listeners(20)
    worker = system.start_worker()

    publish(system, *GARBAGE.values())
    post(program)
    system.wait_until_settled()

    worker.check()
    assert Notification.objects.count() == 1
    assert outcomes() == {"sent": 20}
    system.verify(kills=0)


def test_a_talk_named_in_a_message_gets_the_notification_that_it_lacks(system: System) -> None:
    program = system.listeners(5)
    named, unnamed = Talk.objects.bulk_create(
        [Talk(program=program, title="Named"), Talk(program=program, title="Imported")]
    )
    system.start_worker()

    publish(system, *[message(named.id)] * 3)
    system.wait(lambda: Notification.objects.filter(state="done").exists())

    assert Notification.objects.get().talk == named
    assert not Notification.objects.filter(talk=unnamed).exists()
    assert outcomes() == {"sent": 5}
    system.verify(kills=0)


def test_who_can_only_publish_announces_no_imported_talk(
    system: System, settings: Settings
) -> None:
    settings.SECRET_KEY = system.env["SECRET_KEY"]  # a producer of our own signs by it
    program = system.listeners(5)
    imported, signed = Talk.objects.bulk_create(
        [Talk(program=program, title="Imported"), Talk(program=program, title="Signed")]
    )
    Talk.objects.update(created_at=timezone.now() - timedelta(minutes=2))
    worker = system.start_worker()

    forged = json.dumps(
        {"talk_id": imported.id, "hmac": channel.hmac_of(imported.id, key="a guess")}
    )
    publish(system, message(imported.id), *[forged.encode()] * 3)
    publish(system, channel.signed(signed.id).encode())
    system.wait(lambda: Notification.objects.filter(state="done").exists())

    assert Notification.objects.get().talk == signed
    assert outcomes() == {"sent": 5}
    log = worker.log.read_text()
    assert log.count("message.wrong_hmac") == log.count("talk.not_announced") == 1
    assert "a guess" not in log
    system.verify(kills=0)


@pytest.fixture
def proxy(system: System) -> Iterator[Proxy]:
    """Yield a proxy to the system's Redis."""
    with proxy_to(system.redis_port) as proxy:
        yield proxy


def test_a_half_open_connection_delays_nobody_and_is_noticed(system: System, proxy: Proxy) -> None:
    worker = system.start_worker(REDIS_URL=f"redis://127.0.0.1:{proxy.port}/0")
    system.wait_for_a_subscriber()
    program = system.listeners(20)

    proxy.fall_silent()
    post(program)
    system.wait_until_settled()
    system.wait_for_the_log("redis.away", worker)
    proxy.speak()

    system.wait_for_the_log("redis.back", worker)
    assert outcomes() == {"sent": 20}
    system.verify(kills=0)

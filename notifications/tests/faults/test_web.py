"""A web that is killed, and a Redis that lets it down: what was uploaded is notified."""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis
import requests
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from notifications.models import Notification
from programs.models import Program, Talk
from programs.tests.recordings import wav
from testbed import local_settings
from testbed.hostile.name_server import ATTEMPTS, SilentNameServer, silent_name_server
from testbed.own_engines import hung
from testbed.process import Child, listening
from testbed.redis import documented_user
from testbed.small_disk import small_disk
from testbed.system import (
    REQUEST_SECONDS,
    System,
    failing_at,
    logged_at,
    outcomes,
    terminate,
)

pytestmark = [pytest.mark.engines, pytest.mark.faults]

LISTENERS = 20
KILLED = 128 + signal.SIGKILL
ONCE = {"Idempotency-Key": "the-same-upload"}


@pytest.fixture
def serving(system: System) -> System:
    """Return a system with a web and a worker that listens to Redis."""
    system.start("listen_notifications")
    system.start_web()
    system.wait_for_a_subscriber()
    return system


def assert_an_upload_is_notified(system: System) -> None:
    """An upload is answered 201 and every listener notified once, whatever Redis does."""
    answer = system.upload(system.listeners(LISTENERS))
    system.wait_until_settled()

    assert answer.status_code == 201
    assert outcomes() == {"sent": LISTENERS}
    system.verify(kills=0)


def test_kill_9_between_commit_and_publish_loses_no_notification(system: System) -> None:
    web = system.start_web(**failing_at("before_publish=kill"))
    system.start_worker()
    upload = system.uploader(system.listeners(LISTENERS), **ONCE)

    with pytest.raises(requests.ConnectionError):
        upload()
    assert web.wrapper.wait() == KILLED
    system.wait_until_settled()
    system.start_web()

    assert upload().status_code == 201
    system.wait_until_settled()
    assert Talk.objects.count() == Notification.objects.count() == 1
    assert outcomes() == {"sent": LISTENERS}
    system.verify(kills=0)


def test_twenty_copies_of_an_upload_at_once_make_one_talk_and_one_notification(
    serving: System,
) -> None:
    upload = serving.uploader(serving.listeners(LISTENERS), **ONCE)

    with ThreadPoolExecutor(20) as clients:
        answers = list(clients.map(lambda _: upload(), range(20)))
    serving.wait_until_settled()

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert Talk.objects.count() == Notification.objects.count() == 1
    assert outcomes() == {"sent": LISTENERS}
    serving.verify(kills=0)


@pytest.mark.parametrize("full", ["TMPDIR", "MEDIA_ROOT"])
def test_a_full_disk_is_told_and_leaves_nothing(system: System, tmp_path: Path, full: str) -> None:
    directories = {name: tmp_path / name for name in ("TMPDIR", "MEDIA_ROOT")}
    for directory in directories.values():
        directory.mkdir()
    system.start_web(**{name: str(directory) for name, directory in directories.items()})
    system.start_worker()
    upload = system.uploader(system.listeners(LISTENERS), wav(seconds=600), **ONCE)

    with small_disk(directories[full], size=1_000_000) as is_mounted:
        if not is_mounted:
            pytest.skip("only root can mount a small disk")
        refused = upload()
        # A temporary file goes when the answer has been sent.
        system.wait(lambda: not any(each.is_file() for each in tmp_path.glob("[TM]*/**/*")))
        assert not Talk.objects.exists()
    accepted = upload()
    system.wait_until_settled()

    assert (refused.status_code, accepted.status_code) == (507, 201)
    assert "disk is full" in refused.json()["detail"]
    assert outcomes() == {"sent": LISTENERS}
    system.verify(kills=0)


# --- Redis -----------------------------------------------------------------------------------


def test_a_redis_that_refuses_connections_delays_nobody(serving: System) -> None:
    serving.stop_redis()

    assert_an_upload_is_notified(serving)

    assert "publish.failed" in serving.log_of("runserver")


def test_a_redis_that_hangs_delays_nobody_and_is_noticed(serving: System) -> None:
    worker = serving.children[0]
    begun = time.time()
    with hung(serving.env["REDIS_URL"]):
        assert_an_upload_is_notified(serving)
        serving.wait_for_the_log("redis.away", worker)
    serving.wait_for_a_subscriber()
    serving.wait_for_the_log("redis.back", worker)

    print(f"a Redis that hangs was noticed after {logged_at('redis.away', worker) - begun:.1f} s")
    assert "publish.failed" in serving.log_of("runserver")


def test_a_redis_that_is_restarted_is_listened_to_again(serving: System) -> None:
    serving.stop_redis()
    serving.start_redis()
    serving.wait_for_a_subscriber()

    assert_an_upload_is_notified(serving)

    # An upload waits for Redis no longer than a busy machine may stand still: if so, the next.
    program = serving.listeners(1)
    serving.wait(lambda: an_upload_is_published(serving, program))


def an_upload_is_published(system: System, program: Program) -> bool:
    """Return whether one more reaches Redis."""
    failed = system.log_of("runserver").count("publish.failed")
    assert system.upload(program).status_code == 201
    return system.log_of("runserver").count("publish.failed") == failed


def test_a_redis_that_is_flushed_takes_nothing_with_it(serving: System) -> None:
    serving.redis_client().flushall()

    assert_an_upload_is_notified(serving)


def test_a_redis_out_of_memory_delays_nobody(serving: System) -> None:
    client = serving.redis_client()
    client.config_set("maxmemory", 1)
    with pytest.raises(redis.OutOfMemoryError):
        client.set("anything", "more")

    assert_an_upload_is_notified(serving)


def test_a_wrong_password_for_redis_delays_nobody_and_is_not_logged(system: System) -> None:
    system.redis_client().config_set("requirepass", "right")
    wrong = f"redis://:hunter-two@127.0.0.1:{system.redis_port}/0"
    system.start_web(REDIS_URL=wrong)
    worker = system.start_worker(REDIS_URL=wrong)

    assert_an_upload_is_notified(system)

    assert "publish.failed" in system.log_of("runserver")
    system.wait_for_the_log("redis.away", worker)
    assert "hunter-two" not in system.log_of("runserver", "listen_notifications")


@pytest.mark.parametrize("wrong", ["redis://:hunter-two@{}/0?foo=1", "http://:hunter-two@{}"])
def test_a_redis_url_that_cannot_be_used_delays_nobody_and_is_not_logged(
    system: System, wrong: str
) -> None:
    url = wrong.format(f"127.0.0.1:{system.redis_port}")
    system.start_web(REDIS_URL=url)
    worker = system.start_worker(REDIS_URL=url)

    assert_an_upload_is_notified(system)

    assert "publish.failed" in system.log_of("runserver")
    system.wait_for_the_log("redis.away", worker)
    assert "notifications.W005" in worker.log.read_text()
    assert "hunter-two" not in system.log_of("runserver", "listen_notifications")


def test_a_redis_user_with_the_documented_rights_alone_is_enough(
    system: System, settings: Settings
) -> None:
    settings.SECRET_KEY = system.env["SECRET_KEY"]  # by which the web knows the operator again
    with system.redis_client() as client:
        client.execute_command(*documented_user())
        client.execute_command("ACL", "SETUSER", "default", "off")  # no way around it
    own = {"REDIS_URL": f"redis://radiotalk:PASSWORD@127.0.0.1:{system.redis_port}/0"}
    system.env |= own
    worker = system.start_worker()
    system.start_web()
    system.wait_for_a_subscriber()

    assert_an_upload_is_notified(system)

    # An upload waits for Redis no longer than a busy machine may stand still: if so, the next.
    program = system.listeners(1)
    system.wait(lambda: an_upload_is_published(system, program))
    system.wait(lambda: knows_who_listens(start_page(system)))
    assert "redis.away" not in worker.log.read_text()


def knows_who_listens(page: requests.Response) -> bool:
    """Return whether Redis told the desk of a worker."""
    text = page.text
    return "Redis subscribers" in text and not (
        "Redis does not answer." in text or "The worker does not hear Redis." in text
    )


# --- The name server -------------------------------------------------------------------------


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[SilentNameServer]:
    """Yield a name server that never answers."""
    with silent_name_server(tmp_path) as server:
        if server is None:
            pytest.skip("only root can have a name server of its own")
        yield server


def start_cut_off(system: System, silent: SilentNameServer, *arguments: str) -> Child:
    """Start a command whose Redis has a name, which it cannot look up."""
    command = silent.asked_by(local_settings.manage_command(*arguments))
    return system.launch(arguments[0], command, REDIS_URL="rediss://:secret@redis.internal:6379/0")


def start_page(system: System) -> requests.Response:
    """Return the desk's start page, as an operator gets it."""
    browser = Client()
    anna, _created = User.objects.get_or_create(
        username="anna", defaults={"is_staff": True, "is_superuser": True}
    )
    browser.force_login(anna)
    cookies = {name: cookie.value for name, cookie in browser.cookies.items()}
    address = f"http://127.0.0.1:{system.web_port}/admin/"
    return requests.get(address, cookies=cookies, timeout=REQUEST_SECONDS)


def test_a_silent_name_server_delays_no_upload_no_page_and_no_stop(
    system: System, silent: SilentNameServer, settings: Settings
) -> None:
    settings.SECRET_KEY = system.env["SECRET_KEY"]  # by which the web knows the operator again
    system.web_port = system.reserve_port()
    web = start_cut_off(system, silent, "runserver", "--noreload", f"127.0.0.1:{system.web_port}")
    listening(web, system.web_port)
    worker = start_cut_off(system, silent, "listen_notifications")
    system.wait_for_the_log("worker.started", worker)
    program = system.listeners(LISTENERS)

    answers = [system.upload(program).status_code for _ in range(3)]
    page = start_page(system)
    asked = silent.asked()
    system.wait_until_settled()

    assert answers == [201] * 3
    assert "Redis does not answer." in page.text
    # The uploads' look-up, the page's and the worker's; none was waited for to its end.
    assert 0 < asked < 2 * ATTEMPTS
    assert "no answer within" in system.log_of("runserver")
    assert terminate(worker) == 0
    assert outcomes() == {"sent": 3 * LISTENERS}
    system.verify(kills=0)

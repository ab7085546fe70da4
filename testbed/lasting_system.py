"""A system that lasts for a whole module of tests, each with a program and a talk of its own.

Starting a worker takes longer than most faults, and a worker that has survived one fault must
survive the next. The checker looks at everything that was ever sent in the system, so each test
leaves nothing due, and nothing of which the checker complains.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import connection
from django.test import override_settings

from notifications import channel
from notifications.models import Notification
from programs.models import Program
from testbed.hostile.fcm import HostileFcm, in_the_emulators_place
from testbed.hostile.manners import AnswersSome
from testbed.system import System, post


@contextmanager
def lasting_system(directory: Path, *, latency_ms: float) -> Iterator[System]:
    """Yield a live system with Redis and emulator; in the end it stops and its rows are gone."""
    with ExitStack() as stack:
        stack.callback(connection.close)
        stack.callback(call_command, "flush", verbosity=0, interactive=False)
        system = System(directory, stack, latency_ms=latency_ms)
        stack.enter_context(override_settings(REDIS_URL=system.env["REDIS_URL"]))
        stack.callback(channel.publisher.cache_clear)
        channel.publisher.cache_clear()
        system.start_redis()
        system.go_live()
        yield system


@contextmanager
def lasting_world(directory: Path, *, lanes: int) -> Iterator[tuple[System, HostileFcm]]:
    """Yield a lasting system with one worker, and the hostile FCM that it sends to."""
    with (
        lasting_system(directory, latency_ms=0) as system,
        in_the_emulators_place(system, directory) as fcm,
    ):
        worker = system.start_worker("--max-workers", str(lanes))
        yield system, fcm
        worker.check()


@contextmanager
def half_way(
    system: System, fcm: HostileFcm, program: Program, *, at_once: int = 100
) -> Iterator[Notification]:
    """Yield the notification of a new talk when some of it is recorded, and some is in flight.

    FCM answers `at_once` requests, and no other before the end of the block. So at most `at_once`
    and what the lanes hold, 140 each, is claimed within the block, however long it takes.
    """
    fcm.manners = answering = AnswersSome(at_once)
    try:
        notification = post(program)
        system.wait(lambda: answering.holds_back and notification.deliveries.exists())
        yield notification
    finally:
        answering.hurry()


def ended(system: System, notification: Notification) -> Notification:
    """Return the notification once nothing of it is due or in flight any more."""

    def is_quiet() -> bool:
        notification.refresh_from_db()
        in_flight = notification.batches.filter(state="sending").exists()
        return notification.state not in Notification.ACTIVE_STATES and not in_flight

    system.wait(is_quiet)
    return notification


def outcomes_of(notification: Notification) -> Counter[str]:
    """Return how many of its deliveries have each outcome."""
    return Counter(notification.deliveries.values_list("outcome", flat=True))


def assert_outcomes(notification: Notification, **expected: int) -> None:
    """So many of its deliveries have each outcome, and none another; else the codes say why."""
    codes = Counter(notification.deliveries.values_list("outcome", "error_code"))
    assert outcomes_of(notification) == Counter(expected), f"{dict(codes)}, not {expected}"


def assert_ended_early(system: System, notification: Notification) -> None:
    """What FCM received is sent; all else that was claimed was taken back, and is given up."""
    sent = len(journal_of(system, notification))
    assert_outcomes(notification, sent=sent, abandoned=notification.target_count - sent)


def journal_of(system: System, notification: Notification) -> list[dict[str, Any]]:
    """Return the requests for it that FCM received completely."""
    return [
        entry for entry in system.journal() if entry["data"]["notification_id"] == notification.tag
    ]

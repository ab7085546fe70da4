"""The caps: what a program may announce in an hour and in a day, and what becomes of the rest."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.who import Who
from notifications import caps
from notifications.models import Notification
from notifications.operators import acts
from notifications.operators.situation import open_notifications, situation
from notifications.operators.status import status
from notifications.operators.troubles import find
from notifications.operators.why import Facts, Verdict, explain
from notifications.tests.factories import DeviceTokenFactory
from notifications.worker.repository import Repository
from programs.models import Program, Talk
from programs.tests.clients import client_of
from programs.tests.factories import ClipFactory, ProgramFactory

pytestmark = pytest.mark.django_db

State = Notification.State
HOURLY = (
    "Its program may announce 2 talks an hour, and this one is beyond that: the talk is posted, "
    "and its notification waits for an operator to release or cancel it."
)
DAILY = HOURLY.replace("2 talks an hour", "3 talks a day")
DEADLINE_SECONDS = 120.0


@pytest.fixture(autouse=True)
def few(settings: Settings) -> None:
    """Let a program announce two talks an hour and three a day."""
    settings.NOTIFICATIONS_PER_PROGRAM_PER_HOUR = 2
    settings.NOTIFICATIONS_PER_PROGRAM_PER_DAY = 3


@pytest.fixture
def program() -> Program:
    """Return a program that has announced nothing yet."""
    return ProgramFactory.create()


def post(program: Program, **fields: Any) -> Notification:
    return Talk.objects.create(program=program, title="Hello", **fields).notification


def ago(row: Notification, **time: float) -> None:
    """Move a notification into the past."""
    Notification.objects.filter(id=row.id).update(created_at=timezone.now() - timedelta(**time))


def states() -> list[str]:
    return list(Notification.objects.order_by("id").values_list("state", flat=True))


# --- What is held --------------------------------------------------------------------------------


def test_beyond_the_cap_a_talk_is_posted_and_its_notification_held(program: Program) -> None:
    for _ in range(4):
        post(program)

    assert Talk.objects.count() == 4
    assert states() == ["pending", "pending", "held", "held"]
    assert Notification.objects.latest("id").reason == HOURLY


def test_the_day_has_a_cap_of_its_own(program: Program) -> None:
    for hours in (20, 10, 5):
        ago(post(program), hours=hours)

    assert post(program).reason == DAILY


def test_what_was_announced_long_ago_does_not_count(program: Program) -> None:
    for _ in range(2):
        ago(post(program), minutes=61)
    ago(post(program), hours=25)

    assert post(program).state == State.PENDING


def test_another_program_has_caps_of_its_own(program: Program) -> None:
    for _ in range(3):
        post(program)

    assert post(ProgramFactory.create()).state == State.PENDING


def test_what_the_cap_held_does_not_count(program: Program) -> None:
    first, second = post(program), post(program)
    post(program)
    for row in (first, second):
        ago(row, minutes=61)

    assert post(program).state == State.PENDING


def test_a_deleted_talk_counts_all_the_same(program: Program) -> None:
    for _ in range(2):
        post(program)
    Talk.objects.all().delete()

    assert post(program).state == State.HELD


def test_a_cancelled_one_counts_all_the_same(program: Program) -> None:
    rows = [post(program), post(program)]
    for row in rows:
        acts.cancel(row.id, by=Who("anna", 1), reason="wrong", now=timezone.now())

    assert post(program).state == State.HELD


def test_an_import_of_old_talks_uses_nothing_up(program: Program) -> None:
    long_ago = timezone.now() - timedelta(days=30)
    for _ in range(5):
        assert post(program, posted_at=long_ago).state == State.EXPIRED

    assert post(program).state == State.PENDING


@pytest.mark.parametrize(("hour", "day"), [(0, 3), (2, 0)])
def test_each_cap_holds_without_the_other(
    program: Program, settings: Settings, hour: int, day: int
) -> None:
    settings.NOTIFICATIONS_PER_PROGRAM_PER_HOUR = hour
    settings.NOTIFICATIONS_PER_PROGRAM_PER_DAY = day
    for _ in range(4):
        post(program)

    assert states().count("pending") == hour or day


def test_without_caps_nothing_is_held_and_nothing_asked(
    program: Program, settings: Settings, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    settings.NOTIFICATIONS_PER_PROGRAM_PER_HOUR = settings.NOTIFICATIONS_PER_PROGRAM_PER_DAY = 0

    with django_assert_num_queries(0):
        assert caps.objection(program.id, now=timezone.now()) is None


def test_the_cap_costs_a_lock_and_one_query(
    program: Program, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(3):
        post(program)

    with django_assert_num_queries(2):
        assert caps.objection(program.id, now=timezone.now()) == HOURLY


@pytest.mark.engines
@pytest.mark.django_db(transaction=True)
def test_of_many_talks_at_once_exactly_as_many_ring_as_may(settings: Settings) -> None:
    settings.NOTIFICATIONS_PER_PROGRAM_PER_HOUR = 6
    settings.NOTIFICATIONS_PER_PROGRAM_PER_DAY = 24
    program = ProgramFactory.create()
    start = threading.Barrier(20)

    def post_three() -> None:
        start.wait(DEADLINE_SECONDS)
        for _ in range(3):
            post(program)
        connection.close()

    threads = [threading.Thread(target=post_three) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_SECONDS)

    assert (states().count("pending"), states().count("held")) == (6, 54)


# --- What becomes of it ---------------------------------------------------------------------------


@pytest.fixture
def held(program: Program) -> Notification:
    """Return a notification that the cap has held."""
    return [post(program) for _ in range(3)][-1]


def test_a_released_one_goes_on_as_any_other(held: Notification, repository: Repository) -> None:
    acts.release(held.id, by=Who("anna (admin)", 1), reason="I know this talker")

    held.refresh_from_db()
    assert (held.state, held.stopped_at) == (State.PENDING, None)
    assert repository.due.start(held, now=timezone.now())
    held.refresh_from_db()
    assert held.state == State.SENDING


def test_a_cancelled_one_ends(held: Notification) -> None:
    stop = acts.cancel(
        held.id, by=Who("anna (admin)", 1), reason="a stolen token", now=timezone.now()
    )

    held.refresh_from_db()
    assert (held.state, stop.sent, stop.in_flight) == (State.CANCELLED, 0, 0)


def test_the_worker_starts_none_that_is_held(held: Notification, repository: Repository) -> None:
    assert held.id not in [each.id for each in repository.due.active()]


def test_the_talker_reads_why_in_the_own_language(held: Notification) -> None:
    assert held.talk
    talker = client_of(held.talk.program.owner)
    address = f"/api/v1/talks/{held.talk_id}/notification/"

    told = talker.get(address).json()

    assert (told["state"], told["reason"]) == ("held", HOURLY)


def test_status_desk_and_metrics_count_it(held: Notification, client: Client) -> None:
    now = timezone.now()

    assert status(now=now)["held"] == 1
    told = [trouble.what for trouble in find(situation(now=now), open_notifications())]
    assert "1 notification is held." in told
    assert 'radiotalk_notifications{state="held"} 1.0' in client.get("/metrics").content.decode()


def test_why_a_listener_did_not_get_it_is_told(held: Notification) -> None:
    assert held.talk
    clip = ClipFactory.create(program=held.talk.program)
    device = DeviceTokenFactory.create(user=clip.listener, created_at=held.created_at)

    answer = explain(
        Facts(listener="lena", talk=held.talk, notification=held, clip=clip, devices=[device])
    )

    assert answer.verdict == Verdict.HELD
    assert HOURLY in answer.sentence


def test_that_it_is_held_is_an_event(program: Program, caplog: pytest.LogCaptureFixture) -> None:
    rows = [post(program) for _ in range(3)]

    (record,) = [each for each in caplog.records if each.getMessage() == "notification.held"]
    assert (vars(record)["notification"], vars(record)["reason"]) == (rows[-1].id, HOURLY)

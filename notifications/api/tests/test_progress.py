"""A talk's notification over HTTP: its progress, for the program's owner alone."""

from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from notifications import channel, reasons
from notifications.models import Notification
from notifications.tests.factories import NotificationFactory
from programs.tests.clients import client_of
from programs.tests.factories import ProgramFactory, UserFactory
from programs.tests.recordings import wav

pytestmark = pytest.mark.django_db


def address(notification: Notification) -> str:
    return f"/api/v1/talks/{notification.talk_id}/notification/"


def test_the_owner_follows_the_progress(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    notification = NotificationFactory.create(
        state="sending",
        dry_run=False,
        target_count=10,
        sent_count=7,
        rejected_count=1,
        unknown_count=2,
        started_at=timezone.now(),
    )
    assert notification.talk
    owner = client_of(notification.talk.program.owner)

    with django_assert_num_queries(1):
        seen = owner.get(address(notification)).json()

    assert (seen["talk"], seen["state"], seen["dry_run"]) == (
        notification.talk_id,
        "sending",
        False,
    )
    assert seen["counts"] == {
        "target": 10,
        "sent": 7,
        "simulated": 0,
        "rejected": 1,
        "retry": 0,
        "unknown": 2,
        "abandoned": 0,
        "skipped": 0,
    }
    assert seen["started_at"] is not None
    assert seen["finished_at"] is None
    assert {"created_at", "first_sent_at", "last_sent_at"} <= set(seen)
    assert seen["reason"] == ""  # it names operators and settings


HOURLY = (
    "Its program may announce 6 talks an hour, and this one is beyond that: the talk is posted, "
    "and its notification waits for an operator to release or cancel it."
)


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        (reasons.TOO_MANY_AN_HOUR % {"limit": 6}, HOURLY),
        (reasons.TALK_TOO_OLD, reasons.TALK_TOO_OLD),
        (reasons.LIVE % {"reason": "the evening show", "who": "anna"}, ""),
        (reasons.NO_CREDENTIALS, ""),
        (f"Held by anna (admin): {HOURLY}", ""),
        ("Released by anna (admin): a talker I know", ""),
        ("of an operator's own words", ""),
    ],
)
def test_the_talker_reads_a_reason_that_is_meant_for_talkers(stored: str, told: str) -> None:
    notification = NotificationFactory.create(reason=stored)
    assert notification.talk

    seen = client_of(notification.talk.program.owner).get(address(notification)).json()

    assert seen["reason"] == told


def test_dry_run_is_undecided_before_the_start() -> None:
    notification = NotificationFactory.create()
    assert notification.talk

    seen = client_of(notification.talk.program.owner).get(address(notification)).json()

    assert seen["dry_run"] is None


def test_a_talk_is_posted_while_redis_is_away(
    settings: Settings, tmp_path: Path, django_capture_on_commit_callbacks: Any
) -> None:
    settings.MEDIA_ROOT = tmp_path
    settings.REDIS_URL = "redis://127.0.0.1:1/0"  # nobody listens there
    channel.publisher.cache_clear()
    program = ProgramFactory.create()
    form = {"title": "Hello", "audio": SimpleUploadedFile("a.wav", wav())}

    with django_capture_on_commit_callbacks(execute=True):
        answer = client_of(program.owner).post(
            f"/api/v1/programs/{program.pk}/talks/", form, format="multipart"
        )

    channel.publisher.cache_clear()
    assert answer.status_code == 201
    assert Notification.objects.get().state == "pending"


def test_nobody_else_sees_it() -> None:
    notification = NotificationFactory.create()

    assert client_of(UserFactory.create()).get(address(notification)).status_code == 404


@pytest.mark.parametrize("talk_id", [7, 10**30])
def test_a_talk_that_is_not_there_has_none(talk_id: int) -> None:
    answer = client_of(UserFactory.create()).get(f"/api/v1/talks/{talk_id}/notification/")

    assert answer.status_code == 404

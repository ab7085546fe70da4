"""The signal: a notification is written with its talk, and the worker is woken after it."""

import logging
from unittest import mock

import pytest
from django.core import serializers
from django.db import transaction
from django.utils import timezone
from pytest_django import Settings
from pytest_django.fixtures import DjangoCaptureOnCommitCallbacks

from notifications import channel
from notifications.models import Notification
from programs.models import Talk
from programs.tests.factories import ProgramFactory, TalkFactory
from testbed.process import LOOPBACK, free_port

pytestmark = pytest.mark.django_db


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the talks that were published."""
    talks: list[int] = []
    monkeypatch.setattr(channel, "publish", talks.append)
    return talks


def test_a_posted_talk_has_its_notification() -> None:
    talk = TalkFactory.create(program__title="Night Radio", title="Episode 42")

    notification = Notification.objects.get()
    assert notification.talk == talk
    assert (notification.title, notification.body) == ("Night Radio", "Episode 42")
    assert notification.state == Notification.State.PENDING


def test_what_an_old_row_hides_in_its_titles_reaches_no_phone() -> None:
    TalkFactory.create(program__title="Night\u2028Radio", title="\u202eEpisode\u200b 42\ufeff")

    notification = Notification.objects.get()
    assert (notification.title, notification.body) == ("Night Radio", "Episode 42")


def test_a_talk_that_is_rolled_back_takes_its_notification_with_it() -> None:
    with transaction.atomic():
        TalkFactory.create()
        transaction.set_rollback(True)

    assert not Talk.objects.exists()
    assert not Notification.objects.exists()


def test_a_talk_is_not_saved_without_its_notification(monkeypatch: pytest.MonkeyPatch) -> None:
    program = ProgramFactory.create()
    failing = mock.Mock(side_effect=RuntimeError)
    monkeypatch.setattr(type(Notification.objects.all()), "create_for", failing)

    with pytest.raises(RuntimeError):
        TalkFactory.create(program=program)

    assert not Talk.objects.exists()


def test_the_worker_is_woken_only_after_the_commit(
    published: list[int], django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        talk = TalkFactory.create()
        assert published == []

    assert published == [talk.pk]


def test_a_talk_that_is_rolled_back_wakes_nobody(
    published: list[int], django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        TalkFactory.create()
        transaction.set_rollback(True)

    assert published == []


def test_a_changed_talk_notifies_nobody_again(
    published: list[int], django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    talk = TalkFactory.create(title="Episode 42")

    with django_capture_on_commit_callbacks(execute=True):
        talk.title = "Episode 42, corrected"
        talk.save()

    assert Notification.objects.count() == 1
    assert Notification.objects.get().body == "Episode 42"
    assert published == []


def test_a_fixture_notifies_nobody(
    published: list[int], django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    program, now = ProgramFactory.create(), timezone.now()
    talk = Talk(pk=42, program=program, title="A fixture", posted_at=now, created_at=now)
    dump = serializers.serialize("json", [talk])

    with django_capture_on_commit_callbacks(execute=True):
        for restored in serializers.deserialize("json", dump):
            restored.save()

    assert Talk.objects.filter(pk=42).exists()
    assert not Notification.objects.exists()
    assert published == []


def test_a_bulk_import_notifies_nobody(
    published: list[int], django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    program = ProgramFactory.create()

    with django_capture_on_commit_callbacks(execute=True):
        Talk.objects.bulk_create(Talk(program=program, title=f"Old {n}") for n in range(3))

    assert not Notification.objects.exists()
    assert published == []


@pytest.mark.django_db(transaction=True)
def test_a_talk_is_posted_though_redis_is_away(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REDIS_URL = f"redis://{LOOPBACK}:{free_port()}/0"
    channel.publisher.cache_clear()

    talk = TalkFactory.create()

    assert Notification.objects.get().talk == talk
    assert [record.message for record in caplog.records] == ["publish.failed"]
    channel.publisher.cache_clear()


@pytest.mark.django_db(transaction=True)
def test_a_talk_is_posted_whatever_goes_wrong_with_publishing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(channel, "publish", mock.Mock(side_effect=ValueError("a defect")))

    talk = TalkFactory.create()

    assert Notification.objects.get().talk == talk
    assert [record.levelno for record in caplog.records] == [logging.ERROR]

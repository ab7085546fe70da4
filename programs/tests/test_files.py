"""A recording's file lives as long as its talk."""

from typing import Any

import pytest
from django.db import transaction

from programs.models import Talk
from programs.tests.factories import TalkFactory
from programs.tests.recordings import Files


def test_the_file_goes_with_its_talk(
    db: None, files: Files, django_capture_on_commit_callbacks: Any
) -> None:
    talk = TalkFactory.create()

    with django_capture_on_commit_callbacks(execute=True):
        talk.delete()

    assert files() == []


@pytest.mark.django_db(transaction=True)
def test_the_file_stays_when_the_deletion_is_rolled_back(files: Files) -> None:
    talk = TalkFactory.create()

    with transaction.atomic():
        talk.delete()
        transaction.set_rollback(True)

    assert Talk.objects.exists()
    assert len(files()) == 1


def test_a_talk_without_a_recording_can_be_deleted(
    db: None, files: Files, django_capture_on_commit_callbacks: Any
) -> None:
    talk = TalkFactory.create(audio="")

    with django_capture_on_commit_callbacks(execute=True):
        talk.delete()

    assert not Talk.objects.exists()

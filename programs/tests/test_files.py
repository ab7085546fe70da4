"""A recording's file lives as long as its talk."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from programs.models import Talk
from programs.tests.factories import TalkFactory

Files = Callable[[], list[Path]]


def test_the_file_goes_with_its_talk(
    db: None, directories: Files, django_capture_on_commit_callbacks: Any
) -> None:
    talk = TalkFactory.create()

    with django_capture_on_commit_callbacks(execute=True):
        talk.delete()

    assert directories() == []


@pytest.mark.django_db(transaction=True)
def test_the_file_stays_when_the_deletion_is_rolled_back(directories: Files) -> None:
    talk = TalkFactory.create()

    with transaction.atomic():
        talk.delete()
        transaction.set_rollback(True)

    assert Talk.objects.exists()
    assert len(directories()) == 1


def test_a_talk_without_a_recording_can_be_deleted(
    db: None, directories: Files, django_capture_on_commit_callbacks: Any
) -> None:
    talk = TalkFactory.create(audio="")

    with django_capture_on_commit_callbacks(execute=True):
        talk.delete()

    assert not Talk.objects.exists()

"""Migrations of rows that are there already, beside code of the release before."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from programs.tests.factories import ProgramFactory, TalkFactory

from .history import PREVIOUS_RELEASE, ROOT, git

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE_TAGS = "0006_database_clock"
WITH_TAGS = "0009_notification_tag_is_unique"


@pytest.fixture
def migrate() -> Iterator[Callable[..., Any]]:
    """Yield what migrates an app there or back, and returns the models of then."""

    def to(name: str, *, app: str = "notifications") -> Any:
        executor = MigrationExecutor(connection)
        executor.migrate([(app, name)])
        return MigrationExecutor(connection).loader.project_state([(app, name)]).apps

    yield to
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


def insert_as_the_release_before(talk_id: int | None) -> None:
    """Insert a notification as code does that knows nothing of tags."""
    now = timezone.now()
    row: dict[str, Any] = {
        "talk_id": talk_id, "state": "pending", "title": "Night", "body": "Hello", "cutoff": now,
        "cursor": 0, "epoch": 0, "target_count": 0, "created_at": now, "reason": "",
        "needs_approval": False, "live_by": "", "approved_by": "", "brake": "", "crashes": 0,
    }  # fmt: skip
    outcomes = "sent", "simulated", "rejected", "retry", "unknown", "abandoned", "skipped"
    row |= {f"{outcome}_count": 0 for outcome in outcomes}
    with connection.cursor() as cursor:
        places = ", ".join(["%s"] * len(row))
        cursor.execute(
            f"INSERT INTO notifications_notification ({', '.join(row)}) VALUES ({places})",  # noqa: S608
            list(row.values()),
        )


def test_what_is_half_sent_keeps_its_tag_and_what_comes_gets_one_of_its_own(
    migrate: Callable[..., Any],
) -> None:
    talks = TalkFactory.create_batch(2)
    before = migrate(BEFORE_TAGS).get_model("notifications", "Notification").objects
    before.filter(talk_id=talks[1].id).delete()
    before.create(talk=None)
    old = set(before.values_list("id", flat=True))

    after = migrate(WITH_TAGS).get_model("notifications", "Notification").objects
    insert_as_the_release_before(talks[1].id)
    insert_as_the_release_before(None)

    half_sent = after.get(talk_id=talks[0].id)
    others = [row.tag for row in after.exclude(id=half_sent.id)]
    assert half_sent.id in old
    assert half_sent.tag == f"talk-{talks[0].id}"  # what phones show of it has this tag
    assert len({tag for tag in others if len(tag) == 32 and tag.isalnum()}) == 3
    with pytest.raises(IntegrityError):
        after.filter(talk=None).update(tag=half_sent.tag)


def test_no_message_can_announce_a_talk_that_was_there_before(
    migrate: Callable[..., Any],
) -> None:
    program = ProgramFactory.create()
    migrate("0002_database_clock", app="programs")
    row: dict[str, Any] = {
        "program_id": program.id, "title": "Hello", "description": "", "audio": "", "duration": 1,
        "posted_at": timezone.now(), "content_digest": "",
    }  # fmt: skip
    places = ", ".join(["%s"] * len(row))
    insert = f"INSERT INTO programs_talk ({', '.join(row)}) VALUES ({places})"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(insert, list(row.values()))

    talks = migrate("0003_talk_created_at_and_bytes", app="programs").get_model("programs", "Talk")
    with connection.cursor() as cursor:
        cursor.execute(insert, list(row.values()))  # as the release before

    before, after = talks.objects.order_by("id")
    assert (before.created_at, before.audio_bytes, after.audio_bytes) == (None, 0, 0)
    assert timedelta(0) <= timezone.now() - after.created_at < timedelta(minutes=5)


def test_a_migration_that_has_landed_is_never_edited() -> None:
    listed = git("ls-tree", "-r", "--name-only", PREVIOUS_RELEASE).decode().splitlines()

    for file in [each for each in listed if "/migrations/0" in each]:
        assert (ROOT / file).read_bytes() == git("show", f"{PREVIOUS_RELEASE}:{file}"), file

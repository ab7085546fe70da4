"""Candidates: read ahead for speed, never believed, and never old."""

from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from notifications.models import DeviceToken, Notification
from notifications.tests.factories import DeviceTokenFactory
from notifications.worker.repository import Claim, ClaimEnd, Repository, candidates
from notifications.worker.repository.targets import COLUMNS, targets_among
from programs.models import Clip, Program, Talk
from programs.tests.factories import ProgramFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("live")]

NOW = timezone.now()
LATER = NOW + candidates.STANDS


@pytest.fixture
def program() -> Program:
    """Return a program without listeners."""
    return ProgramFactory.create()


def listeners(program: Program, count: int) -> list[DeviceToken]:
    """Return the devices of as many new listeners."""
    devices = [DeviceTokenFactory.create(created_at=NOW) for _ in range(count)]
    for device in devices:
        Clip.objects.create(listener=device.user, program=program)
    return devices


def sending(program: Program, repository: Repository) -> Notification:
    """Return the notification of a new talk, started live."""
    notification = Talk.objects.create(program=program, title="Hello").notification
    assert repository.due.start(notification, now=NOW)
    return notification


def claim(
    repository: Repository, notification: Notification, limit: int, *, later: int = 0
) -> Claim:
    """Return what the worker claims, `later` seconds after NOW."""
    now = NOW + timedelta(seconds=later)
    return repository.claims.first_attempts(notification.id, size=25, limit=limit, now=now)


def claimed(claim: Claim) -> list[int]:
    """Return the devices of a claim in order."""
    return [target.device_id for batch in claim.batches for target in batch.targets]


def test_who_unclips_after_being_read_ahead_is_not_claimed(
    repository: Repository, program: Program
) -> None:
    _first, gone, last = listeners(program, 3)
    notification = sending(program, repository)
    claim(repository, notification, 1)
    Clip.objects.filter(listener=gone.user).delete()

    assert claimed(claim(repository, notification, 10)) == [last.id]


def test_who_mutes_after_being_read_ahead_is_not_claimed(
    repository: Repository, program: Program
) -> None:
    _first, gone, last = listeners(program, 3)
    notification = sending(program, repository)
    claim(repository, notification, 1)
    Clip.objects.filter(listener=gone.user).update(muted=True)

    assert claimed(claim(repository, notification, 10)) == [last.id]


def test_a_device_that_is_disabled_or_moved_after_being_read_ahead_is_not_claimed(
    repository: Repository, program: Program
) -> None:
    _first, disabled, moved, last = listeners(program, 4)
    notification = sending(program, repository)
    claim(repository, notification, 1)
    DeviceToken.objects.filter(id=disabled.id).disable(reason="gone", now=NOW)
    DeviceToken.objects.filter(id=moved.id).update(user=program.owner)

    assert claimed(claim(repository, notification, 10)) == [last.id]


def test_a_device_that_moves_to_another_listener_is_claimed_once(
    repository: Repository, program: Program
) -> None:
    first, moved = listeners(program, 2)
    notification = sending(program, repository)
    claim(repository, notification, 1)
    DeviceToken.objects.filter(id=moved.id).update(user=first.user)

    assert claimed(claim(repository, notification, 10)) == [moved.id]


def test_candidates_that_are_no_targets_any_more_do_not_stop_the_claims(
    repository: Repository, program: Program
) -> None:
    devices = listeners(program, 6)
    notification = sending(program, repository)
    claim(repository, notification, 1)
    DeviceToken.objects.filter(id__in=[each.id for each in devices[1:4]]).disable(
        reason="gone", now=NOW
    )

    nobody = claim(repository, notification, 3)
    rest = claim(repository, notification, 3)

    assert (nobody.end, nobody.batches) == (ClaimEnd.OPEN, ())
    assert (rest.end, claimed(rest)) == (ClaimEnd.EXHAUSTED, [each.id for each in devices[4:]])


def test_who_becomes_a_target_is_found_when_the_window_has_stood_its_time(
    repository: Repository, program: Program
) -> None:
    _first, muted, _last = listeners(program, 3)
    Clip.objects.filter(listener=muted.user).update(muted=True)
    notification = sending(program, repository)
    claim(repository, notification, 1)
    Clip.objects.filter(listener=muted.user).update(muted=False)

    assert claimed(claim(repository, notification, 1, later=2)) == [muted.id]


def test_a_clock_that_is_set_back_does_not_keep_a_window(
    repository: Repository, program: Program
) -> None:
    _first, muted, _last = listeners(program, 3)
    Clip.objects.filter(listener=muted.user).update(muted=True)
    notification = sending(program, repository)
    claim(repository, notification, 1)
    Clip.objects.filter(listener=muted.user).update(muted=False)

    assert claimed(claim(repository, notification, 1, later=-1)) == [muted.id]


def test_windows_follow_one_another_without_a_gap(
    repository: Repository, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "FIRST_IDS", 3)
    monkeypatch.setattr(candidates, "WALK_IDS", 4)
    monkeypatch.setattr(candidates, "FROM_CLIPS_IDS", 4)
    ids = [device.id for device in listeners(program, 13)]
    notification = sending(program, repository)

    claims = [claim(repository, notification, 2) for _ in range(9)]

    assert [each for one in claims for each in claimed(one)] == ids
    assert claims[-1].end is ClaimEnd.EXHAUSTED


def test_what_was_not_committed_is_claimed_again(
    repository: Repository, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [device.id for device in listeners(program, 4)]
    notification = sending(program, repository)
    claim(repository, notification, 1)
    with monkeypatch.context() as patch:
        patch.setattr(repository.claims, "_move_cursor", fail)
        with pytest.raises(OperationalError):
            claim(repository, notification, 2)

    assert claimed(claim(repository, notification, 2)) == ids[1:3]


def fail(*_args: object, **_values: object) -> None:
    """Do as a database that goes away."""
    raise OperationalError("connection lost")


def test_a_talk_that_moves_to_another_program_goes_to_its_listeners(
    repository: Repository, program: Program
) -> None:
    listeners(program, 2)
    other = ProgramFactory.create()
    (device,) = listeners(other, 1)
    notification = sending(program, repository)
    claim(repository, notification, 1)
    Talk.objects.update(program=other)

    claims = [claim(repository, notification, 10) for _ in range(2)]

    assert claimed(claims[0]) == []
    assert claimed(claims[1]) == [device.id]


def test_the_audience_is_counted_when_the_end_is_seen(
    repository: Repository, program: Program
) -> None:
    listeners(program, 5)
    notification = sending(program, repository)

    claim(repository, notification, 2)

    notification.refresh_from_db()
    assert (notification.audience_count, notification.target_count) == (5, 2)


def test_an_audience_of_nobody_is_counted_too(repository: Repository, program: Program) -> None:
    notification = sending(program, repository)

    assert claim(repository, notification, 2).end is ClaimEnd.EXHAUSTED
    notification.refresh_from_db()
    assert notification.audience_count == 0


def test_a_window_is_read_once_for_many_claims(
    repository: Repository, program: Program, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    listeners(program, 5)
    notification = sending(program, repository)
    claim(repository, notification, 1)

    with django_assert_num_queries(3 * 8):
        for _ in range(3):
            claim(repository, notification, 1)


def test_the_windows_of_many_notifications_do_not_fill_the_memory(
    repository: Repository, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "MOST_IDS", 10)
    ids = [device.id for device in listeners(program, 8)]
    notifications = [sending(program, repository) for _ in range(3)]

    claims = [claim(repository, each, 5) for _ in range(2) for each in notifications]

    assert [claimed(each) for each in claims] == [ids[:5]] * 3 + [ids[5:]] * 3


@pytest.mark.engines
def test_both_ways_find_the_audience_in_its_order(program: Program) -> None:
    devices = listeners(program, 12)
    Clip.objects.filter(listener=devices[2].user).update(muted=True)
    DeviceToken.objects.filter(id=devices[3].id).disable(reason="gone", now=NOW)
    DeviceToken.objects.filter(id=devices[4].id).update(created_at=LATER)
    DeviceToken.objects.filter(id=devices[5].id).update(user=devices[11].user)
    DeviceToken.objects.filter(id=devices[6].id).update(user=program.owner)
    Clip.objects.filter(listener=devices[7].user).update(program=ProgramFactory.create())
    DeviceTokenFactory.create(created_at=NOW)
    audience = DeviceToken.objects.audience_of(program.id, cutoff=NOW)
    expected = list(audience.filter(id__gt=devices[0].id).values_list("id", flat=True))

    found = [
        list(way(program.id, NOW, after=devices[0].id, limit=5))
        for way in (candidates.from_clips, candidates.walk_over_devices)
    ]

    assert len(expected) == 6
    assert found == [expected[:5]] * 2


@pytest.mark.engines
def test_the_claims_sql_finds_whom_the_orm_calls_the_audience(program: Program) -> None:
    followers = listeners(program, 7)
    muted, disabled, late, moved, *_targets = followers
    listeners(ProgramFactory.create(), 2)
    strangers = [DeviceTokenFactory.create(created_at=NOW) for _ in range(2)]
    Clip.objects.filter(listener=muted.user).update(muted=True)
    DeviceToken.objects.filter(id=disabled.id).disable(reason="a test", now=NOW)
    DeviceToken.objects.filter(id=late.id).update(created_at=LATER)
    DeviceToken.objects.filter(id=moved.id).update(user=strangers[0].user)
    everybody = [*DeviceToken.objects.values_list("id", flat=True), 10**9]

    found = list(targets_among(everybody, program.id, cutoff=NOW))

    audience = DeviceToken.objects.audience_of(program.id, cutoff=NOW)
    assert found == list(audience.values_list(*COLUMNS))
    assert len(found) == 3
    assert targets_among([found[0][0]], program.id, cutoff=NOW) == found[:1]
    assert list(targets_among([muted.id], program.id, cutoff=NOW)) == []

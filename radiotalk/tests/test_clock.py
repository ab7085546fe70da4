"""The one clock: the database's, and the worker's that goes on from it."""

import itertools
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import DateTimeField, Exists
from django.utils import timezone

from notifications.models import DeviceToken
from notifications.tests.factories import DeviceTokenFactory
from programs.tests.factories import UserFactory
from radiotalk import clock

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
A_MINUTE = timedelta(minutes=1)
OURS = ("accounts", "programs", "notifications")


def test_no_column_takes_its_time_from_the_host() -> None:
    models = [model for app in OURS for model in models_of(app)]
    times = [field for model in models for field in fields_of(model)]

    assert len(times) > 20
    defaults = [field.default for field in times if field.has_default() or field.auto_now_add]
    assert set(defaults) == {clock.by_default}


def models_of(app: str) -> list[type]:
    return list(apps.get_app_config(app).get_models())


def fields_of(model: type) -> list[DateTimeField]:  # type: ignore[type-arg]
    return [each for each in model._meta.fields if isinstance(each, DateTimeField)]  # type: ignore[attr-defined]


@pytest.mark.django_db
def test_what_a_device_is_given_by_default_comes_before_what_the_clock_then_tells() -> None:
    device = DeviceTokenFactory.create()

    assert device.created_at <= clock.now() <= timezone.now()


@pytest.mark.django_db
def test_of_two_devices_that_were_written_by_one_statement_the_later_is_younger() -> None:
    user = UserFactory.create()
    old, new = DeviceToken.objects.bulk_create(
        [DeviceToken(user=user, token=token) for token in ("old", "new")]
    )

    with_younger = DeviceToken.objects.filter(Exists(DeviceToken.objects.younger()))

    assert list(with_younger) == [old]
    assert new.id > old.id


def test_many_rows_at_once_ask_the_database_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = itertools.count()
    monkeypatch.setattr(clock, "now", lambda: NOON + next(asked) * timedelta())
    monkeypatch.setattr(connection, "vendor", "postgresql")
    clock.of_the_thread.__dict__.clear()

    times = [clock.by_default() for _ in range(100)]

    assert next(asked) == 1
    assert NOON <= times[0] <= times[-1]
    later = time.monotonic() + clock.TOLD_FOR_SECONDS
    monkeypatch.setattr(time, "monotonic", lambda: later)
    clock.by_default()
    assert next(asked) == 3
    clock.of_the_thread.__dict__.clear()


def test_an_object_that_is_not_saved_needs_no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "vendor", "postgresql")
    clock.of_the_thread.__dict__.clear()

    assert DeviceToken(token="t").created_at.tzinfo is UTC


def test_the_workers_clock_goes_on_from_what_the_database_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOON)
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    learned = clock.Clock()
    learned.learn()

    monkeypatch.setattr(clock, "now", lambda: NOON + 5 * A_MINUTE)
    monkeypatch.setattr(time, "monotonic", lambda: 160.0)

    assert learned.now() == NOON + A_MINUTE
    learned.learn()
    assert learned.now() == NOON + 5 * A_MINUTE


def test_the_workers_clock_asks_when_it_was_told_nothing_yet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOON)

    assert clock.Clock().now() >= NOON

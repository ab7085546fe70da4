"""Statements that are compiled once do what the ORM's do, with other values each time."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import BigAutoField, DateTimeField, F, IntegerField
from django.db.models.functions import Coalesce
from django.db.transaction import TransactionManagementError, atomic
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from notifications.models import Notification
from notifications.models.compiled import Given, Select, Update
from notifications.models.id_lookup import Ids

pytestmark = pytest.mark.django_db

NOW = timezone.now()


@pytest.fixture
def several() -> list[Notification]:
    """Return three notifications, of one minute after the other."""
    return [
        Notification.objects.create(
            title=f"Night {number}", body="Hello", cutoff=NOW + timedelta(minutes=number)
        )
        for number in range(3)
    ]


def test_a_query_returns_what_the_orms_returns_for_each_value(several: list[Notification]) -> None:
    select = Select(
        lambda: Notification.objects.filter(id=Given("id", BigAutoField())).values_list(
            "title", "cutoff", "dry_run"
        )
    )

    for each in several:
        assert select(id=each.id) == [(each.title, each.cutoff, None)]
    assert select(id=0) == []


def test_it_is_compiled_once(several: list[Notification]) -> None:
    made = []

    def make() -> object:
        made.append(1)
        return Notification.objects.filter(id=Given("id", BigAutoField())).values_list("id")

    select = Select(make)  # type: ignore[arg-type]
    with CaptureQueriesContext(connection) as queries:
        for each in several:
            select(id=each.id)

    assert len(made) == 1
    assert len(queries) == 3


def test_many_ids_are_one_parameter(several: list[Notification]) -> None:
    select = Select(
        lambda: (
            Notification.objects.filter(id__among=Given("ids", Ids()))
            .order_by("id")
            .values_list("id")
        )
    )

    first, second, third = (each.id for each in several)
    assert select(ids=[third, first]) == [(first,), (third,)]
    assert select(ids={second}) == [(second,)]
    assert select(ids=[]) == []


def test_an_update_changes_what_is_given_and_says_how_many(several: list[Notification]) -> None:
    update = Update(
        lambda: (
            Notification.objects.filter(id=Given("id", BigAutoField())),
            {
                "sent_count": F("sent_count") + Given("sent", IntegerField()),
                "first_sent_at": Coalesce("first_sent_at", Given("at", DateTimeField())),
            },
        )
    )
    row = several[0]

    assert update(id=row.id, sent=3, at=None) == 1
    assert update(id=row.id, sent=4, at=NOW) == 1
    assert update(id=row.id, sent=-1, at=NOW + timedelta(hours=1)) == 1
    assert update(id=0, sent=1, at=NOW) == 0

    row.refresh_from_db()
    assert (row.sent_count, row.first_sent_at) == (6, NOW)
    assert Notification.objects.filter(sent_count=0).count() == 2


def test_a_value_that_is_not_given_is_an_error(several: list[Notification]) -> None:
    select = Select(
        lambda: Notification.objects.filter(id=Given("id", BigAutoField())).values_list("id")
    )

    with pytest.raises(KeyError, match="id"):
        select()


@pytest.mark.django_db(transaction=True)
def test_rows_are_never_locked_without_a_transaction() -> None:
    select = Select(lambda: Notification.objects.select_for_update().values_list("id"))
    with atomic():
        assert select() == []  # compiled here

    with pytest.raises(TransactionManagementError):
        select()

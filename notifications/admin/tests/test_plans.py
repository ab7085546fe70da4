"""An index serves each of the desk's queries of a large log: PostgreSQL's plans, after ANALYZE."""

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from notifications.admin.delivery import DeliveryAdmin
from notifications.models import Delivery, DeviceToken, Notification

from .rows import listener, notification

pytestmark = [pytest.mark.engines, pytest.mark.django_db]

LINES = 20_000

# Partial indexes, each of rows that were not sent. From a small one PostgreSQL may sort a few rows.
PARTIAL = ("delivery_ended_unsent", "delivery_unknown", "delivery_to_retry")


@pytest.fixture
def log() -> Notification:
    """Return a notification with a log of which one line in a hundred was not sent."""
    row, device = notification("done"), listener("lena")
    Delivery.objects.bulk_create(
        Delivery(
            notification=row,
            device_id=device.pk + number,
            outcome=Delivery.NOT_SENT[number // 100 % 5] if number % 100 == 0 else "sent",
            at=timezone.now(),
        )
        for number in range(LINES)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE notifications_delivery")
    return row


def plan(rows: QuerySet[Delivery]) -> str:
    """Return how PostgreSQL would find the rows."""
    return rows.explain()


@pytest.mark.parametrize("outcome", Delivery.NOT_SENT)
def test_the_log_of_one_outcome_is_read_in_the_order_of_an_index(
    log: Notification, outcome: str
) -> None:
    rows = Delivery.objects.filter(outcome=outcome).order_by(*DeliveryAdmin.ordering)[:100]

    shown = plan(rows)

    assert any(name in shown for name in PARTIAL)
    assert "Seq Scan" not in shown


@pytest.mark.parametrize("outcome", Delivery.NOT_SENT)
def test_what_went_wrong_is_grouped_without_reading_what_was_sent(
    log: Notification, outcome: str
) -> None:
    lines = Delivery.objects.filter(notification=log, outcome=outcome).order_by()

    assert any(name in plan(lines[:5000]) for name in PARTIAL)


def test_a_listener_is_found_by_their_devices(log: Notification) -> None:
    devices = list(DeviceToken.objects.values_list("id", flat=True))

    rows = Delivery.objects.filter(device__in=devices).order_by(*DeliveryAdmin.ordering)[:100]

    assert "Index Cond: (device_id" in plan(rows)

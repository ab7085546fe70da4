"""The send log: lines are found by notification, outcome and listener, never counted or sorted."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from notifications.admin.delivery import DeliveryAdmin
from notifications.models import Delivery, DeviceToken, Notification
from radiotalk.uncounted_lists import LAST_PAGE, UncountedPaginator

from .rows import delivery, listener, listing, notification, page_of, superuser

pytestmark = pytest.mark.django_db

PER_PAGE = DeliveryAdmin.list_per_page


@pytest.fixture
def log() -> list[Notification]:
    """Return two notifications, each sent to lena and to otto."""
    posted = [notification(title="Owls"), notification(title="Trams")]
    for device in (listener("lena"), listener("otto")):
        for each in posted:
            delivery(each, device, "rejected" if device.user.get_username() == "otto" else "sent")
    return posted


def send(count: int) -> None:
    """Write a log of so many lines."""
    posted, user = notification(), listener("lena").user
    devices = DeviceToken.objects.bulk_create(
        DeviceToken(user=user, token=f"token-{nth}") for nth in range(count)
    )
    Delivery.objects.bulk_create(
        Delivery(notification=posted, device=device, outcome="sent", at=posted.created_at)
        for device in devices
    )
    Notification.objects.filter(id=posted.id).update(sent_count=count)


def shown(client: Client, query: str) -> set[tuple[str, str]]:
    """Return listener and talk of each line on a page."""
    rows = client.get(listing("delivery", query)).context["cl"].result_list
    return {(row.device.user.get_username(), row.notification.body) for row in rows}


def test_what_is_not_there_to_say_of_a_line_is_a_dash(log: list[Notification]) -> None:
    line = Delivery.objects.filter(outcome="sent").earliest("id")  # no error, nothing to settle
    DeviceToken.objects.filter(token__contains="lena").delete()

    page = superuser().get(page_of(line)).content.decode()

    assert page.count('<div class="readonly">–</div>') == 3  # listener, meaning and controls
    assert '<div class="readonly">None</div>' not in page


def test_it_is_found_by_notification(log: list[Notification]) -> None:
    found = shown(superuser(), f"?notification__id__exact={log[0].pk}")

    assert found == {("lena", "Owls"), ("otto", "Owls")}


def test_it_is_found_by_the_exact_name_of_a_listener(log: list[Notification]) -> None:
    client = superuser()

    assert shown(client, "?q=lena") == {("lena", "Owls"), ("lena", "Trams")}
    assert shown(client, "?q=len") == set()


def test_it_is_found_by_outcome(log: list[Notification]) -> None:
    assert {name for name, _talk in shown(superuser(), "?outcome__exact=rejected")} == {"otto"}


def test_all_that_was_sent_is_that_of_the_newest_notification(log: list[Notification]) -> None:
    Notification.objects.filter(id=log[0].id).update(sent_count=1)

    assert shown(superuser(), "?outcome__exact=sent") == {("lena", "Owls")}


def test_the_filters_go_together(log: list[Notification]) -> None:
    query = f"?notification__id__exact={log[1].pk}&outcome__exact=sent&q=lena"

    assert shown(superuser(), query) == {("lena", "Trams")}


def test_the_number_filter_keeps_the_others(log: list[Notification]) -> None:
    page = superuser().get(listing("delivery", "?outcome__exact=sent&q=lena")).content.decode()

    form = page.split('class="number-filter"')[1].split("</form>")[0]
    assert '<input type="hidden" name="outcome__exact" value="sent">' in form
    assert '<input type="hidden" name="q" value="lena">' in form


@pytest.mark.parametrize("number", ["owls", "9" * 30, "-1", ""])
def test_a_number_that_is_none_is_no_error(log: list[Notification], number: str) -> None:
    answer = superuser().get(listing("delivery", f"?notification__id__exact={number}"), follow=True)

    assert answer.status_code == 200


def test_a_line_outlives_its_device(log: list[Notification]) -> None:
    device = DeviceToken.objects.earliest("id")
    DeviceToken.objects.filter(id=device.id).delete()
    client = superuser()
    line = Delivery.objects.filter(device_id=device.id).earliest("id")

    page = client.get(listing("delivery")).content.decode()

    assert f"deleted ({device.id})" in page
    assert client.get(page_of(line)).status_code == 200


def test_the_newest_notification_comes_first(log: list[Notification]) -> None:
    rows = superuser().get(listing("delivery")).context["cl"].result_list

    assert [row.notification.body for row in rows] == ["Trams", "Trams", "Owls", "Owls"]


def test_a_page_asks_nothing_for_each_line(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    client = superuser()
    send(PER_PAGE)

    with django_assert_max_num_queries(8):  # session, user, look-ahead, rows, the banner's four
        client.get(listing("delivery"))


@pytest.mark.parametrize(
    "query", ["", "?outcome__exact=sent", "?q=lena", "?_facets=True", "?o=5.1", "?all="]
)
def test_no_page_counts_sorts_or_reads_more_than_it_shows(query: str) -> None:
    client = superuser()
    send(PER_PAGE + 5)

    with CaptureQueriesContext(connection) as queries:
        client.get(listing("delivery", query))

    log = [query["sql"] for query in queries if 'FROM "notifications_delivery"' in query["sql"]]
    assert len(log) == 2
    assert not [sql for sql in log if "COUNT(" in sql]
    assert all("LIMIT" in sql for sql in log)
    assert all(
        'ORDER BY "notifications_delivery"."notification_id" DESC, '
        '"notifications_delivery"."device_id" DESC LIMIT' in sql
        for sql in log
    )


@pytest.mark.skipif(connection.vendor != "sqlite", reason="reads SQLite's words for a plan")
def test_its_order_is_that_of_an_index() -> None:
    rows = Delivery.objects.order_by(*DeliveryAdmin.ordering)

    plan = rows.filter(notification=1).explain() + rows.explain()

    assert "SEARCH" in plan
    assert "TEMP B-TREE" not in plan


def test_pages_are_turned_one_by_one() -> None:
    client = superuser()
    send(2 * PER_PAGE + 1)

    def page(number: int) -> tuple[int, bool]:
        answer = client.get(listing("delivery", f"?p={number}"))
        next_page = f"?p={number + 1}"
        return len(answer.context["cl"].result_list), next_page in answer.content.decode()

    assert [page(1), page(2), page(3)] == [(PER_PAGE, True), (PER_PAGE, True), (1, False)]


@pytest.mark.parametrize("page", ["4", "0", "-3", "x", "9" * 30])
def test_a_page_that_is_none_leads_back_to_the_list(page: str) -> None:
    send(3)

    assert superuser().get(listing("delivery", f"?p={page}"), follow=True).status_code == 200


def test_there_is_a_last_page_since_offset_reads_what_it_skips() -> None:
    send(3)
    rows = Delivery.objects.order_by("id")

    looking_far = UncountedPaginator(rows, 1, page=10**30)

    assert looking_far.skipped == LAST_PAGE - 1
    assert UncountedPaginator(rows, 1, page=2).count == 3
    assert UncountedPaginator(rows, 2, page=2).count == 3


def test_an_empty_log_says_so() -> None:
    assert "0 deliveries" in superuser().get(listing("delivery")).content.decode()

"""The start page and the page of one notification: the numbers that they show."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from notifications.admin import charts, errors, export
from notifications.admin.progress import Progress
from notifications.models import Delivery, Notification, SendingMinute, Standby
from notifications.operators import causes

from .rows import (
    batch,
    delivery,
    listener,
    listing,
    notification,
    page_of,
    staff,
    superuser,
    worker,
)

NOON = datetime(2026, 11, 25, 12, 0, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)
RATE = "NOTIFICATIONS_MAX_PER_MINUTE"


# --- The chart ----------------------------------------------------------------------------------


def minute(ago: int, **counts: int) -> SendingMinute:
    """Return the numbers of a minute."""
    return SendingMinute(minute=NOON.replace(second=0) - timedelta(minutes=ago), **counts)


def test_an_hour_has_sixty_minutes_and_ends_with_this_one() -> None:
    chart = charts.minutes([], now=NOON)

    assert len(chart.columns) == 60
    assert chart.columns[-1].at == NOON.replace(second=0)
    assert chart.total == 0


def test_a_column_stands_on_the_ground_and_is_as_high_as_its_number() -> None:
    chart = charts.minutes([minute(5, sent=400, rejected=100)], now=NOON)

    [column] = chart.busy
    assert chart.top == 500
    assert [(each.name, each.y, each.height) for each in column.segments] == [
        ("sent", 20, 80),
        ("rejected", 0, 20),
    ]


def test_what_is_one_in_a_million_is_still_seen() -> None:
    chart = charts.minutes([minute(0, sent=1_000_000, unknown=1)], now=NOON)

    assert min(each.height for each in chart.columns[-1].segments) >= 0.8


@pytest.mark.parametrize(
    ("value", "top"), [(0, 10), (9, 10), (11, 20), (49, 50), (51, 100), (41_300, 50_000)]
)
def test_the_scale_ends_with_a_round_number(value: int, top: int) -> None:
    assert charts.nice(value) == top


# --- How far ------------------------------------------------------------------------------------


def progress(**values: object) -> Progress:
    """Return the progress of a notification that is being sent to a thousand."""
    usual: dict[str, object] = {
        "state": "sending",
        "audience_count": 1000,
        "target_count": 600,
        "sent_count": 450,
        "rejected_count": 50,
        "first_sent_at": NOON,
        "last_sent_at": NOON + 10 * SECOND,
    }
    return Progress(Notification(**usual | values), NOON + 10 * SECOND)


def test_half_of_it_is_done_at_fifty_a_second_and_takes_as_long_again() -> None:
    half = progress()

    assert (half.percent, half.answered, half.in_flight, half.reached) == (50, 500, 100, 450)
    assert half.rate == 50
    assert half.eta == 10 * SECOND


def test_the_bar_is_as_long_as_the_audience() -> None:
    parts = {part.name: (part.count, part.width) for part in progress().parts}

    assert parts == {
        "sent": (450, 45),
        "rejected": (50, 5),
        "in-flight": (100, 10),
        "waiting": (400, 40),
    }


def test_while_the_audience_is_not_known_no_share_is_claimed() -> None:
    assert progress(audience_count=None).percent is None
    assert progress(audience_count=None).eta is None


def test_a_hundred_per_cent_is_said_only_of_all() -> None:
    assert progress(target_count=1000, sent_count=999, rejected_count=0).percent == 99


def test_one_that_is_done_went_to_whom_it_went() -> None:
    done = progress(state="done", audience_count=1000, target_count=990, sent_count=940)

    assert (done.percent, done.total) == (100, 990)


def test_an_audience_that_grew_makes_no_bar_longer_than_itself() -> None:
    grown = progress(audience_count=100)

    assert round(sum(part.width for part in grown.parts), 1) == 100


def test_silence_is_told_while_something_should_come() -> None:
    assert Progress(progress().notification, NOON + 40 * SECOND).silence == 30 * SECOND
    assert progress().silence is None


# --- The worker ---------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(("before", "told"), [({RATE: 60}, f"{RATE}: 60 → 600"), ({}, "")])
def test_a_change_of_settings_is_told_and_no_key_that_was_replaced_meanwhile(
    before: dict[str, int], told: str
) -> None:
    key_before = {"KEY": "…before", "KEY_IS_OUTDATED": True}
    lease = worker()
    lease.settings = {RATE: 600, "KEY": "…after", "KEY_IS_OUTDATED": False}
    lease.settings_before = lease.settings | key_before | before
    lease.save()

    page = superuser().get(reverse("admin:index")).content.decode()

    assert told in page
    assert ("Other settings" in page) == bool(told)
    assert "…before" not in page


# --- Errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", Delivery.NOT_SENT)
@pytest.mark.parametrize("code", [*causes.CODES, "HTTP_599", "FROM_ANOTHER_VERSION", ""])
def test_every_error_is_explained(outcome: str, code: str) -> None:
    assert len(str(causes.explain(outcome, code))) > 20


@pytest.mark.django_db
def test_errors_are_grouped_the_most_frequent_first() -> None:
    row = notification("done")
    for name, outcome, code in [
        ("a", "unknown", "CONNECTION_LOST"),
        ("b", "rejected", "UNREGISTERED"),
        ("c", "rejected", "UNREGISTERED"),
        ("d", "sent", ""),
    ]:
        line = delivery(row, listener(name), outcome)
        Delivery.objects.filter(pk=line.pk).update(error_code=code)

    Notification.objects.update(unknown_count=1, rejected_count=2)
    row.refresh_from_db()

    found = [(group.code, group.count) for group in errors.groups(row)]

    assert found == [("UNREGISTERED", 2), ("CONNECTION_LOST", 1)]


@pytest.mark.django_db
def test_no_more_errors_are_looked_at_than_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "LOOKED_AT", 2)
    row = notification("done")
    for name in "abc":
        delivery(row, listener(name), "rejected")
    Notification.objects.update(rejected_count=3, target_count=3)

    page = superuser().get(page_of(row)).content.decode()

    assert "2 × rejected" in page
    assert "Of each outcome, 2 are grouped." in page


# --- The pages ----------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_start_page_says_who_works_and_how_the_last_ones_did() -> None:
    worker()
    Standby.objects.announce(holder="radio-2:77:abc")
    row = notification("done")
    Notification.objects.update(
        target_count=1000,
        sent_count=1000,
        first_sent_at=row.created_at + timedelta(seconds=0.25),
        last_sent_at=row.created_at + timedelta(seconds=3.25),
    )
    SendingMinute.objects.add({"sent": 1000}, now=timezone.now())

    page = superuser().get("/admin/").content.decode()

    assert ">radio-1</p>" in page
    assert "epoch 1, heartbeat " in page
    assert ">radio-2</p>" in page
    assert 'data-label="upload → first">0.25 s</td>' in page
    assert 'data-label="first → last">3.00 s</td>' in page
    assert "1,000 in the last hour" in page


@pytest.mark.django_db
def test_who_may_not_see_notifications_has_djangos_start_page() -> None:
    page = staff("view_devicetoken").get("/admin/").content.decode()

    assert 'id="desk-start"' not in page
    assert "Devices" in page


@pytest.mark.django_db
def test_the_start_page_costs_eight_statements() -> None:
    client = superuser()
    for _nth in range(12):
        notification()
    client.get("/admin/")

    with CaptureQueriesContext(connection) as queries:
        client.get("/admin/")

    # session, user, the banner's four, the minutes, the last notifications
    assert len(queries) == 8


@pytest.mark.django_db
def test_the_page_of_one_never_counts_its_log() -> None:
    client = superuser()
    row, device = notification("sending"), listener("lena")
    delivery(row, device, "unknown")
    batch(row, [device.id])
    Notification.objects.update(unknown_count=1, target_count=2, sent_count=1)
    ContentType.objects.get_for_model(Notification)  # asked for once a process

    with CaptureQueriesContext(connection) as queries:
        client.get(page_of(row))

    # session, user, the row, the banner's four and what is stuck; errors, batches, open batches,
    # the history's two
    assert len(queries) <= 13
    log = [
        query["sql"]
        for query in queries
        if 'FROM "notifications_delivery"' in query["sql"] and "next_attempt_at" not in query["sql"]
    ]
    assert len(log) == 1
    assert "LIMIT 5000" in log[0]


@pytest.mark.django_db
def test_the_page_of_one_says_what_happened_when() -> None:
    row = notification("cancelled")
    at = row.created_at
    Notification.objects.update(
        started_at=at + SECOND,
        first_sent_at=at + 2 * SECOND,
        last_sent_at=at + 5 * SECOND,
        stopped_at=at + 4 * SECOND,
        finished_at=at + 4 * SECOND,
    )

    page = superuser().get(page_of(row)).content.decode()

    timeline = page.split('class="timeline"')[1].split("</ol>")[0]
    labels = ["Posted", "First claimed", "First answer", "Cancelled", "Last answer"]
    places = [timeline.index(label) for label in labels]
    assert places == sorted(places)


@pytest.mark.django_db
def test_a_page_that_is_fetched_again_leaves_the_messages_to_the_reader() -> None:
    client = superuser()
    row = notification("held")
    client.post(page_of(row, "release"), {"once": uuid4(), "reason": "all is well"})

    fetched = client.get(page_of(row), headers={"x-live": "1"}).content.decode()
    read = client.get(page_of(row)).content.decode()

    assert "Released: it goes on" not in fetched.split('id="history-heading"')[0]
    assert "Released: it goes on" in read.split('id="history-heading"')[0]


# --- The log as a file ----------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_log_is_downloaded_without_a_token() -> None:
    row = notification("done")
    for name in ("lena", "otto"):
        delivery(row, listener(name), "sent" if name == "lena" else "rejected")
    address = page_of(row, "export")

    answer = superuser().get(address)
    text = answer.getvalue().decode("utf-8-sig")

    lines = text.splitlines()
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert lines[0].startswith("listener,platform,token,outcome")
    assert lines[1].startswith("lena,android,…ending,sent")
    assert len(lines) == 3
    assert "secret" not in text


@pytest.mark.django_db
def test_a_file_longer_than_a_chunk_has_each_line_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notifications.admin.export.CHUNK", 2)
    row = notification("done")
    for name in "abcde":
        delivery(row, listener(name))
    address = page_of(row, "export")

    lines = superuser().get(address).getvalue().decode("utf-8-sig").splitlines()

    assert [line[0] for line in lines[1:]] == list("abcde")


@pytest.mark.django_db
def test_one_outcome_can_be_downloaded_and_no_formula_is_among_it() -> None:
    row = notification("done")
    delivery(row, listener("lena"))
    line = delivery(row, listener("otto"), "rejected")
    Delivery.objects.filter(pk=line.pk).update(error_code="=HYPERLINK(1)")
    address = page_of(row, "export")

    text = superuser().get(f"{address}?outcome=rejected").getvalue().decode()

    assert "lena" not in text
    assert ",'=HYPERLINK(1)," in text


@pytest.mark.parametrize("first", "=+-@\t\r\n＝＋－＠")
def test_no_cell_begins_like_a_formula(first: str) -> None:
    assert export.plain(f"{first}HYPERLINK(1)") == f"'{first}HYPERLINK(1)"


@pytest.mark.django_db
def test_the_file_is_for_who_may_see_the_log() -> None:
    row = notification("done")
    address = page_of(row, "export")

    assert staff("view_notification").get(address).status_code == 403


# --- Why ------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("talk", ["number", "Ow"])
def test_why_is_asked_by_number_or_title_and_answered(talk: str) -> None:
    row = notification("done")
    delivery(row, listener("lena"))
    asked = str(row.talk_id) if talk == "number" else talk

    page = superuser().get(listing("notification") + f"why/?listener=lena&talk={asked}")

    assert 'data-verdict="GOT_IT"' in page.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("?listener=nobody&talk=Owls", "There is no listener “nobody”."),
        ("?listener=lena&talk=Trams", "There is no talk “Trams”."),
        ("?listener=lena&talk=99999999999999999999999", "There is no talk"),
        ("?listener=&talk=", "This field is required."),
    ],
)
def test_why_says_what_it_does_not_know(query: str, told: str) -> None:
    notification("done")
    listener("lena")

    page = superuser().get(listing("notification") + f"why/{query}").content.decode()

    assert told in page
    assert "data-verdict" not in page


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("permissions", "status"),
    [
        (["view_notification"], 403),
        (["view_delivery"], 403),
        (["view_notification", "view_delivery"], 200),
    ],
)
def test_why_is_for_who_may_see_the_log_and_nobody_else_is_led_there(
    permissions: list[str], status: int
) -> None:
    row = notification("done")
    delivery(row, listener("lena"))
    somebody = staff(*permissions)
    why = listing("notification") + "why/"

    assert somebody.get(f"{why}?listener=lena&talk=Owls").status_code == status
    assert (why in somebody.get("/admin/").content.decode()) is (status == 200)


@pytest.mark.django_db
def test_why_offers_the_other_talks_whose_title_begins_so() -> None:
    notification("done", title="Owls")
    notification("done", title="Owls again")
    listener("lena")

    page = superuser().get(listing("notification") + "why/?listener=lena&talk=Owls")

    assert page.content.decode().count("?listener=lena&amp;talk=") == 1


@pytest.mark.django_db
def test_why_finds_a_claim_that_has_no_answer_yet() -> None:
    row, device = notification("sending"), listener("lena")
    batch(row, [device.id])
    assert row.talk
    row.talk.program.clips.create(listener=device.user)

    page = superuser().get(listing("notification") + "why/?listener=lena&talk=Owls")

    assert 'data-verdict="IN_FLIGHT"' in page.content.decode()

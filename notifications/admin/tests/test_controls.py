"""The controls of one notification: the question, the act, its entry in the log, its answer."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from notifications.admin.controls import CONTROLS, NotificationControl
from notifications.models import Delivery, Notification

from .rows import (
    delivery,
    in_doubt,
    listener,
    listing,
    notification,
    page_of,
    say_yes,
    staff,
    superuser,
)

pytestmark = pytest.mark.django_db

State = Notification.State
NAMES = [control.name for control in CONTROLS]


def use(
    client: Client, row: Notification, name: str, query: str = "", **values: object
) -> tuple[int, str]:
    """Answer a control's question, with a reason; return status and page, and refresh the row."""
    answer = say_yes(client, page_of(row, name) + query, **{"reason": "a mistake"} | values)
    row.refresh_from_db()
    return answer


def half_sent() -> Notification:
    """Return a notification that has come to 41,300 of a million."""
    row = notification("sending")
    Notification.objects.filter(id=row.id).update(
        audience_count=1_000_000,
        target_count=41_900,
        sent_count=41_300,
        dry_run=False,
        started_at=timezone.now(),
    )
    row.refresh_from_db()
    return row


# --- Asking -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_asking_does_nothing(name: str) -> None:
    row = in_doubt("lena")
    before = Notification.objects.values().get(id=row.id)

    answer = superuser().get(page_of(row, name))

    assert answer.status_code == 200
    assert Notification.objects.values().get(id=row.id) == before
    assert not LogEntry.objects.exists()


def test_a_control_that_does_not_say_what_it_does_cannot_be_made() -> None:
    class Half(NotificationControl):
        name = "half"

        def applies(self, row: Notification) -> bool:
            return True

    with pytest.raises(TypeError, match="abstract methods"):
        Half()  # type: ignore[abstract]


def test_the_question_says_what_will_come_of_it_with_the_numbers() -> None:
    page = superuser().get(page_of(half_sent(), "cancel")).content.decode()

    assert "So far 41,300 were reached." in page
    assert "What is in flight (600 now) may still go out" in page
    assert "About 958,100 will not be sent." in page
    assert "Owls" in page


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_done_without_a_reason(name: str) -> None:
    row = in_doubt("lena")

    status, page = use(superuser(), row, name, reason="  ", accepted="on")

    assert status == 200
    assert "errorlist" in page
    assert Delivery.objects.get().outcome == "unknown"
    assert not LogEntry.objects.exists()


def test_the_page_offers_what_its_state_allows() -> None:
    row = half_sent()
    client = superuser()

    def offered() -> set[str]:
        page = client.get(page_of(row)).content.decode()
        return {name for name in NAMES if f'href="{page_of(row, name)}"' in page}

    assert offered() == {"cancel", "hold"}
    Notification.objects.update(state="held", unknown_count=2, abandoned_count=3)
    assert offered() == {"cancel", "release", "retry", "resend-unknown", "abandon-unknown"}
    Notification.objects.update(state="cancelled")
    assert offered() == {"abandon-unknown"}


def test_the_list_leads_to_the_questions() -> None:
    row = half_sent()

    page = superuser().get(listing("notification")).content.decode()

    assert f'href="{page_of(row, "cancel")}"' in page
    assert f'href="{page_of(row, "release")}"' not in page


# --- Stopping ---------------------------------------------------------------------------------


def test_cancelling_says_after_how_many_and_how_many_are_not_sent() -> None:
    row = half_sent()

    status, page = use(superuser(), row, "cancel")

    assert (status, row.state) == (302, State.CANCELLED)
    assert "Stopped after 41,300; 600 are in flight and may still go out" in page
    assert "958,100 will not be sent" in page
    assert row.reason == "Cancelled by anna (admin): a mistake"


def test_the_page_goes_on_to_tell_how_many_went_out_after_the_click() -> None:
    row = half_sent()
    client = superuser()
    use(client, row, "cancel")

    Notification.objects.filter(id=row.id).update(sent_count=41_899)  # the lanes' last answers
    page = client.get(page_of(row)).content.decode()

    assert "after 41,300." in page
    assert "599 that were in flight still went out." in page
    assert "958,100 will not be sent." in page


def test_it_is_written_into_the_log_of_the_admin() -> None:
    row = half_sent()

    use(superuser(), row, "hold")

    entry = LogEntry.objects.get()
    assert entry.user.get_username() == "anna"
    assert entry.get_edited_object() == row
    assert entry.change_message.startswith("hold: a mistake → Stopped after 41,300;")


def test_the_page_shows_what_operators_did() -> None:
    row = half_sent()
    client = superuser()

    _status, page = use(client, row, "hold")

    assert (
        escape("hold: a mistake → Stopped after 41,300;") in page.split('id="history-heading"')[1]
    )


def test_cancelling_gives_up_what_waited_to_be_retried() -> None:
    row = notification("sending")
    waiting = delivery(row, listener("lena"), "retry")
    Delivery.objects.update(next_attempt_at=timezone.now())
    Notification.objects.update(retry_count=1)

    use(superuser(), row, "cancel")

    waiting.refresh_from_db()
    assert waiting.outcome == "abandoned"
    assert (row.retry_count, row.abandoned_count) == (0, 1)


@pytest.mark.parametrize("state", ["done", "cancelled", "expired"])
def test_what_is_over_is_not_stopped_and_the_page_says_so(state: str) -> None:
    row = notification(state)

    status, page = use(superuser(), row, "cancel")

    assert (status, row.state) == (409, state)
    assert "nothing more is sent of it" in page
    assert not LogEntry.objects.exists()


def test_what_was_stopped_before_it_began_says_nothing_of_what_was_in_flight() -> None:
    row = notification("pending")
    client = superuser()
    use(client, row, "hold")

    page = client.get(page_of(row)).content.decode()

    assert "before anything was sent." in page
    assert "in flight still went out" not in page


# --- Going on ---------------------------------------------------------------------------------


def test_releasing_goes_on_where_it_was_held() -> None:
    row = half_sent()
    client = superuser()
    use(client, row, "hold")

    _status, page = use(client, row, "release")

    assert row.state == State.SENDING
    assert row.stopped_at is None
    assert "Released: it goes on where it was held." in page


def too_large_for_vera() -> Notification:
    """Return a notification that is held because vera went live for a smaller audience."""
    row = half_sent()
    Notification.objects.update(state="held", needs_approval=True, live_by="vera (admin)")
    return row


def test_who_went_live_does_not_release_what_was_too_large() -> None:
    row = too_large_for_vera()
    vera = staff("view_notification", "release_notification")
    Notification.objects.update(live_by_id=User.objects.get(username="vera").pk)

    status, page = use(vera, row, "release")

    assert (status, row.state) == (409, State.HELD)
    assert "somebody else must release it" in page


def test_somebody_else_does_and_is_named() -> None:
    row = too_large_for_vera()

    _status, page = use(superuser(), row, "release")

    assert (row.state, row.approved_by) == (State.SENDING, "anna (admin)")
    assert "Approved by anna (admin)." in page


def test_what_fcm_never_accepted_is_tried_again() -> None:
    row = notification("done")
    delivery(row, listener("lena"), "abandoned")
    Notification.objects.update(abandoned_count=1, target_count=1)

    _status, page = use(superuser(), row, "retry")

    assert "1 delivery is attempted again." in page
    assert (row.state, row.retry_count) == (State.SENDING, 1)


# --- Settling what is unknown -------------------------------------------------------------------


def test_sending_again_needs_a_yes_to_doubles() -> None:
    row = in_doubt("lena", "otto")
    client = superuser()

    refused, _page = use(client, row, "resend-unknown")
    status, page = use(client, row, "resend-unknown", accepted="on")

    assert (refused, status) == (200, 302)
    assert "2 deliveries are attempted again." in page
    assert set(Delivery.objects.values_list("outcome", flat=True)) == {"retry"}


def test_leaving_it_at_that_sends_nothing() -> None:
    row = in_doubt("lena", "otto")

    _status, page = use(superuser(), row, "abandon-unknown")

    assert "2 unknown deliveries are left at that." in page
    assert (row.state, row.unknown_count, row.abandoned_count) == (State.DONE, 0, 2)
    assert set(Delivery.objects.values_list("note", flat=True)) == {
        "Abandoned by anna (admin): a mistake"
    }


def test_one_listener_alone_can_be_settled_from_the_log() -> None:
    row = in_doubt("lena", "otto")
    client = superuser()
    otto = Delivery.objects.get(device__user__username="otto")
    line = client.get(page_of(otto)).content.decode()
    query = f"?device={otto.device_id}"
    assert page_of(row, "abandon-unknown") + query in line

    use(client, row, "abandon-unknown", query)

    outcomes = dict(Delivery.objects.values_list("device__user__username", "outcome"))
    assert outcomes == {"lena": "unknown", "otto": "abandoned"}


@pytest.mark.parametrize("device", ["0", "9" * 30, "x", "-1"])
def test_a_device_that_is_none_settles_nobody_else(device: str) -> None:
    row = in_doubt("lena")

    status, _page = use(superuser(), row, "abandon-unknown", f"?device={device}")

    assert status in (302, 400, 404, 409)
    assert Delivery.objects.get().outcome == "unknown"

"""A form that is sent twice, by a second click or by going back, is done once."""

import re
from uuid import UUID, uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from notifications.models import AnsweredForm, Delivery, Notification, SendingSwitch
from notifications.operators import acts

from .rows import in_doubt, listing, notification, page_of, say_yes, superuser

pytestmark = pytest.mark.django_db

BEFORE = "This form was sent before, and nothing was done now."


def address(name: str) -> str:
    """Return the address of the page on which a control of the switch asks."""
    return reverse(f"admin:notifications_sendingswitch_{name}")


def yes(client: Client, where: str, once: UUID | str, **values: object) -> str:
    """Answer a question with the form of this number, and return the page that follows."""
    form = {"once": once, "reason": "a mistake", "accepted": "on", **values}
    _status, page = say_yes(client, where, **form)
    return page


def breaks(**_who: object) -> None:
    """Take the place of an act whose database goes away."""
    raise ConnectionError


def test_each_page_that_asks_has_a_number_of_its_own() -> None:
    client, where = superuser(), address("pause")

    pages = [client.get(where).content.decode() for _twice in range(2)]

    numbers = {
        number for page in pages for number in re.findall(r'name="once" value="(.+?)"', page)
    }
    assert len(numbers) == 2
    assert not AnsweredForm.objects.exists()


def test_the_second_time_it_only_says_what_happened_the_first_time() -> None:
    client, once = superuser(), uuid4()
    where = page_of(notification("sending"), "hold")

    first, second = (yes(client, where, once) for _twice in range(2))

    assert BEFORE not in first
    assert f"{BEFORE} Then: Stopped after 0;" in second
    assert LogEntry.objects.count() == 1


def test_what_was_held_again_is_not_released_by_the_old_form() -> None:
    row = notification("held")
    client, once, where = superuser(), uuid4(), page_of(row, "release")
    yes(client, where, once)
    Notification.objects.update(state="held")  # by a brake

    page = yes(client, where, once)

    assert BEFORE in page
    assert Notification.objects.get().state == "held"


def test_what_is_unknown_again_is_not_sent_a_third_time_by_the_old_form() -> None:
    row = in_doubt("lena")
    client, once, where = superuser(), uuid4(), page_of(row, "resend-unknown")
    yes(client, where, once)
    Delivery.objects.update(outcome="unknown")  # its second answer was lost too

    page = yes(client, where, once)

    assert BEFORE in page
    assert Delivery.objects.get().outcome == "unknown"


@pytest.mark.usefixtures("production")
def test_the_end_of_being_live_is_not_put_off_by_the_old_form() -> None:
    client, once, where = superuser(), uuid4(), address("live")
    form = {"minutes": 10, "max_audience": 10, "word": "LIVE"}
    yes(client, where, once, **form)
    until = SendingSwitch.objects.get().live_until

    page = yes(client, where, once, **form)

    assert BEFORE in page
    assert SendingSwitch.objects.get().live_until == until


@pytest.mark.parametrize("name", ["retry", "resend-unknown", "abandon-unknown"])
def test_from_two_windows_the_second_finds_nothing_left_and_says_so(name: str) -> None:
    row = in_doubt("lena")
    Delivery.objects.update(outcome="sent")
    client, where = superuser(), page_of(row, name)

    page = yes(client, where, uuid4())

    assert "has nothing left for this: nothing was done." in page
    assert not LogEntry.objects.exists()


def test_what_was_refused_may_be_sent_again() -> None:
    row = notification("done")
    client, once, where = superuser(), uuid4(), page_of(row, "cancel")
    yes(client, where, once)
    Notification.objects.update(state="sending")

    page = yes(client, where, once)

    assert "Stopped after 0;" in page
    assert Notification.objects.get().state == "cancelled"


def test_what_broke_off_is_not_done_again_and_said_to_be_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client, once, where = superuser(), uuid4(), address("pause")
    monkeypatch.setattr(acts, "pause", breaks)
    with pytest.raises(ConnectionError):
        yes(client, where, once)
    monkeypatch.undo()

    page = yes(client, where, once)

    assert f"{BEFORE} What came of it is not known yet" in page
    assert not SendingSwitch.objects.current().paused


@pytest.mark.parametrize("once", ["", "not-a-number"])
def test_a_form_without_its_number_does_nothing(once: str) -> None:
    page = yes(superuser(), address("pause"), once)

    assert "errorlist" in page
    assert not SendingSwitch.objects.current().paused


def test_the_desk_lists_what_operators_did() -> None:
    client = superuser()
    yes(client, address("pause"), uuid4())

    page = client.get(listing("answeredform")).content.decode()

    assert "Pause all: Sending switch" in page
    assert "anna (admin)" in page
    assert AnsweredForm.objects.get().at <= timezone.now()

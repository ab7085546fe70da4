"""A form that is sent twice, by a second click or by going back, is done once."""

import re
from uuid import UUID, uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from notifications.models import AnsweredForm, Delivery, Notification, SendingSwitch
from notifications.operators import acts

from .rows import delivery, listener, notification, superuser

pytestmark = pytest.mark.django_db

BEFORE = "This form was sent before, and nothing was done now."


def address(name: str, *args: int) -> str:
    """Return the address of the page on which a control asks."""
    return reverse(f"admin:notifications_{name}", args=args)


def yes(client: Client, where: str, once: UUID | str, **values: object) -> str:
    """Answer a question with yes, and return the page that follows."""
    form = {"once": once, "reason": "a mistake", "accepted": "on", **values}
    return client.post(where, form, follow=True).content.decode()


def in_doubt() -> Notification:
    """Return a notification of which one listener may or may not know."""
    row = notification("done")
    delivery(row, listener("lena"), "unknown")
    Notification.objects.update(unknown_count=1, target_count=1, dry_run=False)
    return row


def breaks(**_who: object) -> None:
    """Take the place of an act whose database goes away."""
    raise ConnectionError


def test_each_page_that_asks_has_a_number_of_its_own() -> None:
    client, where = superuser(), address("sendingswitch_pause")

    pages = [client.get(where).content.decode() for _twice in range(2)]

    numbers = {
        number for page in pages for number in re.findall(r'name="once" value="(.+?)"', page)
    }
    assert len(numbers) == 2
    assert not AnsweredForm.objects.exists()


def test_the_second_time_it_only_says_what_happened_the_first_time() -> None:
    client, once = superuser(), uuid4()
    where = address("notification_hold", notification("sending").pk)

    first, second = (yes(client, where, once) for _twice in range(2))

    assert BEFORE not in first
    assert f"{BEFORE} Then: Stopped after 0;" in second
    assert LogEntry.objects.count() == 1


def test_what_was_held_again_is_not_released_by_the_old_form() -> None:
    row = notification("held")
    client, once, where = superuser(), uuid4(), address("notification_release", row.pk)
    yes(client, where, once)
    Notification.objects.update(state="held")  # by a brake

    page = yes(client, where, once)

    assert BEFORE in page
    assert Notification.objects.get().state == "held"


def test_what_is_unknown_again_is_not_sent_a_third_time_by_the_old_form() -> None:
    row = in_doubt()
    client, once, where = superuser(), uuid4(), address("notification_resend-unknown", row.pk)
    yes(client, where, once)
    Delivery.objects.update(outcome="unknown")  # its second answer was lost too

    page = yes(client, where, once)

    assert BEFORE in page
    assert Delivery.objects.get().outcome == "unknown"


def test_the_end_of_being_live_is_not_put_off_by_the_old_form(settings: Settings) -> None:
    settings.ENVIRONMENT = "production"
    settings.GOOGLE_APPLICATION_CREDENTIALS = "/a/service-account.json"
    client, once, where = superuser(), uuid4(), address("sendingswitch_live")
    form = {"minutes": 10, "max_audience": 10, "word": "LIVE"}
    yes(client, where, once, **form)
    until = SendingSwitch.objects.get().live_until

    page = yes(client, where, once, **form)

    assert BEFORE in page
    assert SendingSwitch.objects.get().live_until == until


@pytest.mark.parametrize("name", ["retry", "resend-unknown", "abandon-unknown"])
def test_from_two_windows_the_second_finds_nothing_left_and_says_so(name: str) -> None:
    row = in_doubt()
    Delivery.objects.update(outcome="sent")
    client, where = superuser(), address(f"notification_{name}", row.pk)

    page = yes(client, where, uuid4())

    assert "has nothing left for this: nothing was done." in page
    assert not LogEntry.objects.exists()


def test_what_was_refused_may_be_sent_again() -> None:
    row = notification("done")
    client, once, where = superuser(), uuid4(), address("notification_cancel", row.pk)
    yes(client, where, once)
    Notification.objects.update(state="sending")

    page = yes(client, where, once)

    assert "Stopped after 0;" in page
    assert Notification.objects.get().state == "cancelled"


def test_what_broke_off_is_not_done_again_and_said_to_be_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client, once, where = superuser(), uuid4(), address("sendingswitch_pause")
    monkeypatch.setattr(acts, "pause", breaks)
    with pytest.raises(ConnectionError):
        yes(client, where, once)
    monkeypatch.undo()

    page = yes(client, where, once)

    assert f"{BEFORE} What came of it is not known yet" in page
    assert not SendingSwitch.objects.current().paused


@pytest.mark.parametrize("once", ["", "not-a-number"])
def test_a_form_without_its_number_does_nothing(once: str) -> None:
    page = yes(superuser(), address("sendingswitch_pause"), once)

    assert "errorlist" in page
    assert not SendingSwitch.objects.current().paused


def test_the_desk_lists_what_operators_did() -> None:
    client = superuser()
    yes(client, address("sendingswitch_pause"), uuid4())

    page = client.get(address("answeredform_changelist")).content.decode()

    assert "Pause all: Sending switch" in page
    assert "anna (admin)" in page
    assert AnsweredForm.objects.get().at <= timezone.now()

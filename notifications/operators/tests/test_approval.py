"""Four eyes: a large audience needs two accounts, and no way around leaves it to one."""

import socket
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from accounts.models import Act
from accounts.who import Who
from notifications.admin.tests.rows import page_of, say_yes, staff
from notifications.management.errors import Refused
from notifications.models import Delivery, Notification, SendingSwitch
from notifications.operators import acts
from notifications.tests.factories import DeliveryFactory, DeviceTokenFactory
from notifications.worker.repository import Repository
from programs.models import Clip, Program, Talk
from programs.tests.factories import ProgramFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("production")]

State = Notification.State
NOW = timezone.now()
ANNA, BEN, CARLA = Who("anna (admin)", 1), Who("ben (admin)", 2), Who("carla (admin)", 3)
SHELL = Who("anna@radio-1")
LIMIT = 2


@pytest.fixture(autouse=True)
def approval_audience(settings: Settings) -> None:
    """Let more than LIMIT targets need a second account."""
    settings.NOTIFICATIONS_APPROVAL_AUDIENCE = LIMIT


@pytest.fixture
def program() -> Program:
    """Return a program with more listeners than one account may send to."""
    program = ProgramFactory.create()
    for device in DeviceTokenFactory.create_batch(LIMIT + 1):
        Clip.objects.create(listener=device.user, program=program)
    return program


@pytest.fixture
def start(repository: Repository, program: Program) -> Callable[..., Notification]:
    """Return a function that lets the worker start a notification, a new one or this."""

    def started(notification: Notification | None = None) -> Notification:
        row = notification or Talk.objects.create(program=program, title="Hello").notification
        row.refresh_from_db()
        repository.due.start(row, now=timezone.now())
        row.refresh_from_db()
        return row

    return started


Start = Callable[..., Notification]


def live(by: Who, **limit: Any) -> None:
    """Go live in this name."""
    acts.go_live(by=by, reason="evening", now=timezone.now(), **limit)


def release(row: Notification, by: Who) -> Notification:
    """Release the notification in this name."""
    acts.release(row.id, by=by, reason="agreed")
    row.refresh_from_db()
    return row


def claim(repository: Repository, row: Notification) -> Notification:
    """Let the worker claim of the notification."""
    repository.claims.first_attempts(row.id, size=25, limit=1, now=timezone.now())
    row.refresh_from_db()
    return row


# --- Who goes live does not set the limit ------------------------------------------------------


@pytest.mark.parametrize("limit", [{}, {"max_audience": 1_000_000}])
def test_who_goes_live_cannot_lift_the_limit(start: Start, limit: dict[str, int]) -> None:
    live(ANNA, **limit)

    row = start()

    assert (row.state, row.needs_approval, row.live_by_id) == (State.HELD, True, 1)
    assert row.reason == (
        "Its audience is larger than 2 (NOTIFICATIONS_APPROVAL_AUDIENCE), and anna (admin) went "
        "live. Another account must release it, or cancel it."
    )


def test_who_goes_live_can_lower_it(start: Start) -> None:
    live(ANNA, max_audience=1)

    assert "larger than the 1 that anna (admin) allowed" in start().reason


def test_an_audience_at_the_limit_needs_nobody(start: Start) -> None:
    Clip.objects.earliest("id").delete()
    live(ANNA)

    assert start().state == State.SENDING


def test_another_account_approves_and_it_is_sent(start: Start, repository: Repository) -> None:
    live(ANNA)

    row = start(release(start(), BEN))

    assert (row.state, row.approved_by_id) == (State.SENDING, 2)
    assert claim(repository, row).target_count == 1


# --- Ways around -------------------------------------------------------------------------------


def test_another_name_is_not_another_account(start: Start) -> None:
    live(ANNA)
    row = start()

    with pytest.raises(acts.Refused, match="a second account"):
        release(row, Who("annabel (admin)", 1))


def test_the_same_name_on_another_account_is_another(start: Start) -> None:
    live(ANNA)

    assert release(start(), Who("anna (admin)", 2)).state == State.PENDING


def test_a_command_without_an_account_does_not_approve(start: Start) -> None:
    live(ANNA)
    row = start()

    for act in (acts.release, acts.release_or_ask):
        with pytest.raises(acts.Refused, match="account"):
            act(row.id, by=SHELL, reason="agreed")


def test_a_limit_of_the_desk_alone_is_not_released_by_a_command(
    start: Start, settings: Settings
) -> None:
    settings.NOTIFICATIONS_APPROVAL_AUDIENCE = 0
    live(ANNA, max_audience=1)
    row = start()

    with pytest.raises(acts.Refused, match="account"):
        acts.release_or_ask(row.id, by=SHELL, reason="agreed")


def test_nobody_goes_live_without_an_account() -> None:
    with pytest.raises(acts.Refused, match="--as ACCOUNT"):
        live(SHELL)


def test_what_a_command_asks_for_waits_and_who_asked_does_not_approve(start: Start) -> None:
    live(ANNA)
    row = start()

    assert not acts.release_or_ask(row.id, by=BEN, reason="it is time")

    row.refresh_from_db()
    assert (row.state, row.reason) == (
        State.HELD,
        "Release asked for by ben (admin): it is time",
    )
    with pytest.raises(acts.Refused, match="a second account"):
        release(row, BEN)
    assert release(row, CARLA).state == State.PENDING


def test_a_later_switch_of_another_account_does_not_let_the_first_approve(start: Start) -> None:
    live(ANNA)
    row = start()
    live(BEN)

    for by in (ANNA, BEN):
        with pytest.raises(acts.Refused, match="a second account"):
            release(row, by)


def test_who_approved_and_then_goes_live_is_alone(start: Start) -> None:
    live(ANNA)
    row = release(start(), BEN)
    live(BEN)

    assert start(row).state == State.HELD
    with pytest.raises(acts.Refused, match="a second account"):
        release(row, BEN)
    assert start(release(row, ANNA)).state == State.SENDING


def test_who_approved_does_not_go_on_alone_after_the_other_turned_back(
    start: Start, repository: Repository
) -> None:
    live(ANNA)
    row = start(release(start(), BEN))
    acts.pause(by=BEN, reason="", now=NOW)
    acts.dry_run(by=ANNA, reason="no more", now=NOW)
    live(BEN)
    acts.resume(by=BEN, reason="", now=NOW)

    row = claim(repository, row)

    assert (row.state, row.target_count, row.live_by_id) == (State.HELD, 0, 2)
    assert row.reason.startswith("ben (admin) approved it, and has gone live since")


def test_an_account_that_goes_live_again_still_does_not_approve(start: Start) -> None:
    live(ANNA)
    row = start()
    acts.dry_run(by=BEN, reason="", now=NOW)
    live(ANNA)

    with pytest.raises(acts.Refused, match="a second account"):
        release(row, ANNA)


# --- Sending again -----------------------------------------------------------------------------


def in_doubt(start: Start, settings: Settings) -> Notification:
    """Return a large notification that was sent before the limit, with something unknown."""
    settings.NOTIFICATIONS_APPROVAL_AUDIENCE = 0
    live(ANNA)
    row = start()
    DeliveryFactory.create(notification=row, outcome=Delivery.Outcome.UNKNOWN)
    Notification.objects.update(state=State.DONE, target_count=3, unknown_count=1)
    settings.NOTIFICATIONS_APPROVAL_AUDIENCE = LIMIT
    return row


def resend(row: Notification, by: Who) -> Notification:
    """Send what is unknown again."""
    acts.resend_unknown(row.id, by=by, reason="urgent", now=timezone.now())
    row.refresh_from_db()
    return row


def test_sending_again_to_many_waits_for_another_account(start: Start, settings: Settings) -> None:
    row = in_doubt(start, settings)

    with pytest.raises(acts.Refused, match="--as ACCOUNT"):
        resend(row, SHELL)
    assert resend(row, BEN).state == State.HELD
    with pytest.raises(acts.Refused, match="a second account"):
        release(row, BEN)
    assert release(row, CARLA).state == State.SENDING


def test_without_the_setting_it_is_as_before(start: Start, settings: Settings) -> None:
    row = in_doubt(start, settings)
    settings.NOTIFICATIONS_APPROVAL_AUDIENCE = 0
    live(SHELL)

    assert resend(row, SHELL).state == State.SENDING


# --- By the command ----------------------------------------------------------------------------


def account(name: str, *permissions: str, is_staff: bool = True) -> User:
    """Return the account of this name with these permissions."""
    user = User.objects.create_user(name, is_staff=is_staff)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user


def test_the_command_goes_live_in_the_name_of_an_account() -> None:
    vera = account("vera", "go_live")

    call_command("sending", "live", "--reason", "launch", "--as", "vera")

    switch, act = SendingSwitch.objects.get(), Act.objects.get()
    assert switch.live_by_id == act.account_id == vera.pk
    assert switch.live_by.startswith("vera (")
    assert (act.name, act.reason) == ("operator.live", "launch")
    modes = Act.objects.values_list("before__mode", "after__mode").get()
    assert modes == ("dry_run", "live")


def test_a_long_name_on_a_host_with_a_long_name_is_shortened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account("v" * 150, "go_live")
    monkeypatch.setattr(socket, "gethostname", lambda: "h" * 64)

    call_command("sending", "live", "--reason", "launch", "--as", "v" * 150)

    SendingSwitch.objects.get().full_clean()


def test_the_command_wants_an_account_that_may() -> None:
    account("may-not")
    account("listener", "go_live", is_staff=False)
    User.objects.filter(pk=account("gone", "go_live").pk).update(is_active=False)

    for name in ("", "nobody", "may-not", "listener", "gone"):
        with pytest.raises(Refused):
            call_command("sending", "live", "--reason", "x", "--as", name)
    assert not SendingSwitch.objects.exists()


def test_who_went_live_by_the_command_approves_neither_by_it_nor_in_the_desk(start: Start) -> None:
    vera = staff("view_notification", "go_live", "release_notification")
    call_command("sending", "live", "--reason", "launch", "--as", "vera")
    row = start()

    call_command("sending", "release", str(row.id), "--as", "vera")
    status, page = say_yes(vera, page_of(row, "release"), reason="it is me")

    row.refresh_from_db()
    assert (status, row.state) == (409, State.HELD)
    assert "yours is the one that went live or asked for it" in page


# --- In the desk -------------------------------------------------------------------------------


def test_whoever_may_not_approve_sees_why_and_no_button(start: Start) -> None:
    vera = staff("view_notification", "release_notification")
    live(Who("vera (admin)", User.objects.get(username="vera").pk))
    row = start()
    listing = reverse("admin:notifications_notification_changelist")

    for client, may in (
        (vera, False),
        (staff("view_notification", "release_notification", name="ben"), True),
    ):
        page = client.get(page_of(row)).content.decode()
        question = client.get(page_of(row, "release")).content.decode()
        assert "a second account, with the permission to release, must release it" in page
        assert (page_of(row, "release") in page) is may
        assert (page_of(row, "release") in client.get(listing).content.decode()) is may
        assert ("yours is the one that went live" in page) is not may
        assert ("disabled>Release" in question) is not may


def test_renaming_the_account_does_not_make_it_another(start: Start) -> None:
    vera = staff("view_notification", "release_notification")
    user = User.objects.get(username="vera")
    live(Who("vera (admin)", user.pk))
    row = start()

    User.objects.filter(pk=user.pk).update(username="victoria")
    status, _page = say_yes(vera, page_of(row, "release"), reason="it is me")

    row.refresh_from_db()
    assert (status, row.state) == (409, State.HELD)


def test_going_live_says_who_has_to_approve() -> None:
    page = staff("view_sendingswitch", "go_live").get(
        reverse("admin:notifications_sendingswitch_live")
    )

    assert (
        "A notification with more than 2 targets waits until another account than yours releases "
        "it" in page.content.decode()
    )

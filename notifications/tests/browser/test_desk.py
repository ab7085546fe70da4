"""What operators do at the desk, done in a real Chromium against the running system under load."""

import time

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from notifications.models import Delivery, DeviceToken, Notification, SendingSwitch
from notifications.worker.sender import HELD_A_LANE
from testbed.hostile.fcm import HostileFcm
from testbed.hostile.manners import AnswersSome
from testbed.system import System, post

from .steps import (
    LANES,
    Opened,
    accepted,
    accepted_after,
    address,
    figure,
    focus,
    page_of,
    quiet,
    reached,
    say_why,
    wait_for_more_than,
)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

LISTENERS = 3_000


def test_a_fanout_is_watched_live_and_stopped_half_way(
    desk: System, slow: HostileFcm, opened: Opened
) -> None:
    slow.manners = answering = AnswersSome(100)
    desk.go_live()
    page = opened("anna")
    row = post(desk.listeners(LISTENERS))
    page.goto(page_of(desk, row))
    expect(page.locator("#desk-progress")).to_contain_text("live")

    # The numbers rise under the eyes of whoever looks, without a reload.
    page.evaluate("window.sameDocument = true")
    wait_for_more_than(desk, page, 0)
    answering.answer_up_to(200)
    wait_for_more_than(desk, page, 100)
    assert page.evaluate("window.sameDocument")

    # Stop it in the middle; the list leads there too.
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(address(desk, "/admin/notifications/notification/"))
    cancel = page.locator(".field-links >> text=Cancel")
    expect(cancel).to_be_in_viewport(ratio=1)
    cancel.click()
    answering.answer_up_to(LISTENERS // 2)
    desk.wait(lambda: answering.holds_back and reached(row) > LISTENERS // 3)
    say_why(page, "Cancel")
    answered_at = time.time()
    page.wait_for_selector(".messagelist .success")
    answering.hurry()

    # What the lanes held goes out, and nothing else.
    desk.wait(lambda: quiet(desk, row))
    assert accepted_after(desk, answered_at) <= LANES * HELD_A_LANE
    assert row.state == "cancelled"
    assert accepted(desk) == row.sent_count < LISTENERS

    # The page says the true numbers, and who did it.
    told = page.text_content(".messagelist .success") or ""
    assert f"Stopped after {row.sent_at_stop:,};" in told
    expect(page.locator("[data-told]")).to_contain_text(f"after {row.sent_at_stop:,}.")
    expect(page.locator("[data-told]")).to_contain_text(
        f"{row.sent_after_stop:,} that were in flight still went out."
    )
    assert figure(page, "reached") == accepted(desk)
    assert "cancel: a browser's test" in LogEntry.objects.get().change_message


def test_going_live_asks_and_what_is_too_large_waits_for_somebody_else(
    desk: System, opened: Opened
) -> None:
    program = desk.listeners(20)
    page = opened("anna")
    expect(page.locator("#sending .sign").first).to_have_text("DRY RUN")

    # Not without the word.
    page.click(".banner-links >> text=Sending switch")
    page.click(".controls >> text=Go live")
    page.fill("[name=minutes]", "30")
    page.fill("[name=max_audience]", "10")
    page.fill("[name=word]", "yes")
    say_why(page, "Go live")
    expect(page.locator(".errorlist")).to_contain_text("LIVE")
    assert not SendingSwitch.objects.exists()
    page.fill("[name=word]", "LIVE")
    say_why(page, "Go live")
    expect(page.locator("#sending .sign").first).to_have_text("LIVE")
    expect(page.locator("#sending")).to_contain_text("to 10 at most · anna (admin)")

    # Twenty are more than ten.
    row = post(program)
    desk.wait(lambda: Notification.objects.get(pk=row.pk).state == "held")
    page.goto(page_of(desk, row))
    expect(page.locator("#sending .needs")).to_contain_text("1 notification is held.")
    expect(page.locator("#desk-progress")).to_contain_text("somebody else must release it")
    expect(page.locator("#desk-controls")).not_to_contain_text("Release")

    # Nor does the address, which anybody may type.
    page.goto(page_of(desk, row).replace("/change/", "/release/"))
    expect(page.locator(".errornote")).to_contain_text("somebody else must release it")
    expect(page.locator(".confirm button")).to_be_disabled()
    assert accepted(desk) == 0

    # Somebody else.
    page = opened("bert")
    page.goto(page_of(desk, row))
    page.click("#desk-controls >> text=Release")
    say_why(page, "Release")
    expect(page.locator("#desk-progress .state")).to_have_text("done")
    expect(page.locator("#desk-progress")).to_contain_text("Approved by bert (admin).")
    assert accepted(desk) == 20


def test_what_is_unknown_is_explained_and_settled(desk: System, opened: Opened) -> None:
    desk.go_live()
    program = desk.listeners(5)
    doubted, plain = DeviceToken.objects.order_by("id")[:2]
    DeviceToken.objects.filter(pk=doubted.pk).update(token="device-once-http502")
    page = opened("anna")
    row = post(program, "Owls")
    page.goto(page_of(desk, row))
    expect(page.locator("#desk-progress .state")).to_have_text("done")
    expect(page.locator("#desk-errors")).to_contain_text("HTTP_502")

    # Why?
    page.click("#sending >> text=Why not?")
    verdict = page.locator(".verdict")
    ask(page, doubted.user.get_username(), "Ow")
    expect(verdict).to_contain_text("It is not known whether")
    ask(page, plain.user.get_username(), str(row.talk_id))
    expect(verdict).to_contain_text("got “Owls”")
    ask(page, "anna", "Owls")
    expect(verdict).to_contain_text("does not follow the program")

    # Settle it: it is sent again, with a yes to doubles.
    page.goto(page_of(desk, row))
    page.click("#desk-controls >> text=Send unknown again")
    page.check("[name=accepted]")
    say_why(page, "Send unknown again")
    expect(page.locator(".messagelist .success")).to_have_text("1 delivery is attempted again.")
    desk.wait(lambda: not Delivery.objects.exclude(outcome="sent").exists())
    expect(page.locator("#desk-progress .state")).to_have_text("done")
    expect(page.locator("#desk-errors")).to_be_hidden()


def ask(page: Page, listener: str, talk: str) -> None:
    """Ask why."""
    page.fill("[name=listener]", listener)
    page.fill("[name=talk]", talk)
    page.click("text=Ask")


def test_all_is_paused_from_any_page_with_the_keyboard_and_resumed(
    desk: System, opened: Opened
) -> None:
    page = opened("anna")
    program = desk.listeners(5)
    page.goto(address(desk, "/admin/auth/group/"))

    focus(page, "Pause all")
    page.keyboard.press("Enter")
    page.focus("[name=reason]")
    page.keyboard.type("too loud")
    page.keyboard.press("Enter")
    expect(page.locator("#sending")).to_contain_text("PAUSED")
    row = post(program)
    page.goto(address(desk, "/admin/"))
    expect(page.locator("#desk-start .latest .state")).to_have_text("pending")

    page.click("#sending >> text=Resume")
    say_why(page, "Resume")
    page.goto(page_of(desk, row))
    expect(page.locator("#desk-progress .state")).to_have_text("done")
    expect(page.locator("#desk-progress")).to_contain_text("dry run")


def test_a_test_push_is_real_in_a_dry_run_and_pages_fit_a_phone_and_need_no_script(
    desk: System, opened: Opened
) -> None:
    page = opened("anna")
    anna = User.objects.get(username="anna")
    device = DeviceToken.objects.create(user=anna, token="annas-own-device")
    page.goto(address(desk, "/admin/"))

    page.click("text=Send a test to my own device")
    page.click("#result_list a")
    page.click(".field-test_link a")
    say_why(page, "Send a test")

    expect(page.locator(".messagelist .success")).to_contain_text("FCM accepted the test")
    [entry] = desk.journal()
    assert (entry["token"], entry["verdict"]) == (device.token, "accepted")
    assert entry["data"] == {"test": "1"}

    # On a phone nothing is wider than the screen.
    page.set_viewport_size({"width": 360, "height": 740})
    for path in ("", "notifications/notification/", "notifications/sendingswitch/live/"):
        page.goto(address(desk, f"/admin/{path}"))
        wide = page.evaluate("document.scrollingElement.scrollWidth")
        assert wide <= 360, f"{path} is {wide} px wide"

    # Without the script a page says the same.
    row = post(desk.listeners(5))
    desk.wait(lambda: Notification.objects.get(pk=row.pk).state == "done")
    page.route("**/desk.js", lambda route: route.abort())
    page.goto(page_of(desk, row))
    assert figure(page, "reached") == 5

"""The desk with the keyboard alone, and as a screen reader reads it out."""

import pytest
from playwright.sync_api import Page, expect

from testbed.hostile.fcm import HostileFcm
from testbed.hostile.manners import AnswersSome
from testbed.system import System, post

from .steps import Opened, accepted, address, page_of, quiet

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

LISTENERS = 2_000
MOST_TABS = 60
CANCEL = ".field-links a[href$='/cancel/']"

IS_SEEN = """() => {
  const here = document.activeElement, style = getComputedStyle(here);
  const box = here.getBoundingClientRect();
  const ringed = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1;
  return ringed && box.width > 0 && box.bottom > 0 && box.top < innerHeight;
}"""

# What a live region says is kept, as a screen reader would have said it.
LISTEN = """() => {
  window.said = [];
  for (const region of document.querySelectorAll("[role=status]"))
    new MutationObserver(() => window.said.push(region.textContent.trim()))
      .observe(region, {childList: true, characterData: true, subtree: true});
}"""


def tab_to(page: Page, selector: str) -> None:
    """Go to an element with the Tab key alone; wherever that leads, it is seen where one is."""
    for _press in range(MOST_TABS):
        page.keyboard.press("Tab")
        assert page.evaluate(IS_SEEN), page.evaluate("document.activeElement.outerHTML")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"Tab does not come to {selector}")


def test_a_fanout_is_stopped_with_the_keyboard_alone(
    desk: System, slow: HostileFcm, opened: Opened
) -> None:
    slow.manners = answering = AnswersSome(100)  # there is time for every key
    desk.go_live()
    page = opened("anna")
    row = post(desk.listeners(LISTENERS))
    page.goto(address(desk, "/admin/notifications/notification/"))

    # Past the navigation, to the way to stop it, which keeps the focus while its row is replaced.
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    tab_to(page, CANCEL)
    page.evaluate("document.activeElement.isOld = true")
    answering.answer_up_to(200)
    desk.wait(lambda: bool(page.evaluate("!document.activeElement.isOld")))
    assert page.evaluate("selector => document.activeElement.matches(selector)", CANCEL)
    page.keyboard.press("Enter")
    page.wait_for_url("**/cancel/")

    # The question: a reason, and yes.
    tab_to(page, "[name=reason]")
    page.keyboard.type("the wrong recording")
    tab_to(page, ".confirm button")
    page.keyboard.press("Enter")

    expect(page.locator(".messagelist .success")).to_contain_text("Stopped after")
    answering.hurry()
    desk.wait(lambda: quiet(desk, row))
    assert row.state == "cancelled"
    assert accepted(desk) < LISTENERS


def test_a_screen_reader_is_told_of_the_progress_and_not_flooded(
    desk: System, slow: HostileFcm, opened: Opened
) -> None:
    slow.manners = answering = AnswersSome(0)
    desk.go_live()
    page = opened("anna")
    row = post(desk.listeners(LISTENERS))
    page.goto(page_of(desk, row))
    page.evaluate(LISTEN)
    for tens in range(1, 10):
        answering.answer_up_to(tens * LISTENERS // 10 + 50)
        expect(page.locator("#progress-said")).to_contain_text(f"{tens}0 per cent")
    answering.hurry()

    expect(page.locator("#progress-said")).to_have_text("done, 100 per cent")
    desk.children[-1].stop()
    expect(page.locator("#sending-said")).to_contain_text("NO WORKER. What needs you: 1.")

    said = page.evaluate("window.said")
    assert len(said) == len(set(said)) <= 15, said
    # What is replaced every second is not read out.
    assert not page.locator("[data-live][role=status], [data-live] [role=status]").count()
    assert not page.locator("[data-live][aria-live], [data-live] [aria-live]").count()


def test_the_start_page_reads_well(desk: System, opened: Opened) -> None:
    page = opened("anna")
    row = post(desk.listeners(5), "Owls")
    desk.wait_until_settled()
    page.goto(address(desk, "/admin/"))

    expect(page).to_have_title("Operators' desk | Radiotalk")
    expect(page.get_by_role("region", name="Sending")).to_match_aria_snapshot("""
      - region "Sending":
        - strong: DRY RUN
        - navigation "Controls":
          - link "Pause all"
          - link "Why not?"
          - link "Sending switch"
    """)
    expect(page.get_by_role("main")).to_match_aria_snapshot("""
      - main:
        - heading "Operators' desk" [level=1]
        - region "What needs you":
          - heading "What needs you" [level=2]
          - paragraph: Nothing. All is well.
        - region "Worker":
          - heading "Worker" [level=2]
        - figure:
          - heading "Answers of FCM per minute, the last hour" [level=2]
          - img /5 in the last hour; the most in a minute were [1-5], at/
        - region "The last notifications":
          - table:
            - rowgroup:
              - row:
                - columnheader "talk"
            - rowgroup:
              - row:
                - rowheader /Owls/
                - cell "done dry run"
                - cell:
                  - progressbar "Progress"
                - cell "5"
    """)
    bar = page.get_by_role("progressbar", name="Progress")
    assert bar.get_attribute("aria-valuenow") == "100"
    assert row.pk


def test_the_page_of_one_reads_well(desk: System, opened: Opened) -> None:
    page = opened("anna")
    row = post(desk.listeners(5), "Owls")
    desk.wait_until_settled()
    page.goto(page_of(desk, row))

    expect(page.get_by_role("main")).to_match_aria_snapshot("""
      - main:
        - heading "Owls Night Radio" [level=1]
        - status: done, 100 per cent
        - region "Progress":
          - progressbar "Progress"
          - list:
            - listitem: simulated 5
          - term: found valid
          - definition: "5"
        - region "What became of it":
          - table:
            - rowgroup:
              - row "outcome devices share"
            - rowgroup:
              - row "simulated 5 100.00 %"
        - region "Timeline":
          - list:
            - listitem: /Posted/
        - region "How it looks"
        - region "What operators did"
    """)

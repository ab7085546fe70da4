"""What an operator does in a browser, and what a test reads there."""

from collections.abc import Callable

from playwright.sync_api import Page

from notifications.models import Notification
from testbed.system import System

LANES = 2

Opened = Callable[[str], Page]


def address(desk: System, path: str = "") -> str:
    """Return where the web is."""
    return f"http://127.0.0.1:{desk.web_port}{path}"


def page_of(desk: System, row: Notification) -> str:
    """Return the address of a notification's page."""
    return address(desk, f"/admin/notifications/notification/{row.pk}/change/")


def figure(page: Page, name: str) -> int:
    """Return a number that the page shows now."""
    return int((page.text_content(f"[data-figure={name}]") or "0").replace(",", ""))


def wait_for_more_than(desk: System, page: Page, count: int) -> None:
    """Return once the page shows that more were reached.

    Playwright's own wait_for_function would need `eval`, which the desk's policy refuses.
    """
    desk.wait(lambda: figure(page, "reached") > count)


def say_why(page: Page, button: str) -> None:
    """Answer a question with yes, and a reason."""
    page.fill("[name=reason]", "a browser's test")
    page.click(f".confirm button:has-text('{button}')")


def accepted_after(desk: System, moment: float) -> int:
    """Return how many FCM accepted after a moment."""
    return sum(1 for e in desk.journal() if e["verdict"] == "accepted" and e["at"] > moment)


def accepted(desk: System) -> int:
    """Return how many FCM accepted in all."""
    return desk.verdicts()["accepted"]


def reached(row: Notification) -> int:
    """Return how many the database has as sent."""
    return Notification.objects.values_list("sent_count", flat=True).get(pk=row.pk)


def quiet(desk: System, row: Notification) -> bool:
    """Return whether everything that was claimed has an answer."""
    row.refresh_from_db()
    return row.target_count == sum(row.counts().values()) - row.target_count


def focus(page: Page, name: str) -> None:
    """Go to a link with the Tab key alone."""
    for _press in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent").strip() == name:
            return
    raise AssertionError(f"Tab does not come to {name!r}")

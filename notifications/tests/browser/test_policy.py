"""No page of the desk, nor the API's, needs what the Content-Security-Policy refuses."""

from pathlib import Path

import pytest
from playwright.sync_api import ConsoleMessage, expect

from testbed import chromium
from testbed.system import System

from .night import night
from .steps import address

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

DOCS = "/api/v1/docs/"
OTHERS = {
    "log in": "/admin/login/",
    "a new talk": "/admin/programs/talk/add/",
    "a new clip": "/admin/programs/clip/add/",
    "a new user": "/admin/auth/user/add/",
    "not found": "/admin/nowhere/",
}


def test_no_page_breaks_the_policy(desk: System, tmp_path: Path) -> None:
    refused: list[str] = []

    def note(said: ConsoleMessage) -> None:
        if said.type == "error" and "404 (Not Found)" not in said.text:
            refused.append(f"{page.url}: {said.text}")

    with chromium.running(tmp_path / "profile") as browser:
        chromium.operator("anna")
        page = browser.new_page()
        page.on("console", note)
        page.on("pageerror", lambda error: refused.append(f"{page.url}: {error}"))
        chromium.log_in(page, address(desk), "anna")
        for path in (OTHERS | night("anna")).values():
            page.goto(address(desk, path))

        # Swagger UI draws the operations, unfolds one, and asks the API.
        page.goto(address(desk, DOCS))
        me = page.locator("#operations-programs-programs_list")
        me.click()
        me.get_by_role("button", name="Try it out").click()
        me.get_by_role("button", name="Execute").click()
        expect(me.locator(".live-responses-table td.response-col_status").last).to_contain_text(
            "200"
        )

        # A choice of thousands is searched by a script of Django's.
        page.goto(address(desk, OTHERS["a new talk"]))
        page.locator(".select2-selection").first.click()
        page.locator(".select2-results__option").first.wait_for()
        page.close()

    assert refused == []

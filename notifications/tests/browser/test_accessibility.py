"""Every page of the desk is usable with a screen reader and with the keyboard alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from testbed import chromium
from testbed.system import System

from .night import night
from .steps import address

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

WCAG_2_1_AA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
DEPENDS_ON_COLOUR = ["color-contrast", "link-in-text-block"]


# A colour that fades is none of the theme's. The desk's policy refuses a style element.
NO_TRANSITIONS = """() => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync("* { transition: none !important }");
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}"""
MOST_EXAMPLES = 4


def violations(page: Page, **rules: Any) -> Iterator[tuple[str, str]]:
    """Yield what breaks a rule of axe-core's: which and why, and where."""
    options = {"runOnly": rules, "resultTypes": ["violations"]}
    for violation in Axe().run(page, options=options).response["violations"]:
        for node in violation["nodes"]:
            yield f"{violation['id']}: {node['failureSummary']}", str(node["target"])


def found_on(page: Page) -> Iterator[tuple[str, str]]:
    """Yield what breaks WCAG 2.1 A or AA on the page, in the light and in the dark."""
    page.evaluate(NO_TRANSITIONS)
    page.emulate_media(color_scheme="light")
    yield from violations(page, type="tag", values=WCAG_2_1_AA)
    page.emulate_media(color_scheme="dark")
    for why, where in violations(page, type="rule", values=DEPENDS_ON_COLOUR):
        yield f"dark: {why}", where


@pytest.mark.parametrize(("width", "language"), [(1280, "en"), (390, "ja")])
def test_no_page_breaks_a_rule_of_wcag(
    desk: System, tmp_path: Path, width: int, language: str
) -> None:
    viewport = {"width": width, "height": 900}
    with chromium.running(tmp_path / "profile", viewport=viewport, language=language) as browser:
        chromium.operator("anna")
        page = browser.new_page()
        chromium.log_in(page, address(desk), "anna")

        found: dict[str, list[str]] = {}
        for name, path in night("anna").items():
            page.goto(address(desk, path))
            assert page.locator("html").get_attribute("lang") == language
            assert page.locator("h1").count() == 1, name
            for why, where in found_on(page):
                found.setdefault(why, []).append(f"{name} {where}")

    told = [f"{why}\n    {places[:MOST_EXAMPLES]}" for why, places in found.items()]
    assert not told, "\n".join(told)

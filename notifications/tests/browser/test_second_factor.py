"""Staff's second factor in a real Chromium: passkeys of a virtual authenticator, an app, codes."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.test import override_settings
from playwright.sync_api import BrowserContext, Page, expect

from accounts.tests.people import code, make_older, with_app
from notifications.models import SendingSwitch
from testbed import chromium
from testbed.ci import must_be_there
from testbed.system import System

from .steps import say_why
from .test_accessibility import found_on

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

# Of the way from the log-in's page to a pause: log in, *Pause all*, and its yes.
CLICKS_TO_PAUSE = 3
PASSKEYS = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture
def web(make_system: Callable[..., System]) -> System:
    """Return the web alone, where staff need a second factor."""
    if not chromium.can_run():
        (pytest.fail if must_be_there() else pytest.skip)(chromium.HOW_TO_GET_IT)
    system = make_system()
    system.start_redis()
    system.start_web(STAFF_SECOND_FACTOR="on")
    return system


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[BrowserContext]:
    """Yield a browser that knows nobody."""
    with chromium.running(tmp_path / "profile") as context:
        yield context


class Hand:
    """Somebody at a page with a device that has passkeys, whose clicks are counted."""

    def __init__(self, web: System, browser: BrowserContext) -> None:
        # To a browser 127.0.0.1 is no place for passkeys, and localhost is.
        self.secret_key = web.env["SECRET_KEY"]  # which signs the web's sessions
        self.address = f"http://localhost:{web.web_port}"
        self.page = browser.new_page()
        self.clicks = 0
        devtools = browser.new_cdp_session(self.page)
        devtools.send("WebAuthn.enable")
        devtools.send("WebAuthn.addVirtualAuthenticator", {"options": PASSKEYS})

    def click(self, selector: str) -> None:
        """Click, and count it."""
        self.page.click(selector)
        self.clicks += 1

    def open(self, path: str) -> None:
        """Go to a page."""
        self.page.goto(f"{self.address}{path}")

    def begin(self) -> None:
        """Go to the log-in as a browser that knows nobody."""
        self.page.context.clear_cookies()
        self.open("/admin/login/?next=/admin/")
        self.clicks = 0

    def log_in(self, name: str) -> None:
        """Log in by name and password."""
        self.begin()
        self.page.fill("input[name=username]", name)
        self.page.fill("input[name=password]", chromium.PASSWORD)
        self.click("input[type=submit]")

    def add_passkey(self) -> None:
        """Set a passkey up, from the page to which the first log-in leads."""
        self.page.click("a[href$='/webauthn/add/']")
        self.page.click("#mfa_webauthn_add")
        self.save_codes()

    def add_app(self) -> str:
        """Set an app up, and return its secret."""
        self.page.click("a[href$='/totp/activate/']")
        secret = self.page.input_value("#authenticator_secret")
        self.page.fill("[name=code]", code(secret))
        self.page.click("#content form button")
        return secret

    def save_codes(self) -> list[str]:
        """Return the recovery codes, which are shown this once, and go to the desk."""
        codes = self.page.input_value("#recovery_codes").split()
        self.page.check("#codes_saved")
        self.page.click("#content a[href='/admin/']")
        expect(self.page.locator("#desk-start")).to_be_visible()
        return codes

    def pause(self) -> None:
        """Pause all, from wherever the log-in led."""
        self.click("#sending >> text=Pause all")
        self.page.fill("[name=reason]", "a browser's test")
        self.click(".confirm button:has-text('Pause all')")
        expect(self.page.locator("#sending")).to_contain_text("PAUSED")

    def wait_five_minutes(self) -> None:
        """Make all that the session has shown so much older."""
        [key] = [
            each["value"] for each in self.page.context.cookies() if "sessionid" in each["name"]
        ]
        with override_settings(SECRET_KEY=self.secret_key):
            make_older(SessionStore(key), 301)


def test_a_passkey_is_set_up_at_the_first_log_in_and_pauses_in_no_more_clicks_than_a_password(
    web: System, browser: BrowserContext
) -> None:
    chromium.operator("anna")
    chromium.operator("bert")
    hand = Hand(web, browser)

    # The first log-in opens no desk; with the passkey it does.
    hand.log_in("anna")
    expect(hand.page).to_have_url(f"{hand.address}/admin/second-factor/")
    hand.add_passkey()

    # By the passkey alone.
    hand.begin()
    hand.click("#passkey_login")
    expect(hand.page.locator("#desk-start")).to_be_visible()
    hand.pause()
    assert hand.clicks == CLICKS_TO_PAUSE
    SendingSwitch.objects.update(paused=False)

    # By the password alone, of somebody who has no second factor yet.
    hand.log_in("bert")
    hand.pause()
    assert hand.clicks == CLICKS_TO_PAUSE


def test_going_live_asks_for_the_passkey_when_the_log_in_is_old(
    web: System, browser: BrowserContext
) -> None:
    chromium.operator("anna")
    hand = Hand(web, browser)
    hand.log_in("anna")
    hand.add_passkey()

    # Right after it was shown the question comes at once.
    hand.open("/admin/notifications/sendingswitch/live/")
    expect(hand.page.locator(".confirm .asks")).to_be_visible()

    # An answer that comes too late does nothing and loses nothing.
    hand.page.fill("[name=minutes]", "30")
    hand.page.fill("[name=max_audience]", "10")
    hand.page.fill("[name=word]", "LIVE")
    hand.wait_five_minutes()
    say_why(hand.page, "Go live")
    expect(hand.page.locator(".errornote")).to_contain_text("Nothing was done")
    assert hand.page.input_value("[name=reason]") == "a browser's test"
    assert not SendingSwitch.objects.exists()
    with hand.page.context.expect_page() as opened:
        hand.page.click(".errornote a")
    opened.value.close()  # its browser has no passkeys: the virtual device belongs to one page

    # The question asks first, and comes back.
    hand.open("/admin/notifications/sendingswitch/live/")
    hand.page.click("#mfa_webauthn_reauthenticate")
    hand.page.fill("[name=minutes]", "30")
    hand.page.fill("[name=max_audience]", "10")
    hand.page.fill("[name=word]", "LIVE")
    say_why(hand.page, "Go live")
    expect(hand.page.locator("#sending .sign").first).to_have_text("LIVE")


def test_a_passkey_that_does_not_come_about_is_told(web: System, browser: BrowserContext) -> None:
    hand = Hand(web, browser)
    hand.begin()
    expect(hand.page.locator("[name=username]")).to_be_focused()
    expect(hand.page.locator("#passkey_failed")).to_be_hidden()

    # This device has none, so its browser refuses.
    hand.click("#passkey_login")

    expect(hand.page.locator("#passkey_failed")).to_be_visible()


def test_the_keyboard_alone_logs_in_with_a_code(web: System, browser: BrowserContext) -> None:
    hand = Hand(web, browser)
    with override_settings(SECRET_KEY=hand.secret_key):
        secret = with_app(chromium.operator("anna"))

    hand.begin()
    hand.page.keyboard.type("anna")
    hand.page.keyboard.press("Tab")
    hand.page.keyboard.type(chromium.PASSWORD)
    hand.page.keyboard.press("Enter")
    hand.page.wait_for_url("**/authenticate/")
    hand.page.keyboard.type(code(secret))
    hand.page.keyboard.press("Enter")

    expect(hand.page.locator("#desk-start")).to_be_visible()


def test_an_app_and_recovery_codes_need_no_script(web: System, browser: BrowserContext) -> None:
    chromium.operator("anna")
    hand = Hand(web, browser)
    hand.page.route("**/*.js", lambda route: route.abort())
    hand.log_in("anna")
    secret = hand.add_app()
    [first, *_others] = hand.save_codes()

    hand.log_in("anna")
    hand.page.fill("[name=code]", code(secret, later=1))  # each code is taken once
    hand.page.click("#content form button >> nth=0")
    expect(hand.page.locator("#desk-start")).to_be_visible()

    hand.log_in("anna")
    hand.page.fill("[name=code]", first)
    hand.page.click("#content form button >> nth=0")
    expect(hand.page.locator("#desk-start")).to_be_visible()


@pytest.mark.parametrize(("width", "language"), [(1280, "en"), (360, "ja")])
def test_no_page_breaks_a_rule_of_wcag_and_none_is_wider_than_the_screen(
    web: System, tmp_path: Path, width: int, language: str
) -> None:
    chromium.operator("anna")
    viewport = {"width": width, "height": 900}
    found: dict[str, list[str]] = {}

    def look(page: Page, name: str) -> None:
        assert page.locator("html").get_attribute("lang") == language
        assert page.locator("h1").count() == 1, name
        assert page.evaluate("document.scrollingElement.scrollWidth") <= width, name
        for why, where in found_on(page):
            found.setdefault(why, []).append(f"{name} {where}")

    with chromium.running(tmp_path / "profile", viewport=viewport, language=language) as browser:
        hand = Hand(web, browser)
        hand.begin()
        look(hand.page, "log-in")
        hand.page.fill("input[name=username]", "anna")
        hand.page.fill("input[name=password]", "wrong")
        hand.click("input[type=submit]")
        look(hand.page, "wrong password")
        for path in ("", "sent/", "a-b/", "done/"):
            hand.open(f"/account/password/reset/{path}")
            look(hand.page, f"reset {path}")
        hand.log_in("anna")
        look(hand.page, "first log-in")
        hand.page.click("a[href$='/webauthn/add/']")
        look(hand.page, "add a passkey")
        hand.page.click("#mfa_webauthn_add")
        hand.page.wait_for_selector("#recovery_codes")
        look(hand.page, "recovery codes")
        hand.page.check("#codes_saved")
        for path in (
            "second-factor/",
            "second-factor/webauthn/",
            "second-factor/totp/activate/",
            "second-factor/recovery-codes/generate/",
            "second-factor/reauthenticate/",
            "second-factor/webauthn/reauthenticate/",
            "password_change/",
        ):
            hand.open(f"/admin/{path}")
            look(hand.page, path)
        hand.log_in("anna")
        look(hand.page, "second step of the log-in")

    told = [f"{why}\n    {places[:4]}" for why, places in found.items()]
    assert not told, "\n".join(told)

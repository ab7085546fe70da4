"""Debian's Chromium, driven by Playwright: for the browser tests and the screenshots."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from django.contrib.auth.models import User
from django.db import connections
from django.test import override_settings
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

HOW_TO_GET_IT = "No Chromium: apt-get install chromium libatomic1 (Debian, Ubuntu)"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PASSWORD = "of-an-operator-in-a-test"
WIDE = {"width": 1440, "height": 900}
NARROW = {"width": 360, "height": 760}
PATIENCE_MS = 180_000  # a deadline for a busy machine, no expectation


def executable() -> str | None:
    """Return where Chromium is, None when there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@cache
def can_run() -> bool:
    """Return whether Chromium is installed and Playwright's driver runs on this machine."""
    version = [sys.executable, "-m", "playwright", "--version"]
    return executable() is not None and not subprocess.run(version, capture_output=True).returncode


@contextmanager
def running(
    directory: Path,
    *,
    viewport: dict[str, int] = WIDE,
    language: str = "en",
    dark: bool = False,
) -> Iterator[BrowserContext]:
    """Yield a browser with a new profile in the directory, and nothing downloaded."""
    with beside_a_loop(), sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            directory,
            executable_path=executable(),
            args=FLAGS,
            viewport={"width": viewport["width"], "height": viewport["height"]},
            locale=language,
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
        )
        context.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        try:
            yield context
        finally:
            context.close()
            connections.close_all()  # the ORM keeps a connection for each event loop


@contextmanager
def beside_a_loop() -> Iterator[None]:
    """Allow the ORM in the thread of Playwright's event loop, where Django would refuse it."""
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "on"
    try:
        yield
    finally:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


# The web process has production's hashers: it could not check what the tests' fast one hashed.
@override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.PBKDF2PasswordHasher"])
def operator(name: str) -> User:
    """Return a new superuser who can log in to the web process with PASSWORD."""
    return User.objects.create_superuser(name, password=PASSWORD)


def log_in(page: Page, address: str, name: str) -> None:
    """Log in as staff do."""
    page.goto(f"{address}/admin/login/?next=/admin/")
    page.fill("input[name=username]", name)
    page.fill("input[name=password]", PASSWORD)
    page.click("input[type=submit]")
    page.wait_for_selector("#user-tools")

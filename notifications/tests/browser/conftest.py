"""The running system, and a browser in which somebody has logged in."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Page

from testbed import chromium
from testbed.ci import must_be_there
from testbed.hostile.fcm import HostileFcm, in_the_emulators_place
from testbed.system import System

from .steps import LANES, Opened, address


@pytest.fixture
def desk(make_system: Callable[..., System]) -> System:
    """Return the running system: web, worker, Redis and FCM; a dry run as it is by default."""
    if not chromium.can_run():
        (pytest.fail if must_be_there() else pytest.skip)(chromium.HOW_TO_GET_IT)
    system = make_system(latency_ms=150)
    system.start_redis()
    system.start_web(GOOGLE_APPLICATION_CREDENTIALS="")  # the key is the worker's alone
    start_worker(system)
    return system


def start_worker(system: System) -> None:
    """Have a worker that is ready."""
    system.start_worker("--max-workers", str(LANES))
    system.wait_for_an_active_worker()


@pytest.fixture
def slow(desk: System, tmp_path: Path) -> Iterator[HostileFcm]:
    """Yield an FCM that stops answering half-way if a test says so, in the place of the desk's."""
    desk.children[-1].stop()
    with in_the_emulators_place(desk, tmp_path) as fcm:
        start_worker(desk)
        yield fcm


@pytest.fixture
def opened(desk: System, tmp_path: Path) -> Iterator[Opened]:
    """Yield what opens a browser in which somebody has logged in."""
    with ExitStack() as stack:
        browser = stack.enter_context(chromium.running(tmp_path / "profile"))

        def open_for(name: str) -> Page:
            chromium.operator(name)
            browser.clear_cookies()
            page = browser.new_page()
            chromium.log_in(page, address(desk), name)
            return page

        yield open_for

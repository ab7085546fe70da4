"""Cancel clicked at half of a large fan-out: what still goes out, and whether the page says so.

    DJANGO_SETTINGS_MODULE=radiotalk.testing python -m testbed.engines --postgresql -- \\
        python -m benchmarks.stop [--listeners N]

Web, worker, Redis, PostgreSQL and FCM emulator are real; the click is the form's POST. The run
fails when more is sent after the answer to the click than the lanes held, or when the page, the
database and the emulator's journal contradict each other.
"""

import argparse
import re
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import django

django.setup()

import requests  # noqa: E402
from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from notifications.models import Notification  # noqa: E402
from notifications.worker.sender import HELD_A_LANE  # noqa: E402
from testbed import chromium  # noqa: E402
from testbed.process import eventually  # noqa: E402
from testbed.system import System, post  # noqa: E402

LATENCY_MS = 230
SECONDS = 20.0  # for a page
PATIENCE_SECONDS = 600.0  # for half of the fan-out, on a busy machine


class Operator:
    """An operator who is logged in to the admin."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.browser = requests.Session()
        chromium.operator("anna")
        form = {"username": "anna", "password": chromium.PASSWORD}
        self.submit("/admin/login/?next=/admin/", **form)

    def look(self, path: str) -> str:
        """Return the HTML of a page."""
        return self.browser.get(f"{self.address}{path}", timeout=SECONDS).text

    def submit(self, path: str, **form: str) -> str:
        """Fill a form in and send it; return the HTML of the page that follows."""
        once = re.search(r'name="once" value="([^"]+)"', self.look(path))
        form["once"] = once[1] if once else ""
        form["csrfmiddlewaretoken"] = self.browser.cookies["csrftoken"] or ""
        answer = self.browser.post(f"{self.address}{path}", data=form, timeout=SECONDS)
        answer.raise_for_status()
        return answer.text


def numbers(html: str, marker: str) -> list[int]:
    """Return the whole numbers in the paragraph that follows the marker; times are no numbers."""
    text = re.sub(r"<[^>]*>|\d\d:\d\d:\d\d", " ", html.split(marker, 1)[1].split("</p>", 1)[0])
    return [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", text)]


def run(system: System, listeners: int) -> dict[str, int]:
    """Cancel at half of a fan-out; return what was counted, by name."""
    system.start_redis()
    system.go_live()
    program = system.listeners(listeners)
    system.start_web()
    anna = Operator(f"http://127.0.0.1:{system.web_port}")
    system.start_worker()
    system.wait_for_an_active_worker()
    row = post(program)
    assert eventually(lambda: is_half(row, listeners), seconds=PATIENCE_SECONDS)  # noqa: S101
    page = f"/admin/notifications/notification/{row.pk}"
    anna.look(f"{page}/cancel/")
    clicked_at = time.time()
    anna.submit(f"{page}/cancel/", reason="the wrong recording")
    answered_at = time.time()
    system.wait(lambda: is_quiet(row))
    told = numbers(anna.look(f"{page}/change/"), "data-told>")
    at = [entry["at"] for entry in system.journal() if entry["verdict"] == "accepted"]
    twice = Counter(system.accepted().values())
    return {
        "listeners": listeners,
        "accepted by FCM in all": len(at),
        "accepted after the click": sum(1 for each in at if each > clicked_at),
        "accepted after its answer": sum(1 for each in at if each > answered_at),
        "the lanes hold at most": settings.NOTIFICATIONS_MAX_WORKERS * HELD_A_LANE,
        "click to answer, ms": round((answered_at - clicked_at) * 1000),
        "database: sent": row.sent_count,
        "database: sent at the stop": row.sent_at_stop or 0,
        "database: sent after it": row.sent_after_stop,
        "page: stopped after": told[0],
        "page: still went out": told[1],
        "page: will not be sent": told[2] if len(told) > 2 else listeners - row.target_count,
        "twice": sum(count for times, count in twice.items() if times > 1),
    }


def is_half(row: Notification, listeners: int) -> bool:
    """Return whether FCM has accepted the notification for half of the listeners."""
    row.refresh_from_db()
    return row.sent_count >= listeners // 2


def is_quiet(row: Notification) -> bool:
    """Return whether every target that was claimed has an answer."""
    row.refresh_from_db()
    counts = row.counts()
    return counts.pop("target") == sum(counts.values())


def is_right(counted: dict[str, int]) -> bool:
    """Return whether no more was sent than may be, and all numbers agree."""
    return (
        counted["accepted after its answer"] <= counted["the lanes hold at most"]
        and counted["accepted by FCM in all"] == counted["database: sent"]
        and counted["page: stopped after"] + counted["page: still went out"]
        == counted["accepted by FCM in all"]
        and counted["page: will not be sent"]
        == counted["listeners"] - counted["accepted by FCM in all"]
        and not counted["twice"]
    )


def main() -> int:
    """Print what was counted; return 1 when too much was sent, or a number is wrong."""
    parser = argparse.ArgumentParser(prog="benchmarks.stop", description=__doc__)
    parser.add_argument("--listeners", type=int, default=100_000, metavar="N")
    options = parser.parse_args()
    call_command("migrate", verbosity=0)
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        counted = run(System(Path(directory), stack, latency_ms=LATENCY_MS), options.listeners)
    shown = Table("", "", title="Cancel, clicked at half of it")
    for name, count in counted.items():
        shown.add_row(name, f"{count:,}")
    Console().print(shown)
    return 0 if is_right(counted) else 1


if __name__ == "__main__":
    sys.exit(main())

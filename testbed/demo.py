"""`make demo`: a talk reaches 1,000 listeners, first as the dry run that is the default, then live.

The demo always has a database, a Redis and files of its own, whatever DATABASE_URL and REDIS_URL
say. The web, the worker, Redis and the upload over HTTP are real. FCM is the emulator, as slow as
FCM was measured to be.
"""

import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from fcm_emulator import journal
from testbed import local_settings, report
from testbed.process import ProcessFailed
from testbed.stage import LATENCY_MS, Stage

LISTENERS = 1_000
PROGRAM = "Radiotalk demo"
RECORDING = Path(__file__).with_name("hello.ogg")
SENDING_SECONDS = 60.0  # a deadline; 1,000 notifications take about a second
REQUEST_SECONDS = 20.0
POLL_SECONDS = 0.05  # how often the bar moves
ENDED_BADLY = ("held", "cancelled", "expired")
INTERRUPTED = 130  # what a shell answers after Ctrl-C

console = Console()


class Api:
    """The HTTP API, as one user."""

    def __init__(self, address: str, username: str, password: str) -> None:
        self.address = address
        self.session = requests.Session()
        login = {"username": username, "password": password}
        token = self.call("POST", "/api/v1/auth/token/", json=login)["token"]
        self.session.headers["Authorization"] = f"Token {token}"

    def call(self, method: str, path: str, **content: Any) -> Any:
        """Return the JSON answer; raise ProcessFailed when it is an error."""
        address = urljoin(self.address, path)
        answer = self.session.request(method, address, timeout=REQUEST_SECONDS, **content)
        if not answer.ok:
            raise ProcessFailed(f"{method} {path} was answered {answer.status_code}: {answer.text}")
        return answer.json()

    def upload(self, title: str) -> Any:
        """Return the talk that was posted to the demo's program."""
        programs = self.call("GET", "/api/v1/programs/")["results"]
        program = next(each for each in programs if each["title"] == PROGRAM)
        path = f"/api/v1/programs/{program['id']}/talks/"
        with RECORDING.open("rb") as audio:
            return self.call("POST", path, data={"title": title}, files={"audio": audio})


def watch(stage: Stage, api: Api, path: str, progress: Progress, title: str) -> None:
    """Move a bar until the notification is done; raise ProcessFailed when it cannot be any more."""
    bar = progress.add_task(title, total=LISTENERS)
    deadline = time.monotonic() + SENDING_SECONDS
    while True:
        stage.check()
        seen = api.call("GET", path)
        counts = seen["counts"]
        answered = sum(counts[name] for name in ("sent", "simulated", "rejected", "unknown"))
        progress.update(bar, completed=answered)
        if seen["state"] == "done":
            return
        if seen["state"] in ENDED_BADLY or time.monotonic() > deadline:
            raise ProcessFailed(f"The notification is {seen['state']} with {counts}.")
        time.sleep(POLL_SECONDS)


def post(stage: Stage, api: Api, progress: Progress, *, dry_run: bool) -> report.Tally:
    """Upload a recording; return what came of it, counted from outside."""
    title = "Dry run" if dry_run else "Live"
    uploaded_at = time.time()
    talk = api.upload(f"{title}: welcome to Radiotalk")
    watch(stage, api, talk["notification"], progress, title)
    return report.tally(
        report.of_talk(journal.read(stage.journal), talk["id"]),
        dry_run=dry_run,
        targets=report.registered(stage.database),
        recorded=report.recorded(stage.database, talk["id"]),
        uploaded_at=uploaded_at,
        finished_at=report.finished_at(stage.database, talk["id"]),
    )


def login(seeded: str) -> list[str]:
    """Return user name and password, which `seed` printed as `login NAME PASSWORD`."""
    return next(line.split()[1:] for line in seeded.splitlines() if line.startswith("login "))


def set_up(stage: Stage) -> Api:
    """Return the API of a Radiotalk with listeners, logged in as the program's owner."""
    begun = time.monotonic()

    def done(what: str) -> None:
        console.print(f"[dim]{time.monotonic() - begun:5.1f} s[/]  {what}")

    stage.start_engines()
    done(f"Redis and an FCM emulator that takes {LATENCY_MS} ms a send")
    stage.manage("migrate")
    seeded = stage.manage("seed", "--listeners", str(LISTENERS), "--program", PROGRAM)
    done(f"a database with {LISTENERS:,} listeners of “{PROGRAM}”, one device each")
    stage.start_radiotalk()
    done("web and worker")
    return Api(stage.address, *login(seeded))


def play(stage: Stage) -> bool:
    """Return whether the live talk notified each listener exactly once, and the dry run nobody."""
    api = set_up(stage)
    bar = (TextColumn("{task.description:8}"), BarColumn(), MofNCompleteColumn())
    with Progress(*bar, TimeElapsedColumn(), console=console) as progress:
        dry_run = post(stage, api, progress, dry_run=True)
        stage.manage("sending", "live", "--reason", "make demo")
        live = post(stage, api, progress, dry_run=False)
    console.print("\nWhat the emulator's journal and the database say:")
    console.print(report.table([dry_run, live]))
    return dry_run.is_right and live.is_right


def failure(stage: Stage) -> str | None:
    """Play; return what went wrong, None when nothing did."""
    try:
        return None if play(stage) else "Not every device was notified as it should be."
    except (ProcessFailed, requests.RequestException) as error:
        return str(error)


def main() -> int:
    """Return 0 when all went right; else show the logs, keep the files, and return 1."""
    local_settings.VAR.mkdir(exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="demo-", dir=local_settings.VAR))
    try:
        with ExitStack() as stack:
            stage = Stage(directory, stack)
            problem = failure(stage)
            logs = stage.last_lines()
    except KeyboardInterrupt:
        shutil.rmtree(directory)
        console.print("Stopped.")
        return INTERRUPTED
    if problem:
        console.print(f"{logs}\n\n{problem}", markup=False, highlight=False, soft_wrap=True)
        console.print(f"[red]The demo failed.[/] Its files are kept in {directory}.")
        return 1
    shutil.rmtree(directory)
    console.print("[green]Each device was notified exactly once, and by the dry run none.[/]")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The whole system for a test: web, workers and FCM emulator as processes of their own.

They meet in the test's own PostgreSQL database, so the test sees and changes what they do through
the ORM. Tests get theirs from the fixtures `system` and `make_system` (fixtures.py).
"""

import os
import signal
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import redis
import requests
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import Max
from django.test import override_settings
from django.utils import timezone

from accounts.models import ApiToken
from fcm_emulator.process import EmulatorProcess, running
from notifications.channel import TALK_POSTED_CHANNEL
from notifications.models import (
    Delivery,
    DeviceToken,
    Notification,
    SendingSwitch,
    WorkerLease,
)
from notifications.verification import Given, Report, verify
from programs.models import Clip, Program, Talk
from radiotalk.settings import BASE_DIR
from testbed import local_settings
from testbed.process import LOOPBACK, Child, eventually, listening
from testbed.processes import Processes
from testbed.redis import running_redis

User = get_user_model()
RECORDING = BASE_DIR / "testbed" / "hello.ogg"

# Settings of a process that is to die at a failpoint.
FAILING_SETTINGS = "notifications.tests.faults.settings"

# Seconds. A worker that stands still for a while, on a busy machine, keeps its lease; and who is to
# be replaced without having given it back has a short one, or is helped along (`expire_lease`).
LEASE_TTL = 900
# Longer than any test: no request ends as unknown because a process stood still for a while, or
# because a test lets FCM answer only when the test is ready.
FCM_TIMEOUT = 900
SHORT_TTL = 3
SHORT_LEASE = {"NOTIFICATIONS_LEASE_TTL": str(SHORT_TTL)}

# So many of a thousand have their line in the log when a fault comes half-way.
HALF_WAY = 300

# Deadlines for a busy machine, no expectations.
SETTLE_SECONDS = 240.0
REQUEST_SECONDS = 180.0
CONNECT_SECONDS = 120


def database_url() -> str:
    """Return the address of the test's own database."""
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{database['NAME']}"
    user, host, port = (database[key] for key in ("USER", "HOST", "PORT"))
    address = f"postgres://{user}@{host}:{port}/{database['NAME']}"
    # libpq is more patient than in production with a PostgreSQL that stands still.
    return f"{address}?connect_timeout={CONNECT_SECONDS}&tcp_user_timeout=0"


class Deployment(Processes):
    """Radiotalk with production's settings, on the database of this process, and its users' acts.

    `fcm` says where FCM is, and more (`local_settings.settings`).
    """

    def __init__(self, directory: Path, stack: ExitStack, *, fcm: Mapping[str, str]) -> None:
        # Nothing else of this process's environment: it has the settings of the tests.
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        super().__init__(directory, stack, {**kept, **fcm})
        self.redis_port = self.reserve_port()
        self.web_port = 0
        self.web_ca: Path | None = None  # of the web behind TLS
        self.env |= {
            "DJANGO_SETTINGS_MODULE": "radiotalk.settings",
            "DATABASE_URL": database_url(),
            "REDIS_URL": f"redis://{LOOPBACK}:{self.redis_port}/0",
            "MEDIA_ROOT": str(directory / "media"),
            # Who tests or measures posts as often as it takes.
            "NOTIFICATIONS_PER_PROGRAM_PER_HOUR": "0",
            "NOTIFICATIONS_PER_PROGRAM_PER_DAY": "0",
        }

    # --- Processes ---------------------------------------------------------------------------

    def start_redis(self) -> None:
        """Start Redis, at the same address as before."""
        self.redis = self.stack.enter_context(ExitStack())
        self.redis.enter_context(running_redis(port=self.redis_port))

    def stop_redis(self) -> None:
        """Stop Redis: connections to it are refused."""
        self.redis.close()

    def redis_client(self) -> redis.Redis:
        """Return a client of this Redis."""
        return redis.Redis.from_url(self.env["REDIS_URL"])

    def start_web(self, **env: str) -> Child:
        """Return the web once it serves."""
        self.web_port = self.reserve_port()
        web = self.start("runserver", "--noreload", f"{LOOPBACK}:{self.web_port}", **env)
        return listening(web, self.web_port)

    @property
    def web_address(self) -> str:
        """Return where the web is."""
        return f"{'https' if self.web_ca else 'http'}://{LOOPBACK}:{self.web_port}"

    # --- What people do ----------------------------------------------------------------------

    def listeners(self, count: int, *, name: str = "device-{}") -> Program:
        """Return a program with so many listeners, each with one device."""
        owner = User.objects.create(username=f"talker-{next_user()}")
        program = Program.objects.create(owner=owner, title="Night Radio")
        add_listeners(program, count, name=name)
        return program

    def go_live(self) -> None:
        """Switch to live, as the operators' command does (test_sending.py)."""
        SendingSwitch.objects.change(
            mode=SendingSwitch.Mode.LIVE, reason="a test", changed_by="test", now=timezone.now()
        )

    def upload(self, program: Program, **headers: str) -> requests.Response:
        """Return the answer to a real recording, posted by the program's owner."""
        return self.uploader(program, **headers)()

    def uploader(
        self, program: Program, recording: bytes = b"", /, **headers: str
    ) -> Callable[[], requests.Response]:
        """Return what uploads this recording, or a real one, when called, from any thread."""
        headers = headers if "Authorization" in headers else headers | self.authorization(program)
        recording = recording or RECORDING.read_bytes()
        return partial(self._post_recording, program.id, recording, headers)

    def authorization(self, program: Program) -> dict[str, str]:
        """Return the header by which the program's owner is known."""
        return {"Authorization": f"Token {self.token_of(program.owner)}"}

    def token_of(self, user: Any) -> str:
        """Return a new API token of the user's, which the web knows by its own key."""
        with override_settings(SECRET_KEY=self.env["SECRET_KEY"]):
            return ApiToken.objects.create(user)[1]

    def _post_recording(
        self, program_id: int, recording: bytes, headers: dict[str, str]
    ) -> requests.Response:
        return requests.post(
            f"{self.web_address}/api/v1/programs/{program_id}/talks/",
            headers=headers,
            verify=str(self.web_ca) if self.web_ca else True,
            data={"title": "Hello"},
            files={"audio": ("hello.ogg", recording)},
            timeout=REQUEST_SECONDS,
        )

    def get(self, address: str, **headers: str) -> Any:
        """Return the JSON that the web answers."""
        answer = requests.get(address, headers=headers, timeout=REQUEST_SECONDS)
        assert answer.status_code == 200, answer.text
        return answer.json()


class System(Deployment):
    """A deployment that sends to an emulator, for one test that looks at what comes of it."""

    def __init__(self, directory: Path, stack: ExitStack, *, latency_ms: float) -> None:
        self.fcm: EmulatorProcess = stack.enter_context(
            running(directory / "fcm", latency_ms=latency_ms)
        )
        fcm = local_settings.settings(self.fcm.url, self.fcm.ca_file, self.fcm.service_account_file)
        super().__init__(directory, stack, fcm=fcm)
        self.env |= {
            "FCM_TIMEOUT": str(FCM_TIMEOUT),
            "NOTIFICATIONS_LEASE_TTL": str(LEASE_TTL),
            "PYTHONWARNINGS": "default",
        }

    # --- Processes ---------------------------------------------------------------------------

    def start_worker(self, *arguments: str, **env: str) -> Child:
        """Return a worker that has got as far as its loop, and may have ended since."""
        worker = self.start("listen_notifications", *arguments, **env)

        def has_started() -> bool:
            return "worker.started" in worker.log.read_text()

        self.wait(lambda: has_started() or worker.wrapper.poll() is not None)
        if not has_started():
            worker.check()
        return worker

    def end(self, child: Child) -> None:
        """Kill a process at the end of its test: what it would still do is of no interest.

        Its workers are killed with it: those of nginx would go on without their master.
        """
        if child.wrapper.poll() is None:
            with suppress(IndexError, OSError):  # the process ends by itself just now
                os.killpg(pid_of(child), signal.SIGKILL)  # it leads a group (end_with_parent.py)
        super().end(child)

    # --- What came of it ---------------------------------------------------------------------

    def settled(self) -> bool:
        """Return whether nothing is pending or being sent."""
        return not Notification.objects.filter(state__in=Notification.ACTIVE_STATES).exists()

    def expire_lease(self) -> None:
        """Let the time pass after which a dead worker is replaced."""
        WorkerLease.objects.update(expires_at=timezone.now())

    def wait_for_a_subscriber(self) -> None:
        """Return once a worker listens to Redis."""
        with self.redis_client() as client:
            self.wait(lambda: client.pubsub_numsub(TALK_POSTED_CHANNEL)[0][1] == 1)

    def wait_for_an_active_worker(self) -> None:
        """Return once somebody holds the lease."""
        self.wait(lambda: WorkerLease.objects.held() is not None)

    def wait_for_deliveries(self, count: int) -> None:
        """Return once more than so many targets have their line in the log."""
        self.wait(lambda: Delivery.objects.count() > count)

    def wait_for_the_log(self, event: str, child: Child) -> None:
        """Return once a process has logged this event."""
        self.wait(lambda: event in child.log.read_text())

    def wait_until_settled(self) -> None:
        """Return once nothing is due any more."""
        self.wait(self.settled)

    def wait(self, condition: Callable[[], bool]) -> None:
        """Return once the condition holds; fail with the last lines of all when it never does."""
        assert eventually(condition, seconds=SETTLE_SECONDS), self.last_lines()

    def log_of(self, *names: str) -> str:
        """Return what the commands of these names have logged."""
        return "".join(child.log.read_text() for child in self.children if child.name in names)

    def journal(self) -> list[dict[str, Any]]:
        """Return what FCM saw."""
        return [dict(entry) for entry in self.fcm.entries()]

    def verdicts(self) -> Counter[str]:
        """Return how many requests got each verdict."""
        return Counter(str(entry["verdict"]) for entry in self.fcm.entries())

    def accepted(self) -> Counter[tuple[str, str]]:
        """Return how often each (notification's tag, token) was accepted."""
        return Counter(
            (str(entry["data"]["notification_id"]), str(entry["token"]))
            for entry in self.journal()
            if entry["verdict"] == "accepted"
        )

    def verify(self, **given: Any) -> None:
        """Fail with the checker's report unless every invariant holds; see `Given`."""
        report = self.report(**given)
        assert not report.violations, f"\n{report}"

    def report(self, **given: Any) -> Report:
        """Return what the checker finds in the journal, the database and all logs."""
        known: dict[str, Any] = {
            "logs": tuple(child.log for child in self.children),
            "credentials": self.env["GOOGLE_APPLICATION_CREDENTIALS"],
            "on_5xx": self.env.get("NOTIFICATIONS_ON_5XX", "retry"),
        }
        return verify(self.fcm.journal, given=Given(**known | given))


def next_user() -> int:
    """Return a number that no user's name has yet, also when users were deleted."""
    return (User.objects.aggregate(last=Max("id"))["last"] or 0) + 1


def add_listeners(
    program: Program, count: int, *, name: str, platform: str = DeviceToken.Platform.ANDROID
) -> None:
    """Give a program so many more listeners, each with one device; `name` takes a number."""
    first = next_user()
    users = User.objects.bulk_create(
        User(username=f"listener-{first + number}") for number in range(count)
    )
    DeviceToken.objects.bulk_create(
        DeviceToken(user=user, token=name.format(first + number), platform=platform)
        for number, user in enumerate(users)
    )
    Clip.objects.bulk_create(Clip(listener=user, program=program) for user in users)


def post(program: Program, title: str = "Hello") -> Notification:
    """Return the notification of a talk saved as the web saves it."""
    return Talk.objects.create(program=program, title=title).notification


def go_live_for_the_evening() -> None:
    """Switch to live, as anna does; the desk would refuse her outside production."""
    now = timezone.now()
    SendingSwitch.objects.change(
        changed_by="anna (admin)",
        live_by="anna (admin)",
        now=now,
        reason="Evening programme",
        mode=SendingSwitch.Mode.LIVE,
        live_until=now + timedelta(hours=2),
        max_audience=150_000,
    )


def outcomes() -> Counter[str]:
    """Return how many deliveries have each outcome."""
    return Counter(Delivery.objects.values_list("outcome", flat=True))


def failing_at(failpoint: str) -> dict[str, str]:
    """Return the settings of a process that has this failpoint (notifications/failpoints.py)."""
    return {"NOTIFICATIONS_FAILPOINTS": failpoint, "DJANGO_SETTINGS_MODULE": FAILING_SETTINGS}


def logged_at(event: str, child: Child) -> float:
    """Return when the process first logged this event, in seconds of the Unix time."""
    line = next(line for line in child.log.read_text().splitlines() if event in line)
    return datetime.fromisoformat(line.split()[0]).timestamp()


def pid_of(child: Child) -> int:
    """Return the process itself, which is the only child of its wrapper."""
    children = Path(f"/proc/{child.wrapper.pid}/task/{child.wrapper.pid}/children").read_text()
    return int(children.split()[0])


def kill(child: Child) -> None:
    """Kill the process, as the kernel's OOM killer would."""
    os.kill(pid_of(child), signal.SIGKILL)
    child.wrapper.wait()


def terminate(child: Child) -> int:
    """Ask the process to stop, and return its exit code."""
    child.wrapper.terminate()
    return child.wrapper.wait()

"""Lanes on a bounded ThreadPoolExecutor: they turn claimed targets into results, and know no more.

A lane is one thread with one connection. It holds several batches, at most as many targets as its
connection has streams, takes the next batch as soon as it has room, and reports each result as it
comes: a slow answer holds back nobody but itself.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import Empty, SimpleQueue

from notifications.fcm.connection import Connection
from notifications.fcm.credentials import AccessToken, NoAccessTokenError
from notifications.fcm.endpoint import Endpoint
from notifications.fcm.message import complete
from notifications.fcm.outcomes import Answer, Meaning, Verdict, classify
from notifications.fcm.sending import STREAMS

from .inbox import Answered, Event, HelperDied
from .timer import Timer
from .work import Job, Result, Target

# How long a lane waits for answers before it looks again; a new job wakes the lane at once.
WAIT_SECONDS = 1.0

# After an answer came, a lane lets others gather before it looks again: waking up costs more than
# sending (measured). All lanes together look 2,500 times a second at most.
GATHER_SECONDS_A_LANE = 0.0004

# A batch has at least a fifth of a full one's targets, unless no more are left: each costs a row.
LEAST_PORTION = 5

# How often an idle lane sees whether its connection is still there, so that the next talk need not
# wait for a handshake. Firewalls forget a silent connection after some minutes.
WARM_SECONDS = 45.0

# A request in flight: its batch, its target and its Authorization.
Attempt = tuple[Job, Target, str]


class Sender:
    """The lanes, seen from the main thread, which alone calls it and counts what is in flight."""

    def __init__(
        self,
        *,
        lanes: int,
        endpoint: Endpoint,
        access: AccessToken,
        report: Callable[[Event], None],
    ) -> None:
        self._held = [0] * lanes
        self.in_flight = 0  # targets that were handed to lanes and are not answered yet
        gather = GATHER_SECONDS_A_LANE * lanes
        self._lanes = [Lane(number, endpoint, access, report, gather) for number in range(lanes)]
        self._pool = ThreadPoolExecutor(max_workers=lanes, thread_name_prefix="lane")
        try:
            for lane in self._lanes:
                self._pool.submit(lane.run)
        except RuntimeError:  # no more threads can be started; Python's exit waits for the others
            self.close()
            raise

    @property
    def capacity(self) -> int:
        """Return how many targets the lanes hold at most."""
        return STREAMS * len(self._held)

    def room(self, size: int) -> int:
        """Return how many batches of `size` the lanes can take now."""
        return sum((STREAMS - held) // size for held in self._held)

    def portions(self, most: int) -> tuple[int, int]:
        """Return a size of batches, at most `most`, and how many of it the lanes can take now.

        The size is the largest that leaves no more than half of the free streams unused: slow
        answers occupy some streams of a lane, and its other streams must not wait for them.
        """
        free = sum(STREAMS - held for held in self._held)
        size = most
        while size // 2 >= most // LEAST_PORTION and 2 * size * self.room(size) < free:
            size //= 2
        return size, self.room(size)

    def send(self, job: Job) -> None:
        """Hand a claimed batch to the emptiest lane."""
        self._lanes[self._take_on(job)].give(job)

    def _take_on(self, job: Job) -> int:
        """Return the number of the lane that holds least, which holds this job from now on."""
        number = self._held.index(min(self._held))
        self._held[number] += len(job.targets)
        self.in_flight += len(job.targets)
        return number

    def settle(self, answered: Answered) -> None:
        """Note that a lane has answered, and so has room again."""
        self._held[answered.lane] -= len(answered.results)
        self.in_flight -= len(answered.results)

    def close(self) -> None:
        """Let the lanes finish what they hold, and end their threads."""
        for lane in self._lanes:
            lane.give(None)
        self._pool.shutdown()


class Lane:
    """One thread and its connection."""

    def __init__(
        self,
        number: int,
        endpoint: Endpoint,
        access: AccessToken,
        report: Callable[[Event], None],
        gather_seconds: float,
    ) -> None:
        self.number = number
        self.jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._endpoint = endpoint
        self._access = access
        self._report = report
        self._gather_seconds = gather_seconds
        self._attempts: dict[tuple[int, int], Attempt] = {}  # by batch and device
        self._closing = False
        self._connection: Connection | None = None
        self._warm_timer = Timer(WARM_SECONDS)

    def give(self, job: Job | None) -> None:
        """Give the lane work, or None to let it end; called on the main thread."""
        self.jobs.put(job)
        if self._connection:
            self._connection.wake()

    def run(self) -> None:
        """Send until closed. Whatever exception escapes, each target still gets a result."""
        threading.current_thread().name = f"lane-{self.number}"
        try:
            self._send_until_closed()
        except BaseException as error:
            # Reported before the results: they make room, and nothing may be claimed for it.
            self._report(HelperDied(f"lane {self.number}", f"{type(error).__name__}: {error}"))
            self._give_up()
            raise

    def _send_until_closed(self) -> None:
        connection = self._connection = Connection(self._endpoint)
        try:
            while self._take_jobs(connection):
                self._give_results(connection)
        finally:
            connection.close()

    def _take_jobs(self, connection: Connection) -> bool:
        """Start the jobs that wait; return False once it is closed and nothing is in flight."""
        with suppress(Empty):
            while not self._closing:
                job = self.jobs.get_nowait()
                if job:
                    self._start(connection, job)
                else:
                    self._closing = True
        if not self._closing and self._warm_timer.due():
            self._keep_warm(connection)
        return bool(self._attempts) or not self._closing

    def _keep_warm(self, connection: Connection) -> None:
        """See to it that the next send finds a connection and an access token."""
        self._warm_timer.restart()
        connection.warm()
        if self.number == 0:
            with suppress(NoAccessTokenError):
                self._access.header()

    def _start(self, connection: Connection, job: Job) -> None:
        self._warm_timer.restart()  # a connection that is used stays open
        for target in job.targets:
            self._attempts[job.batch_id, target.device_id] = (job, target, "")
        authorization = self._authorize(job, job.targets)
        if authorization:
            for target in job.targets:
                self._post(connection, job, target, authorization)

    def _authorize(self, job: Job, targets: tuple[Target, ...], refused: str = "") -> str:
        """Return the Authorization; without one report that nothing was sent, and return ""."""
        try:
            return self._access.header(refused=refused)
        except NoAccessTokenError as error:
            self._tell([self._result(job, target, error.verdict) for target in targets])
            return ""

    def _post(self, connection: Connection, job: Job, target: Target, authorization: str) -> None:
        key = (job.batch_id, target.device_id)
        self._attempts[key] = (job, target, authorization)
        body = complete(job.head, job.tail, kind=target.kind, token=target.token)
        connection.post(key, body, authorization=authorization)

    def _give_results(self, connection: Connection) -> None:
        """Report the answers that came; then attempt once more what FCM did not authenticate."""
        results, refused = [], []
        seconds = WAIT_SECONDS if self._attempts else self._warm_timer.left()
        for key, answer in connection.wait(seconds):
            job, target, authorization = self._attempts[key]
            verdict = classify(answer)
            if verdict.meaning is Meaning.UNAUTHENTICATED:
                refused.append((job, target, authorization, verdict))
            else:
                results.append(self._result(job, target, verdict, answer))
        self._tell(results)  # before a refresh of the access token, which may take long or fail
        for attempt in refused:
            self._once_more(connection, *attempt)
        if results and self._attempts:
            connection.rest(self._gather_seconds)

    def _once_more(
        self, connection: Connection, job: Job, target: Target, refused: str, verdict: Verdict
    ) -> None:
        """Attempt again with a newer access token: FCM refused this one, and accepted nothing."""
        original = next(each for each in job.targets if each.device_id == target.device_id)
        if target.attempt > original.attempt:
            misconfigured = verdict._replace(meaning=Meaning.MISCONFIGURED)
            self._tell([self._result(job, target, misconfigured)])
            return
        again = target._replace(attempt=target.attempt + 1)
        if authorization := self._authorize(job, (again,), refused):
            self._post(connection, job, again, authorization)

    def _result(
        self, job: Job, target: Target, verdict: Verdict, answer: Answer | None = None
    ) -> Result:
        """Return what became of the attempt, which is no longer in flight."""
        del self._attempts[job.batch_id, target.device_id]
        retry_after = answer.retry_after if answer else 0
        return Result(job.batch_id, job.notification_id, target, verdict, retry_after)

    def _tell(self, results: list[Result]) -> None:
        if results:
            self._report(Answered(self.number, tuple(results)))

    def _give_up(self) -> None:
        """Report what a dead lane was sending as unknown, since FCM may have accepted it.

        Until the lane is closed it may be handed more jobs: the main thread hears of its death
        later.
        """
        unknown = Verdict(Meaning.UNKNOWN, code="LANE_DIED")
        while True:
            lost = list(self._attempts.values())
            self._tell([self._result(job, target, unknown) for job, target, _ in lost])
            if self._closing or (job := self.jobs.get()) is None:
                return
            for target in job.targets:
                self._attempts[job.batch_id, target.device_id] = (job, target, "")

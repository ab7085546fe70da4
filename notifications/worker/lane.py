"""A lane: one thread with one connection, which turns claimed targets into results.

It takes the next target as soon as a stream of its connection is free, and reports each result as
it comes: a slow answer holds back nobody but itself.
"""

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from notifications.fcm.connection import Connection
from notifications.fcm.credentials import AccessToken
from notifications.fcm.endpoint import Endpoint
from notifications.fcm.failures import Failure
from notifications.fcm.key import NoAccessTokenError
from notifications.fcm.message import complete
from notifications.fcm.outcomes import Answer, Meaning, Verdict, classify
from notifications.fcm.sending import STREAMS

from .ahead import Ahead
from .inbox import Answered, Event, HelperDied, Tried
from .latency import Latency
from .timer import Timer
from .turnaround import Turnaround
from .work import Job, Result, Target

# How long a lane waits for answers before it looks again; new targets wake the lane at once.
WAIT_SECONDS = 1.0

# After an answer came, and its stream was used again, a lane lets others gather before it looks
# again: waking up costs more than sending (measured). Streams stand idle for no longer than that.
GATHER_SECONDS = 0.01

# How often an idle lane sees whether its connection is still there, so that the next talk need not
# wait for a handshake. Firewalls forget a silent connection after some minutes.
WARM_SECONDS = 45.0
# The same after that has failed.
WARM_AGAIN_SECONDS = 5.0


class Attempt(NamedTuple):
    """A request in flight."""

    job: Job
    target: Target
    authorization: str
    began_at: float  # on the monotonic clock
    is_repeated: bool = False  # with another access token, after FCM refused the first


class Lane:
    """It sends what waits ahead of all lanes, until that is closed and empty."""

    def __init__(
        self,
        number: int,
        ahead: Ahead,
        endpoint: Endpoint,
        access: AccessToken,
        report: Callable[[Event], None],
    ) -> None:
        self.number = number
        self._ahead = ahead
        self._endpoint = endpoint
        self._access = access
        self._report = report
        self._attempts: dict[int, Attempt] = {}  # in flight, by their numbers
        self._numbers = itertools.count()
        self._answers_come = False  # some came just now
        self._gathered = False  # answers may have been there for GATHER_SECONDS
        self._lulls = 0  # of what waits ahead, as far as the turn-around knows
        self._connection: Connection | None = None
        self.turnaround = Turnaround()
        self.latency = Latency()
        self._warm_timer = Timer(WARM_SECONDS)
        self._anew_timer = Timer(WARM_SECONDS)
        self._failing: set[bool] = set()  # what could not be had: credentials, a connection

    @property
    def in_flight(self) -> int:
        """Return how many of its requests have no answer yet; from any thread."""
        return len(self._attempts)

    def wake(self) -> None:
        """Let the lane look for work; called on the main thread."""
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
            self._die()
            raise

    def _send_until_closed(self) -> None:
        connection = self._connection = Connection(
            self._endpoint,
            may_begin=self._ahead.may_begin,
            dialled=lambda failure: self._note(Tried(failure or "")),
            ended=self._connect_anew,
        )
        try:
            while self._take_targets(connection):
                is_woken = self._let_gather(connection)
                if not is_woken:
                    self._give_results(connection)
        finally:
            connection.close()

    def _take_targets(self, connection: Connection) -> bool:
        """Start as many as there are free streams; return False when all is done."""
        is_closed = self._ahead.is_closed  # asked first: afterwards nothing comes any more
        free = STREAMS - len(self._attempts)
        if free and self._ahead:
            self._start(connection, free)
        elif self._warm_timer.due() and not is_closed:
            self._keep_warm(connection)
        return bool(self._attempts) or not is_closed or bool(self._ahead)

    def _keep_warm(self, connection: Connection) -> None:
        """See to it that the next send finds a connection and an access token."""
        self._warm_timer.restart()
        connection.warm()
        if self.number == 0:
            self._try_credentials()

    def _try_credentials(self) -> None:
        """See to it that there is an access token."""
        try:
            self._access.header()
        except NoAccessTokenError as error:
            self._note(Tried(error.verdict.code, is_of_credentials=True))
        else:
            self._note(Tried(is_of_credentials=True))

    def _note(self, tried: Tried) -> None:
        """Tell what came of an attempt without a request; try again soon when it failed."""
        (self._failing.add if tried.failure else self._failing.discard)(tried.is_of_credentials)
        self._warm_timer.every = WARM_AGAIN_SECONDS if self._failing else WARM_SECONDS
        self._warm_timer.restart()
        self._report(tried)

    def _connect_anew(self) -> None:
        """Connect at once, since a connection has ended: it shows whether FCM is still there.

        It does so once in WARM_SECONDS, since a server may close each connection that is idle.
        """
        if self._anew_timer.due():
            self._anew_timer.restart()
            self._warm_timer.ring()

    def _start(self, connection: Connection, most: int) -> None:
        """Start the next targets; without an access token report that nothing was sent."""
        self._warm_timer.restart()  # a connection that is used stays open
        try:
            authorization = self._access.header()
        except NoAccessTokenError as error:
            taken = self._ahead.take(most)
            self._tell([Result.of(job, target, error.verdict) for job, target in taken])
            return
        now = time.monotonic()
        if self._lulls != self._ahead.lulls:
            self._lulls = self._ahead.lulls
            self.turnaround.forget()
        for job, target in self._ahead.take(most):
            self._post(connection, Attempt(job, target, authorization, now))
            self.turnaround.used(now=now)

    def _post(self, connection: Connection, attempt: Attempt) -> None:
        number = next(self._numbers)
        self._attempts[number] = attempt
        job, target = attempt.job, attempt.target
        body = complete(job.head, job.tail, kind=target.kind, token=target.token)
        connection.post(number, body, authorization=attempt.authorization)

    def _let_gather(self, connection: Connection) -> bool:
        """Let answers gather, if some came just now; return whether new targets woke the lane."""
        self._gathered, self._answers_come = self._answers_come and bool(self._attempts), False
        return self._gathered and connection.rest(GATHER_SECONDS)

    def _give_results(self, connection: Connection) -> None:
        """Report the answers that came; then attempt once more what FCM did not authenticate."""
        answers = connection.wait(self._patience())
        answered, results, refused, began = [], [], [], []
        for number, answer in answers:
            attempt = self._attempts[number]
            if answer.failure in (None, Failure.TIMED_OUT):  # as long as it was waited for
                began.append(attempt.began_at)
            verdict = classify(answer)
            if verdict.meaning is Meaning.UNAUTHENTICATED:
                refused.append((number, verdict))
                continue
            answered.append(number)
            results.append(result_of(attempt, verdict, answer.retry_after))
        self.latency.note(began)
        self._note_idle_streams(len(answered))
        self._end(answered, results)  # before a refresh of the access token, which may fail
        for number, verdict in refused:
            self._once_more(connection, number, verdict)
        if self._ahead.is_closed and any(is_failing(answer) for _, answer in answers):
            self._tell(self._ahead.give_up())  # a stop need not try a failing FCM to the end
        self._answers_come = bool(results)

    def _patience(self) -> float:
        """Return for how many seconds nothing is due, unless it is woken or an answer comes.

        Nobody wakes a lane for what waits already: it may not sleep while it has a free stream.
        """
        if self._ahead and len(self._attempts) < STREAMS:
            return 0
        return WAIT_SECONDS if self._attempts else self._warm_timer.left()

    def _note_idle_streams(self, streams: int) -> None:
        """Let the turn-around of so many streams begin; rather too early than too late."""
        if self._ahead.is_wanting:
            gathered = GATHER_SECONDS if self._gathered else 0
            self.turnaround.freed(streams, now=time.monotonic() - gathered)
        else:
            self.turnaround.forget()

    def _once_more(self, connection: Connection, number: int, verdict: Verdict) -> None:
        """Attempt again with a newer access token: FCM refused this one, and accepted nothing."""
        attempt = self._attempts[number]
        if attempt.is_repeated:
            misconfigured = verdict._replace(meaning=Meaning.MISCONFIGURED)
            self._end([number], [result_of(attempt, misconfigured)])
            return
        try:
            authorization = self._access.header(refused=attempt.authorization)
        except NoAccessTokenError as error:
            self._end([number], [result_of(attempt._replace(is_repeated=True), error.verdict)])
            return
        del self._attempts[number]
        repeated = attempt._replace(
            authorization=authorization, began_at=time.monotonic(), is_repeated=True
        )
        self._post(connection, repeated)

    def _end(self, numbers: Sequence[int], results: Sequence[Result]) -> None:
        """Report what became of attempts, of which each has a result from here on."""
        for number in numbers:
            del self._attempts[number]
        self._tell(results)

    def _tell(self, results: Sequence[Result]) -> None:
        if results:
            self._report(Answered(tuple(results)))

    def _die(self) -> None:
        """Report as unknown what was in flight, since FCM may have accepted it.

        What no lane has taken is sent by the others, or was not sent where none is left.
        """
        unknown = Verdict(Meaning.UNKNOWN, code="LANE_DIED")
        self._tell([result_of(attempt, unknown) for attempt in self._attempts.values()])
        self._ahead.leave()
        if self._ahead.is_deserted:
            self._tell(self._ahead.give_up())


def result_of(attempt: Attempt, verdict: Verdict, retry_after: float = 0) -> Result:
    """Return the result. A repeat is an attempt of its own, unless it reached nobody."""
    target = attempt.target
    if attempt.is_repeated:
        if verdict.meaning is Meaning.UNREACHED:  # but FCM was reached, and refused the first
            verdict = verdict._replace(meaning=Meaning.NOT_PROCESSED)
        else:
            target = target._replace(attempt=target.attempt + 1)
    return Result.of(attempt.job, target, verdict, retry_after)


def is_failing(answer: Answer) -> bool:
    """Return whether FCM was not there to answer; it is there if it says NOT_PROCESSED."""
    return answer.failure not in (None, Failure.NOT_PROCESSED)

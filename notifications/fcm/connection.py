"""The way to FCM of one lane: requests that wait, and those in flight, up to a hundred at once.

One attempt is one POST: nothing here, nor below, sends a request again. A request waits until there
is a connection that takes it; one that waits in vain was not sent.
"""

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from notifications import failpoints

from .endpoint import Endpoint
from .failures import Failure
from .link import Link
from .links import Links
from .outcomes import Answer

# While anything is awaited, how often to look whether its time is up.
LOOK_SECONDS = 0.25

# After so many connections in a row that ended before they took a request, the requests that wait
# are answered as not sent.
MOST_FRUITLESS = 2

Request = tuple[object, bytes, str]  # key, body, authorization
Answered = tuple[Any, Answer]


class Connection:
    """Requests to one endpoint. Not thread-safe but for `wake`: one lane owns it.

    It asks `may_begin` before it begins requests, which may have waited for long; it tells
    `dialled` why each attempt to connect failed, None when it did not, and it tells `ended` that a
    connection has ended while no request waited, so that nothing makes another one.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        may_begin: Callable[[], bool] = lambda: True,
        dialled: Callable[[Failure | None], None] = lambda failure: None,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        self._endpoint = endpoint
        self._may_begin = may_begin
        self._ended = ended
        self._links = Links(endpoint, dialled)
        self._waiting: deque[Request] = deque()
        self._answers: list[Answered] = []
        self._moved_at = time.monotonic()  # when a request was last started
        self._looked_at = time.monotonic()  # when what had come was last read
        self._fruitless = 0
        # A request's time was up: until the next answer, requests go one at a time. Else a server
        # that takes everything and answers nothing would leave a hundred unknown at every timeout.
        self._is_mute = False
        self._is_probing = False  # one that was started alone has no answer yet

    @property
    def in_flight(self) -> int:
        """Return how many requests have no answer yet, those that wait included."""
        return len(self._waiting) + self._links.in_flight + len(self._answers)

    def wake(self) -> None:
        """End a `wait` or a `rest`, from any thread."""
        self._links.wake()

    def post(self, key: object, body: bytes, *, authorization: str) -> None:
        """Start the one POST of an attempt; `wait` returns its answer with `key`."""
        if not self._waiting:
            self._moved_at = time.monotonic()
            self._fruitless = 0
        self._waiting.append((key, body, authorization))

    def warm(self) -> None:
        """Connect ahead, or see whether the connection is still there; FCM gets no request."""
        self._look(0)
        self._tick()
        self._links.connect()
        if self._links.taking:
            self._links.taking.session.tick(now=time.monotonic(), is_wanted=True)

    def wait(self, seconds: float) -> list[Answered]:
        """Return the answers that came, after waiting up to `seconds` for any, or for `wake`."""
        self._send()
        # Answers are read before times are up: this process may have stood still for long.
        self._look(self._patience(seconds))
        self._tick()
        self._go_on()
        answers, self._answers = self._answers, []
        return answers

    def rest(self, seconds: float) -> bool:
        """Send what can be, then let answers gather for so long; return whether it was woken."""
        self._send()
        return self._links.rest(seconds)

    def close(self) -> None:
        """Close everything; what has no answer gets none."""
        self._links.close()

    def _send(self) -> None:
        """Start and send what can be; before that, read what may have come long ago."""
        if self._waiting and self._may_have_missed_much():
            self._look(0)
            self._tick()
        self._go_on()

    def _look(self, seconds: float) -> None:
        self._links.look(seconds)
        self._looked_at = time.monotonic()

    def _may_have_missed_much(self) -> bool:
        """Return whether a GOAWAY or the end may have come: nothing was in flight, or for long."""
        return not self._links.in_flight or time.monotonic() >= self._looked_at + LOOK_SECONDS

    def _patience(self, seconds: float) -> float:
        """Return how long to wait for the network."""
        if self._answers:
            return 0
        is_awaiting = self._waiting or self._links.are_busy
        return min(seconds, LOOK_SECONDS) if is_awaiting else seconds

    def _tick(self) -> None:
        """Do what is due, and take what became of requests."""
        now = time.monotonic()
        for link in self._links:
            is_wanted = bool(self._waiting) and link is self._links.taking
            link.session.tick(now=now, is_wanted=is_wanted)
            self._take_answers(link)

    def _go_on(self) -> None:
        """Start and send what can be without waiting."""
        now = time.monotonic()
        if failure := self._links.meet(now=now):
            self._give_up_waiting(failure)
        self._links.send(now=now)
        self._put_away()
        if self._waiting:
            self._start(now)
            self._links.send(now=now)
            self._put_away()

    def _put_away(self) -> None:
        """Take leave of connections that have ended, before another is made for those that wait."""
        for link in self._links.put_away():
            self._take_answers(link)
            if self._waiting:
                self._learn_from_the_end(link)
            else:
                self._ended()

    def _start(self, now: float) -> None:
        """Start the requests that wait, as many as may be started."""
        if not self._may_begin():
            self._give_up_waiting(Failure.NOT_SENT)
            return
        self._links.connect()
        link = self._links.taking
        if link and self._fill(link, now):
            self._moved_at = now
            self._fruitless = 0
        elif link and link.session.is_stuck:
            link.session.leave()
        if self._waiting and now - self._moved_at >= self._endpoint.timeout:
            # Where others got no answer in time, their answers say what is wrong.
            self._give_up_waiting(Failure.NOT_SENT if self._is_mute else Failure.NOT_TAKEN)

    def _fill(self, link: Link, now: float) -> bool:
        """Start what the link takes; return whether it took anything."""
        session, began = link.session, False
        while self._waiting and session.takes(len(self._waiting[0][1])):
            if self._is_mute and session.in_flight:
                break
            key, body, authorization = self._waiting.popleft()
            session.begin(key, body, authorization, now=now)
            began, self._is_probing = True, self._is_mute
            if failpoints.armed:
                link.write(now=now)
                failpoints.reach("request_written")
        return began

    def _give_up_waiting(self, failure: Failure) -> None:
        """Answer those that wait: they were not sent, for this reason."""
        self._answers += [(key, Answer(failure)) for key, _, _ in self._waiting]
        self._waiting.clear()

    def _take_answers(self, link: Link) -> None:
        """Take what became of requests, and learn from it whether anybody answers."""
        answers = link.session.take_answers()
        for _key, answer in answers:
            if answer.failure is None:
                self._is_mute = self._is_probing = False
                continue
            if self._is_probing:
                self._is_probing = False
                self._give_up_waiting(Failure.NOT_SENT)
            self._is_mute |= answer.failure is Failure.TIMED_OUT
        if answers and self._is_mute and not link.session.in_flight:
            link.session.leave()  # PINGs may be answered by a proxy that has lost what is behind it
        self._answers += answers

    def _learn_from_the_end(self, link: Link) -> None:
        """Stop trying for those that wait, where connections end before they take a request."""
        if link.session.has_begun:
            return
        self._fruitless += 1
        is_silent = link.session.failure is Failure.NO_SETTINGS
        if is_silent or self._fruitless >= MOST_FRUITLESS:
            self._give_up_waiting(Failure.NO_SETTINGS if is_silent else Failure.NOT_TAKEN)

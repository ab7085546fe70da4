"""The way to FCM of one lane: one HTTP/2 connection with up to a hundred requests at once.

    post ─> waiting ─> the link that takes requests ─> FCM
                       links that are leaving: only their answers are awaited
                       a dial, while there is no link that takes requests

One attempt is one POST: nothing here, nor below, sends a request again. A request waits until there
is a connection that takes it; one that waits in vain was not sent.
"""

import math
import select
import socket
import time
from collections import deque
from contextlib import suppress
from typing import Any

from notifications import failpoints

from .dial import Dial
from .endpoint import Endpoint
from .failures import NOTHING_WAS_SENT, Failure
from .link import Link
from .outcomes import Answer
from .session import Session, State
from .tls import Resumable

# While anything is awaited, how often to look whether its time is up.
LOOK_SECONDS = 0.25

# A server that ends so many connections in a row before a request could be started is not tried
# again for those that wait.
MOST_FRUITLESS = 2

# What is watched for, and how it shows that the server has closed. Where there is no POLLRDHUP (off
# Linux), POLLHUP means the same.
CLOSED_BY_SERVER = getattr(select, "POLLRDHUP", 0)
READABLE = select.POLLIN | CLOSED_BY_SERVER
ENDED = CLOSED_BY_SERVER | select.POLLHUP | select.POLLERR

Request = tuple[object, bytes, str]  # key, body, authorization
Answered = tuple[Any, Answer]


class Connection:
    """Requests in flight to one endpoint. Not thread-safe but for `wake`: one lane owns it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._waiting: deque[Request] = deque()
        self._answers: list[Answered] = []
        self._link: Link | None = None  # that takes requests
        self._links: dict[int, Link] = {}  # all of them, by descriptor
        self._dial: Dial | None = None
        self._resumable: Resumable | None = None
        self._moved_at = time.monotonic()  # when a request was last started
        self._fruitless = 0
        # A request's time was up: until the next answer, requests go one at a time. Else a server
        # that takes everything and answers nothing would leave a hundred unknown at every timeout.
        self._is_mute = False
        self._is_probing = False  # one that was started alone has no answer yet
        self._wake_up, self._woken = socket.socketpair()
        self._wake_up.setblocking(False)
        self._woken.setblocking(False)
        self._rest = select.poll()
        self._poll = select.poll()
        for poll in (self._rest, self._poll):
            poll.register(self._woken, select.POLLIN)

    @property
    def in_flight(self) -> int:
        """Return how many requests have no answer yet, those that wait included."""
        started = sum(link.session.in_flight for link in self._links.values())
        return len(self._waiting) + started + len(self._answers)

    def wake(self) -> None:
        """End a `wait` or a `rest`, from any thread."""
        with suppress(OSError):  # full: it is awake; closed: it is gone
            self._wake_up.send(b"!")

    def post(self, key: object, body: bytes, *, authorization: str) -> None:
        """Start the one POST of an attempt; `wait` returns its answer with `key`."""
        if not self._waiting:
            self._moved_at = time.monotonic()
        self._waiting.append((key, body, authorization))

    def warm(self) -> None:
        """Connect ahead, or see whether the connection is still there; FCM gets no request."""
        if self._link:
            self._link.session.tick(now=time.monotonic(), is_wanted=True)
        else:
            self._connect()

    def wait(self, seconds: float) -> list[Answered]:
        """Return the answers that came, after waiting up to `seconds` for any, or for `wake`."""
        if self._waiting and not self._is_in_use:
            self._look(0)  # a GOAWAY or the end may have come while nothing was in flight
        self._advance(time.monotonic())
        if not self._answers:
            self._look(min(seconds, LOOK_SECONDS) if self._is_busy else seconds)
            self._advance(time.monotonic())
        answers, self._answers = self._answers, []
        return answers

    def rest(self, seconds: float) -> None:
        """Let answers gather for so long, or until woken."""
        if self._rest.poll(math.ceil(seconds * 1000)):
            self._sleep_again()

    def close(self) -> None:
        """Close everything; what has no answer gets none."""
        if self._dial:
            self._dial.abandon()
        for link in self._links.values():
            link.close()
        self._wake_up.close()
        self._woken.close()

    @property
    def _is_busy(self) -> bool:
        return bool(
            self._waiting
            or self._dial
            or any(each.session.is_busy for each in self._links.values())
        )

    @property
    def _is_in_use(self) -> bool:
        return any(link.session.in_flight for link in self._links.values())

    def _look(self, seconds: float) -> None:
        """Wait for the network, then read what came."""
        for descriptor, signs in self._poll.poll(math.ceil(seconds * 1000)):
            if link := self._links.get(descriptor):
                # The end of a connection may lie behind more than one read. Nothing may be started
                # before it is seen: that would be unknown.
                while link.read(now=time.monotonic()) and signs & ENDED:
                    pass
            else:
                self._sleep_again()

    def _sleep_again(self) -> None:
        with suppress(BlockingIOError):
            self._woken.recv(1024)

    def _advance(self, now: float) -> None:
        """Do all that can be done without waiting."""
        self._take_dialled(now)
        for link in list(self._links.values()):
            link.session.tick(now=now, is_wanted=bool(self._waiting) and link is self._link)
            self._take_answers(link)
        self._start(now)
        for link in list(self._links.values()):
            self._send(link, now)

    # --- Connections -------------------------------------------------------------------------

    def _connect(self) -> None:
        if not self._dial:
            self._dial = Dial(self._endpoint, resume=self._resumable, done=self.wake)

    def _take_dialled(self, now: float) -> None:
        """Take the connection that was made, or tell those that waited for it why there is none."""
        dial = self._dial
        if not dial or not dial.is_done(now=now):
            return
        self._dial = None
        if dial.socket:
            session = Session(
                authority=self._endpoint.authority,
                path=self._endpoint.path,
                timeout=self._endpoint.timeout,
                now=now,
            )
            self._link = link = Link(dial.socket, session)
            self._links[link.descriptor] = link
            self._poll.register(link.descriptor, READABLE)
        else:
            dial.abandon()
            self._give_up_waiting(dial.failure or Failure.NOT_CONNECTED)

    def _send(self, link: Link, now: float) -> None:
        """Let a link write; watch for when it may write more, and put it away once it is closed."""
        link.write(now=now)
        if link.session.state is State.CLOSED:
            self._put_away(link)
        elif link.is_blocked != link.was_blocked:
            link.was_blocked = link.is_blocked
            signs = READABLE | (select.POLLOUT if link.is_blocked else 0)
            self._poll.modify(link.descriptor, signs)

    def _put_away(self, link: Link) -> None:
        self._take_answers(link)
        del self._links[link.descriptor]
        self._poll.unregister(link.descriptor)
        self._resumable = link.resumable or self._resumable
        link.close()
        if link is self._link:
            self._link = None
        if not link.session.has_begun:
            self._fruitless += 1
            if self._fruitless >= MOST_FRUITLESS or link.session.failure is Failure.NO_SETTINGS:
                self._give_up_waiting(link.session.failure)

    # --- Requests ----------------------------------------------------------------------------

    def _start(self, now: float) -> None:
        """Start the requests that wait, as many as may be started."""
        if self._link and self._link.session.state in (State.LEAVING, State.CLOSED):
            self._link = None
        if not self._waiting:
            return
        if not self._link:
            self._connect()
        elif self._fill(self._link, now):
            self._moved_at = now
            self._fruitless = 0
        elif self._link.session.is_stuck:
            self._link.session.leave()
        if self._waiting and now - self._moved_at >= self._endpoint.timeout:
            self._give_up_waiting(Failure.NOT_SENT)

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

    def _give_up_waiting(self, failure: Failure | None) -> None:
        """Answer those that wait: they were not sent, for this reason if it says as much."""
        unsent = failure if failure in NOTHING_WAS_SENT else Failure.NOT_SENT
        self._answers += [(key, Answer(unsent)) for key, _, _ in self._waiting]
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

"""The connections of one lane: the one that takes requests, those that are leaving, and a dial.

    dial ──> taking requests ── GOAWAY, silence ──> leaving ── the last answer ──> closed
                 └────────────────── lost, or against the rules ──────────────────────┘

While one is leaving, the next is made beside it.
"""

import math
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from .dial import Dial
from .endpoint import Endpoint
from .failures import Failure
from .link import Link
from .session import Session, State
from .tls import Resumable


class Links:
    """Sockets, and waiting for them. Not thread-safe but for `wake`.

    It tells `dialled` why each attempt to connect failed, None when it did not.
    """

    def __init__(self, endpoint: Endpoint, dialled: Callable[[Failure | None], None]) -> None:
        self._dialled = dialled
        self.taking: Link | None = None  # that takes requests
        self._endpoint = endpoint
        self._links: dict[int, Link] = {}  # all of them, by descriptor
        self._dial: Dial | None = None
        self._resumable: Resumable | None = None
        self._wake_up, self._woken = socket.socketpair()
        self._wake_up.setblocking(False)
        self._woken.setblocking(False)
        self._rest = select.poll()
        self._poll = select.poll()
        for poll in (self._rest, self._poll):
            poll.register(self._woken, select.POLLIN)

    def __iter__(self) -> Iterator[Link]:
        return iter(list(self._links.values()))

    @property
    def in_flight(self) -> int:
        """Return how many requests were started and have no answer."""
        return sum(link.session.in_flight for link in self._links.values())

    @property
    def are_busy(self) -> bool:
        """Return whether anything is awaited whose time may be up."""
        return bool(self._dial) or any(link.session.is_busy for link in self._links.values())

    # --- Waiting -----------------------------------------------------------------------------

    def wake(self) -> None:
        """End a `look` or a `rest`, from any thread."""
        with suppress(OSError):  # full: it is awake; closed: it is gone
            self._wake_up.send(b"!")

    def rest(self, seconds: float) -> bool:
        """Let answers gather for so long, or until woken; return whether it was woken."""
        is_awake = bool(self._rest.poll(math.ceil(seconds * 1000)))
        if is_awake:
            self._sleep_again()
        return is_awake

    def look(self, seconds: float) -> None:
        """Wait for the network, then read what came."""
        for descriptor, _ in self._poll.poll(math.ceil(seconds * 1000)):
            if link := self._links.get(descriptor):
                # The end of a connection may lie behind more than one read. Nothing may be started
                # before it is seen, nor may a time be up: both would be unknown.
                while link.read(now=time.monotonic()):
                    pass
            else:
                self._sleep_again()

    def _sleep_again(self) -> None:
        with suppress(BlockingIOError):
            self._woken.recv(1024)

    # --- The life of a connection ------------------------------------------------------------

    def connect(self) -> None:
        """See to it that there is a connection that takes requests, or one is made."""
        if self.taking and self.taking.session.state in (State.LEAVING, State.CLOSED):
            self.taking = None
        if not (self.taking or self._dial):
            self._dial = Dial(self._endpoint, resume=self._resumable, done=self.wake)

    def meet(self, *, now: float) -> Failure | None:
        """Take the connection that was made; return why none was, if it is known by now."""
        dial = self._dial
        if not dial or not dial.is_done(now=now):
            return None
        self._dial = None
        if not dial.socket:
            self._resumable = None  # it may be what the server does not like
            dial.abandon()
            failure = dial.failure or Failure.NOT_CONNECTED
            self._dialled(failure)
            return failure
        session = Session(
            authority=self._endpoint.authority,
            path=self._endpoint.path,
            timeout=self._endpoint.timeout,
            now=now,
        )
        self.taking = link = Link(dial.socket, session)
        self._links[link.descriptor] = link
        self._poll.register(link.descriptor, select.POLLIN)
        self._dialled(None)
        return None

    def send(self, *, now: float) -> None:
        """Let all write what their sockets take, and watch for when they may write more."""
        for link in self._links.values():
            link.write(now=now)
            if link.is_blocked != link.was_blocked:
                link.was_blocked = link.is_blocked
                signs = select.POLLIN | (select.POLLOUT if link.is_blocked else 0)
                self._poll.modify(link.descriptor, signs)

    def put_away(self) -> list[Link]:
        """Close those whose sessions have ended, and return them."""
        ended = [link for link in self if link.session.state is State.CLOSED]
        for link in ended:
            del self._links[link.descriptor]
            self._poll.unregister(link.descriptor)
            self._resumable = link.resumable or self._resumable
            link.close()
            if link is self.taking:
                self.taking = None
        return ended

    def close(self) -> None:
        """Close everything."""
        if self._dial:
            self._dial.abandon()
        for link in self._links.values():
            link.close()
        self._wake_up.close()
        self._woken.close()

"""How a server misbehaves: each class is one fault, and says when it strikes."""

import asyncio
import time
from collections import deque
from typing import cast

from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from fcm_emulator import answers

from .http import Http2Peer, Peer

EVERY = 10  # of so many requests, one meets the fault
A_MOMENT_SECONDS = 0.01
A_WINDOW = 65_535  # bytes of a body, more than any
MANY = 100  # streams at once
EVERYBODY = 10**9
ANY_STREAM = 2**31 - 1  # in a GOAWAY: nothing is refused yet


class Manners:
    """Good ones: every request is accepted and answered."""

    refusal = answers.UNAVAILABLE  # what one that is not accepted is answered, if it is
    gives_room = True  # for more bodies, once some were read (RFC 9113, 6.9)

    def opened(self, peer: Http2Peer) -> None:
        """There is a new connection."""

    def began(self, peer: Http2Peer, stream: int) -> None:
        """A request's headers came."""

    def read(self, peer: Http2Peer, stream: int) -> None:
        """A part of a request's body came."""

    def acknowledged(self, peer: Http2Peer) -> None:
        """The client has read all that was sent to it before a PING."""

    def accepts(self, peer: Peer, stream: int) -> bool:
        """Return whether a complete request is accepted; asked once for each."""
        return True

    def reply(self, peer: Peer, stream: int, status: int, body: bytes) -> None:
        """Answer a request, or not."""
        peer.answer(stream, status, body)


class GivesNoRoom(Manners):
    """Forgets to allow more bodies than the 65,535 bytes that a new connection may send."""

    gives_room = False


class GoesAway(Manners):
    """Says GOAWAY on its first connection once so many requests came.

    Only the first `processed` of them are accepted and answered, which the GOAWAY says; when it has
    said so and these have their answers, the connection is closed (RFC 9113, 6.8).
    """

    def __init__(self, *, processed: int, received: int) -> None:
        self.processed = processed
        self.received = received
        self.leaving: Peer | None = None

    def accepts(self, peer: Peer, stream: int) -> bool:
        self.leaving = self.leaving or peer
        if peer is not self.leaving:
            return True
        if len(peer.posts) == self.received:
            cast(Http2Peer, peer).go_away(peer.posts[self.processed - 1])
        return len(peer.posts) <= self.processed

    def reply(self, peer: Peer, stream: int, status: int, body: bytes) -> None:
        if peer is not self.leaving:
            peer.answer(stream, status, body)
            return
        if peer.posts.index(stream) < self.processed:
            peer.answer(stream, status, body)
        if peer.answered == self.processed and len(peer.posts) >= self.received:
            peer.close()


class GoesAwayInGoodOrder(Manners):
    """Leaves as Google's servers do: it warns, answers what is under way, and then is gone.

    Nothing more is under way once a PING after the warning is acknowledged (RFC 9113, 6.8).
    """

    def __init__(self, *, after: int) -> None:
        self.after = after
        self.leaving: Peer | None = None
        self.is_heard = False

    def accepts(self, peer: Peer, stream: int) -> bool:
        if self.leaving is None and len(peer.posts) == self.after:
            self.leaving = peer
            cast(Http2Peer, peer).go_away(ANY_STREAM)
            cast(Http2Peer, peer).h2.ping(b"is heard")
        return True

    def acknowledged(self, peer: Http2Peer) -> None:
        self.is_heard = True
        self._leave_if_done(peer)

    def reply(self, peer: Peer, stream: int, status: int, body: bytes) -> None:
        peer.answer(stream, status, body)
        self._leave_if_done(peer)

    def _leave_if_done(self, peer: Peer) -> None:
        if peer is self.leaving and self.is_heard and peer.is_idle:
            cast(Http2Peer, peer).go_away(peer.posts[-1])
            peer.close()


class GoesAwayAgainAndAgain(Manners):
    """Says GOAWAY at each of these requests, counted over all connections, on that request's one.

    It is the last that is processed there. What comes after it is neither accepted nor answered,
    and the connection is closed when all before it have their answers (RFC 9113, 6.8).
    """

    def __init__(self, *at: int) -> None:
        self.at = set(at)
        self.requests = 0
        self.not_processed = 0
        self.last: dict[Peer, int] = {}  # the last stream that is processed

    def accepts(self, peer: Peer, stream: int) -> bool:
        self.requests += 1
        if peer in self.last:
            self.not_processed += 1
            return False
        if self.requests in self.at:
            self.last[peer] = stream
            cast(Http2Peer, peer).go_away(stream)
        return True

    def reply(self, peer: Peer, stream: int, status: int, body: bytes) -> None:
        last = self.last.get(peer)
        if last is None or stream <= last:
            peer.answer(stream, status, body)
        if last is not None and peer.answered == sum(each <= last for each in peer.posts):
            peer.close()


class HangsUp(Manners):
    """Closes each connection after TLS, before a word, as a balancer does whose backend is dead."""

    def opened(self, peer: Http2Peer) -> None:
        peer.close()


class GoesAwayAtOnce(Manners):
    """Says SETTINGS and, in the same breath, that it takes nothing."""

    def opened(self, peer: Http2Peer) -> None:
        peer.go_away(0)


class RefusesStreams(Manners):
    """REFUSED_STREAM for one request in so many, before it has read the body."""

    def __init__(self, *, every: int = EVERY, of_the_first: int = EVERYBODY) -> None:
        self.every = every
        self.of_the_first = of_the_first
        self.begun = 0
        self.refused = 0

    def began(self, peer: Http2Peer, stream: int) -> None:
        self.begun += 1
        if self.begun <= self.of_the_first and self.begun % self.every == 0:
            self.refused += 1
            peer.reset_stream(stream, ErrorCodes.REFUSED_STREAM)


class ResetsStreams(Manners):
    """RST_STREAM in place of one answer in ten of each connection, accepted or not."""

    def __init__(self, code: ErrorCodes, *, accepted: bool) -> None:
        self.code = code
        self.accepted = accepted
        self.struck = 0

    def accepts(self, peer: Peer, stream: int) -> bool:
        return self.accepted or not self._strikes(peer, stream)

    def reply(self, peer: Peer, stream: int, status: int, body: bytes) -> None:
        if self._strikes(peer, stream):
            self.struck += 1
            cast(Http2Peer, peer).reset_stream(stream, self.code)
        else:
            peer.answer(stream, status, body)

    def _strikes(self, peer: Peer, stream: int) -> bool:
        return peer.posts.index(stream) % EVERY == 0


class ResetsConnection(Manners):
    """RST for the connection of the `at`th request, once `body_bytes` of its body have come.

    A window of flow control sees to it that no more of the body is under way.
    """

    def __init__(self, *, at: int, body_bytes: int) -> None:
        self.at = at
        self.body_bytes = body_bytes
        self.begun = 0
        self.struck: tuple[Peer, int] | None = None

    def opened(self, peer: Http2Peer) -> None:
        peer.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 0})

    def began(self, peer: Http2Peer, stream: int) -> None:
        self.begun += 1
        if self.begun != self.at:
            peer.h2.increment_flow_control_window(A_WINDOW, stream)
        elif self.body_bytes:
            self.struck = (peer, stream)
            peer.h2.increment_flow_control_window(self.body_bytes, stream)
        else:
            peer.reset()

    def read(self, peer: Http2Peer, stream: int) -> None:
        if (peer, stream) == self.struck:
            peer.reset()


class ResetsConnectionAfter(Manners):
    """RST for the connection of the `at`th request in place of its answer; it was accepted."""

    def __init__(self, *, at: int) -> None:
        self.at = at
        self.replies = 0

    def reply(self, peer: Peer, stream: int, status: int, body: bytes) -> None:
        self.replies += 1
        if self.replies == self.at:
            peer.reset()
        else:
            peer.answer(stream, status, body)


class AllowsFewerStreams(Manners):
    """SETTINGS_MAX_CONCURRENT_STREAMS changes: {after so many requests: at most so many}.

    A new connection that is sent more refuses them, read SETTINGS or not, as nghttp2 does.
    """

    def __init__(self, limits: dict[int, int]) -> None:
        self.limits = limits
        self.requests = 0
        self.refused = 0
        self.begun: dict[Peer, int] = {}
        self.at_first: dict[Peer, int] = {}

    def opened(self, peer: Http2Peer) -> None:
        self.begun[peer] = 0
        self.at_first[peer] = self._limit()
        self._tell(peer)

    def began(self, peer: Http2Peer, stream: int) -> None:
        if self.begun[peer] - peer.answered < self.at_first[peer]:
            self.begun[peer] += 1
        else:
            self.refused += 1
            peer.reset_stream(stream, ErrorCodes.REFUSED_STREAM)

    def accepts(self, peer: Peer, stream: int) -> bool:
        if self.requests in self.limits:
            self._tell(cast(Http2Peer, peer))
        self.requests += 1
        return True

    def _tell(self, peer: Http2Peer) -> None:
        peer.h2.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: self._limit()})

    def _limit(self) -> int:
        reached = [requests for requests in self.limits if requests <= self.requests]
        return self.limits[max(reached)] if reached else MANY


class SaysSettingsLate(AllowsFewerStreams):
    """The same, and its server stands still for so long before it says so on a new connection."""

    def __init__(self, limits: dict[int, int], *, after_seconds: float) -> None:
        super().__init__(limits)
        self.after_seconds = after_seconds

    def opened(self, peer: Http2Peer) -> None:
        time.sleep(self.after_seconds)
        super().opened(peer)


class AllowsFewerStreamsAndGoes(GoesAwayInGoodOrder, AllowsFewerStreams):
    """Allows so few on every connection, and leaves its first one."""

    def __init__(self, limits: dict[int, int], *, after: int) -> None:
        AllowsFewerStreams.__init__(self, limits)
        GoesAwayInGoodOrder.__init__(self, after=after)


class FallsSilent(Manners):
    """Answers the first so many requests of its first connection; then nothing, or of no other."""

    def __init__(self, *, after: int, on_all: bool = False) -> None:
        self.after = after
        self.on_all = on_all
        self.silent: Peer | None = None

    def reply(self, peer: Peer, stream: int, status: int, body: bytes) -> None:
        self.silent = self.silent or peer
        is_early = peer is self.silent and peer.posts.index(stream) < self.after
        if is_early or (peer is not self.silent and not self.on_all):
            peer.answer(stream, status, body)


class AnswersTheFirstLast(Manners):
    """The first request is answered once so many others are."""

    def __init__(self, *, others: int) -> None:
        self.others = others
        self.first = 0

    def reply(self, peer: Peer, stream: int, status: int, body: bytes) -> None:
        self.first = self.first or stream
        if stream == self.first and peer.answered < self.others:
            later = asyncio.get_running_loop().call_later
            later(A_MOMENT_SECONDS, self.reply, peer, stream, status, body)
        else:
            peer.answer(stream, status, body)


class AnswersSome(Manners):
    """Answers so many requests, and then none until it is told to answer more.

    So a fan-out stays half-way for as long as a test needs, however slow the machine is: nothing is
    claimed beyond what was answered and what the lanes hold.
    """

    def __init__(self, most: int) -> None:
        self.answered = 0
        self._most = most  # of all requests
        self._unanswered: deque[tuple[Peer, int, int, bytes]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None  # known once a request came

    @property
    def holds_back(self) -> bool:
        """Return whether a request waits that is not answered until the test says so."""
        return self.answered >= self._most and bool(self._unanswered)

    def answer_up_to(self, most: int) -> None:
        """Answer so many requests in all, those that wait first; from any thread."""
        self._most = most
        if self._loop:
            self._loop.call_soon_threadsafe(self._answer)

    def hurry(self) -> None:
        """Answer everybody at once from now on; from any thread."""
        self.answer_up_to(EVERYBODY)

    def reply(self, peer: Peer, stream: int, status: int, body: bytes) -> None:
        self._loop = asyncio.get_running_loop()
        self._unanswered.append((peer, stream, status, body))
        self._answer()

    def _answer(self) -> None:
        while self._unanswered and self.answered < self._most:
            peer, stream, status, body = self._unanswered.popleft()
            if not peer.transport.is_closing():
                peer.answer(stream, status, body)
                self.answered += 1


class LeavesWhenIdle(Manners):
    """Does away with a connection on which nothing is in flight, when it is told to."""

    def look_at(self, peer: Peer) -> None:
        """Leave it if it is idle."""
        if peer.is_idle and not peer.transport.is_closing():
            self.leave(peer)

    def leave(self, peer: Peer) -> None:
        """Close it: FIN."""
        peer.close()


class ResetsWhenIdle(LeavesWhenIdle):
    """The same, without a word to the client."""

    def leave(self, peer: Peer) -> None:
        """Forget it: RST."""
        peer.reset()


class GoesAwayWhenIdle(LeavesWhenIdle):
    """The same, but it is the client who is to close it."""

    def __init__(self) -> None:
        self.left: set[Peer] = set()

    def leave(self, peer: Peer) -> None:
        """Take no more on it: GOAWAY."""
        self.left.add(peer)
        cast(Http2Peer, peer).go_away(peer.posts[-1])

    def accepts(self, peer: Peer, stream: int) -> bool:
        return peer not in self.left


class KnowsNobody(Manners):
    """401, whatever the access token."""

    refusal = answers.UNAUTHENTICATED

    def accepts(self, peer: Peer, stream: int) -> bool:
        return False


class ServesNoProject(KnowsNobody):
    """403 PERMISSION_DENIED for everybody: the API is disabled in our project."""

    refusal = answers.SERVICE_DISABLED


class CallsUnregistered(Manners):
    """404 UNREGISTERED for everybody, but only when it is told to."""

    refusal = answers.UNREGISTERED

    def __init__(self) -> None:
        self.told = asyncio.Event()
        self.loop: asyncio.AbstractEventLoop

    def answer_now(self) -> None:
        """Let the answers go, from another thread."""
        self.loop.call_soon_threadsafe(self.told.set)

    def accepts(self, peer: Peer, stream: int) -> bool:
        self.loop = asyncio.get_running_loop()
        return False

    def reply(self, peer: Peer, stream: int, status: int, body: bytes) -> None:
        if self.told.is_set():
            peer.answer(stream, status, body)
        else:
            self.loop.call_later(A_MOMENT_SECONDS, self.reply, peer, stream, status, body)

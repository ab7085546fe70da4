"""Sends through the product's connections as the worker's lanes do, and counts what came of it."""

import itertools
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from fcm_emulator import journal
from notifications.fcm.connection import Connection
from notifications.fcm.link import Link
from notifications.fcm.outcomes import Answer, Meaning, classify
from notifications.fcm.sending import STREAMS

from .servers import Target

LANES = 10
BATCH = 25  # so many are started between two looks at what has come, as on a lane of the worker's
WAIT_SECONDS = 0.25
AGAIN = (Meaning.UNREACHED, Meaning.NOT_PROCESSED)  # what the worker attempts again as well
MOST_ATTEMPTS = 50  # of one notification; what comes so far has a fault that lasts
BETWEEN_ATTEMPTS_SECONDS = 0.05  # where nothing was processed; the worker waits for a second
BODY = '{"message":{"token":"%s","notification":{"title":"夜のラジオ","body":"第42回"}}}'


@dataclass
class Tally:
    """What became of notifications. A field that ends in `_as` counts by FCM's or our own code."""

    sends: int = 0
    accepted: int = 0  # as their answers say
    unknown_as: Counter[str] = field(default_factory=Counter)
    retried_as: Counter[str] = field(default_factory=Counter)  # attempts that were not processed
    refused_as: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    seconds: float = 0
    twice: int = 0  # as the server's journal says, like the next one
    never: int = 0

    @property
    def is_good(self) -> bool:
        """Return whether the server took each notification once, and each was known to be."""
        return self.accepted == self.sends and not (self.twice or self.never)

    def add(self, other: "Tally") -> None:
        """Add what another lane counted."""
        self.accepted += other.accepted
        self.unknown_as += other.unknown_as
        self.retried_as += other.retried_as
        self.refused_as += other.refused_as


def send(target: Target, sends: int, *, lanes: int = LANES, connections: int = 0) -> Tally:
    """Send so many notifications, each to a token of its own; return what became of them.

    Go on, one at a time, until there were so many connections: a server ends them when it likes.
    """
    tokens = [f"interop-{number}" for number in range(sends)]
    waiting = deque(tokens)
    more = itertools.count(sends)

    def run(_lane: int, links: list[Link]) -> Tally:
        with Lane.to(target, waiting) as lane:
            lane.work()
            while len(links) < connections:
                tokens.append(token := f"interop-{next(more)}")
                waiting.append(token)
                lane.work()
        return lane.tally

    return together(target, tokens, run, lanes)


def send_after_rests(
    target: Target, rests: Sequence[float], *, each_time: int = 3, lanes: int = LANES
) -> Tally:
    """Send a few from each lane after each rest of so many seconds, in which nothing is read."""
    parts: list[list[list[str]]] = [
        [
            [f"interop-{lane}-{rest}-{number}" for number in range(each_time)]
            for rest in range(len(rests))
        ]
        for lane in range(lanes)
    ]

    def run(number: int, _links: list[Link]) -> Tally:
        waiting: deque[str] = deque()
        with Lane.to(target, waiting) as lane:
            for seconds, tokens in zip(rests, parts[number], strict=True):
                time.sleep(seconds)
                waiting.extend(tokens)
                lane.work()
        return lane.tally

    tokens = [token for part in parts for some in part for token in some]
    return together(target, tokens, run, lanes)


def together(
    target: Target, tokens: list[str], run: Callable[[int, list[Link]], Tally], lanes: int
) -> Tally:
    """Run the lanes, each in its thread; return what they and the server's journal say.

    Each gets its number, and all connections that were made so far.
    """
    tally = Tally()
    started = time.monotonic()
    with counted_links() as links, ThreadPoolExecutor(lanes) as pool:
        for each in pool.map(run, range(lanes), itertools.repeat(links)):
            tally.add(each)
    tally.sends = len(tokens)
    tally.seconds = time.monotonic() - started
    tally.connections = len(links)
    seen = Counter(
        entry["token"] for entry in journal.read(target.journal) if entry["verdict"] == "accepted"
    )
    tally.twice = sum(times > 1 for times in seen.values())
    tally.never = sum(token not in seen for token in tokens)
    return tally


class Lane:
    """One connection and the notifications that it has taken from `waiting`."""

    def __init__(self, target: Target, waiting: deque[str], connection: Connection) -> None:
        self.tally = Tally()
        self._target = target
        self._waiting = waiting
        self._connection = connection
        self._attempts: Counter[str] = Counter()

    @classmethod
    @contextmanager
    def to(cls, target: Target, waiting: deque[str]) -> Iterator["Lane"]:
        """Yield a lane whose connection is closed in the end."""
        with closing(Connection(target.endpoint)) as connection:
            yield cls(target, waiting, connection)

    def work(self) -> None:
        """Send until nothing waits and everything has its answer."""
        while self._start() or self._connection.in_flight:
            unreached = [
                token
                for token, answer in self._connection.wait(WAIT_SECONDS)
                if self._take(token, answer)
            ]
            if unreached:
                self._connection.rest(BETWEEN_ATTEMPTS_SECONDS)
                self._waiting.extend(unreached)

    def _start(self) -> bool:
        """Start a batch, or as many as fit; return whether there were any."""
        started = False
        for _ in range(min(BATCH, STREAMS - self._connection.in_flight)):
            try:
                token = self._waiting.popleft()
            except IndexError:
                break
            body = self._target.dressed((BODY % token).encode())
            self._connection.post(token, body, authorization=self._target.authorization)
            self._attempts[token] += 1
            started = True
        return started

    def _take(self, token: str, answer: Answer) -> bool:
        """Count one answer; return whether the notification is to be sent again, as it may be."""
        verdict = classify(self._target.undressed(answer))
        if verdict.meaning is Meaning.ACCEPTED:
            self.tally.accepted += 1
        elif verdict.meaning is Meaning.UNKNOWN:
            self.tally.unknown_as[verdict.code] += 1
        elif verdict.meaning in AGAIN and self._attempts[token] < MOST_ATTEMPTS:
            self.tally.retried_as[verdict.code] += 1
            return True
        else:
            self.tally.refused_as[verdict.code] += 1
        return False


@contextmanager
def counted_links() -> Iterator[list[Link]]:
    """Yield a list of all connections that are made meanwhile."""
    links: list[Link] = []

    def counted(*made_of: Any) -> Link:
        links.append(link := Link(*made_of))
        return link

    with mock.patch("notifications.fcm.links.Link", counted):
        yield links

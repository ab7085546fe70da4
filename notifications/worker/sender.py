"""The sender: lanes on a bounded ThreadPoolExecutor, as the main thread sees them."""

import time
from collections.abc import Callable, Collection, Container
from concurrent.futures import ThreadPoolExecutor

from notifications.fcm.credentials import AccessToken
from notifications.fcm.endpoint import Endpoint

from . import latency, turnaround
from .ahead import Ahead
from .inbox import Answered, Event
from .lane import Lane
from .latency import Histogram
from .work import Job, Result

# How many targets may be in doubt for each lane: a hundred in flight, those that take a stream as
# soon as it is free, and those whose answers are not yet recorded. A killed worker leaves that many
# unknown, and I8 allows 150 (docs/reliability.md). With 120, 10,000 by ten lanes take 7 % longer
# (measured): streams stand idle.
HELD_A_LANE = 140


class Sender:
    """The main thread alone calls it, and counts what is in flight."""

    def __init__(
        self,
        *,
        lanes: int,
        endpoint: Endpoint,
        access: AccessToken,
        report: Callable[[Event], None],
    ) -> None:
        self.lanes = lanes
        self.capacity = HELD_A_LANE * lanes  # targets that may be handed over at once
        self.in_flight = 0  # targets that were handed over and are not answered yet
        self._report = report
        self._ahead = Ahead(lanes)
        self._lanes = [
            Lane(number, self._ahead, endpoint, access, report) for number in range(lanes)
        ]
        self._pool = ThreadPoolExecutor(max_workers=lanes, thread_name_prefix="lane")
        try:
            for lane in self._lanes:
                self._pool.submit(lane.run)
        except RuntimeError:  # no more threads can be started; Python's exit waits for the others
            self.close()
            raise

    def figures(self) -> dict[str, float | None]:
        """Return how long streams stood idle lately; None when none was used twice."""
        lanes = (lane.turnaround for lane in self._lanes)
        return turnaround.figures(lanes, now=time.monotonic())

    def requests(self) -> list[int]:
        """Return how many requests each lane has in flight; from any thread."""
        return [lane.in_flight for lane in self._lanes]

    def latency(self) -> Histogram:
        """Return how long FCM took to answer; from any thread."""
        return latency.in_all(lane.latency for lane in self._lanes)

    def expect(self, *, more: bool) -> None:
        """Note whether there is something to send that is not claimed yet, for want of room."""
        self._ahead.expect(more=more)

    def hold_lease(self, *, until: float) -> None:
        """Note until when the lanes may begin to send, as time.monotonic tells the time."""
        self._ahead.until = until

    def send(self, jobs: Collection[Job]) -> None:
        """Hand claimed batches to the lanes."""
        self.in_flight += sum(len(job.targets) for job in jobs)
        if self._ahead.add(jobs):
            self._wake()
        if self._ahead.is_deserted:
            self.give_up()

    def give_up(self) -> None:
        """Take back what no lane has taken."""
        self.expect(more=False)
        self._give_back(self._ahead.give_up())

    def withdraw(self, notification_ids: Container[int]) -> None:
        """Take back what no lane has taken of these notifications."""
        self._give_back(self._ahead.withdraw(notification_ids))

    def settle(self, answered: Answered) -> None:
        """Note that these were answered, which makes room for others."""
        self.in_flight -= len(answered.results)

    def finish(self) -> None:
        """Let the lanes end when they have sent what was handed over; no more will be."""
        self.expect(more=False)
        self._ahead.is_closed = True
        self._wake()

    def close(self) -> None:
        """Let the lanes finish what they have taken, and end their threads."""
        self.give_up()
        self.finish()
        self._pool.shutdown()

    def _give_back(self, results: tuple[Result, ...]) -> None:
        if results:
            self._report(Answered(results))

    def _wake(self) -> None:
        for lane in self._lanes:
            lane.wake()

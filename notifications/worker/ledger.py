"""The ledger: batches that are not fully answered, and answers that are not yet written.

A killed worker leaves the targets of both unknown, so the ledger also bounds their number.
"""

from dataclasses import dataclass, field
from datetime import datetime

from .fanout import Fanout
from .repository import Entry
from .work import Job, Result

# How many answers may wait to be written, and how much room a claim must have, as a share of what
# may be in doubt at once: both cost almost the same for one as for some hundred. Until then the
# lanes live on what was claimed ahead.
WORTH_A_TRANSACTION = 1 / 7


@dataclass
class OpenBatch:
    """A batch in flight: its notification, and how many answers are missing."""

    fanout: Fanout
    missing: int


@dataclass
class Ledger:
    """The main thread's memory; after a kill the next worker finds the batches in the database."""

    capacity: int  # targets that may be in doubt at once: handed to the lanes, or not yet written
    open_batches: dict[int, OpenBatch] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    closed_batches: list[int] = field(default_factory=list)

    @property
    def batches(self) -> list[int]:
        """Return the batches whose answers are still to come, or are not yet written."""
        return [*self.open_batches, *self.closed_batches]

    @property
    def is_full(self) -> bool:
        """Return whether so many answers wait that they must be written before more is sent."""
        return len(self.entries) >= self.capacity * WORTH_A_TRANSACTION

    def room(self, *, in_flight: int) -> int:
        """Return how many more targets may be claimed, so that a kill leaves few unknown.

        Return 0 while a claim would not be worth its price.
        """
        room = self.capacity - in_flight - len(self.entries)
        return room if room >= self.capacity * WORTH_A_TRANSACTION else 0

    def open(self, job: Job, fanout: Fanout) -> None:
        """Note a batch that goes to a lane."""
        self.open_batches[job.batch_id] = OpenBatch(fanout, len(job.targets))

    def take(self, result: Result, *, now: datetime) -> None:
        """Note an answer; the last one of a batch closes the batch."""
        batch = self.open_batches[result.batch_id]
        self.entries.append(batch.fanout.take(result, now=now))
        batch.missing -= 1
        if not batch.missing:
            self.closed_batches.append(result.batch_id)
            del self.open_batches[result.batch_id]

    def written(self) -> None:
        """Forget the answers and closed batches, which are in the database now."""
        self.entries = []
        self.closed_batches = []

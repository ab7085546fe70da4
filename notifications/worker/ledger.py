"""The ledger: what is claimed and not answered yet, and what is answered and not written yet.

Both together are what a killed worker leaves unknown, so the ledger also bounds them.
"""

from dataclasses import dataclass, field
from datetime import datetime

from .fanout import Fanout
from .repository import Entry
from .work import Job, Result

# How many answers may wait to be written, as a share of what the lanes hold. A lane holds 100
# targets: a killed worker leaves at most 150 a lane unknown.
MOST_UNWRITTEN = 0.5


@dataclass
class OpenBatch:
    """A batch in flight: whose it is, and how many answers it still lacks."""

    fanout: Fanout
    missing: int


@dataclass
class Ledger:
    """Kept in memory by the main thread; of a killed worker the database tells what is missing."""

    capacity: int  # targets that the lanes hold at most
    open_batches: dict[int, OpenBatch] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    closed_batches: list[int] = field(default_factory=list)

    @property
    def batches(self) -> list[int]:
        """Return the batches whose answers are still to come, or are here and to be written."""
        return [*self.open_batches, *self.closed_batches]

    @property
    def is_full(self) -> bool:
        """Return whether so many answers wait that they must be written before more is sent."""
        return len(self.entries) >= int(self.capacity * MOST_UNWRITTEN)

    def room(self, *, in_flight: int) -> int:
        """Return how many more targets may be sent to, so that a kill leaves few unknown."""
        most = self.capacity + int(self.capacity * MOST_UNWRITTEN)
        return max(most - in_flight - len(self.entries), 0)

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
        """Forget what is in the database now."""
        self.entries = []
        self.closed_batches = []

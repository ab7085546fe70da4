"""The ledger: what is claimed and not answered yet, and what is answered and not written yet."""

from dataclasses import dataclass, field
from datetime import datetime

from .fanout import Fanout
from .repository import Entry
from .work import Job, Result


@dataclass
class OpenBatch:
    """A batch in flight: whose it is, and how many answers it still lacks."""

    fanout: Fanout
    missing: int


@dataclass
class Ledger:
    """Kept in memory by the invoker; a worker that is killed leaves it to the database to tell."""

    open_batches: dict[int, OpenBatch] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    closed_batches: list[int] = field(default_factory=list)

    @property
    def batches(self) -> list[int]:
        """Return those whose answers are still to come, or here and to be written."""
        return [*self.open_batches, *self.closed_batches]

    def open(self, job: Job, fanout: Fanout) -> None:
        """Note a batch that goes to a lane."""
        self.open_batches[job.batch_id] = OpenBatch(fanout, len(job.targets))

    def take(self, result: Result, *, now: datetime) -> None:
        """Note an answer; the last one of a batch closes it."""
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

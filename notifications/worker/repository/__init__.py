"""The repository: the only place of the worker with queries, one module a question.

    due         which notifications want something, and their transitions
    claims      who is next: taken on in one fenced transaction before the first byte is sent
    candidates  who may be next, read ahead for the claims
    targets     which of these devices are targets now, for the claims
    audience_count      how many there are in all, where they are many
    results     what became of each target, and the counters that say so
    log         the table of the send log, for the results
    recovery    what an earlier epoch left behind

`now` is always an argument. Whoever changes a notification's counters locks its row first, so the
counters always agree with its deliveries. Locks are taken in this order: lease, notification, the
rest.
"""

from ..lease import Lease
from .audience_count import AudienceCount
from .claims import Claim, ClaimedBatch, ClaimEnd, Claims
from .due import Due
from .log import Entry
from .recovery import Recovery
from .results import Results

__all__ = [
    "Claim",
    "ClaimEnd",
    "ClaimedBatch",
    "Claims",
    "Entry",
    "Repository",
]


class Repository:
    """The worker's view of the database, under its lease."""

    def __init__(self, lease: Lease) -> None:
        self.due = Due(lease)
        self.claims = Claims(lease)
        self.audience_count = AudienceCount()
        self.results = Results()
        self.recovery = Recovery(lease)

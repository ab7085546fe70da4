"""The repository: all queries of the worker but the lease's, one module for each question.

    due             which notifications are due, and their transitions
    claims          which targets are next, claimed in one fenced transaction before the first byte
    candidates      which devices may be next, read ahead for the claims
    targets         which of the candidates are targets now, for the claims
    audience_count  how many targets a large notification has
    results         what became of each target, and the counters that say so
    log             the table of the send log, for the results
    recovery        what an earlier epoch left behind
    tests_to_send   operators' tests: the next one, claimed, and what came of each

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
from .tests_to_send import TestsToSend

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
        self.tests = TestsToSend(lease)

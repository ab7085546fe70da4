"""The checker: whether the invariants hold, from FCM's journal and the database alone.

It is a witness and no part of the machinery: nothing of `notifications.worker` is imported, and
what a notification's targets are is worked out anew. Read in this order:

    report          what was found
    evidence        what is looked at: the journal, and what only the caller knows
    sql             rules that the database checks by itself, however many deliveries it has
    never_twice     I1
    nobody_missing  I2
    true_log        I3
    dry_run         I4
    one_post        I5
    one_writer      I6
    right_person    I7
    bounded_doubt   I8
    fast            I9
    quiet           I10

    assert not verify(journal_file).violations

Each of these ten says what it proves, and what it cannot.
"""

from .evidence import Given, UnusableEvidenceError
from .report import Finding, Report
from .verify import verify

__all__ = ["Finding", "Given", "Report", "UnusableEvidenceError", "verify"]

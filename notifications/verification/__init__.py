"""The checker: whether the invariants hold, from FCM's journal and the database alone.

The checker is a witness and no part of the machinery: it imports nothing of `notifications.worker`,
and works out by itself which devices are a notification's targets. Read in this order:

    report          what was found
    evidence        what the checks look at: the journal, the send log, what only the caller knows
    sql             rules that the database checks, however many deliveries it has
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

Each of the ten invariants says in its `check` what it proves, and what it cannot prove.
"""

from .evidence import Given, UnusableEvidenceError
from .report import Finding, Report
from .verify import verify

__all__ = ["Finding", "Given", "Report", "UnusableEvidenceError", "verify"]

"""I6: one worker claims at a time, so the epochs of claims never go back."""

from .evidence import Evidence
from .report import Finding
from .sql import Rule

RULES = (
    Rule(
        "batch {0} was claimed in epoch {1}, after one of epoch {2}",
        """
        SELECT id, epoch, before
        FROM (
            SELECT id, epoch, max(epoch) OVER (
                ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) AS before
            FROM notifications_batch
        ) AS ordered
        WHERE epoch < before
        """,
    ),
    Rule(
        "{1} workers claimed in epoch {0}",
        """
        SELECT epoch, count(DISTINCT worker)
        FROM notifications_batch
        GROUP BY epoch
        HAVING count(DISTINCT worker) > 1
        """,
    ),
    Rule(
        "batch {0} was claimed in epoch {1}; the lease has only come to {2}",
        """
        SELECT b.id, b.epoch, lease.epoch
        FROM notifications_batch b, notifications_workerlease lease
        WHERE b.epoch > lease.epoch
        """,
    ),
)


def check(evidence: Evidence) -> Finding:
    """Return which claims a worker made after another worker had taken over.

    The fence locks the lease's row until a claim is committed, so the ids of claims are in the
    order of their commits, and their epochs must not decrease. The database alone proves this, for
    the batches that retention has left.
    """
    finding = Finding("I6", "one writer")
    for rule in RULES:
        rule.check(finding)
    return finding

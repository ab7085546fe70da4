"""I8: a killed worker leaves a bounded number of targets unknown, a stopped one none."""

from django.db import connection

from .evidence import Evidence
from .report import Finding
from .sql import EXPLODED

# 100 streams in flight, what was claimed ahead for them, and answers that were not yet recorded.
MOST_A_THREAD = 150

# How many targets the end of each epoch left unknown that no operator has settled since.
LEFT_UNKNOWN = """
    SELECT b.epoch, count(DISTINCT d.id)
    FROM notifications_batch b, {targets} t, notifications_delivery d
    WHERE b.state = 'lost'
      AND d.notification_id = b.notification_id AND d.device_id = CAST(t.value AS bigint)
      AND d.outcome = 'unknown' AND d.error_code = 'WORKER_LOST'
    GROUP BY b.epoch
    ORDER BY b.epoch
"""


def check(evidence: Evidence) -> Finding:
    """Return which epochs of a worker ended with too many targets unknown.

    An epoch ends once, so the bound holds for each epoch. The database does not tell whether an
    epoch ended by a kill or a clean stop: the caller may say how many were kills. Not counted is
    what is unknown because FCM's answer never came or made no sense: no worker's end caused that.
    """
    finding = Finding("I8", "bounded doubt")
    most = MOST_A_THREAD * evidence.given.threads
    with connection.cursor() as cursor:
        cursor.execute(LEFT_UNKNOWN.replace("{targets}", EXPLODED[connection.vendor]))
        ends = cursor.fetchall()
    for epoch, unknown in ends:
        if unknown > most:
            finding.add(f"epoch {epoch} left {unknown:,} unknown; {most:,} at most are explained")
    kills = evidence.given.kills
    if kills is not None and len(ends) > kills:
        finding.add(f"{len(ends)} workers left unknowns behind, and {kills} were killed")
    total = sum(unknown for _epoch, unknown in ends)
    finding.remark(f"{total:,} unknown after {len(ends)} ends of a worker", count=total)
    return finding

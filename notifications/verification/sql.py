"""Rules that the database checks: each selects the rows that break it, and few rows are loaded.

The SQL is written out rather than taken from the models' querysets: a mistake in the worker's
queries must not be repeated here.
"""

from dataclasses import dataclass

from django.db import connection

from .report import MOST_EXAMPLES, Finding

# The targets of a batch, one row each.
EXPLODED = {
    "postgresql": "jsonb_array_elements_text(b.targets)",
    "sqlite": "json_each(b.targets)",
}

# (notification_id, device_id) of each first attempt that was ever claimed, without notifications
# whose log retention has pruned.
CLAIMED = """
    SELECT b.notification_id, CAST(t.value AS bigint) AS device_id
    FROM notifications_batch b, {targets} t
    WHERE b.after_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM notifications_notification n
        WHERE n.id = b.notification_id AND n.pruned_at IS NOT NULL
    )
"""


@dataclass(frozen=True, slots=True)
class Rule:
    """A query for the rows that break the rule, and words for a row; {1} is its second column."""

    tells: str
    breaches: str

    def check(self, finding: Finding) -> None:
        """Count the rows that break the rule."""
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT count(*) OVER (), breach.* FROM ({self._select()}) AS breach"  # noqa: S608
                f" LIMIT {MOST_EXAMPLES}"
            )
            rows = cursor.fetchall()
        if rows:
            finding.add_all(rows[0][0], [self.tells.format(*row[1:]) for row in rows])

    def _select(self) -> str:
        return self.breaches.replace("{targets}", EXPLODED[connection.vendor])

"""Rules that the database checks by itself: each selects what violates it, and nothing is loaded.

Written out rather than taken from the models' querysets: what the worker's queries get wrong, these
must not get wrong in the same way.
"""

from dataclasses import dataclass

from django.db import connection

from .report import MOST_EXAMPLES, Finding

# Whom a batch holds, one row each.
EXPLODED = {
    "postgresql": "jsonb_array_elements_text(b.targets)",
    "sqlite": "json_each(b.targets)",
}

# (notification_id, device_id) of each first attempt that was ever claimed; what retention has
# pruned has no complete log any more.
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
    """What a row means, in words that name its columns by number, and the rows that break it."""

    tells: str
    breaches: str

    def check(self, finding: Finding) -> None:
        """Count what breaks the rule."""
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

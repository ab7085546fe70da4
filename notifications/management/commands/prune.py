"""Delete what is kept long enough. May run while talks are sent; Ctrl-C may end it at any time."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.conf import settings

from notifications.management.arguments import whole_number
from notifications.management.base import DatabaseCommand
from notifications.management.errors import Interrupted
from notifications.operators import retention
from radiotalk import clock

MAX_DAYS = 36_500  # a hundred years


class Command(DatabaseCommand):
    help = (
        "Delete what is older than RETENTION_DAYS, or has expired, in small steps: the send log of "
        "notifications that ended, whose counters stay, and more. Ctrl-C at any time; the next run "
        "goes on there."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--older-than",
            type=whole_number(least=1, most=MAX_DAYS),
            default=settings.RETENTION_DAYS,
            metavar="DAYS",
            dest="days",
            help="at least 1 (default: RETENTION_DAYS, %(default)s)",
        )
        parser.add_argument("--dry-run", action="store_true", help="only count")

    def handle(self, *, days: int, dry_run: bool, **options: Any) -> None:
        now = clock.now()
        ages = retention.Ages(before=now - timedelta(days=days), now=now)
        for kind in retention.KINDS:
            if dry_run:
                self.stdout.write(f"{kind.count(ages):,} {kind.what} would go.")
            else:
                self.forget(kind, ages)

    def forget(self, kind: retention.Kind, ages: retention.Ages) -> None:
        """Let go of one kind, and tell how many; raise Interrupted at Ctrl-C."""
        gone = 0
        try:
            for count in kind.forget(ages):
                gone += count
        except KeyboardInterrupt as interrupt:
            self.stdout.write(f"Stopped after {gone:,} {kind.what}; the next run goes on there.")
            raise Interrupted from interrupt
        self.stdout.write(f"{gone:,} {kind.what} deleted.")

"""Delete old lines of the send log. May run while talks are sent; Ctrl-C may end it at any time."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from accounts import plain_tokens
from accounts.models import ApiToken
from notifications.management.arguments import whole_number
from notifications.management.base import DatabaseCommand
from notifications.management.errors import Interrupted
from notifications.operators import retention
from radiotalk import clock

MAX_DAYS = 36_500  # a hundred years


class Command(DatabaseCommand):
    help = (
        "Delete the send log of notifications that ended so many days ago, in small steps. Their "
        "counters stay. Ctrl-C at any time; the next run goes on there."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--older-than",
            type=whole_number(least=1, most=MAX_DAYS),
            required=True,
            metavar="DAYS",
            dest="days",
            help="at least 1",
        )

    def handle(self, *, days: int, verbosity: int, **options: Any) -> None:
        now = clock.now()
        deliveries = batches = 0
        try:
            for step in retention.prune(ended_before=now - timedelta(days=days), now=now):
                deliveries += step.deliveries
                batches += step.batches
                if verbosity > 1:
                    self.stdout.write(f"Notification {step.notification_id}: {deliveries} lines")
        except KeyboardInterrupt as interrupt:
            self.stdout.write(f"Stopped after {deliveries} lines; the next run goes on there.")
            raise Interrupted from interrupt
        plain_tokens.forget()
        ApiToken.objects.dead().delete()
        self.stdout.write(f"{deliveries} lines of the send log and {batches} batches deleted.")

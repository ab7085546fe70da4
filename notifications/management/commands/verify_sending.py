"""Check whether the invariants of sending hold (notifications/verification). Wires only."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import Error as DatabaseProblem

from notifications.management import arguments
from notifications.management.base import schema_problem
from notifications.management.errors import OtherSchema, Refused, Unchecked, Violated
from notifications.verification import Given, Report, UnusableEvidenceError, verify

MAX_KILLS = 1_000_000


class Command(BaseCommand):
    requires_system_checks = ()  # wrong settings must not keep the past from being checked
    help = (
        "Verify that nobody was notified twice, nobody is missing and the send log is true. Exit 1 "
        "when something does not hold, 5 when the database could not be read. Needs a quiet "
        "moment; reads only."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--journal", type=Path, metavar="FILE", help="of the FCM emulator: what FCM saw"
        )
        parser.add_argument(
            "--log",
            type=Path,
            action="append",
            default=[],
            metavar="FILE",
            help="a captured log to search for secrets; may be repeated",
        )
        parser.add_argument(
            "--threads",
            type=arguments.threads,
            default=settings.NOTIFICATIONS_MAX_WORKERS,
            metavar="N",
            help="of the worker's pool (default %(default)s)",
        )
        parser.add_argument(
            "--kills",
            type=arguments.whole_number(least=0, most=MAX_KILLS),
            metavar="N",
            help="how many workers were killed, if known",
        )
        parser.add_argument("--json", action="store_true", help="answer as one JSON object")

    def handle(
        self,
        *,
        journal: Path | None,
        log: list[Path],
        threads: int,
        kills: int | None,
        **options: Any,
    ) -> None:
        given = Given(logs=tuple(log), threads=threads, kills=kills)
        try:
            report = verify(journal, given=given)
        except UnusableEvidenceError as error:
            raise Refused(str(error)) from error
        except DatabaseProblem as error:
            if told := schema_problem():
                raise OtherSchema(told) from error
            raise Unchecked(
                f"Nothing was checked, since the database cannot be read: {str(error).strip()}"
            ) from error
        self.show(report, as_json=options["json"])
        if report.violations:
            raise Violated

    def show(self, report: Report, *, as_json: bool) -> None:
        """Print the findings for a person or for a machine."""
        self.stdout.write(json.dumps(report.as_json()) if as_json else str(report))

"""Give a person all that is kept of them: a file of JSON, and their recordings."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from accounts.who import on_this_host
from notifications.management.base import DatabaseCommand
from notifications.management.errors import Failed, Refused
from notifications.operators.export import export

from .erase_user import account


class Command(DatabaseCommand):
    help = "Write all that is kept of an account into a new directory: JSON, and the recordings."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username", metavar="USERNAME")
        parser.add_argument("--to", type=Path, required=True, metavar="DIRECTORY", help="a new one")

    def handle(self, *, username: str, to: Path, **options: Any) -> None:
        user = account(username)
        try:
            for name in export(user, to, by=on_this_host()):
                self.stdout.write(name)
        except FileExistsError as error:
            raise Refused(f"{to} is there already: name a new directory.") from error
        except OSError as error:
            raise Failed(f"Not all was written to {to}: {error.strerror}.") from error

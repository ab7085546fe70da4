"""Run an FCM on this machine (fcm_emulator/README.md)."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from notifications.management.errors import Refused


class Command(BaseCommand):
    """Hand the options to the emulator, which runs without Django."""

    help = "Run an FCM on this machine: loopback only, nothing reaches a phone."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the options of `python -m fcm_emulator`; exit 2 when the emulator is not there."""
        try:
            from fcm_emulator import launch
        except ModuleNotFoundError as error:
            # Production installs neither the emulator's web server nor its certificates.
            advice = f"The FCM emulator needs {error.name}: pip install -r requirements-demo.txt"
            parser.exit(Refused.exit_code, f"{advice}\n")
        self.launch = launch
        launch.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve until stopped."""
        self.launch.run(self.launch.options_from(options))

"""Run an FCM on this machine (fcm_emulator/README.md)."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    """Wire the emulator's own options to its own run; Django has no part in it."""

    help = "Run an FCM on this machine: loopback only, nothing reaches a phone."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the same options as `python -m fcm_emulator`."""
        try:
            from fcm_emulator import launch
        except ModuleNotFoundError as error:
            # Production installs neither the emulator's web server nor its certificates.
            advice = f"The FCM emulator needs {error.name}: pip install -r requirements-demo.txt"
            parser.exit(2, f"{advice}\n")
        self.launch = launch
        launch.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve until stopped."""
        self.launch.run(self.launch.options_from(options))

"""Run an FCM on this machine (docs/emulator.md)."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from notifications.emulator import launch


class Command(BaseCommand):
    """Wire the emulator's own options to its own run; Django has no part in it."""

    help = "Run an FCM on this machine: loopback only, nothing reaches a phone."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the same options as `python -m notifications.emulator`."""
        launch.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve until stopped."""
        launch.run(launch.options_from(options))

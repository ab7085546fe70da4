"""Nothing on the command line ends in a traceback, or does what nobody can have meant."""

import pytest
from django.core.management import CommandError, call_command

from notifications.models.control import MAX_REASON

TOO_LARGE = "9" * 20


@pytest.mark.parametrize(
    "arguments",
    [
        ("listen_notifications", "--max-workers", "0"),
        ("listen_notifications", "--max-workers", TOO_LARGE),
        ("prune", "--older-than", "-1"),
        ("prune", "--older-than", TOO_LARGE),
        ("seed", "--listeners", "-1"),
        ("seed", "--listeners", TOO_LARGE),
        ("sending", "cancel", "0"),
        ("sending", "unknown", "list", TOO_LARGE),
        ("sending", "unknown", "list", "--limit", "-1"),
        ("sending", "unknown", "list", "--limit", TOO_LARGE),
        ("sending", "unknown", "abandon", "1", "--reason", "x", "--device", TOO_LARGE),
        ("verify_sending", "--threads", "0"),
        ("verify_sending", "--kills", "-1"),
        ("verify_sending", "--kills", "many"),
    ],
    ids=" ".join,
)
def test_a_number_that_cannot_be_meant_is_refused(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match=f"'{arguments[-1]}' is no whole number from"):
        call_command(*arguments)


@pytest.mark.parametrize(
    "command",
    [("sending", "live"), ("sending", "pause"), ("reset_second_factor", "anna")],
    ids=" ".join,
)
def test_a_reason_that_is_longer_than_its_column_is_refused(command: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match="--reason: it has over 500 characters"):
        call_command(*command, "--reason", "x" * (MAX_REASON + 1))

"""A command ends with the exit code of its exception, and Django tells the message."""

from io import StringIO
from typing import Any

import pytest
from django.core.management.base import BaseCommand

from notifications.management.errors import (
    Failed,
    Interrupted,
    OtherSchema,
    Refused,
    Unchecked,
    Violated,
)


def ended(error: BaseException) -> tuple[int | str | None, str]:
    """Return the exit code and standard error of a command that raises this."""

    class Command(BaseCommand):
        requires_system_checks = ()

        def handle(self, *args: Any, **options: Any) -> None:
            raise error

    told = StringIO()
    with pytest.raises(SystemExit) as end:
        Command(stderr=told).run_from_argv(["manage.py", "a_command"])
    return end.value.code, told.getvalue()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Failed("Why."), 1),
        (Refused("Why."), 2),
        (OtherSchema("Why."), 4),
        (Unchecked("Why."), 5),
    ],
)
def test_an_error_is_told_with_its_message_and_ends_with_its_code(
    error: Exception, code: int
) -> None:
    assert ended(error) == (code, "CommandError: Why.\n")


@pytest.mark.parametrize(("exit", "code"), [(Violated(), 1), (Interrupted(), 130)])
def test_an_exit_says_nothing_more_and_ends_with_its_code(exit: SystemExit, code: int) -> None:
    assert ended(exit) == (code, "")

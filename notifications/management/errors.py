"""How a command ends: each exception carries its exit code, as click's do.

| exit code | meaning | raised as |
|---|---|---|
| 0 | what was asked for is done | |
| 1 | it could not be done, or what was checked does not hold | `Failed`, `Violated`, `Unwell` |
| 2 | nothing was done: what was given cannot be used, or is not allowed | `Refused` |
| 3 | another worker holds the lease | what the Invoker returns to `listen_notifications` |
| 4 | the database lacks migrations of this code, or has later ones | `OtherSchema` |
| 5 | nothing could be checked: nobody knows whether it holds | `Unchecked` |
| 130 | Ctrl-C came in the middle, and the command ended in order | `Interrupted` |

Django adds to these: 1 for a system check that fails and for a traceback, 2 for an option that
argparse cannot read.
"""

from typing import Any, ClassVar

from django.core.management.base import CommandError


class ErrorWithCode(CommandError):
    """An error that is told on standard error, as `CommandError: MESSAGE`, before the exit."""

    exit_code: ClassVar[int]

    def __init__(self, message: str) -> None:
        super().__init__(message, returncode=self.exit_code)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Keep the word before the message: Django prints the name of the exception's class."""
        super().__init_subclass__(**kwargs)
        cls.__name__ = CommandError.__name__


class Failed(ErrorWithCode):
    """What was asked for could not be done."""

    exit_code = 1


class Refused(ErrorWithCode):
    """Nothing was done: what was given cannot be used, or is not allowed."""

    exit_code = 2


class OtherSchema(ErrorWithCode):
    """The database has not the schema of this code."""

    exit_code = 4


class Unchecked(ErrorWithCode):
    """What was to be checked could not be looked at, which says nothing about whether it holds."""

    exit_code = 5


class ExitWithCode(SystemExit):
    """An exit after which nothing is left to be told: the command has printed its answer."""

    exit_code: ClassVar[int]

    def __init__(self) -> None:
        super().__init__(self.exit_code)


class Violated(ExitWithCode):
    """The report names what does not hold."""

    exit_code = 1


class Unwell(ExitWithCode):
    """The status names the problems."""

    exit_code = 1


class Interrupted(ExitWithCode):
    """Ctrl-C came in the middle. What was done before stays done."""

    exit_code = 130  # 128 + SIGINT, as shells count

"""What is given on the command line: what is out of bounds is refused before anything is done.

The exit code is 2 then.
"""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable

from notifications.models.control import MAX_REASON
from radiotalk.os_text import storable

MAX_ID = 2**63 - 1  # of a BigAutoField
MAX_THREADS = 1_000


def whole_number(*, least: int, most: int) -> Callable[[str], int]:
    """Return a type for `add_argument`: a whole number from `least` to `most`."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            raise ArgumentTypeError(f"{text!r} is no whole number from {least} to {most}")
        return value

    return parse


row_id = whole_number(least=1, most=MAX_ID)
threads = whole_number(least=1, most=MAX_THREADS)


def reason(text: str) -> str:
    """Return why an act is done, as the database stores it, and no longer than it can."""
    told = storable(text)
    if len(told) > MAX_REASON:
        raise ArgumentTypeError(f"it has over {MAX_REASON} characters")
    return told


def with_reason(parser: ArgumentParser, *, required: bool = False) -> ArgumentParser:
    """Return the parser after letting it take --reason; one that is left out is ""."""
    told = {"metavar": "TEXT", "help": "why, for the log"}
    parser.add_argument("--reason", type=reason, required=required, default="", **told)
    return parser

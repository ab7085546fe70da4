"""Numbers on the command line: one out of bounds is refused before anything is done (exit 2)."""

from argparse import ArgumentTypeError
from collections.abc import Callable

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

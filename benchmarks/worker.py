"""The worker, with its database statements counted: `python -m benchmarks.worker FILE [options]`.

FILE has the count, at most WRITTEN_SECONDS old. A COPY is not counted, as it does not pass Django's
wrapper: one for each time that results are recorded.
"""

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django

WRITTEN_SECONDS = 0.1  # between two writings of the file


class Counter:
    """Counts the statements that pass, and writes the count into a file for others to read."""

    def __init__(self, file: Path) -> None:
        self.statements = 0
        self._file = file

    def __call__(self, execute: Callable[..., Any], *arguments: Any) -> Any:
        """Count a statement, and let it pass."""
        self.statements += 1
        return execute(*arguments)

    def write_for_ever(self) -> None:
        """Write the count into the file again and again."""
        while True:
            time.sleep(WRITTEN_SECONDS)
            self._file.write_text(str(self.statements))


def main() -> None:
    """Run the worker until it is stopped."""
    django.setup()
    from django.core.management import call_command
    from django.db import connection

    file, *options = sys.argv[1:]
    counter = Counter(Path(file))
    threading.Thread(target=counter.write_for_ever, daemon=True).start()
    with connection.execute_wrapper(counter):
        call_command("listen_notifications", *options)


if __name__ == "__main__":
    main()

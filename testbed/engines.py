"""Run a command with embedded engines: `python -m testbed.engines --redis -- COMMAND`.

An engine whose address is set already (DATABASE_URL, REDIS_URL) is not started: the address wins.
The command gets the signals that come to this process, and this process ends with the command's
exit code.
"""

import argparse
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from types import FrameType

from testbed.postgresql import running_postgresql
from testbed.process import ProcessFailed
from testbed.redis import running_redis

SHELL_NOT_FOUND = 127  # what a shell answers when there is no such command
FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


def parse(arguments: list[str]) -> argparse.Namespace:
    """Return which engines to start, and the command."""
    parser = argparse.ArgumentParser(prog="engines", description=__doc__)
    parser.add_argument("--postgresql", action="store_true", help="sets DATABASE_URL")
    parser.add_argument("--redis", action="store_true", help="sets REDIS_URL")
    parser.add_argument("--no-fsync", action="store_true", help="faster, for tests only")
    parser.add_argument("command", nargs="+", metavar="COMMAND")
    return parser.parse_args(arguments)


def start_engines(options: argparse.Namespace, engines: ExitStack) -> None:
    """Start the engines that are asked for and have no address; put theirs into `os.environ`."""
    if options.postgresql and not os.environ.get("DATABASE_URL"):
        postgresql = running_postgresql(fsync=not options.no_fsync)
        os.environ["DATABASE_URL"] = engines.enter_context(postgresql)
    if options.redis and not os.environ.get("REDIS_URL"):
        os.environ["REDIS_URL"] = engines.enter_context(running_redis())


def run(command: list[str]) -> int:
    """Return the command's exit code, or 128 + the signal that ended it."""
    process = subprocess.Popen(command)

    def forward(number: int, _frame: FrameType | None) -> None:
        # A terminal sends Ctrl-C to the command as well; a second one would break its cleaning up.
        if number != signal.SIGINT or not os.isatty(sys.stdin.fileno()):
            process.send_signal(number)

    for number in FORWARDED:
        signal.signal(number, forward)
    code = process.wait()
    return code if code >= 0 else 128 - code


def main() -> int:
    """Start the engines, run the command, stop the engines; return the command's exit code."""
    options = parse(sys.argv[1:])
    with ExitStack() as engines:
        try:
            start_engines(options, engines)
            return run(options.command)
        except ProcessFailed as error:
            print(f"engines: {error}", file=sys.stderr)
            return 1
        except FileNotFoundError as error:
            print(f"engines: {error.filename}: no such command", file=sys.stderr)
            return SHELL_NOT_FOUND


if __name__ == "__main__":
    sys.exit(main())

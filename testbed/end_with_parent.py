"""Run one command that never outlives its parent, not even after `kill -9` of the parent.

`process.py` runs this file as a script, by its path. Standard input is a pipe whose other end only
the parent holds: the system closes it however the parent ends. Then the command gets
`--stop-signal`, and after `--grace` seconds its whole process group is killed. This works on every
Unix, and imports only what starts fast. After a `kill -9` of this script itself the command stays.
"""

import argparse
import os
import signal
import subprocess
import sys
import threading
from types import FrameType


def parse(arguments: list[str]) -> argparse.Namespace:
    """Return what to run, as whom, and how to stop it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--user", help="run the command as this user and its group")
    parser.add_argument("--stop-signal", type=int, default=int(signal.SIGTERM))
    parser.add_argument("--grace", type=float, default=10.0, help="seconds before the kill")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    return parser.parse_args(arguments)


def start(command: list[str], user: str | None) -> subprocess.Popen[bytes]:
    """Return the started command, leader of its own process group."""
    if user is None:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, process_group=0)
    import pwd

    group = pwd.getpwnam(user).pw_gid
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        process_group=0,
        user=user,
        group=group,
        extra_groups=[],
    )


def stop_at_end_of_input(child: subprocess.Popen[bytes], stop_signal: int, grace: float) -> None:
    """Wait until the parent is gone or lets go, then stop the command."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    child.send_signal(stop_signal)
    try:
        child.wait(grace)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)


def main() -> int:
    """Return the command's exit code, or 128 + the signal that ended it."""
    options = parse(sys.argv[1:])
    asked_to_stop = threading.Event()
    started: list[subprocess.Popen[bytes]] = []

    def stop(_number: int, _frame: FrameType | None) -> None:
        asked_to_stop.set()
        for child in started:
            child.send_signal(options.stop_signal)

    # Before the start: a signal in between would end this process and leave the command behind.
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    child = start(options.command, options.user)
    started.append(child)
    if asked_to_stop.is_set():
        child.send_signal(options.stop_signal)
    threading.Thread(
        target=stop_at_end_of_input, args=(child, options.stop_signal, options.grace), daemon=True
    ).start()
    code = child.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())

"""Standard error, for the log and for all else: nobody ever waits for long for whoever reads it.

A pipe that nobody reads is full after 64 KB, and a terminal that was stopped takes nothing. A write
that waits for either would stop the worker's loop, and with it SIGTERM.
"""

import io
import logging
import os
import select
import stat
import sys
import time
from contextlib import suppress

STDERR = 2  # the descriptor

# What is kept for a reader who is slow; lines beyond are dropped, and counted.
MOST_UNWRITTEN_BYTES = 1024 * 1024

# How long the end of a process waits for a reader who is slow, so that no last words are lost.
LAST_SECONDS = 1.0

# syslog(3)'s priorities by the least level that has them; debug for all below.
PRIORITIES = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6}
DEBUG_PRIORITY = 7


class StderrHandler(logging.Handler):
    """Writes each record as soon as that is possible without waiting.

    `journal_stream` is what systemd says of the stream that leads to the journal; to that one each
    line goes with its priority (sd-daemon(3)).
    """

    def __init__(self, *, journal_stream: str = "", descriptor: int = STDERR) -> None:
        super().__init__()
        self._is_journal = journal_stream == stream_of(descriptor)
        self._descriptor = own(descriptor)
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLOUT)
        self._unwritten = bytearray()
        self._dropped = 0  # lines, since the last one that is kept

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, or keep it until it can be written, or drop and count it."""
        try:
            line = self._line(record)
        except Exception:  # noqa: BLE001  (a defect of the caller's must not end the caller)
            self.handleError(record)
            return
        self.flush()
        if self._is_full():
            self._dropped += 1
            return
        self._unwritten += line
        self._write()

    def flush(self) -> None:
        """Write what can be written now; say how many lines were dropped after it."""
        self._write()
        if self._dropped and not self._is_full():
            told = {"levelno": logging.WARNING, "levelname": "WARNING", "msg": "log.dropped"}
            record = logging.makeLogRecord({"name": __name__, **told, "lines": self._dropped})
            self._unwritten += self._line(record)
            self._dropped = 0
            self._write()

    def close(self) -> None:
        """Write what is left, at the end of the process; then, and only then, wait a moment.

        logging.shutdown() holds the handler's lock meanwhile.
        """
        self._write(until=time.monotonic() + LAST_SECONDS)
        self.flush()
        super().close()

    def _is_full(self) -> bool:
        return len(self._unwritten) >= MOST_UNWRITTEN_BYTES

    def _line(self, record: logging.LogRecord) -> bytes:
        text = self.format(record)
        if self._is_journal:  # which takes each line of a traceback by itself
            prefix = f"<{priority(record.levelno)}>"
            text = prefix + text.replace("\n", f"\n{prefix}")
        return f"{text}\n".encode(errors="backslashreplace")

    def _write(self, *, until: float = 0) -> None:
        """Write all for which the reader need not be waited for, or not longer than `until`.

        A pipe that has any room takes PIPE_BUF bytes. `until` is of `time.monotonic()`.
        """
        with suppress(OSError):  # nobody reads any more, the disk is full: it may be mended
            while self._unwritten and self._poll.poll(max(until - time.monotonic(), 0) * 1000):
                written = os.write(self._descriptor, self._unwritten[: select.PIPE_BUF])
                del self._unwritten[:written]


class Stderr(io.TextIOBase):
    """The `sys.stderr` of a command: what Django and Python say there themselves, beside the log.

    A reader who takes nothing is waited for once, and then no more: the text is dropped.
    """

    encoding = "utf-8"

    def __init__(self, descriptor: int = STDERR) -> None:
        self._descriptor = own(descriptor)
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLOUT)
        self._patience = LAST_SECONDS

    def write(self, text: str) -> int:
        """Write what the reader takes; return the length of all of it."""
        rest = text.encode(errors="backslashreplace")
        with suppress(OSError):  # nobody reads any more
            while rest and self._poll.poll(self._patience * 1000):
                rest = rest[os.write(self._descriptor, rest[: select.PIPE_BUF]) :]
        self._patience = 0 if rest else LAST_SECONDS
        return len(text)

    def fileno(self) -> int:
        """Return the descriptor, by which Django tells a terminal, which has colors."""
        return self._descriptor

    def isatty(self) -> bool:
        """Return whether a person reads along."""
        return os.isatty(self._descriptor)


def priority(level: int) -> int:
    """Return syslog's priority for a level of the logging module."""
    return next((PRIORITIES[each] for each in PRIORITIES if level >= each), DEBUG_PRIORITY)


def stream_of(descriptor: int) -> str:
    """Return what JOURNAL_STREAM would say of this descriptor; "none" when it is closed."""
    try:
        there = os.fstat(descriptor)
    except OSError:
        return "none"
    return f"{there.st_dev}:{there.st_ino}"


def own(descriptor: int) -> int:
    """Return a descriptor to the same place that does not block, if there can be one.

    Not to block is a property of what is open, which other processes have open as well. A pipe or a
    terminal can be opened once more, for us alone. A terminal needs it: it claims to have room, and
    then waits for more.
    """
    if descriptor == STDERR and sys.__stderr__ is None:  # closed: this may be any file by now
        return os.open(os.devnull, os.O_WRONLY)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
        with suppress(OSError):  # it may be somebody else's
            anew = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY
            return os.open(f"/dev/fd/{descriptor}", anew)
    return descriptor

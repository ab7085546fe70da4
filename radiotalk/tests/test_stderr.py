"""The log never waits for its reader, tells what is missing, and gives the journal priorities."""

import logging
import os
import pty
import re
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from radiotalk import stderr
from radiotalk.logs import JsonFormatter, TextFormatter
from radiotalk.settings import BASE_DIR
from radiotalk.stderr import MOST_UNWRITTEN_BYTES, Stderr, StderrHandler, stream_of

MANAGE = BASE_DIR / "manage.py"
DEADLINE_SECONDS = 60
# Lines of over 100 bytes: far more than a pipe, a socket or a terminal takes and a handler keeps.
MANY = MOST_UNWRITTEN_BYTES // 50

Ends = tuple[int, int]  # descriptors: to write to, to read from


def pipe() -> Ends:
    """Return a pipe, as Docker's."""
    reader, writer = os.pipe()
    return writer, reader


def stream() -> Ends:
    """Return a socket, as the journal's."""
    writer, reader = socket.socketpair()
    return writer.detach(), reader.detach()


def terminal() -> Ends:
    """Return a terminal, as that of an ssh whose other end is gone."""
    reader, writer = pty.openpty()
    return writer, reader


@pytest.fixture
def opened() -> Iterator[Callable[[Callable[[], Ends]], Ends]]:
    """Yield what makes a place to write to that is closed at the end."""
    with ExitStack() as stack:

        def make(kind: Callable[[], Ends]) -> Ends:
            ends = kind()
            for end in ends:
                stack.callback(os.close, end)
            return ends

        yield make


def handler(descriptor: int, *, journal_stream: str = "") -> StderrHandler:
    """Return a handler that writes there."""
    made = StderrHandler(descriptor=descriptor, journal_stream=journal_stream)
    made.setFormatter(TextFormatter())
    return made


def record(event: str, level: int = logging.INFO) -> logging.LogRecord:
    """Return a record with this event."""
    return logging.getLogger("notifications.test").makeRecord(
        "notifications.test", level, __file__, 1, event, (), None
    )


def log(to: StderrHandler, *events: str) -> None:
    """Log the events on another thread, which may wait for nobody."""

    def write() -> None:
        for event in events:
            to.handle(record(event))

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    thread.join(DEADLINE_SECONDS)
    assert not thread.is_alive(), "the log waits for its reader"


def read_all(reader: int, to: StderrHandler) -> list[str]:
    """Return the lines that were written, and those that are kept until there is room."""
    read = b""
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    while poll.poll(0):
        read += os.read(reader, 1024 * 1024)
        to.flush()
    return read.decode().splitlines()


@pytest.mark.parametrize("kind", [pipe, stream, terminal])
def test_a_log_that_nobody_reads_stops_nobody_and_tells_later_what_is_missing(
    opened: Callable[[Callable[[], Ends]], Ends], kind: Callable[[], Ends]
) -> None:
    writer, reader = opened(kind)
    to = handler(writer)

    log(to, *(f"event.{number:06} {'x' * 80}" for number in range(MANY)))
    before = read_all(reader, to)
    log(to, "reader.back")
    after = read_all(reader, to)

    *whole, told = before
    missing = re.search(r"WARNING log.dropped lines=(\d+)$", told)
    assert missing
    assert [int(line.split("event.")[1][:6]) for line in whole] == list(range(len(whole)))
    assert len(whole) + int(missing[1]) == MANY
    assert [line.split()[-1] for line in after] == ["reader.back"]


def test_a_line_that_is_longer_than_a_pipe_comes_whole_once_it_is_read(
    opened: Callable[[Callable[[], Ends]], Ends],
) -> None:
    writer, reader = opened(pipe)
    to = handler(writer)

    log(to, "x" * 200_000, "the.next")
    long, short = read_all(reader, to)

    assert long.endswith(" " + "x" * 200_000)
    assert short.endswith("the.next")


def test_the_end_of_a_process_waits_for_a_slow_reader(
    opened: Callable[[Callable[[], Ends]], Ends], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stderr, "LAST_SECONDS", DEADLINE_SECONDS)
    writer, reader = opened(pipe)
    to = handler(writer)
    log(to, "x" * 200_000, "last.words")

    end = threading.Thread(target=to.close, daemon=True)
    end.start()
    read = b""
    while not read.endswith(b"last.words\n"):
        read += os.read(reader, 65_536)

    end.join(DEADLINE_SECONDS)
    assert not end.is_alive()


def test_the_end_of_a_process_does_not_wait_for_ever(
    opened: Callable[[Callable[[], Ends]], Ends], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stderr, "LAST_SECONDS", 0.01)
    writer, _reader = opened(pipe)
    to = handler(writer)
    log(to, "x" * 200_000)

    end = threading.Thread(target=to.close, daemon=True)
    end.start()

    end.join(DEADLINE_SECONDS)
    assert not end.is_alive()


def test_a_log_whose_reader_is_gone_hurts_nobody() -> None:
    writer, reader = pipe()
    to = handler(writer)
    os.close(reader)

    log(to, "nobody.reads", "nobody.reads")

    os.close(writer)


def test_what_is_logged_is_there_when_the_call_returns(
    opened: Callable[[Callable[[], Ends]], Ends],
) -> None:
    # A process that is killed after it has logged has logged.
    writer, reader = opened(pipe)

    handler(writer).handle(record("夜のラジオ \udc80"))

    assert os.read(reader, 1024).decode().endswith(" INFO 夜のラジオ \\udc80\n")


# --- The journal ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "prefix"),
    [
        (logging.DEBUG, "<7>"),
        (logging.INFO, "<6>"),
        (logging.WARNING, "<4>"),
        (logging.ERROR, "<3>"),
        (logging.CRITICAL, "<2>"),
    ],
)
@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_the_journal_gets_each_lines_priority(
    opened: Callable[[Callable[[], Ends]], Ends],
    formatter: logging.Formatter,
    level: int,
    prefix: str,
) -> None:
    writer, reader = opened(stream)
    to = handler(writer, journal_stream=stream_of(writer))
    to.setFormatter(formatter)

    made = record("worker.failed", level)
    try:
        raise RuntimeError("a defect")
    except RuntimeError as error:
        made.exc_info = (RuntimeError, error, error.__traceback__)
    to.handle(made)

    lines = os.read(reader, 65_536).decode().splitlines()
    assert lines
    assert [line[:3] for line in lines] == [prefix] * len(lines)
    assert "<" not in lines[0][3:4]


def test_a_stream_that_does_not_lead_to_the_journal_gets_no_priorities(
    opened: Callable[[Callable[[], Ends]], Ends],
) -> None:
    # JOURNAL_STREAM is inherited by processes whose standard error leads elsewhere.
    writer, reader = opened(stream)

    handler(writer, journal_stream=stream_of(reader)).handle(record("worker.started"))

    assert not os.read(reader, 1024).startswith(b"<")


def test_a_process_of_ours_whose_log_goes_to_the_journal_says_its_priorities(
    opened: Callable[[Callable[[], Ends]], Ends],
) -> None:
    writer, reader = opened(stream)
    script = "import logging; logging.getLogger('notifications').error('worker.failed')"

    subprocess.run(
        [sys.executable, MANAGE, "shell", "--no-imports", "-c", script],
        env={"PATH": os.environ["PATH"], "DEBUG": "on", "JOURNAL_STREAM": stream_of(writer)},
        stderr=writer,
        timeout=DEADLINE_SECONDS,
        check=True,
    )

    assert re.fullmatch(r"<3>\S+ ERROR worker\.failed\n", os.read(reader, 65_536).decode())


@pytest.mark.parametrize("kind", [pipe, stream, terminal])
def test_what_is_not_the_logs_waits_only_a_moment_for_its_reader(
    opened: Callable[[Callable[[], Ends]], Ends], kind: Callable[[], Ends]
) -> None:
    writer, reader = opened(kind)
    to = Stderr(writer)
    lines = [f"line {number} {'x' * 80}\n" for number in range(MANY)]
    thread = threading.Thread(target=to.writelines, args=[lines], daemon=True)

    thread.start()
    thread.join(DEADLINE_SECONDS)
    assert not thread.is_alive(), "a warning waits for its reader"

    assert os.read(reader, 1024).startswith(b"line 0 ")
    while select.select([reader], [], [], 0)[0]:
        os.read(reader, 1024 * 1024)
    print("the reader is back", file=to)
    assert os.read(reader, 1024).startswith(b"the reader is back")

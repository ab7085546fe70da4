"""The promise: what is started is checked, shown and stopped together, and no log is lost."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from testbed.process import Child, ProcessFailed, eventually
from testbed.processes import Processes

SAY_AND_STAY = "import os, signal; print(os.environ['WORD'], flush=True); signal.pause()"


class Watched(Processes):
    """Processes that tell in which order they were stopped."""

    ended: list[str]

    def end(self, child: Child) -> None:
        super().end(child)
        self.ended.append(child.name)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def processes(tmp_path: Path, stack: ExitStack) -> Watched:
    processes = Watched(tmp_path, stack, {"WORD": "hello"})
    processes.ended = []
    return processes


def say(processes: Processes, name: str, **env: str) -> Child:
    """Return a process that has said its word, and stays."""
    child = processes.launch(name, [sys.executable, "-c", SAY_AND_STAY], **env)
    assert eventually(lambda: child.log.read_text() != "")
    return child


def test_each_process_has_the_settings_of_all_and_its_own(processes: Processes) -> None:
    assert say(processes, "web").log.read_text() == "hello\n"
    assert say(processes, "worker", WORD="good-bye").log.read_text() == "good-bye\n"


def test_a_second_process_of_a_name_leaves_the_log_of_the_first(processes: Processes) -> None:
    logs = [say(processes, "worker", WORD=word).log for word in ("one", "two")]

    assert [log.read_text() for log in logs] == ["one\n", "two\n"]


def test_the_last_that_was_started_is_the_first_to_end(
    processes: Watched, stack: ExitStack
) -> None:
    children = [say(processes, name) for name in ("first", "second")]

    stack.close()

    assert processes.ended == ["second", "first"]
    assert all(child.wrapper.returncode is not None for child in children)


def test_one_that_ends_by_itself_is_told_with_its_last_words(processes: Processes) -> None:
    say(processes, "web")
    processes.launch("worker", ["sh", "-c", "echo no database; exit 1"]).wrapper.wait()

    with pytest.raises(ProcessFailed, match=r"(?s)worker ended with exit code 1.*no database"):
        processes.check()
    assert processes.last_lines() == "--- web\nhello\n\n--- worker\nno database"


def test_a_reserved_port_is_given_to_nobody_else(processes: Processes) -> None:
    ports = [processes.reserve_port() for _ in range(50)]

    assert len(set(ports)) == len(ports)

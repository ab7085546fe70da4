"""Whoever asks is answered in time, whatever the question does, and no threads pile up."""

import threading
from collections.abc import Iterator

import pytest

from notifications.time_limit import Asker

DEADLINE_SECONDS = 120.0  # for a busy machine, no expectation
SOON_SECONDS = 0.05
NAME = "an asker of this test"


class Hanging:
    """A question that hangs until it is released."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.asked = 0

    def __call__(self) -> str:
        self.asked += 1
        self.release.wait(DEADLINE_SECONDS)
        return "late"


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    question = Hanging()
    yield question
    question.release.set()


def threads() -> int:
    return sum(thread.name == NAME for thread in threading.enumerate())


def test_an_answer_comes_back() -> None:
    assert Asker(NAME).ask(lambda: 42, seconds=DEADLINE_SECONDS) == 42


@pytest.mark.parametrize("error", [ValueError("wrong"), SystemExit(1)], ids=repr)
def test_an_error_comes_back_and_the_next_is_asked(error: BaseException) -> None:
    asker = Asker(NAME)

    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        asker.ask(fail, seconds=DEADLINE_SECONDS)

    assert caught.value is error
    assert asker.ask(lambda: 42, seconds=DEADLINE_SECONDS) == 42


def test_a_question_that_hangs_is_given_up_and_says_after_how_long(hanging: Hanging) -> None:
    with pytest.raises(TimeoutError, match=r"no answer within 0\.05 s"):
        Asker(NAME).ask(hanging, seconds=SOON_SECONDS)

    assert not hanging.release.is_set()


def test_questions_that_hang_do_not_pile_up(hanging: Hanging) -> None:
    asker = Asker(NAME)

    for _ in range(20):
        with pytest.raises(TimeoutError):
            asker.ask(hanging, seconds=0.01)

    assert hanging.asked == 1
    assert threads() == 1


def test_the_next_is_answered_when_the_question_that_hung_has_ended(hanging: Hanging) -> None:
    asker = Asker(NAME)
    with pytest.raises(TimeoutError):
        asker.ask(hanging, seconds=SOON_SECONDS)

    hanging.release.set()

    assert asker.ask(lambda: 42, seconds=DEADLINE_SECONDS) == 42


def test_questions_at_once_are_all_answered() -> None:
    asker = Asker(NAME)
    answers: list[int] = []

    def ask(number: int) -> None:
        answers.append(asker.ask(lambda: number, seconds=DEADLINE_SECONDS))

    asking = [threading.Thread(target=ask, args=(number,)) for number in range(50)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join(DEADLINE_SECONDS)

    assert sorted(answers) == list(range(50))


def test_a_process_that_can_start_no_thread_is_answered_in_time_and_recovers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    asker = Asker(NAME)
    with monkeypatch.context() as broken:
        broken.setattr(threading.Thread, "start", refuse)
        with pytest.raises(TimeoutError):
            asker.ask(lambda: 42, seconds=DEADLINE_SECONDS)

    assert asker.ask(lambda: 42, seconds=DEADLINE_SECONDS) == 42

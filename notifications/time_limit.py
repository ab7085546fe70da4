"""A question that may block is waited for only so long: it is asked on a thread of its own.

A socket's timeout does not cover the look-up of its host's name, which blocks for 10 s and longer
while the name server is silent.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Answer = TypeVar("Answer")


class Asker:
    """Asks one question at a time, so that a question that hangs keeps one thread and no more."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._is_free = threading.Lock()

    def ask(self, question: Callable[[], Answer], *, seconds: float) -> Answer:
        """Return the answer or raise the question's error; raise TimeoutError when it is late.

        Waiting for the question before counts too. A late answer is dropped.
        """
        deadline = time.monotonic() + seconds
        late = TimeoutError(f"no answer within {seconds:g} s")
        if not self._is_free.acquire(timeout=seconds):
            raise late
        answer: Future[Answer] = Future()
        thread = threading.Thread(
            target=self._find, args=(question, answer), name=self._name, daemon=True
        )
        try:
            thread.start()
        except RuntimeError:  # no more threads can be started
            self._is_free.release()
            raise late from None
        try:
            return answer.result(deadline - time.monotonic())
        except TimeoutError:
            raise late from None

    def _find(self, question: Callable[[], Answer], answer: "Future[Answer]") -> None:
        try:
            answer.set_result(question())
        except BaseException as error:  # noqa: BLE001  (raised again by whoever waits)
            answer.set_exception(error)
        finally:
            self._is_free.release()

"""Lets code that recurses go deeper than the recursion limit: where a call stack is used up, it goes on in a fresh thread.

A thread has a stack, and a recursion count, of its own: together they are a call stack in segments. One of them runs at a time, and the limit of the
process stays what it is, for whatever else runs in it.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any


class DeepCalls:
    """A mixin whose `counted` methods go on in a fresh thread every `frames_per_step`-th part of the recursion limit.

    Attributes:
        frames_per_step: Python frames between one counted call and the next, at most.
        most_segments: threads that may wait for each other; what lies deeper is left out.
        without_answer: by the name of a method, what it returns where it is left out.
        left_out: how often that happened.
    """

    frames_per_step = 10
    most_segments = 400
    without_answer: dict[str, Any] = {}

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._reach = max(sys.getrecursionlimit() // self.frames_per_step, 8)
        self._steps = self._reach  # how much of the caller's stack is left is not known: start on a fresh one
        self._segments = 0
        self.left_out = 0

    def _go_on(self, method: Callable, arguments: tuple, named: dict[str, Any]) -> Any:
        """Runs a method on a call stack of its own."""
        outcome: list[tuple[Any, BaseException | None]] = []

        def run() -> None:
            try:
                outcome.append((method(self, *arguments, **named), None))
            except BaseException as error:  # raised again by the thread that waits
                outcome.append((None, error))

        thread = threading.Thread(target=run, daemon=True)
        steps, self._steps = self._steps, 0
        self._segments += 1
        try:
            if self._segments > self.most_segments:
                raise RuntimeError("deep enough")
            thread.start()
        except RuntimeError:  # also when the system gives no more threads
            self.left_out += 1
            return self.without_answer.get(method.__name__, 0)
        else:
            thread.join()
        finally:
            self._segments -= 1
            self._steps = steps
        value, error = outcome[0]
        if error is not None:
            raise error
        return value


def counted(method: Callable) -> Callable:
    """Turns a method into one that is counted; its class derives from `DeepCalls`."""

    @wraps(method)
    def step(self: DeepCalls, *arguments: Any, **named: Any) -> Any:
        if self._steps >= self._reach:
            return self._go_on(method, arguments, named)
        self._steps += 1
        try:
            return method(self, *arguments, **named)
        finally:
            self._steps -= 1

    return step

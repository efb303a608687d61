"""Reads Python source that is nested deeper than the recursion limit lets one walk go.

The walk of python/reading/extract.py recurses. Here its methods count how deep they are and, when the call stack at hand is used up, go on in a fresh thread, which
has a stack (and a recursion count) of its own: a call stack in segments. One thread runs at a time; the recursion limit stays what it is.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

from codefuse_hf.graph.languages.base import Problem
from codefuse_hf.graph.languages.python.reading.extract import HANDLERS, Extractor
from codefuse_hf.graph.languages.source_text import SourceText

_FRAMES_PER_STEP = 10  # Python frames between one counted call and the next, at most
_MOST_SEGMENTS = 400  # some 20 000 nested brackets; what lies deeper is left out

_WITHOUT_ANSWER = {
    "assign": None, "note_attributes": None, "pairwise": False, "pattern": None, "with_items": None, "annotation_path": None, "literal_type": "",
}  # fmt: skip
"""The methods that recurse beside the handlers of nodes, with what they return for a part that is left out."""


class DeepExtractor(Extractor):
    """An extractor for any depth of nesting, some 20 % slower than the plain one."""

    def __init__(self, source: SourceText, clean: bool = False):
        super().__init__(source, clean)
        self.handlers = COUNTED_HANDLERS
        self.reach = max(sys.getrecursionlimit() // _FRAMES_PER_STEP, 8)
        self.depth = self.reach  # how much of the caller's stack is left is not known: start on a fresh one
        self.segments = 0
        self.left_out = 0

    def go_on(self, method: Callable, arguments: tuple) -> Any:
        """Runs a method on a call stack of its own."""
        outcome: list[tuple[Any, BaseException | None]] = []

        def run() -> None:
            try:
                outcome.append((method(self, *arguments), None))
            except BaseException as error:  # raised again by the thread that waits
                outcome.append((None, error))

        thread = threading.Thread(target=run, daemon=True)
        depth, self.depth = self.depth, 0
        self.segments += 1
        try:
            if self.segments > _MOST_SEGMENTS:
                raise RuntimeError("deep enough")
            thread.start()
        except RuntimeError:  # also when the system gives no more threads
            self.left_out += 1
            return _WITHOUT_ANSWER.get(method.__name__, 0)
        else:
            thread.join()
        finally:
            self.segments -= 1
            self.depth = depth
        value, error = outcome[0]
        if error is not None:
            raise error
        return value

    def problems(self) -> list[Problem]:
        """What had to be left out."""
        if not self.left_out:
            return []
        return [Problem("nesting", f"nested too deep in {self.left_out} places; what lies deeper is left out")]


def _counted(method: Callable) -> Callable:
    @wraps(method)
    def step(self: DeepExtractor, *arguments: Any) -> Any:
        if self.depth >= self.reach:
            return self.go_on(method, arguments)
        self.depth += 1
        try:
            return method(self, *arguments)
        finally:
            self.depth -= 1

    return step


class _CountedHandlers(dict[str, Callable]):
    def __missing__(self, kind: str) -> Callable:
        self[kind] = counted = _counted(HANDLERS[kind])
        return counted


COUNTED_HANDLERS = _CountedHandlers()
for _name in _WITHOUT_ANSWER:
    setattr(DeepExtractor, _name, _counted(getattr(Extractor, _name)))

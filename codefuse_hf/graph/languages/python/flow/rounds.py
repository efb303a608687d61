"""Runs files in rounds. What a file sends in one round is delivered in the next, in order of the senders; a phase ends when nothing is sent.

So what happens to a file is a function of its facts, the answers it gets from the Structure and the messages it receives, in their order. (An update
makes use of this: `update/rounds.py`.)
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from codefuse_hf.graph.languages.base import DEFAULT_MEMORY
from codefuse_hf.graph.languages.python.flow.scatter import without_scatter
from codefuse_hf.graph.languages.python.flow.solver import Solver
from codefuse_hf.graph.languages.python.flow.states import FileState, States

Time = tuple[int, int]
"""Phase and round; round 0 of a phase is its start, where no messages arrive."""


class FileLog:
    """What a file's run has found.

    Attributes:
        calls, uses: its edges, int32 [n, 3] of definition, target file, target definition.
        unknown: (caller, name) of its method calls on unknown objects.
        has_dropped: as the state's. is_scattered: whether calls were left out (scatter.py).
    """

    __slots__ = ("calls", "has_dropped", "is_scattered", "unknown", "uses")

    calls: np.ndarray
    uses: np.ndarray
    unknown: list[tuple[int, str]]
    has_dropped: bool
    is_scattered: bool


class Rounds:
    """One pass over all phases and rounds.

    Args:
        order: the files, in the order in which they take turns.
        progress: whether to show a bar.
        memory: as for `States`.

    Attributes:
        logs: of the files that have run.
        lengths: how many rounds each phase had.
    """

    expected_lengths: Sequence[int] = ()
    """How many rounds each phase has at least."""

    def __init__(self, solver: Solver, order: Iterable[int], progress: bool = False, memory: int = DEFAULT_MEMORY):
        self.solver, self.progress = solver, progress
        self.ranks = {slot: rank for rank, slot in enumerate(order)}
        self.states = States(solver.structure.program, memory)
        self.waiting: set[int] = set()  # files with fall-backs for the next phase
        self.pending: dict[int, dict[int, Any]] = {}
        self.logs: dict[int, Any] = {}
        self.lengths: list[int] = []

    def run(self, slots: Iterable[int]) -> dict[int, Any]:
        """Runs files; returns `logs`."""
        slots, phase = self._in_order(slots), 0
        with tqdm(
            total=len(slots), desc="Resolving python", unit="file", disable=not self.progress, leave=False
        ) as bar:
            for slot in slots:
                self._post(self._start(slot, (0, 0)))
                bar.update()
            while True:
                expected = self.expected_lengths[phase] if phase < len(self.expected_lengths) else 0
                number = 1
                while self.pending or number <= expected:
                    bar.set_postfix_str(f"phase {phase + 1}, round {number}")
                    self._step((phase, number))
                    number += 1
                self.lengths.append(number - 1)
                phase += 1
                waiting = self._in_order(self.states if phase == 1 else self.waiting)
                if not waiting and phase >= len(self.expected_lengths):
                    break
                for slot in waiting:
                    state = self.states.get(slot)
                    self.solver.fall_back(state, phase == 1)
                    self._post(state)
        while self.states:
            self._finish(self.states.take())
        return self.logs

    def _in_order(self, slots: Iterable[int]) -> list[int]:
        return sorted(slots, key=self.ranks.__getitem__)

    def _start(self, slot: int, time: Time) -> FileState:
        """Runs a file for the first time, at `time`."""
        state = self.solver.start(slot)
        self.states.add(state)
        self.logs[slot] = self._new_log()
        return state

    def _new_log(self) -> FileLog:
        return FileLog()

    def _step(self, time: Time) -> None:
        """Delivers what was sent the round before, and runs the receivers."""
        pending, self.pending = self.pending, {}
        for slot in self._turns(pending, time):
            self._deliver(slot, pending[slot], time)

    def _turns(self, slots: Iterable[int], time: Time) -> list[int]:
        """The order in which files run in a round: to and fro, so that the last of one round, which are still in memory, are the first of the next."""
        return self._in_order(slots)[:: 1 if time[1] % 2 else -1]

    def _deliver(self, slot: int, messages: Mapping[int, Any], time: Time) -> None:
        """Runs a file with its messages by sender."""
        state = self.states.get(slot)
        self.solver.receive(state, self._by_sender(messages))
        self._post(state)

    def _by_sender(self, messages: Mapping[int, Any]) -> Mapping[int, Any]:
        """Messages in order of their senders."""
        return {sender: messages[sender] for sender in self._in_order(messages)} if len(messages) > 1 else messages

    def _post(self, state: FileState) -> None:
        """Takes the messages of the file that has just run."""
        for receiver, messages in self.solver.out.items():
            self.pending.setdefault(receiver, {})[state.slot] = array("q", messages)
        self._record(state)
        self._settle(state)

    def _record(self, state: FileState) -> None:
        """Notes what a file that has run has asked and sent; here, where nothing is ever run again, nothing."""
        self.solver.asked.clear()

    def _settle(self, state: FileState) -> None:
        """Notes what a file that has run waits for, and how large it is."""
        if state.later:
            self.waiting.add(state.slot)
        else:
            self.waiting.discard(state.slot)
        self.states.weigh(state)

    def _finish(self, state: FileState) -> None:
        """Takes what a file has found."""
        log = self.logs[state.slot]
        log.uses, log.has_dropped = state.edges("uses"), state.has_dropped
        log.calls, log.is_scattered = without_scatter(self.solver, state)
        log.unknown = self.solver.unknown_calls(state)

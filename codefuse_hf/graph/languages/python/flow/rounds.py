"""Runs files in turns, to and fro: in the order of their paths in one sweep, in the reverse order in the next.

What a file sends to one whose turn is still to come is delivered in this sweep, to any other in the next; what waits for one turn is delivered together, in
order of the senders. A phase begins for a file with its turn in the first sweep, before it gets any messages, and ends when nothing waits. So files of a
large project are seldom fetched back (states.py), and each time for many messages.

What happens to a file is a function of its facts, the answers it gets from the Structure and the messages it receives, in their order. (An update makes
use of this: `update/rounds.py`.)
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from heapq import heappop, heappush
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from codefuse_hf.graph.languages.base import DEFAULT_MEMORY
from codefuse_hf.graph.languages.python.flow.scatter import without_scatter
from codefuse_hf.graph.languages.python.flow.solver import Solver
from codefuse_hf.graph.languages.python.flow.states import FileState, States

Time = tuple[int, int, bytes, int]
"""Phase, sweep, the key by which the file whose turn it is sorts in this sweep, and the file."""


def turn_keys(path: str) -> tuple[bytes, bytes]:
    """Returns the keys of a path in a sweep from first to last and in one from last to first."""
    key = path.encode("utf-8", "surrogatepass")
    return key, key.translate(_REVERSED) + b"\xff"


_REVERSED = bytes(range(255, -1, -1))


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
    """One pass over all phases.

    Args:
        order: the files, in the order in which they take turns.
        progress: whether to show a bar.
        memory: as for `States`.

    Attributes:
        logs: of the files that have run.
        pending: what is to be delivered, by time and sender; `times` is a heap of these times.
        opening: the files for which the phase has not begun.
        now: the time.
    """

    def __init__(self, solver: Solver, order: Iterable[int], progress: bool = False, memory: int = DEFAULT_MEMORY):
        self.solver, self.progress = solver, progress
        self.ranks = {slot: rank for rank, slot in enumerate(order)}
        self.states = States(solver.structure.program, memory)
        self.waiting: set[int] = set()  # files with fall-backs for the next phase
        self.pending: dict[Time, dict[int, array]] = {}
        self.times: list[Time] = []
        self.opening: set[int] = set()
        self.now: Time = (0, 0, b"", -1)
        self.logs: dict[int, Any] = {}
        self.keys: dict[int, tuple[bytes, bytes]] = {}

    def run(self, slots: Iterable[int]) -> dict[int, Any]:
        """Runs files; returns `logs`."""
        self.opening = set(slots)
        phase = 0
        total = len(self.opening)
        with tqdm(total=total, desc="Resolving python", unit="file", disable=not self.progress, leave=False) as bar:
            while self.opening or self.times:
                for slot in self.opening:
                    self._at(self._first_turn(phase, slot))
                while self.times and self.times[0][0] == phase:
                    self.now = heappop(self.times)
                    self._step(self.now[3], self.pending.pop(self.now))
                    bar.update(len(self.logs) - bar.n)
                    bar.set_postfix_str(f"phase {phase + 1}, sweep {self.now[1] + 1}", refresh=False)
                phase += 1
                self.opening = set(self.states if phase == 1 else self.waiting)
        while self.states:
            self._finish(self.states.take())
        return self.logs

    def _in_order(self, slots: Iterable[int]) -> list[int]:
        return sorted(slots, key=self.ranks.__getitem__)

    def _step(self, slot: int, messages: Mapping[int, array]) -> None:
        """A file's turn, with its messages by sender."""
        if slot in self.opening:
            self._open(slot)
        if messages:
            self._deliver(slot, messages)

    def _open(self, slot: int) -> None:
        """Begins a phase for a file."""
        self.opening.discard(slot)
        if self.now[0]:
            state = self.states.get(slot)
            self.solver.fall_back(state, self.now[0] == 1)
        else:
            state = self._start(slot)
        self._post(state)

    def _start(self, slot: int) -> FileState:
        """Runs a file for the first time."""
        state = self.solver.start(slot)
        self.states.add(state)
        self.logs[slot] = self._new_log()
        return state

    def _new_log(self) -> FileLog:
        return FileLog()

    def _deliver(self, slot: int, messages: Mapping[int, array]) -> None:
        """Runs a file with its messages by sender."""
        state = self.states.get(slot)
        self.solver.receive(state, self._by_sender(messages))
        self._post(state)

    def _by_sender(self, messages: Mapping[int, array]) -> Mapping[int, array]:
        """Messages in order of their senders."""
        return {sender: messages[sender] for sender in self._in_order(messages)} if len(messages) > 1 else messages

    def _post(self, state: FileState) -> None:
        """Takes the messages of the file that has just run."""
        for receiver, messages in self.solver.out.items():
            self._send(state.slot, messages, self._due(receiver))
        self._record(state)
        self._settle(state)

    def _keys(self, slot: int) -> tuple[bytes, bytes]:
        if slot not in self.keys:
            self.keys[slot] = turn_keys(self.solver.structure.paths[slot])
        return self.keys[slot]

    def _first_turn(self, phase: int, slot: int) -> Time:
        return phase, 0, self._keys(slot)[0], slot

    def _due(self, receiver: int) -> Time:
        """When a message that is sent now is delivered."""
        keys, (phase, sweep, here, _) = self._keys(receiver), self.now
        if keys[sweep % 2] > here:
            return phase, sweep, keys[sweep % 2], receiver
        return phase, sweep + 1, keys[(sweep + 1) % 2], receiver

    def _send(self, sender: int, messages: list[int], due: Time) -> None:
        """Puts messages to those that the receiver gets at `due`."""
        waiting = self._at(due)
        if sender in waiting:
            waiting[sender].extend(messages)
        else:
            waiting[sender] = array("q", messages)

    def _at(self, time: Time) -> dict[int, array]:
        """What waits for a turn, which is taken now even if nothing does."""
        if time not in self.pending:
            self.pending[time] = {}
            heappush(self.times, time)
        return self.pending[time]

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

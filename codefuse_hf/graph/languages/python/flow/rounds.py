"""When which file runs: in rounds. What a file sends in one round is delivered in the next, in order of the senders; a phase ends when nothing is sent.

So what happens to a file is a function of its facts, the answers it gets from the Structure and the messages it receives, in their order. An update
uses this: it runs the files again that have changed or that get other answers; and a file whose messages of some round are not those of the run before is
run again from its start, up to that round with the messages that it had then. All others stay as they were.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from typing import Any

from tqdm.auto import tqdm

from codefuse_hf.graph.languages.base import DEFAULT_MEMORY
from codefuse_hf.graph.languages.python.flow.solver import Solver
from codefuse_hf.graph.languages.python.flow.states import FileState, States

Time = tuple[int, int]
"""Phase and round; round 0 of a phase is its start, where no messages arrive."""


class FileLog:
    """What is kept of a file's run.

    Attributes:
        inbox: by time, the messages it received, by sender.
        receivers: the files that it ever sent something to.
        calls, uses: its edges, int32 [n, 3] of definition, target file, target definition.
        asked: the questions it put to the Structure.
        unknown: (caller, name) of its method calls on unknown objects.
    """

    __slots__ = ("asked", "calls", "inbox", "receivers", "unknown", "uses")

    def __init__(self) -> None:
        self.inbox: dict[Time, dict[int, array]] = {}
        self.receivers: set[int] = set()


class Rounds:
    """Runs files over `solver`; with `keep`, keeps what running some of them again needs; with `progress`, shows a bar. `memory`: as for `States`."""

    def __init__(self, solver: Solver, keep: bool, progress: bool = False, memory: int = DEFAULT_MEMORY):
        self.solver, self.keep, self.progress, self.memory = solver, keep, progress, memory
        self.logs: dict[int, FileLog] = {}
        self.ranks: dict[int, int] = {}
        self.last_rounds: list[int] = []

    def run(self, order: Iterable[int], changed: Iterable[int], removed: Iterable[int] = ()) -> dict[int, FileLog]:
        """Runs the files `changed`, and whatever they affect.

        Args:
            order: the files, in the order in which they take turns.
            changed: those of them that are new, have other facts or get other answers than in the run before.
            removed: files of the run before that are no more.

        Returns:
            The logs of the files that were run; they are in `logs`, too.
        """
        removed = list(removed)
        self.ranks = {slot: rank for rank, slot in enumerate(order)}
        logs = _Run(self, changed, removed).finish()
        for slot in removed:
            self.logs.pop(slot, None)
        if self.keep:
            self.logs.update(logs)
        return logs


class _Run:
    """One pass over all phases and rounds, for the files that are run (again): the live ones."""

    def __init__(self, rounds: Rounds, changed: Iterable[int], removed: Iterable[int]):
        self.rounds, self.solver, self.ranks, self.keep = rounds, rounds.solver, rounds.ranks, rounds.keep
        self.old = rounds.logs
        self.states = States(self.solver.structure.program, rounds.memory)
        self.waiting: set[int] = set()  # files with fall-backs for the next phase
        self.logs: dict[int, FileLog] = {}
        # From when on a file is live (or gone), so that what it sends takes the place of what it sent then.
        self.since: dict[int, Time] = dict.fromkeys(removed, (0, 0))
        # What live and removed files sent in the run before, by time of delivery and receiver.
        self.sent: dict[int, dict[Time, dict[int, array]]] = {slot: self._sent(slot) for slot in self.since}
        self.pending: dict[int, dict[int, Any]] = {}
        slots = self._in_order(changed)
        self.bar = tqdm(
            total=len(slots), desc="Resolving python", unit="file", disable=not rounds.progress, leave=False
        )
        for slot in slots:
            self._post(self._make_live(slot, (0, 0)))
            self.bar.update()

    def finish(self) -> dict[int, FileLog]:
        """Goes through all phases; the logs of the live files."""
        rounds, phase, lengths = self.rounds, 0, []
        while True:
            expected = rounds.last_rounds[phase] if phase < len(rounds.last_rounds) else 0
            number = 1
            while self.pending or number <= expected:
                self.bar.set_postfix_str(f"phase {phase + 1}, round {number}")
                self._step((phase, number))
                number += 1
            lengths.append(number - 1)
            phase += 1
            waiting = self._in_order(self.states if phase == 1 else self.waiting)
            if not waiting and phase >= len(rounds.last_rounds):
                break
            for slot in waiting:
                state = self.states.get(slot)
                self.solver.fall_back(state, phase == 1)
                self._post(state)
        self.bar.close()
        rounds.last_rounds = lengths
        while self.states:
            state = self.states.take()
            log = self.logs[state.slot]
            log.calls, log.uses = state.edges("calls"), state.edges("uses")
            log.asked, log.unknown = state.asked, self.solver.unknown_calls(state)
        return self.logs

    def _in_order(self, slots: Iterable[int]) -> list[int]:
        return sorted(slots, key=self.ranks.__getitem__)

    def _make_live(self, slot: int, time: Time) -> FileState:
        state = self.solver.start(slot)
        self.states.add(state)
        self.logs[slot] = FileLog()
        self.since[slot] = time
        if self.old:
            self.sent[slot] = self._sent(slot)
        return state

    def _sent(self, slot: int) -> dict[Time, dict[int, array]]:
        found: dict[Time, dict[int, array]] = {}
        log = self.old.get(slot)
        for receiver in () if log is None else log.receivers:
            if receiver in self.old:
                for time, messages in self.old[receiver].inbox.items():
                    if slot in messages:
                        found.setdefault(time, {})[receiver] = messages[slot]
        return found

    def _step(self, time: Time) -> None:
        """Delivers what was sent the round before, and runs the receivers."""
        pending, self.pending = self.pending, {}
        if self.old:
            for slot in self._in_order(self._affected(pending, time)):
                self._repeat(slot, time)
            receivers = [s for s in self.states if s in pending or (s in self.old and time in self.old[s].inbox)]
        else:
            receivers = list(pending)
        # There and back again: what was run last is at hand.
        for slot in self._in_order(receivers)[:: 1 if time[1] % 2 else -1]:
            messages = pending.get(slot, {})
            if self.old:
                messages = {**self._expected(slot, time), **messages}
            if not messages:
                continue
            if len(messages) > 1:
                messages = {sender: messages[sender] for sender in self._in_order(messages)}
            if self.keep:
                self.logs[slot].inbox[time] = messages
            state = self.states.get(slot)
            self.solver.receive(state, messages)
            self._post(state)

    def _expected(self, slot: int, time: Time) -> dict[int, array]:
        """What files that were not live when they sent it sent to this one in the run before."""
        log = self.old.get(slot)
        if log is None or time not in log.inbox:
            return {}
        since = self.since
        return {s: m for s, m in log.inbox[time].items() if s not in since or since[s] >= time}

    def _affected(self, pending: Mapping[int, Mapping[int, array]], time: Time) -> set[int]:
        """Files that are not live yet and get other messages now than in the run before."""
        found: set[int] = set()
        for receiver, messages in pending.items():
            if receiver not in self.states:
                for sender, now in messages.items():
                    if self.sent[sender].get(time, {}).get(receiver) != now:
                        found.add(receiver)
        for sender, since in self.since.items():
            if since < time:
                for receiver in self.sent[sender].get(time, ()):
                    if receiver not in self.since and sender not in pending.get(receiver, ()):
                        found.add(receiver)
        return found

    def _repeat(self, slot: int, time: Time) -> None:
        """Runs a file again up to `time`, with the messages of the run before."""
        state, log, solver = self._make_live(slot, time), self.logs[slot], self.solver
        log.receivers.update(solver.out)
        phase = 0
        for moment in [*sorted(t for t in self.old[slot].inbox if t < time), time]:
            while phase < moment[0]:
                phase += 1
                if phase == 1 or state.later:
                    solver.fall_back(state, phase == 1)
                    log.receivers.update(solver.out)
            if moment != time:
                log.inbox[moment] = self.old[slot].inbox[moment]
                solver.receive(state, log.inbox[moment])
                log.receivers.update(solver.out)
        self._settle(state)

    def _post(self, state: FileState) -> None:
        """Takes the messages of the file that has just run."""
        sender = state.slot
        for receiver, messages in self.solver.out.items():
            self.pending.setdefault(receiver, {})[sender] = array("q", messages)
        if self.keep:
            self.logs[sender].receivers.update(self.solver.out)
        else:
            self.solver.asked.clear()
        self._settle(state)

    def _settle(self, state: FileState) -> None:
        """Notes what a file that has run waits for, and how large it is."""
        if state.later:
            self.waiting.add(state.slot)
        else:
            self.waiting.discard(state.slot)
        self.states.weigh(state)

"""Runs files again after a change, and those of the others which then get other messages.

What happens to a file is a function of its facts, the answers it gets and the messages it receives (`flow/rounds.py`). So the files run again that have
changed or that get other answers; and a file whose messages of some round are not those of the run before is run again from its start, up to that round
with the messages that it had then. All others stay as they were.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping

from codefuse_hf.graph.languages.base import DEFAULT_MEMORY
from codefuse_hf.graph.languages.python.flow.rounds import FileLog, Rounds, Time
from codefuse_hf.graph.languages.python.flow.solver import Solver
from codefuse_hf.graph.languages.python.flow.states import FileState


class KeptLog(FileLog):
    """What is kept of a file's run.

    Attributes:
        inbox: by time, the messages it received, by sender.
        receivers: the files that it ever sent something to.
        asked: the questions it put to the Structure.
    """

    __slots__ = ("asked", "inbox", "receivers")

    def __init__(self) -> None:
        self.inbox: dict[Time, dict[int, array]] = {}
        self.receivers: set[int] = set()
        self.asked: set[tuple] = set()


class History:
    """Runs files over `solver`, and keeps what running some of them again needs.

    Attributes:
        logs: of all files' last runs.
        lengths: how many rounds each phase had.
    """

    def __init__(self, solver: Solver, progress: bool = False, memory: int = DEFAULT_MEMORY):
        self.solver, self.progress, self.memory = solver, progress, memory
        self.logs: dict[int, KeptLog] = {}
        self.lengths: list[int] = []

    def run(self, order: Iterable[int], changed: Iterable[int], removed: Iterable[int] = ()) -> dict[int, KeptLog]:
        """Runs the files `changed`, and whatever they affect.

        Args:
            order: the files, in the order in which they take turns.
            changed: those of them that are new, have other facts or get other answers than in the run before.
            removed: files of the run before that are no more.

        Returns:
            The logs of the files that were run; they are in `logs`, too.
        """
        removed = list(removed)
        rounds = RepeatedRounds(self, order, removed)
        logs = rounds.run(changed)
        self.lengths = rounds.lengths
        for slot in removed:
            self.logs.pop(slot, None)
        self.logs.update(logs)
        return logs


class RepeatedRounds(Rounds):
    """One pass for the files that are run (again): the live ones."""

    def __init__(self, history: History, order: Iterable[int], removed: Iterable[int]):
        super().__init__(history.solver, order, history.progress, history.memory)
        self.old, self.expected_lengths = history.logs, history.lengths
        # From when on a file is live (or gone), so that what it sends takes the place of what it sent then.
        self.since: dict[int, Time] = dict.fromkeys(removed, (0, 0))
        # What live and removed files sent in the run before, by time of delivery and receiver.
        self.sent: dict[int, dict[Time, dict[int, array]]] = {slot: self._sent(slot) for slot in self.since}

    def _start(self, slot: int, time: Time) -> FileState:
        state = super()._start(slot, time)
        self.since[slot] = time
        if self.old:
            self.sent[slot] = self._sent(slot)
        return state

    def _new_log(self) -> KeptLog:
        return KeptLog()

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
        if not self.old:
            super()._step(time)
            return
        pending, self.pending = self.pending, {}
        for slot in self._in_order(self._affected(pending, time)):
            self._repeat(slot, time)
        receivers = [s for s in self.states if s in pending or (s in self.old and time in self.old[s].inbox)]
        for slot in self._turns(receivers, time):
            messages = {**self._expected(slot, time), **pending.get(slot, {})}
            if messages:
                self._deliver(slot, messages, time)

    def _deliver(self, slot: int, messages: Mapping[int, array], time: Time) -> None:
        self.logs[slot].inbox[time] = self._by_sender(messages)
        super()._deliver(slot, messages, time)

    def _record(self, state: FileState) -> None:
        self.logs[state.slot].receivers.update(self.solver.out)

    def _finish(self, state: FileState) -> None:
        super()._finish(state)
        self.logs[state.slot].asked = state.asked

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
        state, log, solver = self._start(slot, time), self.logs[slot], self.solver
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

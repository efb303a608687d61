"""Runs files again after a change, and those of the others which then get other messages.

What happens to a file is a function of its facts, the answers it gets and the messages it receives (`flow/rounds.py`). So the files run again that have
changed or that get other answers; and a file whose messages of some turn are not those of the run before is run again from its start, up to that turn
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
    """

    def __init__(self, solver: Solver, progress: bool = False, memory: int = DEFAULT_MEMORY):
        self.solver, self.progress, self.memory = solver, progress, memory
        self.logs: dict[int, KeptLog] = {}

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
        for slot in removed:
            self.logs.pop(slot, None)
        self.logs.update(logs)
        return logs


class RepeatedRounds(Rounds):
    """One pass for the files that are run (again): the live ones."""

    def __init__(self, history: History, order: Iterable[int], removed: Iterable[int]):
        super().__init__(history.solver, order, history.progress, history.memory)
        self.old = history.logs
        # From when on a file is live (or gone), so that what it sends takes the place of what it sent then.
        self.since: dict[int, Time] = {}
        # What live and removed files sent in the run before, by time; and who of them sent something for a time to come.
        self.sent: dict[int, dict[Time, array]] = {}
        self.senders: dict[Time, list[int]] = {}
        for slot in removed:
            self._replace(slot)

    def _start(self, slot: int) -> FileState:
        state = super()._start(slot)
        self._replace(slot)
        return state

    def _replace(self, slot: int) -> None:
        """From now on a file is live, or gone: whatever it got or sent later in the run before may change."""
        self.since[slot] = self.now
        self.sent[slot] = self._sent(slot)
        for time in self.sent[slot]:
            if time > self.now:
                self._at(time)
                self.senders.setdefault(time, []).append(slot)
        for time in self.old[slot].inbox if slot in self.old else ():
            if time > self.now:
                self._at(time)

    def _new_log(self) -> KeptLog:
        return KeptLog()

    def _sent(self, slot: int) -> dict[Time, array]:
        log = self.old.get(slot)
        found: dict[Time, array] = {}
        for receiver in () if log is None else log.receivers:
            for time, messages in self.old[receiver].inbox.items() if receiver in self.old else ():
                if slot in messages:
                    found[time] = messages[slot]
        return found

    def _step(self, slot: int, messages: Mapping[int, array]) -> None:
        if slot in self.opening:
            self._open(slot)
        elif slot not in self.states and self._is_affected(slot, messages):
            self._repeat(slot)
        if slot in self.states:
            messages = {**self._expected(slot), **messages}
            if messages:
                self._deliver(slot, messages)

    def _deliver(self, slot: int, messages: Mapping[int, array]) -> None:
        self.logs[slot].inbox[self.now] = messages = self._by_sender(messages)
        super()._deliver(slot, messages)

    def _record(self, state: FileState) -> None:
        self.logs[state.slot].receivers.update(self.solver.out)

    def _finish(self, state: FileState) -> None:
        super()._finish(state)
        self.logs[state.slot].asked = state.asked

    def _expected(self, slot: int) -> dict[int, array]:
        """What files that were not live when they sent it sent to this one in the run before."""
        log, since = self.old.get(slot), self.since
        if log is None or self.now not in log.inbox:
            return {}
        return {s: m for s, m in log.inbox[self.now].items() if s not in since or since[s] >= self.now}

    def _is_affected(self, slot: int, messages: Mapping[int, array]) -> bool:
        """Whether a file that is not live gets other messages now than in the run before."""
        if slot in self.since:
            return False  # it is gone
        if any(self.sent[sender].get(self.now) != each for sender, each in messages.items()):
            return True
        return any(sender not in messages for sender in self.senders.get(self.now, ()))

    def _repeat(self, slot: int) -> None:
        """Runs a file again up to now, with the messages of the run before. What it sent then and others do not have yet is sent."""
        time, inbox, solver = self.now, self.old[slot].inbox, self.solver
        state = self._start(slot)
        log = self.logs[slot]
        self.now = self._first_turn(0, slot)
        self._send_again(slot, time)
        phase = 0
        for moment in [*sorted(t for t in inbox if t < time), time]:
            while phase < moment[0]:
                phase += 1
                if phase == 1 or state.later:
                    self.now = self._first_turn(phase, slot)
                    solver.fall_back(state, phase == 1)
                    self._send_again(slot, time)
            self.now = moment
            if moment != time:
                log.inbox[moment] = inbox[moment]
                solver.receive(state, inbox[moment])
                self._send_again(slot, time)
        self._settle(state)

    def _send_again(self, slot: int, time: Time) -> None:
        """Sends of a repeated run what was due after `time`."""
        self.logs[slot].receivers.update(self.solver.out)
        for receiver, messages in self.solver.out.items():
            due = self._due(receiver)
            if due > time:
                self._send(slot, messages, due)

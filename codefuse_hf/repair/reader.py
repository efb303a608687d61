"""The last stage: a model reads the issue and the chosen files, and for CGM their graph, and writes the change."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .answers import without_thinking
from .edits import EditError, apply_edits, make_patch, parse_edits
from .models import NO_USAGE, ChatModel, Message, Usage
from .prompts import fill
from .quoting import fence, restore
from .records import Record
from .repository import Repository
from .rewriter import TEMPLATE_TOKENS, shortened_quote

if TYPE_CHECKING:
    from codefuse_hf.graph import CodeGraph

    from .locate import RankedUnit

_ISSUE_SHARE = 0.25  # of the context
_KEPT_OF_ANSWER = 6_000  # characters of a failed answer that the next attempt sees
_AROUND = 5  # lines shown around a function of a file that is too long


@dataclass(frozen=True)
class Attempt(Record):
    """One answer, and why it was not used; "" if it was."""

    answer: str
    error: str


@dataclass(frozen=True)
class ChangedFile(Record):
    """A file with its new text."""

    path: str
    text: str


@dataclass(frozen=True)
class Repair(Record):
    """What came of reading.

    Attributes:
        patch: a unified diff that git takes; "" if there is none.
        changed: the changed files.
        error: why there is no patch; "" if there is one.
        shown: the files that the model saw, wholly or in part.
        attempts: the answers.
        usage: what the answers cost.
    """

    patch: str = ""
    changed: tuple[ChangedFile, ...] = ()
    error: str = ""
    shown: tuple[str, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    usage: Usage = NO_USAGE

    @property
    def texts(self) -> dict[str, str]:
        """New text by path, as `Repository.write` takes it."""
        return {file.path: file.text for file in self.changed}


class Reader:
    """Asks a model for a change until it can be applied.

    Args:
        model: any chat model; one that reads graphs gets the subgraph too.
        attempts: answers that are asked for at most; each after the first sees what was wrong with the one before.
        max_tokens: of each answer; at most half of the model's context.
    """

    def __init__(self, model: ChatModel, *, attempts: int = 3, max_tokens: int = 4096) -> None:
        if attempts < 1:
            raise ValueError(f"attempts must be 1 or more, found {attempts}")
        self.model, self.attempts = model, attempts
        self.max_tokens = min(max_tokens, model.answer_tokens or max_tokens, model.context_tokens // 2)

    def read(
        self,
        issue: str,
        repository: Repository,
        files: Sequence[str],
        *,
        units: "Sequence[RankedUnit]" = (),
        graph: "CodeGraph | None" = None,
        anchors: Sequence[int] = (),
    ) -> Repair:
        """Ask for a change that settles the issue.

        Args:
            files: paths of the files to show, the likeliest first.
            units: functions that are shown first of a file that is too long.
            graph, anchors: the subgraph, for models that read graphs.

        Raises:
            ModelError: the model gives no answer. Answers that cannot be used are no error but told in the result.
        """
        prompt, shown = self._prompt(issue, repository, files, units)
        first: Message = {"role": "user", "content": prompt}
        messages, attempts, usage = [first], [], NO_USAGE
        while True:
            answer = self.model.chat(messages, max_tokens=self.max_tokens, graph=graph, anchors=anchors)
            usage += answer.usage
            text = restore(without_thinking(answer.text))
            try:
                _check_end(text, answer.cut_off, self.max_tokens)
                changed = apply_edits(parse_edits(text), repository.read)
                patch = make_patch(changed, repository.read)
                break
            except EditError as error:
                attempts.append(Attempt(answer.text, str(error)))
                if len(attempts) == self.attempts:
                    return Repair("", (), str(error), shown, tuple(attempts), usage)
                messages = [first, *self._correction(text, str(error))]
        files_changed = tuple(ChangedFile(path, new) for path, new in sorted(changed.items()))
        return Repair(patch, files_changed, "", shown, (*attempts, Attempt(answer.text, "")), usage)

    def _correction(self, answer: str, error: str) -> list[Message]:
        kept = answer if len(answer) <= _KEPT_OF_ANSWER else answer[:_KEPT_OF_ANSWER] + "\n[…]"
        return [
            {"role": "assistant", "content": kept or "(no answer)"},
            {"role": "user", "content": fill("correction", error=error)},
        ]

    def _prompt(
        self, issue: str, repository: Repository, files: Sequence[str], units: "Sequence[RankedUnit]"
    ) -> tuple[str, tuple[str, ...]]:
        quoted = shortened_quote(issue, self.model, int(self.model.context_tokens * _ISSUE_SHARE))
        room = (
            self.model.context_tokens
            - self.max_tokens
            - self.model.count_tokens(fill("reader", issue=quoted, files=""))
        )
        room -= TEMPLATE_TOKENS + min(_KEPT_OF_ANSWER // 3, room // 4)  # for the correction of a first answer
        parts, shown = [], []
        for path in files:
            try:
                text = repository.read(path)
            except EditError:
                continue
            part = None if text is None else self._part(path, text.replace("\r\n", "\n"), room, units)
            if part is not None:
                room -= self.model.count_tokens(part)
                parts.append(part)
                shown.append(path)
        return fill("reader", issue=quoted, files="\n\n".join(parts)), tuple(shown)

    def _part(self, path: str, text: str, room: int, units: "Sequence[RankedUnit]") -> str | None:
        """The file as the prompt shows it: wholly if there is room, else its likeliest functions; None if there is no room."""
        whole = f"{path}\n{fence(text)}"
        if self.model.count_tokens(whole) <= room:
            return whole
        lines, chosen, best = text.split("\n"), set(), None
        for unit in (unit for unit in units if unit.path == path):
            chosen |= set(range(max(unit.start_line - _AROUND, 1), min(unit.end_line + _AROUND, len(lines)) + 1))
            part = f"{path} (parts of it)\n{fence(_excerpt(lines, chosen))}"
            if self.model.count_tokens(part) > room:
                break
            best = part
        return best


def _excerpt(lines: list[str], chosen: set[int]) -> str:
    """The chosen lines, numbered from 1, with "[…]" where some are left out."""
    shown, last = [], 0
    for number in sorted(chosen):
        if number != last + 1:
            shown.append("[…]")
        shown.append(lines[number - 1])
        last = number
    return "\n".join([*shown, *["[…]"] * (last < len(lines))])


def _check_end(answer: str, cut_off: bool, max_tokens: int) -> None:
    """Raise if an answer ended in the middle of an edit; one that ended in talk after its edits is complete."""
    begun = len(re.findall(r"(?m)^<{5,9} ?SEARCH", answer))
    if cut_off and (not begun or len(re.findall(r"(?m)^>{5,9} ?REPLACE", answer)) < begun):
        raise EditError(
            f"the answer was cut off after {max_tokens:,} tokens: answer with the edits alone, as short as they can be"
        )

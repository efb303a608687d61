"""The third stage: few files out of many, by their paths and then by their skeletons."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from codefuse_hf.graph import CodeGraph, NodeType

from .answers import read_lists, read_score
from .models import NO_USAGE, ChatModel, Usage
from .prompts import fill
from .quoting import fence, neutral
from .records import Record
from .rewriter import TEMPLATE_TOKENS, shortened_quote

_LOWEST, _HIGHEST = 1, 5
_MIDDLE = 3
_SKELETON_CHARACTERS = 8_000
_ISSUE_SHARE = 0.4  # of the context
_SHOWN = (NodeType.CLASS, NodeType.FUNCTION, NodeType.METHOD)


@dataclass(frozen=True)
class ScoredFile(Record):
    """A file with its score; None: the model gave none that can be read."""

    path: str
    score: float | None


@dataclass(frozen=True)
class Reranking(Record):
    """The chosen files, best first; what was left out of the answers, and why; what they cost."""

    files: tuple[ScoredFile, ...] = ()
    dropped: tuple[str, ...] = ()
    usage: Usage = NO_USAGE

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of the chosen files."""
        return tuple(file.path for file in self.files)


class ChatReranker:
    """Asks a chat model: first which paths look right, then how much each of those files has to do with the issue, 1 … 5.

    Args:
        model: any chat model.
        picks: files that the first step chooses; what the model leaves open is filled up in the given order.
        keep: files that remain.
    """

    def __init__(self, model: ChatModel, *, picks: int = 10, keep: int = 5) -> None:
        self.model, self.picks, self.keep = model, picks, keep

    def rerank(self, issue: str, files: Sequence[str], graph: CodeGraph) -> Reranking:
        """Choose among `files`, which come likeliest first.

        Raises:
            ModelError: the model gives no answer. One that makes no sense is no error: the given order stays.
        """
        if not files:
            return Reranking()
        quoted = shortened_quote(issue, self.model, int(self.model.context_tokens * _ISSUE_SHARE))
        picked, dropped, usage = self._pick(quoted, files)
        scored = []
        for path in picked:
            content = self._filled("skeleton", "skeleton", skeleton(graph, path), 512, issue=quoted, path=neutral(path))
            answer = self.model.chat([{"role": "user", "content": content}], max_tokens=512)
            usage += answer.usage
            score = read_score(answer.text, _LOWEST, _HIGHEST)
            if score is None:
                dropped.append(f"{path}: no score of {_LOWEST} to {_HIGHEST} in the answer")
            scored.append(ScoredFile(path, score))
        scored.sort(key=lambda file: -(_MIDDLE if file.score is None else file.score))
        return Reranking(tuple(scored[: self.keep]), tuple(dropped), usage)

    def _filled(self, prompt: str, name: str, lines: str, max_tokens: int, **others: str) -> str:
        """A prompt with as many of the lines as there is room for beside the answer, in a fence."""
        rest = self.model.count_tokens(fill(prompt, **{name: fence("")}, **others))
        room = (
            self.model.context_tokens - min(max_tokens, self.model.answer_tokens or max_tokens) - rest - TEMPLATE_TOKENS
        )
        while lines and (count := self.model.count_tokens(lines)) > max(room, 0):
            lines = lines[: int(len(lines) * max(room, 0) / count * 0.95)].rpartition("\n")[0]
        return fill(prompt, **{name: fence(lines)}, **others)

    def _pick(self, issue: str, files: Sequence[str]) -> tuple[list[str], list[str], Usage]:
        if len(files) <= self.keep:
            return list(files), [], NO_USAGE
        content = self._filled("paths", "paths", "\n".join(files), 1024, issue=issue, count=str(self.picks))
        answer = self.model.chat([{"role": "user", "content": content}], max_tokens=1024)
        lists = read_lists(answer.text, ("files",), limit=len(files), longest=500)
        dropped, picked = list(lists.dropped), {}
        for named in lists.items["files"]:
            path = _known(named, files)
            if path is None:
                dropped.append(f"paths: {named[:80]!r} is none of the files")
            else:
                picked[path] = None
        return list(dict.fromkeys([*list(picked)[: self.picks], *files]))[: self.picks], dropped, answer.usage


class CrossEncoderReranker:
    """Scores path and skeleton of each file with a sentence-transformers `CrossEncoder`.

    Args:
        model: a `CrossEncoder`, or the name or folder of one.
        keep: files that remain.
    """

    def __init__(self, model: Any, *, keep: int = 5) -> None:
        if isinstance(model, str):
            from sentence_transformers import CrossEncoder

            model = CrossEncoder(model)
        self.model, self.keep = model, keep

    def rerank(self, issue: str, files: Sequence[str], graph: CodeGraph) -> Reranking:
        """Choose among `files`, which come likeliest first."""
        if not files:
            return Reranking()
        pairs = [(issue, f"{path}\n{skeleton(graph, path)}") for path in files]
        scores = [float(score) for score in self.model.predict(pairs, show_progress_bar=False)]
        scored = sorted(map(ScoredFile, files, scores), key=lambda file: -(file.score or 0.0))
        return Reranking(tuple(scored[: self.keep]))


def skeleton(graph: CodeGraph, path: str) -> str:
    """Outline a file: its classes and functions, one a line, indented as they are nested; "" for a file that is not in the
    graph."""
    lines: list[str] = []

    def walk(node_id: int, depth: int) -> None:
        for child_id in graph.children(node_id):
            child = graph[child_id]
            if child.type in _SHOWN:
                lines.append("    " * depth + _title(child))
            walk(child_id, depth + (child.type in _SHOWN))

    for file in graph.nodes(NodeType.FILE):
        if file.file_path == path:
            walk(file.id, 0)
    text = "\n".join(lines)
    return text if len(text) <= _SKELETON_CHARACTERS else text[:_SKELETON_CHARACTERS].rpartition("\n")[0] + "\n…"


def _title(node: Any) -> str:
    if node.type is NodeType.CLASS:
        return f"class {node.name}"
    return node.signature or " ".join((node.header or f"def {node.name}").split())[:200]


def _known(named: str, files: Sequence[str]) -> str | None:
    """The file that a model names, perhaps without its folders or with the repository's name before them."""
    plain = named.replace("\\", "/").removeprefix("./").strip("/")
    if plain in files:
        return plain
    ends = [path for path in files if path.endswith("/" + plain) or plain.endswith("/" + path)]
    return ends[0] if len(ends) == 1 else None

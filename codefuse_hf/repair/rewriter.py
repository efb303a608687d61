"""The first stage: an issue in the words of code. What it names or implies, and what to search for."""

from dataclasses import dataclass

from .answers import read_lists
from .models import NO_USAGE, ChatModel, Usage
from .prompts import fill
from .quoting import quote
from .records import Record

MAX_QUERIES = 5
_ISSUE_SHARE = 0.6  # of the context


@dataclass(frozen=True)
class Rewriting(Record):
    """An issue in the words of code.

    Attributes:
        entities: files, classes and functions that the issue names or implies.
        keywords: other words by which the place may be found.
        queries: up to five sentences that say what to search for.
        dropped: what was left out of the answers, and why.
        usage: what the answers cost.
    """

    entities: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    queries: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    usage: Usage = NO_USAGE


class Rewriter:
    """Asks a chat model, once for names (the extractor) and once for queries (the inferer).

    Args:
        model: any chat model.
        limit: entities, and keywords, at most.
        max_tokens: of each answer.
    """

    def __init__(self, model: ChatModel, *, limit: int = 20, max_tokens: int = 1024) -> None:
        self.model, self.limit, self.max_tokens = model, limit, max_tokens

    def rewrite(self, issue: str) -> Rewriting:
        """Rewrite one issue.

        Raises:
            ModelError: the model gives no answer. One that makes no sense is no error: it is reported in `dropped`.
        """
        quoted = quote(shortened(issue, self.model, _ISSUE_SHARE))
        names, usage = self._ask("extractor", quoted, ("entities", "keywords"), limit=self.limit)
        queries, more = self._ask("inferer", quoted, ("queries",), limit=MAX_QUERIES, longest=600, sentences=True)
        dropped = [f"extractor: {each}" for each in names.dropped] + [f"inferer: {each}" for each in queries.dropped]
        return Rewriting(
            names.items["entities"], names.items["keywords"], queries.items["queries"], tuple(dropped), usage + more
        )

    def _ask(self, prompt: str, issue: str, names: tuple[str, ...], **options):
        messages = [{"role": "user", "content": fill(prompt, issue=issue)}]
        answer = self.model.chat(messages, max_tokens=self.max_tokens)
        return read_lists(answer.text, names, **options), answer.usage


def shortened(text: str, model: ChatModel, share: float) -> str:
    """The beginning of a text that takes at most a share of the model's context."""
    most = int(model.context_tokens * share)
    while (count := model.count_tokens(text)) > most:
        text = text[: int(len(text) * most / count * 0.95)]
    return text

"""The first stage: an issue in the words of code. What it names or implies, and what to search for."""

from dataclasses import dataclass

from .answers import read_lists
from .models import NO_USAGE, ChatModel, Usage
from .prompts import fill
from .quoting import quote
from .records import Record

MAX_QUERIES = 5
TEMPLATE_TOKENS = 64  # that a chat template may add


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
        self.model, self.limit = model, limit
        self.max_tokens = min(max_tokens, model.answer_tokens or max_tokens, model.context_tokens // 4)

    def rewrite(self, issue: str) -> Rewriting:
        """Rewrite one issue.

        Raises:
            ModelError: the model gives no answer. One that makes no sense is no error: it is reported in `dropped`.
        """
        names, usage = self._ask("extractor", issue, ("entities", "keywords"), limit=self.limit)
        queries, more = self._ask("inferer", issue, ("queries",), limit=MAX_QUERIES, longest=600, sentences=True)
        dropped = [f"extractor: {each}" for each in names.dropped] + [f"inferer: {each}" for each in queries.dropped]
        return Rewriting(
            names.items["entities"], names.items["keywords"], queries.items["queries"], tuple(dropped), usage + more
        )

    def _ask(self, prompt: str, issue: str, names: tuple[str, ...], **options):
        taken = self.model.count_tokens(fill(prompt, issue="")) + self.max_tokens + TEMPLATE_TOKENS
        quotation = shortened_quote(issue, self.model, self.model.context_tokens - taken)
        messages = [{"role": "user", "content": fill(prompt, issue=quotation)}]
        answer = self.model.chat(messages, max_tokens=self.max_tokens)
        return read_lists(answer.text, names, **options), answer.usage


def shortened_quote(text: str, model: ChatModel, most: int) -> str:
    """Quote the beginning of a text, at most `most` tokens of a model; never less than its first words."""
    while (count := model.count_tokens(quote(text))) > most and len(text) > 100:
        text = text[: max(int(len(text) * max(most, 0) / count * 0.95), 100)]
    return quote(text)

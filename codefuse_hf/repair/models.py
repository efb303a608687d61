"""Chat models: one small protocol, models behind an HTTP interface, and answers that are paid for once.

`InferenceModel` reaches the providers of the Hub and every server that speaks OpenAI's chat protocol; `local_models` runs
models in this process; `CachedModel` keeps the answers of either on disk.
"""

import email.utils
import hashlib
import json
import math
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from .records import Record

if TYPE_CHECKING:
    from codefuse_hf.graph import CodeGraph

Message = dict[str, str]
"""{"role": "system" | "user" | "assistant", "content": text}"""
_PASSING = frozenset((408, 409, 425, 429, 500, 502, 503, 504))
_CHARACTERS_PER_TOKEN = 3.0  # of code, rather too few than too many


class ModelError(OSError):
    """A model that gives no answer; the message says which model, why, and what to do."""


@dataclass(frozen=True)
class Usage(Record):
    """What answers cost: calls that were made, answers that came from the cache, tokens, and seconds of waiting."""

    calls: int = 0
    cached: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))

    def __str__(self) -> str:
        parts = [f"{self.calls} call{'s' * (self.calls != 1)}"] + [f"{self.cached} from the cache"] * bool(self.cached)
        return f"{', '.join(parts)}, {self.prompt_tokens:,} + {self.completion_tokens:,} tokens"


NO_USAGE = Usage()


@dataclass(frozen=True)
class Answer(Record):
    """The text of an answer; `cut_off` if it ended because it was too long."""

    text: str
    cut_off: bool = False
    usage: Usage = NO_USAGE


class ChatModel(Protocol):
    """What the stages need of a model.

    Attributes:
        name: how results name it.
        identity: all that decides its answers apart from the messages, as JSON can hold it.
        context_tokens: how many tokens a prompt and its answer have at most.
        answer_tokens: how many an answer has at most, whatever a stage asks for; None: no limit of its own.
        reads_graphs: whether `graph` tells it anything.
    """

    name: str
    identity: Any
    context_tokens: int
    answer_tokens: int | None
    reads_graphs: bool

    def chat(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        graph: "CodeGraph | None" = None,
        anchors: Sequence[int] = (),
    ) -> Answer:
        """Answer a conversation. Raises `ModelError` if there is no answer."""
        ...

    def count_tokens(self, text: str) -> int:
        """Count the tokens of a text, at least roughly: prompts are cut to fit by it."""
        ...


class InferenceModel:
    """A model behind `huggingface_hub.InferenceClient`.

    Args:
        model: the model's name, as the provider or server knows it.
        base_url: a server that speaks OpenAI's chat protocol (TGI, vLLM, llama.cpp, `transformers serve`); None: a provider of the Hub.
        provider: which provider of the Hub; the client's choice by default.
        api_key: what authorises the calls. For providers the token of the Hub by default; a server at `base_url` is sent only what
            is given here, never that token.
        timeout: seconds to wait for one answer.
        retries: how often a call is repeated that failed for a passing reason (overload, rate limit, broken connection).
        longest_wait: seconds to wait at most before a repetition; a server that asks for more (Retry-After) is given up.
        requests_per_minute: calls are spaced accordingly; None: as fast as they come.
        token_budget: no call is made once this many tokens, of prompts and answers together, are spent; None: no limit.
        context_tokens, answer_tokens: see `ChatModel`.
        temperature, seed: for sampling; None leaves them to the server.

    Raises:
        ValueError: `base_url` and `provider` together, or a base_url that is none.
    """

    reads_graphs = False

    def __init__(
        self, model: str, *, base_url: str | None = None, provider: str | None = None, api_key: str | None = None,
        timeout: float = 300.0, retries: int = 5, longest_wait: float = 120.0, requests_per_minute: float | None = None,
        token_budget: int | None = None, context_tokens: int = 32_768, answer_tokens: int | None = None, temperature: float | None = 0.0,
        seed: int | None = None, sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        if base_url is not None and provider is not None:
            raise ValueError("a model is reached through a base_url or through a provider, not through both")
        if base_url is not None and not base_url.startswith(("http://", "https://")):
            raise ValueError(f"base_url must begin with http:// or https://, found {base_url!r}")
        from huggingface_hub import InferenceClient

        key = api_key if base_url is None else api_key or "none"
        self._client = InferenceClient(provider=provider, base_url=base_url, api_key=key, timeout=timeout)
        self.name, self._where = model, base_url or f"provider {provider or 'auto'}"
        self.identity = [model, base_url, provider, temperature, seed, answer_tokens]
        self.context_tokens, self.answer_tokens, self.token_budget = context_tokens, answer_tokens, token_budget
        self._options = {"temperature": temperature, "seed": seed}
        self._retries, self._longest_wait, self._sleep = retries, longest_wait, sleep
        self._pace = _Pace(requests_per_minute, sleep)
        self.usage = Usage()

    def count_tokens(self, text: str) -> int:
        """Estimate the tokens of a text by its length, since the server's tokenizer is not at hand."""
        return int(len(text) / _CHARACTERS_PER_TOKEN) + 1

    def chat(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        graph: "CodeGraph | None" = None,
        anchors: Sequence[int] = (),
    ) -> Answer:
        """Ask the server; see `ChatModel.chat`. A graph says nothing to it."""
        spent = self.usage.prompt_tokens + self.usage.completion_tokens
        if self.token_budget is not None and spent >= self.token_budget:
            raise ModelError(f"{self.name}: the budget of {self.token_budget:,} tokens is spent ({spent:,})")
        max_tokens = min(max_tokens, self.answer_tokens or max_tokens)
        start = time.monotonic()
        for attempt in range(self._retries + 1):
            self._pace.wait()
            try:
                answer = self._ask(list(messages), max_tokens)
                break
            except _PassingError as error:
                self._wait_before_next(attempt, error)
        answer = replace(answer, usage=replace(answer.usage, seconds=time.monotonic() - start))
        self.usage += answer.usage
        return answer

    def _ask(self, messages: list[Message], max_tokens: int) -> Answer:
        from huggingface_hub.errors import HfHubHTTPError, InferenceTimeoutError, OfflineModeIsEnabled

        try:
            reply = self._client.chat_completion(messages, model=self.name, max_tokens=max_tokens, **self._options)
            return _answer_of(reply)
        except OfflineModeIsEnabled as error:
            message = (
                f"{self.name}: HF_HUB_OFFLINE is set, and then no server is reached, not even {self._where}: unset it"
            )
            raise ModelError(message) from error
        except InferenceTimeoutError as error:
            raise _PassingError("no answer in time") from error
        except HfHubHTTPError as error:
            status = error.response.status_code
            said = f"{status}: {_body_of(error)}"
            if status in _PASSING:
                raise _PassingError(said, _seconds_after(error.response.headers.get("Retry-After"))) from error
            raise ModelError(f"{self.name} at {self._where} refuses the call, {said}") from error
        except _NOT_OURS:
            raise
        except (
            Exception
        ) as error:  # a broken connection, or a reply that is no reply: the client has no one class for them
            raise _PassingError(f"{type(error).__name__}: {error}") from error

    def _wait_before_next(self, attempt: int, error: "_PassingError") -> None:
        wait = (
            error.after if error.after is not None else min(2.0**attempt, self._longest_wait) * random.uniform(0.5, 1)
        )
        if wait > self._longest_wait:
            raise ModelError(
                f"{self.name} at {self._where} wants a pause of {wait:.0f} s, more than {self._longest_wait:.0f} s ({error}): come back later"
            ) from error
        if attempt == self._retries:
            raise ModelError(
                f"{self.name} at {self._where} gave no answer in {attempt + 1} calls; the last one ended with: {error}"
            ) from error
        self._sleep(wait)


_NOT_OURS = (NotImplementedError, ImportError, MemoryError)


class CachedModel:
    """Another model whose answers are kept in a folder, so that a run goes on where it stopped and costs are paid once.

    Args:
        model: the model that answers what is not in the folder.
        folder: one JSON file for each question, named by a hash of the question and of the model's `identity`.
    """

    def __init__(self, model: ChatModel, folder: Path) -> None:
        self._model, self._folder = model, Path(folder)
        self.name, self.identity = model.name, model.identity
        self.context_tokens, self.answer_tokens = model.context_tokens, model.answer_tokens
        self.reads_graphs = model.reads_graphs

    def count_tokens(self, text: str) -> int:
        """Count the tokens of a text as the model behind this one does."""
        return self._model.count_tokens(text)

    def chat(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        graph: "CodeGraph | None" = None,
        anchors: Sequence[int] = (),
    ) -> Answer:
        """Give the kept answer, or ask the model and keep what it says; see `ChatModel.chat`."""
        seen = None if graph is None or not self.reads_graphs else [graph.to_json(), list(anchors)]
        question = json.dumps([self.identity, list(messages), max_tokens, seen], sort_keys=True)
        key = hashlib.sha256(question.encode("utf-8", "surrogatepass")).hexdigest()
        path = self._folder / key[:2] / f"{key}.json"
        try:
            return replace(Answer.load(path), usage=Usage(cached=1))
        except (FileNotFoundError, ValueError):  # absent, or damaged: asked (again)
            answer = self._model.chat(messages, max_tokens=max_tokens, graph=graph, anchors=anchors)
            answer.save(path)
            return answer


class _PassingError(Exception):
    """What may be over in a moment; `after`: seconds that the server asks to wait."""

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class _Pace:
    """Spaces calls of all threads so that there are at most so many in a minute."""

    def __init__(self, per_minute: float | None, sleep: Callable[[float], None]) -> None:
        if per_minute is not None and per_minute <= 0:
            raise ValueError(f"requests_per_minute must be more than 0, found {per_minute}")
        self._gap, self._sleep = 60 / per_minute if per_minute else 0.0, sleep
        self._next, self._lock = 0.0, threading.Lock()

    def wait(self) -> None:
        with self._lock:
            now = time.monotonic()
            mine = max(now, self._next)
            self._next = mine + self._gap
        if mine > now:
            self._sleep(mine - now)


def _answer_of(reply: Any) -> Answer:
    choice, usage = reply.choices[0], reply.usage
    tokens = (getattr(usage, "prompt_tokens", None) or 0, getattr(usage, "completion_tokens", None) or 0)
    text = choice.message.content
    if text is not None and not isinstance(text, str):
        raise ValueError("the reply holds no text")
    return Answer(
        (text or "").encode("utf-8", "replace").decode(), choice.finish_reason == "length", Usage(1, 0, *tokens)
    )


def _body_of(error: Any) -> str:
    try:
        return " ".join(error.response.text.split())[:500] or str(error)
    except Exception:  # a body that was not read
        return str(error)


def _seconds_after(header: str | None) -> float | None:
    """Seconds that a Retry-After header asks for, given in seconds or as a date."""
    if not header:
        return None
    try:
        seconds = float(header)
        return None if math.isnan(seconds) else max(seconds, 0.0)
    except ValueError:
        pass
    try:
        return max(email.utils.parsedate_to_datetime(header).timestamp() - time.time(), 0.0)
    except (ValueError, OverflowError):
        return None

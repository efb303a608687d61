"""Which model is meant, in plain values that can be sent to other processes."""

from dataclasses import dataclass
from pathlib import Path

from .models import CachedModel, ChatModel, InferenceModel


@dataclass(frozen=True)
class ModelChoice:
    """How a model is reached.

    Attributes:
        name: of a model of a server or provider; or a folder or `.gguf` file, which is run in this process.
        local: a name of the Hub is run in this process too.
        cache: a folder for its answers; None: they are not kept.
        base_url, provider, api_key, timeout, retries, requests_per_minute, token_budget: see `InferenceModel`.
        context_tokens: tokens of a prompt and its answer; by default what the model says, or 32 768.
        answer_tokens: of each answer at most.
        dtype: numbers of a model in this process, "bfloat16" for instance; by default as its files have them.
    """

    name: str
    local: bool = False
    cache: str | None = None
    base_url: str | None = None
    provider: str | None = None
    api_key: str | None = None
    timeout: float = 300.0
    retries: int = 5
    requests_per_minute: float | None = None
    token_budget: int | None = None
    context_tokens: int | None = None
    answer_tokens: int | None = None
    dtype: str | None = None

    def load(self) -> ChatModel:
        """Load the model that was chosen, or connect to its server.

        Raises:
            ValueError: a local model with a base_url or provider, or a model of a server with a dtype.
            OSError: it cannot be loaded.
        """
        if self.local or Path(self.name).exists():
            if self.base_url or self.provider:
                raise ValueError(f"{self.name} is run in this process: leave out base_url and provider")
            from .local_models import LocalModel

            options = {} if self.dtype is None else {"dtype": self.dtype}
            limits = {"context_tokens": self.context_tokens, "answer_tokens": self.answer_tokens}
            model: ChatModel = LocalModel.from_pretrained(self.name, timeout=self.timeout, **limits, **options)
        elif self.dtype is not None:
            raise ValueError(f"{self.name} is run by a server, which chooses its numbers: leave out dtype")
        else:
            model = InferenceModel(
                self.name,
                base_url=self.base_url,
                provider=self.provider,
                api_key=self.api_key,
                timeout=self.timeout,
                retries=self.retries,
                requests_per_minute=self.requests_per_minute,
                token_budget=self.token_budget,
                context_tokens=self.context_tokens or 32_768,
                answer_tokens=self.answer_tokens,
            )
        return model if self.cache is None else CachedModel(model, Path(self.cache))

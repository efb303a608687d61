"""What generation costs as the text grows: time per token and bytes of cache, measured side by side.

The quickstart and `benchmarks/rodimus_speed.py` share these functions. They know nothing of particular models: any causal
language model of transformers with a `DynamicCache` can be measured.
"""

import inspect
import itertools
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm.auto import tqdm
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM, PreTrainedModel

from .files import readable_size
from .modeling.cache_names import CACHE_NAME


@dataclass
class DecodeRecord:
    """One measured point: a model at one length of context.

    Attributes:
        model: its name.
        context: tokens in the cache when the measured steps began.
        seconds_per_token: one value per repetition, each the median over the steps of that repetition.
        cache_bytes: memory that the cache holds alive after the measured steps.
        recurrent_bytes: the part of it that is recurrent state, which every step writes anew.
    """

    model: str
    context: int
    seconds_per_token: list[float]
    cache_bytes: int
    recurrent_bytes: int

    @property
    def median(self) -> float:
        """Median time per token in seconds."""
        return statistics.median(self.seconds_per_token)

    def as_dict(self) -> dict[str, Any]:
        """Return the record with its summary, for JSON."""
        spread = [min(self.seconds_per_token), max(self.seconds_per_token)]
        return asdict(self) | {"median_seconds_per_token": self.median, "spread_seconds_per_token": spread}


class GrowingContext:
    """A model together with a cache that is filled step by step.

    Caches of keys and values alone are filled with random numbers of the right shape: what attention costs depends on how
    many there are, not on what they are. Every other cache is filled by running random tokens through the model, so that
    its size is an outcome and not an assumption.

    Args:
        model: a causal language model.
        seed: for the tokens and the random keys and values.
        chunk: tokens per forward pass while filling.
    """

    def __init__(self, model: PreTrainedModel, seed: int = 0, chunk: int = 512):
        self.model = model.eval()
        self.cache = DynamicCache(config=model.config)
        self.chunk = chunk
        self.length = 0
        self.generator = torch.Generator().manual_seed(seed)
        accepted = inspect.signature(model.forward).parameters
        self.cache_argument = next(name for name in (CACHE_NAME, "cache_params") if name in accepted)

    def forward(self, tokens: int) -> None:
        """Run `tokens` random tokens through the model and into the cache."""
        ids = torch.randint(self.model.config.vocab_size, (1, tokens), generator=self.generator)
        with torch.inference_mode():
            self.model(ids.to(self.model.device), **{self.cache_argument: self.cache}, use_cache=True, logits_to_keep=1)
        self.length += tokens

    def advance_to(self, length: int) -> None:
        """Fill the cache until `length` tokens are in it. Raises `ValueError` if there are more already."""
        if length < self.length:
            raise ValueError(
                f"{self.length} tokens are in the cache already; contexts must be measured in rising order"
            )
        if self.length == 0 and length > 0:
            self.forward(1)  # gives the cache its layers' shapes
        if all(set(vars(layer)) & {"recurrent_states", "sliding_window"} == set() for layer in self.cache.layers):
            self._append_random_keys(length - self.length)
        while self.length < length:
            self.forward(min(self.chunk, length - self.length))

    def _append_random_keys(self, tokens: int) -> None:
        for layer in self.cache.layers:
            shape = (*layer.keys.shape[:2], tokens, layer.keys.shape[3])
            keys, values = (torch.randn(shape, generator=self.generator).to(layer.keys) for _ in range(2))
            layer.update(keys, values)
        self.length += tokens

    def time_steps(self, steps: int, clock: Callable[[], float] = time.perf_counter) -> float:
        """Decode `steps` tokens one by one; the median time of a step, in seconds of the clock."""
        seconds = []
        for _ in range(steps):
            start = clock()
            self.forward(1)
            seconds.append(clock() - start)
        return statistics.median(seconds)


def measure_decoding(
    models: Mapping[str, PreTrainedModel],
    contexts: Sequence[int],
    steps: int = 5,
    repeats: int = 3,
    seed: int = 0,
    clock: Callable[[], float] = time.perf_counter,
) -> list[DecodeRecord]:
    """Time per token and cache bytes of each model at each context, the models taking turns.

    Args:
        models: models by name, batch 1, on a CPU.
        contexts: tokens of context, in rising order.
        steps: decoding steps per repetition, after one that is not counted.
        repeats: repetitions; within each, the models follow one another, so that a disturbance hits all of them.
        clock: gives seconds; `time.process_time`, on one thread, leaves out what other programs take.

    Raises:
        ValueError: contexts that do not rise, or are too close together for the steps in between.
    """
    check_contexts(contexts, (steps + 1) * repeats)
    for model in models.values():  # the first passes of a process are slow: memory is new, operators are set up
        warm_up = GrowingContext(model, seed)
        warm_up.advance_to(min(contexts[0], 64))
        warm_up.time_steps(steps)
    growing = {name: GrowingContext(model, seed) for name, model in models.items()}
    records = []
    with tqdm(total=len(contexts) * repeats * len(models), desc="measuring", unit="run") as progress:
        for context in contexts:
            seconds: dict[str, list[float]] = {name: [] for name in models}
            for name, state in growing.items():
                progress.set_postfix_str(f"{name}, filling up to {context} tokens")
                state.advance_to(context)
            for _ in range(repeats):
                for name, state in growing.items():
                    progress.set_postfix_str(f"{name}, {context} tokens")
                    state.time_steps(1)
                    seconds[name].append(state.time_steps(steps, clock))
                    progress.update()
            records += [
                DecodeRecord(name, context, seconds[name], cache_bytes(state.cache), recurrent_bytes(state.cache))
                for name, state in growing.items()
            ]
    return records


def check_contexts(contexts: Sequence[int], steps: int) -> None:
    """Raise `ValueError` unless `contexts` are positive and rise by at least `steps`, which are decoded at each."""
    if not contexts or contexts[0] < 1 or any(b - a < steps for a, b in itertools.pairwise(contexts)):
        raise ValueError(
            f"contexts must be positive and rise by at least {steps} tokens, which are decoded at each; got {list(contexts)}"
        )


def cache_bytes(cache: DynamicCache) -> int:
    """Return the bytes of memory that a cache keeps alive: whole storages, so that a small view of a large tensor counts in full."""
    return _storage_bytes(
        [getattr(layer, name, None) for layer in cache.layers for name in ("keys", "values")]
        + _states(cache, "conv_states")
        + _states(cache, "recurrent_states")
    )


def recurrent_bytes(cache: DynamicCache) -> int:
    """Return the bytes of the recurrent states in a cache."""
    return _storage_bytes(_states(cache, "recurrent_states"))


def _states(cache: DynamicCache, name: str) -> list[torch.Tensor | None]:
    return [state for layer in cache.layers for state in getattr(layer, name, {}).values()]


def _storage_bytes(tensors: list[torch.Tensor | None]) -> int:
    storages = {}
    for tensor in tensors:
        if tensor is not None and tensor.numel() > 0:
            storage = tensor.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
    return sum(storages.values())


def read_bandwidth(size: int = 1 << 29, repeats: int = 5) -> float:
    """Measure the bytes per second at which all threads of PyTorch read memory: the best of several sums over `size` bytes."""
    block = torch.ones(size // 4, dtype=torch.float32)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        block.sum()
        seconds.append(time.perf_counter() - start)
    return size / min(seconds)


def count_parameters(model: torch.nn.Module) -> int:
    """Count the parameters of a model; tied ones count once."""
    return sum(parameter.numel() for parameter in model.parameters())


def llama_of_size(
    parameters: int, vocab_size: int, hidden_size: int, num_layers: int, head_dim: int = 64
) -> LlamaForCausalLM:
    """Make a randomly initialised Llama with tied embeddings and about `parameters` parameters.

    Width and depth are given; the width of the feed-forward network makes up the number, to within one row per layer.

    Raises:
        ValueError: width and depth alone exceed the number.
    """
    fixed = vocab_size * hidden_size + hidden_size + num_layers * (4 * hidden_size**2 + 2 * hidden_size)
    intermediate = round((parameters - fixed) / (3 * hidden_size * num_layers))
    if intermediate < 1:
        raise ValueError(f"a Llama of {num_layers} layers of width {hidden_size} has more than {parameters} parameters")
    config = LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=hidden_size,
        intermediate_size=intermediate,
        num_hidden_layers=num_layers,
        num_attention_heads=max(hidden_size // head_dim, 1),
        max_position_embeddings=1 << 20,
        tie_word_embeddings=True,
    )
    return LlamaForCausalLM(config).eval()


def table(records: Sequence[DecodeRecord]) -> str:
    """Write the records as a table in plain text: a row per context, time and cache of each model."""
    names = list(dict.fromkeys(record.model for record in records))
    cells = {(record.model, record.context): record for record in records}
    width = max(18, *(len(name) + 2 for name in names))
    lines = [
        " " * 8 + "".join(f"{name:>{width}}" for name in names),
        f"{'context':>8}" + f"{'ms/token, cache':>{width}}" * len(names),
    ]
    for context in dict.fromkeys(record.context for record in records):
        row = [cells[name, context] for name in names]
        lines.append(
            f"{context:>8}"
            + "".join(f"{f'{r.median * 1e3:.1f}, {readable_size(r.cache_bytes)}':>{width}}" for r in row)
        )
    return "\n".join(lines)


def plot_decoding(records: Sequence[DecodeRecord], path: Path, title: str) -> None:
    """Draw time per token and cache size over the context to a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    panels: list[tuple[str, Callable[[DecodeRecord], float]]] = [
        ("time per token, ms", lambda record: record.median * 1e3),
        ("cache, MiB", lambda record: record.cache_bytes / 2**20),
    ]
    for axes, (label, value) in zip(figure.subplots(1, 2), panels, strict=True):
        for name in dict.fromkeys(record.model for record in records):
            points = [record for record in records if record.model == name]
            axes.plot([p.context for p in points], [value(p) for p in points], marker="o", label=name)
        axes.set(yscale="log", xlabel="tokens of context", ylabel=label)
        axes.set_xscale("log", base=2)
        axes.grid(alpha=0.3, which="both")
        axes.legend()
    figure.suptitle(title)
    FigureCanvasAgg(figure).print_png(path)

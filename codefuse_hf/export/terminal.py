"""Text in a terminal, token by token, and how fast it came."""

import contextlib
import sys
import time

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, TextStreamer
from transformers.cache_utils import DynamicCache
from transformers.utils import ADAPTER_CONFIG_NAME

from ..files import readable_size
from ..hub.exported_folder import is_exported
from ..modeling.cache_names import CACHE_NAME
from .exported_model import ExportedCausalLM, model_folder
from .quantized_loading import load_quantized
from .torch_layers import Int4Linear, Int8Linear


def load(
    folder: str, threads: int | None = None, dtype: str = "float32", trust: bool = False, quantize: str | None = None
):
    """Load a model, in PyTorch or exported, and its tokenizer.

    Args:
        folder: the folder, or a repo id; of a model, or of an adapter that knows where its model is.
        threads: to compute with; None for all cores.
        dtype: precision in PyTorch; with `quantize` of what is not quantised.
        trust: also read archives of `torch.export`.
        quantize: "int8" or "int4" for the weights of a model in PyTorch in so many bits.

    Raises:
        ValueError, OSError: no such model, or none that generates text; no tokenizer; an exported model to quantise.
    """
    folder = model_folder(folder)
    if threads is not None:
        torch.set_num_threads(threads)
    if is_exported(folder):
        if quantize is not None:
            raise ValueError(
                f"{folder} is exported, and its weights stay: quantise it when you export it, or leave --quantize out"
            )
        model = ExportedCausalLM.from_pretrained(folder, threads=threads, trust_remote_code=trust)
    elif quantize is not None:
        model = load_quantized(folder, quantize, getattr(torch, dtype))
    else:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype)).eval()
    if not any("CausalLM" in name for name in model.config.architectures or ["CausalLM"]):
        raise ValueError(f"{folder} holds a {model.config.architectures[0]}, which does not generate text")
    adapts = (folder / ADAPTER_CONFIG_NAME).is_file() and not (folder / "tokenizer_config.json").is_file()
    try:
        return model, AutoTokenizer.from_pretrained(model.config.name_or_path if adapts else folder)
    except (OSError, ValueError) as error:
        raise FileNotFoundError(f"{folder} has no tokenizer: put it there with tokenizer.save_pretrained") from error


class _Clock(TextStreamer):
    """Writes text as it comes; knows when the first token came, and how many there were."""

    def __init__(self, tokenizer, file):
        super().__init__(tokenizer, skip_prompt=True, skip_special_tokens=True)
        self.file, self.times = file, []

    def put(self, value):
        self.times.append(time.perf_counter())  # the first is the prompt
        super().put(value)

    def on_finalized_text(self, text: str, stream_end: bool = False):
        print(text, flush=True, end="\n" if stream_end else "", file=self.file)


class Writer:
    """Generates with one model, and keeps its memory of a conversation.

    Args:
        model, tokenizer: as from `load`.
        new_tokens: the most for one answer.
        temperature: 0 for the most probable token.
    """

    def __init__(self, model, tokenizer, new_tokens: int, temperature: float = 0.0, file=None):
        self.model, self.tokenizer, self.file = model, tokenizer, file or sys.stdout
        self.settings = {"max_new_tokens": new_tokens, "do_sample": temperature > 0}
        if temperature > 0:
            self.settings["temperature"] = temperature
        if model.generation_config.pad_token_id is None:
            self.settings["pad_token_id"] = tokenizer.pad_token_id or tokenizer.eos_token_id or 0

    @property
    def engine(self) -> str:
        """What runs the model."""
        form, kinds = getattr(self.model, "export_format", None), {type(x) for x in self.model.modules()}
        scheme = "int4" if Int4Linear in kinds else "int8" if Int8Linear in kinds else None
        return form or f"PyTorch, {scheme or str(self.model.dtype).removeprefix('torch.')}"

    def complete(self, prompt: str) -> torch.Tensor:
        """Continue a text; the text goes to the output, figures to standard error. Returns the new tokens."""
        ids = self.tokenizer(prompt, return_tensors="pt", add_special_tokens=False)["input_ids"]
        if ids.shape[1] == 0:
            raise ValueError("the prompt is empty: give some text to continue")
        print(prompt, end="", flush=True, file=self.file)
        return self._generate(ids, None)[0]

    def chat(self, lines=None) -> None:
        """Answer line by line, from standard input if `lines` is None; each answer continues from the memory of what was said.

        Raises:
            ValueError: a tokenizer without a chat template.
        """
        if self.tokenizer.chat_template is None:
            raise ValueError("this model has no chat template, so it is no chat model: use --prompt")
        messages, memory, said = [], None, None
        for line in _asked() if lines is None else lines:
            messages.append({"role": "user", "content": line})
            ids = self.tokenizer.apply_chat_template(
                messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
            )["input_ids"]
            # The memory serves if the conversation, written anew, begins with what it has read.
            if said is not None and not torch.equal(ids[:, : said.shape[1]], said):
                memory = None
            new, memory, said = self._generate(ids, memory)
            messages.append({"role": "assistant", "content": self.tokenizer.decode(new, skip_special_tokens=True)})

    def _generate(self, ids: torch.Tensor, memory):
        if memory is None and getattr(self.model, "export_format", None) is None:
            memory = DynamicCache(config=self.model.config)
        clock, start = _Clock(self.tokenizer, self.file), time.perf_counter()
        out = self.model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            **{CACHE_NAME: memory},
            streamer=clock,
            return_dict_in_generate=True,
            **self.settings,
        )
        new = out.sequences[0, ids.shape[1] :]
        first, rest = clock.times[1] - start, clock.times[-1] - clock.times[1]
        speed = f", then {(len(new) - 1) / rest:.1f} tokens/s" if len(new) > 1 and rest > 0 else ""
        print(
            f"[{len(new)} tokens: the first after {first:.2f} s for {ids.shape[1]} of prompt{speed}; "
            f"at most {readable_size(_peak_memory())} of memory]",
            file=sys.stderr,
        )
        # The last token was chosen and not read yet.
        return new, out[CACHE_NAME], out.sequences[:, :-1]


def _peak_memory() -> int:
    """Bytes that this process has occupied at most; on Windows, what it occupies now."""
    try:
        import resource
    except ImportError:
        import psutil  # which accelerate brings

        return psutil.Process().memory_info().rss
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _asked():
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  # `input` edits its line by it, and asks on standard output
    while True:
        try:
            line = input("> ")
        except EOFError:
            return
        if not line.strip():
            return
        yield line

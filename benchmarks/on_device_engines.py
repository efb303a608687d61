"""What `on_device.py` measures: models of random weights, and what runs each of them, one in each process.

A context of any length is put in place, and not read: a step costs what it costs whatever is in its memory, so recurrent states,
windows, keys and values of the right shapes are random numbers.
"""

import json
import os
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import AutoModelForCausalLM, DynamicCache, PreTrainedModel

from codefuse_hf import RodimusConfig, RodimusForCausalLM, measure
from codefuse_hf.export.exported_model import ExportedCausalLM, ExportedMemory
from codefuse_hf.export.exporting import export_causal_lm
from codefuse_hf.export.quantized_loading import load_quantized
from codefuse_hf.export.quantizing import kept_in_float32, make_quantizer, quantize_torch
from codefuse_hf.export.step_state import StepState
from codefuse_hf.export.torch_layers import Int4Linear
from codefuse_hf.free_memory import give_back


@dataclass(frozen=True)
class Size:
    """Shapes of the models of one size, which have about as many parameters as one another."""

    parameters: int
    vocab_size: int
    hidden_size: int
    rodimus_layers: int | None
    plus_layers: int
    llama_layers: int
    heads: int
    window: int
    prefill: int


SIZES = {
    "tiny": Size(150_000, 512, 64, 2, 1, 2, 1, 32, 100),
    "30M": Size(30_000_000, 8192, 512, 14, 7, 8, 8, 1024, 1024),
    # Rodimus-Plus-Coder-1.6B, and a Llama of its width.
    "1.6B": Size(1_607_000_000, 126_464, 2048, None, 24, 24, 16, 4096, 256),
}
MODELS = ("Rodimus", "Rodimus+", "Llama")
# Bits of a quantised weight with its share of scales and offsets, as each engine stores it.
BITS = {
    "torch-fp32": 32,
    "torch-bf16": 16,
    "torch-int8": 8,
    "torch-int4": 4 + 32 / 128,
    "onnx-fp32": 32,
    "onnx-int8": 8 + 32 / 128,
    "onnx-int4": 4 + 32 / 128,
    "openvino-fp32": 32,
    "openvino-int8": 8,
    "openvino-int4": 4 + 20 / 128,
}
ENGINES = tuple(BITS)


def build(name: str, size: Size) -> PreTrainedModel:
    """A model with random weights and tied embeddings, in float32."""
    torch.manual_seed(0)
    if name == "Llama":
        return measure.llama_of_size(
            size.parameters, size.vocab_size, size.hidden_size, size.llama_layers, size.hidden_size // size.heads
        )
    layers = size.plus_layers if name == "Rodimus+" else size.rodimus_layers
    config = RodimusConfig(
        vocab_size=size.vocab_size,
        d_model=size.hidden_size,
        n_layer=layers,
        block_type="rodimus_plus" if name == "Rodimus+" else "rodimus",
        mixer_cfg={"mem_size": 64 if size.hidden_size > 64 else 16},
        attn_cfg={"num_heads": size.heads, "window_size": size.window},
    )
    return RodimusForCausalLM(config).eval()


def weight_bytes(model: nn.Module, engine: str) -> int:
    """Bytes of weights that a token cannot do without; the tied embedding counts once, as the head."""
    wide = 16 if engine == "torch-bf16" else 32
    quantised: dict[int, float] = {}
    if BITS[engine] < 16:
        linear = {name: m for name, m in model.named_modules() if isinstance(m, nn.Linear)}
        quantised = {id(m.weight): BITS[engine] for name, m in linear.items() if not kept_in_float32(name)}
        if engine == "torch-int4":
            spared = [m for m in linear.values() if id(m.weight) in quantised and not Int4Linear.fits(m)]
            quantised |= {id(m.weight): BITS["torch-int8"] for m in (*spared, model.get_output_embeddings())}
    return int(sum(p.numel() * quantised.get(id(p), wide) / 8 for p in model.parameters()))


def export(name: str, size: Size, engine: str, folder: Path) -> None:
    """Write the model as an engine reads it; all number formats of PyTorch but float32 from bfloat16."""
    form, _, scheme = engine.partition("-")
    model = build(name, size)
    if form == "torch":
        model.to(torch.bfloat16).save_pretrained(folder)
        return
    quantizer = None if scheme == "fp32" else make_quantizer(model, form, scheme)
    if name != "Llama":
        export_causal_lm(model, form, quantizer=quantizer).save_pretrained(folder)
        return
    from transformers.exporters import AutoExportConfig
    from transformers.exporters.auto import get_exporter_class

    config = AutoExportConfig.from_dict({"export_format": form, "dynamic": True})
    config.quantizer = quantizer
    cache = DynamicCache(config=model.config)
    ids = torch.arange(8).reshape(2, 4)
    with torch.no_grad():
        model(ids[:, :3], past_key_values=cache, use_cache=True)
    sample = {"input_ids": ids[:, :2], "attention_mask": torch.ones(2, 5, dtype=torch.long), "past_key_values": cache}
    get_exporter_class(form)().export(model, sample | {"use_cache": True}, config).save_pretrained(folder)


class TorchRunner:
    """PyTorch, with weights in float32 or bfloat16, or in few bits."""

    def __init__(self, name: str, size: Size, engine: str, folder: Path, threads: int):
        torch.set_num_threads(threads)
        kind = engine.partition("-")[2]
        if kind == "fp32":
            self.model = build(name, size)
        elif kind == "bf16" or name == "Llama":
            dtype = torch.bfloat16 if kind == "bf16" else torch.float32
            self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()
            if kind != "bf16":
                quantize_torch(self.model, kind)
        else:
            self.model = load_quantized(folder, kind)
        self.size, self.cache = size, None

    @torch.inference_mode()
    def read(self, tokens: int) -> None:
        ids = torch.randint(self.size.vocab_size, (1, tokens))
        self.model(ids, past_key_values=self.cache, use_cache=True, logits_to_keep=1)

    @torch.inference_mode()
    def place(self, context: int) -> None:
        self.cache = DynamicCache(config=self.model.config)
        self.read(1)
        for layer in self.cache.layers:
            if hasattr(layer, "recurrent_states"):
                layer.recurrent_states[0].normal_()
            if layer.keys is None:
                layer.cumulative_length.fill_(context)
                continue
            window = getattr(layer, "sliding_window", None) or context + 1
            shape = (1, layer.keys.shape[1], min(context, window - 1))
            layer.keys, layer.values = (torch.randn(*shape, x.shape[3]).to(x) for x in (layer.keys, layer.values))
            if hasattr(layer, "cumulative_length"):
                layer.cumulative_length = context

    def forget(self) -> None:
        self.cache = None

    def cache_bytes(self) -> int:
        return measure.cache_bytes(self.cache)


class RodimusRunner:
    """A Rodimus in ONNX Runtime or OpenVINO."""

    def __init__(self, name: str, size: Size, engine: str, folder: Path, threads: int):
        torch.set_num_threads(1)
        self.model = ExportedCausalLM.from_pretrained(folder, threads=threads)
        self.size, self.memory = size, None

    def read(self, tokens: int) -> None:
        ids = torch.randint(self.size.vocab_size, (1, tokens))
        self.memory = self.model(ids, past_key_values=self.memory, logits_to_keep=1).past_key_values

    def place(self, context: int) -> None:
        self.memory, state = ExportedMemory(self.model.engine, 1), StepState.empty(self.model.config, 1)
        for x in state.tensors().values():
            x.normal_()
        self.memory.memory, self.memory.seen = self.model.engine.hold(state), context
        self.memory.real.fill_(context)
        if (windows := self.memory.windows) is not None:
            windows.make_room(context)
            for x in (*windows.keys, *windows.values):
                x.normal_()
            positions = torch.arange(max(context - windows.capacity, 0), context)
            windows.positions[0, positions % windows.capacity] = positions

    def forget(self) -> None:
        self.memory = None

    def cache_bytes(self) -> int:
        return self.memory.nbytes()


class LlamaOnnx:
    """A Llama in ONNX Runtime, whose keys and values stay where its last call put them."""

    def __init__(self, name: str, size: Size, engine: str, folder: Path, threads: int):
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.log_severity_level, options.intra_op_num_threads = 3, threads
        (path,) = folder.glob("*.onnx")
        self.session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.inputs = [x.name for x in self.session.get_inputs()]
        self.outputs = [x.name for x in self.session.get_outputs()]
        self.value, self.size = ort.OrtValue.ortvalue_from_numpy, size
        self.shape = _key_shape(folder)
        self.forget()

    def read(self, tokens: int) -> None:
        binding = self.session.io_binding()
        self.length += tokens
        feed = {"input_ids": np.random.randint(0, self.size.vocab_size, (1, tokens))}
        feed["attention_mask"] = np.ones((1, self.length), dtype=np.int64)
        for name, array in feed.items():
            binding.bind_ortvalue_input(name, self.value(array))
        for name, value in self.memory.items():
            binding.bind_ortvalue_input(name, value)
        for name in self.outputs:
            binding.bind_output(name, "cpu")
        self.session.run_with_iobinding(binding)
        values = dict(zip(self.outputs, binding.get_outputs(), strict=True))
        self.memory = {name: values[name.replace("input.", "output.", 1)] for name in self.memory}

    def place(self, context: int) -> None:
        self.length, self.memory, (heads, dim) = context, {}, self.shape
        for name in self.inputs:
            if "past_key_values" in name:
                self.memory[name] = self.value(np.random.standard_normal((1, heads, context, dim)).astype(np.float32))

    def forget(self) -> None:
        self.place(1)

    def cache_bytes(self) -> int:
        return sum(value.numpy().nbytes for value in self.memory.values())


class LlamaOpenVINO:
    """A Llama in OpenVINO, whose keys and values are variables of a request."""

    def __init__(self, name: str, size: Size, engine: str, folder: Path, threads: int):
        import openvino

        options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32"}
        options |= {"DYNAMIC_QUANTIZATION_GROUP_SIZE": "32", "INFERENCE_NUM_THREADS": threads}
        core, (path,) = openvino.Core(), folder.glob("*.xml")
        self.model, self.size, self.tensor = core.compile_model(str(path), "CPU", options), size, openvino.Tensor
        self.shape = _key_shape(folder)
        self.forget()

    def read(self, tokens: int) -> None:
        self.length += tokens
        feed = {"input_ids": np.random.randint(0, self.size.vocab_size, (1, tokens))}
        feed["attention_mask"] = np.ones((1, self.length), dtype=np.int64)
        names = {name for port in self.model.inputs for name in port.names}
        if "beam_idx" in names:
            feed["beam_idx"] = np.zeros(1, dtype=np.int32)
        self.request.infer(feed, share_inputs=True)

    def place(self, context: int) -> None:
        self.request, self.length = self.model.create_infer_request(), context
        heads, dim = self.shape
        for state in self.request.query_state():
            array = np.random.standard_normal((1, heads, context, dim)).astype(np.float32)
            state.state = self.tensor(array)

    def forget(self) -> None:
        self.place(1)

    def cache_bytes(self) -> int:
        return sum(state.state.byte_size for state in self.request.query_state())


def _key_shape(folder: Path) -> tuple[int, int]:
    """Heads of the keys of an exported Llama, and their width."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return config["num_key_value_heads"], config["hidden_size"] // config["num_attention_heads"]


def _runner(name: str, engine: str) -> type:
    if engine.startswith("torch"):
        return TorchRunner
    if name != "Llama":
        return RodimusRunner
    return LlamaOnnx if engine.startswith("onnx") else LlamaOpenVINO


def work(name: str, size: Size, engine: str, folder: Path, threads: int) -> None:
    """Answer commands, one JSON object a line, from standard input; the answers go to standard output."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is not an answer
    runner, before, mapped_before = None, _memory("VmRSS"), _memory("RssFile")

    def load(command):
        nonlocal runner
        runner = _runner(name, engine)(name, size, engine, folder, threads)
        return {"load_peak_bytes": _memory("VmHWM") - before}

    def read(command):
        runner.forget()
        runner.read(command["tokens"])
        return {}

    def place(command):
        runner.place(command["context"])
        give_back()  # the random numbers have been wider than what is kept of them
        runner.read(1)
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak
        return {}

    def steps(command):
        for _ in range(command["steps"]):
            runner.read(1)
        mapped = _memory("RssFile") - mapped_before
        peak = _memory("VmHWM") - before
        return {"cache_bytes": runner.cache_bytes(), "running_peak_bytes": peak, "mapped_bytes": mapped}

    commands: dict[str, Any] = {"load": load, "read": read, "place": place, "steps": steps}
    for line in sys.stdin:
        command = json.loads(line)
        try:
            start, cpu = time.perf_counter(), time.process_time()
            answer = commands[command["do"]](command)
            answer |= {"seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - cpu}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:300]}
        print(json.dumps(answer), file=answers, flush=True)


def _memory(field: str) -> int:
    """Bytes of this process: "VmRSS" now, "RssFile" of files alone, or "VmHWM" at the peak. Elsewhere than on Linux, always the peak."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    (line,) = (line for line in status.read_text().splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024

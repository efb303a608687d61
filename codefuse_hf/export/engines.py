"""What runs exported Rodimus graphs: each engine takes tokens and a memory, and gives logits and the next memory."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from .step_state import SEGMENT, StepState
from .windows import Windows, window_capacity


class Engine(ABC):
    """What all engines have in common. A memory is what an engine makes of it; windows are kept outside of engines.

    Args:
        folder: where the graphs are.
        components: the manifest's words on each graph.
        config: of the model.
        threads: how many to use; None for the engine's own choice.
    """

    fixed_windows = False  # whether windows have all their places from the start

    def __init__(self, folder: Path, components: dict[str, dict], config, threads: int | None):
        self.config = config

    def start(self, batch: int):
        """Make the empty memory of a batch."""
        return self.hold(StepState.empty(self.config, batch))

    def windows(self, batch: int) -> Windows | None:
        """Make the empty windows of a batch, which `step` reads; None for a model without attention."""
        if not self.config.has_attention:
            return None
        return Windows(self.config, batch, window_capacity(self.config) if self.fixed_windows else None)

    @abstractmethod
    def hold(self, state: StepState):
        """Make a memory that holds a state."""

    def stop_of_segment(self, start: int, steps: int, first: int) -> int:
        """Return where the segment ends that begins at `start`, in a text of `steps` tokens, from `first` on with logits."""
        return min(start + SEGMENT, steps)

    @abstractmethod
    def step(self, memory, windows: Windows | None, ids, positions, keep) -> tuple[torch.Tensor, Any, dict[str, list]]:
        """Read a segment.

        Args:
            memory: of `start` or of the last step, which may have no other use after this.
            windows: of `windows`, with what came before; not changed.
            ids: int64 `[batch, tokens]`.
            positions: which token of its text each is, int64 `[batch, tokens]`; −1 for padding, which stands in front.
            keep: int64 `[kept]`: places in `ids` whose logits are wanted.

        Returns:
            Logits `[batch, kept, vocab_size]`, the memory that has seen the segment, and `keys` and `values` for the windows, per layer.
        """

    @abstractmethod
    def reorder(self, memory, rows: torch.Tensor):
        """Choose rows of the memory, as beam search does; rows may repeat."""

    @abstractmethod
    def size(self, memory) -> int:
        """Count the bytes of a memory."""


class OnnxEngine(Engine):
    """ONNX Runtime on the CPU. The memory is what the last call gave out; neither it nor a window is copied."""

    def __init__(self, folder, components, config, threads):
        super().__init__(folder, components, config, threads)
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.log_severity_level = 3
        if threads is not None:
            options.intra_op_num_threads = threads
        self.ort = ort
        path = str(folder / components["model"]["file"])
        self.session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        names = [spec.name for spec in self.session.get_inputs()]
        self.state_names = [name.removeprefix("input.") for name in names if "past_key_values" in name]
        self.outputs = [spec.name for spec in self.session.get_outputs()]

    def hold(self, state):
        """Make a memory that holds a state."""
        tensors = state.tensors()
        return {name: self._value(tensors[name.removeprefix("past_key_values.")]) for name in self.state_names}

    def step(self, memory, windows, ids, positions, keep):
        """Read a segment, as `Engine.step` says."""
        binding = self.session.io_binding()
        # Kept until the end: values lie in NumPy's memory, and no document says that a binding holds on to them.
        feed = {name: self._value(tensor) for name, tensor in _feed(windows, ids, positions, keep).items()}
        feed |= {f"input.{name}": memory[name] for name in self.state_names}
        for name, value in feed.items():
            binding.bind_ortvalue_input(name, value)
        for name in self.outputs:
            binding.bind_output(name, "cpu")
        self.session.run_with_iobinding(binding)
        values = dict(zip(self.outputs, binding.get_outputs(), strict=True))
        memory = {name: values.pop(f"output.{name}") for name in self.state_names}
        tensors = {name: torch.from_numpy(value.numpy()) for name, value in values.items()}
        return tensors["logits"], memory, _written(tensors, self.config)

    def reorder(self, memory, rows):
        """Choose rows of the memory, as `Engine.reorder` says."""
        rows = rows.numpy()
        return {name: self._value(torch.from_numpy(value.numpy()[rows])) for name, value in memory.items()}

    def size(self, memory):
        """Count the bytes of a memory."""
        return sum(value.tensor_size_in_bytes() for value in memory.values())

    def _value(self, tensor: torch.Tensor):
        return self.ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(tensor.numpy()))


class OpenVINOEngine(Engine):
    """OpenVINO on the CPU. The memory lies in variables of an infer request, one request for each batch of texts."""

    def __init__(self, folder, components, config, threads):
        super().__init__(folder, components, config, threads)
        import openvino

        # Matrix products in 32 bits: by default OpenVINO rounds to what the machine computes fastest with.
        options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        # Where weights have few bits, activations are rounded to 8 in groups of 32, as by ONNX Runtime: products of integers read weights
        # as fast as memory gives them, while those in float32 take twice the time.
        options |= {"DYNAMIC_QUANTIZATION_GROUP_SIZE": "32", "KV_CACHE_PRECISION": "f32"}
        if threads is not None:
            options |= {"INFERENCE_NUM_THREADS": threads}
        core = openvino.Core()
        self.model = core.compile_model(core.read_model(str(folder / components["model"]["file"])), "CPU", options)
        self.openvino = openvino

    def hold(self, state):
        """Make a memory that holds a state. (The variables' own initial values are empty in a model's first request alone.)"""
        request, tensors = self.model.create_infer_request(), state.tensors()
        for variable in request.query_state():
            value = tensors[variable.name.rpartition("past_key_values.")[2]]
            variable.state = self.openvino.Tensor(value.numpy())
        return request

    def step(self, memory, windows, ids, positions, keep):
        """Read a segment, as `Engine.step` says."""
        feed = {name: tensor.numpy() for name, tensor in _feed(windows, ids, positions, keep).items()}
        result = memory.infer(feed, share_inputs=True)
        tensors = {port.any_name: torch.from_numpy(array) for port, array in result.items()}
        # A copy, for the result may lie where the next call writes.
        return tensors["logits"].clone(), memory, _written(tensors, self.config)

    def reorder(self, memory, rows):
        """Choose rows of the memory, as `Engine.reorder` says."""
        for variable in memory.query_state():
            variable.state = self.openvino.Tensor(variable.state.data[rows.numpy()])
        return memory

    def size(self, memory):
        """Count the bytes of a memory."""
        return sum(state.state.byte_size for state in memory.query_state())


class TorchEngine(Engine):
    """The graph of `torch.export`, run by PyTorch."""

    def __init__(self, folder, components, config, threads):
        super().__init__(folder, components, config, threads)
        from transformers.exporters.exporter_dynamo import register_pytree_node

        register_pytree_node(StepState)
        if threads is not None:
            torch.set_num_threads(threads)
        self.module = torch.export.load(str(folder / components["model"]["file"])).module()

    def hold(self, state):
        """Make a memory that holds a state."""
        return state

    @torch.inference_mode()
    def step(self, memory, windows, ids, positions, keep):
        """Read a segment, as `Engine.step` says."""
        more = {} if windows is None else {"windows": windows.arguments()}
        out = self.module(input_ids=ids, positions=positions, logits_to_keep=keep, past_key_values=memory, **more)
        return out["logits"], out["past_key_values"], {name: out.get(name) for name in ("keys", "values")}

    def reorder(self, memory, rows):
        """Choose rows of the memory, as `Engine.reorder` says."""
        return memory.with_tensors(x[rows] for x in memory.tensors().values())

    def size(self, memory):
        """Count the bytes of a memory."""
        return sum(x.nbytes for x in memory.tensors().values())


class ExecutorchEngine(Engine):
    """ExecuTorch, whose graphs have fixed sizes: rows run one after another, prompts in segments of one length."""

    fixed_windows = True

    def __init__(self, folder, components, config, threads):
        super().__init__(folder, components, config, threads)
        from executorch.runtime import Runtime

        runtime = Runtime.get()
        self.methods = {
            name: runtime.load_program(folder / entry["file"]).load_method("forward")
            for name, entry in components.items()
        }
        self.segment = components["prefill"]["metadata"]["kwargs"]["input_ids"]["shape"][1]

    def hold(self, state):
        """Make a memory that holds a state: one for each row."""
        return [state.with_tensors(x[i : i + 1] for x in state.tensors().values()) for i in range(len(state.conv[0]))]

    def stop_of_segment(self, start, steps, first):
        """Return where a segment ends: after one token, where logits are wanted of more than a segment's last."""
        stop = min(start + self.segment, steps)
        return stop if first >= stop - 1 else start + 1

    def step(self, memory, windows, ids, positions, keep):
        """Read a segment, as `Engine.step` says."""
        method = self.methods["decode" if ids.shape[1] == 1 else "prefill"]
        padding = 0 if ids.shape[1] == 1 else self.segment - ids.shape[1]
        ids, positions = F.pad(ids, (padding, 0)), F.pad(positions, (padding, 0), value=-1)
        rows = []
        for i, state in enumerate(memory):
            tensors = [] if windows is None else [x[i : i + 1] for x in windows.tensors().values()]
            last = torch.tensor([ids.shape[1] - 1])
            out = method.execute([ids[i : i + 1], positions[i : i + 1], last, *state.tensors().values(), *tensors])
            rows.append([x.clone() for x in out])  # the next call may write where these lie
        count = len(memory[0].tensors())
        written = [torch.cat(parts)[:, :, padding:] for parts in zip(*(row[1 + count :] for row in rows), strict=True)]
        half = len(written) // 2
        memory = [state.with_tensors(row[1 : 1 + count]) for state, row in zip(memory, rows, strict=True)]
        return torch.cat([row[0] for row in rows]), memory, {"keys": written[:half], "values": written[half:]}

    def reorder(self, memory, rows):
        """Choose rows of the memory, as `Engine.reorder` says."""
        return [memory[i] for i in rows.tolist()]

    def size(self, memory):
        """Count the bytes of a memory."""
        return sum(x.nbytes for state in memory for x in state.tensors().values())


def _feed(windows: Windows | None, ids, positions, keep) -> dict[str, torch.Tensor]:
    """What a graph reads besides the memory, by its names there."""
    return {"input_ids": ids, "positions": positions, "logits_to_keep": keep} | (windows.tensors() if windows else {})


def _written(tensors: dict[str, torch.Tensor], config) -> dict[str, list]:
    """What a graph gives for the windows, of all that it gives."""
    layers = range(config.num_hidden_layers if config.has_attention else 0)
    return {name: [tensors[f"{name}.{i}"] for i in layers] for name in ("keys", "values")}


ENGINES = {
    "onnx": OnnxEngine,
    "openvino": OpenVINOEngine,
    "dynamo": TorchEngine,
    "executorch": ExecutorchEngine,
}

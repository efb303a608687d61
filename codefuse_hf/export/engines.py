"""What runs exported Rodimus graphs: each engine takes tokens and a memory, and gives logits and the next memory."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from .step_state import StepState, is_window, widened, window_axis, window_capacity


class OnnxEngine:
    """ONNX Runtime on the CPU. The memory is what the last call gave out; nothing of it is copied, and windows are written in
    place. What an engine does is said in `TorchEngine`."""

    def __init__(self, folder: Path, components: dict[str, dict], config, threads: int | None):
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.log_severity_level = 3
        if threads is not None:
            options.intra_op_num_threads = threads
        self.ort = ort
        path = str(folder / components["model"]["file"])
        self.session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.state_names = [
            spec.name.removeprefix("input.") for spec in self.session.get_inputs() if "past_key_values" in spec.name
        ]
        self.outputs = [spec.name for spec in self.session.get_outputs()]
        self.config = config

    def start(self, batch: int) -> dict[str, Any]:
        """Make the empty memory of a batch."""
        return self.hold(StepState.empty(self.config, batch))

    def hold(self, state: StepState) -> dict[str, Any]:
        """Make a memory that holds a state; `start` begins with an empty one."""
        tensors = state.tensors()
        return {name: self._value(tensors[name.removeprefix("past_key_values.")]) for name in self.state_names}

    def step(self, memory, ids, mask, keep):
        """Read further tokens, as `TorchEngine.step` says."""
        binding = self.session.io_binding()
        for name, tensor in (("input_ids", ids), ("attention_mask", mask), ("logits_to_keep", keep)):
            binding.bind_ortvalue_input(name, self._value(tensor))
        for name in self.state_names:
            binding.bind_ortvalue_input(f"input.{name}", memory[name])
        # ONNX Runtime copies a window for the few rows that are written, unless it is given the same memory for the result.
        written = {f"output.{name}": memory[name] for name in self.state_names if window_axis(name) == 2}
        for name in self.outputs:
            if name in written:
                binding.bind_ortvalue_output(name, written[name])
            else:
                binding.bind_output(name, "cpu")
        self.session.run_with_iobinding(binding)
        values = dict(zip(self.outputs, binding.get_outputs(), strict=True)) | written
        logits = torch.from_numpy(values.pop("logits").numpy())
        return logits, {name: values[f"output.{name}"] for name in self.state_names}

    def widen(self, memory, places: int):
        """Give the windows so many places."""
        for name in [name for name in memory if is_window(name)]:
            memory[name] = self._value(widened(name, torch.from_numpy(memory[name].numpy()), places))
        return memory

    def reorder(self, memory, rows: torch.Tensor):
        """Choose rows of the memory, as beam search does; rows may repeat."""
        rows = rows.numpy()
        return {name: self._value(torch.from_numpy(value.numpy()[rows])) for name, value in memory.items()}

    def size(self, memory) -> int:
        """Count the bytes of a memory."""
        return sum(value.tensor_size_in_bytes() for value in memory.values())

    def _value(self, tensor: torch.Tensor):
        return self.ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(tensor.numpy()))


class OpenVINOEngine:
    """OpenVINO on the CPU. The memory lies in variables of an infer request, one request for each text."""

    def __init__(self, folder: Path, components: dict[str, dict], config, threads: int | None):
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
        self.config, self.openvino = config, openvino

    def start(self, batch: int):
        """Make the empty memory of a batch."""
        # The states' own initial values are empty in every request but the first of a model.
        return self.hold(StepState.empty(self.config, batch))

    def hold(self, state: StepState):
        """Make a memory that holds a state; `start` begins with an empty one."""
        request, tensors = self.model.create_infer_request(), state.tensors()
        for variable in request.query_state():
            value = tensors[variable.name.rpartition("past_key_values.")[2]]
            value = value if value.is_floating_point() else value.int()
            variable.state = self.openvino.Tensor(value.numpy())
        return request

    def step(self, memory, ids, mask, keep):
        """Read further tokens, as `TorchEngine.step` says."""
        feed = {"input_ids": ids, "attention_mask": mask, "logits_to_keep": keep}
        result = memory.infer({name: tensor.numpy() for name, tensor in feed.items()}, share_inputs=True)
        # A copy, for the result may lie where the next call writes.
        return torch.from_numpy(np.array(result["logits"])), memory

    def widen(self, memory, places: int):
        """Give the windows so many places."""
        for variable in memory.query_state():
            if is_window(variable.name):
                wide = widened(variable.name, torch.from_numpy(variable.state.data), places)
                variable.state = self.openvino.Tensor(wide.numpy())
        return memory

    def reorder(self, memory, rows: torch.Tensor):
        """Choose rows of the memory, as beam search does; rows may repeat."""
        for variable in memory.query_state():
            variable.state = self.openvino.Tensor(variable.state.data[rows.numpy()])
        return memory

    def size(self, memory) -> int:
        """Count the bytes of a memory."""
        return sum(state.state.byte_size for state in memory.query_state())


class TorchEngine:
    """The graph of `torch.export`, run by PyTorch: the plainest engine, whose methods say what all of them do."""

    def __init__(self, folder: Path, components: dict[str, dict], config, threads: int | None):
        from transformers.exporters.exporter_dynamo import register_pytree_node

        register_pytree_node(StepState)
        if threads is not None:
            torch.set_num_threads(threads)
        self.module = torch.export.load(str(folder / components["model"]["file"])).module()
        self.config = config

    def start(self, batch: int) -> StepState:
        """Make the empty memory of a batch."""
        return StepState.empty(self.config, batch)

    @torch.inference_mode()
    def step(self, memory, ids, mask, keep):
        """Read further tokens: logits `[batch, kept, vocab_size]` and the memory that has seen them.

        Args:
            memory: of `start` or of the last step, which may have no other use after this.
            ids, mask: int64 `[batch, tokens]`; 0 in the mask is padding.
            keep: int64 `[kept]`: positions in `ids` whose logits are wanted.
        """
        out = self.module(input_ids=ids, attention_mask=mask, logits_to_keep=keep, past_key_values=memory)
        return out["logits"], out["past_key_values"]

    def widen(self, memory: StepState, places: int) -> StepState:
        """Give the windows so many places."""
        return _with_tensors(
            memory, [widened(name, x, places) if is_window(name) else x for name, x in memory.tensors().items()]
        )

    def reorder(self, memory: StepState, rows: torch.Tensor):
        """Choose rows of the memory, as beam search does; rows may repeat."""
        return _with_tensors(memory, [x[rows] for x in memory.tensors().values()])

    def size(self, memory) -> int:
        """Count the bytes that a memory takes."""
        return sum(x.nbytes for x in memory.tensors().values())


class ExecutorchEngine:
    """ExecuTorch, whose graphs have fixed sizes: rows run one after another, prompts in segments of one length."""

    def __init__(self, folder: Path, components: dict[str, dict], config, threads: int | None):
        from executorch.runtime import Runtime

        runtime = Runtime.get()
        self.methods = {
            name: runtime.load_program(folder / entry["file"]).load_method("forward")
            for name, entry in components.items()
        }
        self.segment = components["prefill"]["metadata"]["kwargs"]["input_ids"]["shape"][1]
        self.config = config

    def start(self, batch: int) -> list[StepState]:
        """Make the empty memory of a batch."""
        return [StepState.empty(self.config, 1, window_capacity(self.config)) for _ in range(batch)]

    def step(self, memory, ids, mask, keep):
        """Read further tokens, as `TorchEngine.step` says."""
        kept = set(keep.tolist())
        rows = [self._row(state, ids[i : i + 1], mask[i : i + 1], kept) for i, state in enumerate(memory)]
        return torch.cat([logits for logits, _ in rows]), [state for _, state in rows]

    def _row(self, state, ids, mask, kept):
        """A row in whole segments; token by token where logits are wanted of more than a segment's last token."""
        logits, done, steps = [], 0, ids.shape[1]
        while done < steps:
            count = min(self.segment, steps - done)
            if any(i in kept for i in range(done, done + count - 1)) or count == 1:
                count, method, pad = 1, "decode", 0
            else:
                method, pad = "prefill", self.segment - count
            part = [torch.nn.functional.pad(x[:, done : done + count], (pad, 0)) for x in (ids, mask)]
            keep = torch.tensor([part[0].shape[1] - 1])
            out = self.methods[method].execute([*(x.contiguous() for x in part), keep, *state.tensors().values()])
            done += count
            state = _with_tensors(state, [x.clone() for x in out[1:]])
            if done - 1 in kept:
                logits.append(out[0].clone())
        return torch.cat(logits, 1), state

    def widen(self, memory, places: int):
        """Leave the memory as it is: its windows have all places from the start."""
        return memory

    def reorder(self, memory, rows: torch.Tensor):
        """Choose rows of the memory, as beam search does; rows may repeat."""
        return [memory[i] for i in rows.tolist()]

    def size(self, memory) -> int:
        """Count the bytes of a memory."""
        return sum(x.nbytes for state in memory for x in state.tensors().values())


def _with_tensors(state: StepState, tensors: list[torch.Tensor]) -> StepState:
    """A state of the same kind with these tensors, in the order of `StepState.tensors`."""
    tensors, layers = list(tensors), len(state.conv)
    position, conv, recurrent = tensors[0], tensors[1 : layers + 1], tensors[layers + 1 : 2 * layers + 1]
    if state.window_positions is None:
        return StepState(position, conv, recurrent)
    rest = tensors[2 * layers + 1 :]
    return StepState(position, conv, recurrent, rest[:layers], rest[layers:-1], rest[-1])


ENGINES = {
    "onnx": OnnxEngine,
    "openvino": OpenVINOEngine,
    "dynamo": TorchEngine,
    "executorch": ExecutorchEngine,
}

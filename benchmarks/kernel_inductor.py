"""What Inductor generates for the elementwise parts of a mixer layer: its kernels and their bytes, for a GPU that is not there.

    python benchmarks/kernel_inductor.py        # JSON on standard output

The parts around fla-core's operators are traced with fake CUDA tensors, split into forward and backward as `torch.compile` does, lowered
and scheduled for an H200, whose properties are given below. Nothing runs. Bytes are Inductor's own count: each kernel reads each of its
inputs and writes each of its outputs once.
"""

import json
import sys
from types import SimpleNamespace
from typing import Any

import torch
from torch.nn import functional as F

H200 = SimpleNamespace(
    name="NVIDIA H200", major=9, minor=0, multi_processor_count=132, warp_size=32, total_memory=141 * 10**9,
    max_threads_per_multi_processor=2048, max_threads_per_block=1024, regs_per_multiprocessor=65536,
    shared_memory_per_block=49152, shared_memory_per_block_optin=232448, shared_memory_per_multiprocessor=233472,
    L2_cache_size=50 * 2**20,
)  # fmt: skip
TOKENS, D_INNER = 16384, 4096


def pretend_a_gpu() -> None:
    """Answer what Inductor asks about the device. Only for a process that runs nothing on it."""
    torch.cuda.get_rng_state, torch.cuda.set_rng_state = torch.get_rng_state, lambda state: None
    torch.cuda.is_available = lambda: True
    torch.cuda.device_count = lambda: 1
    torch.cuda.current_device = lambda: 0
    torch.cuda.get_device_properties = lambda device=None: H200
    torch.cuda.get_device_capability = lambda device=None: (H200.major, H200.minor)
    torch.cuda.is_bf16_supported = lambda *args, **kwargs: True


def channel_gate(c, x):
    return torch.sigmoid(c) * x


def gated_norm(out, s, gate, residual_weight, weight):
    z = (out.float() + residual_weight * s.float()) * F.silu(gate.float())
    return F.rms_norm(z, z.shape[-1:], weight.float(), 1e-5).to(gate.dtype)


def lowered(module: torch.fx.GraphModule, is_backward: bool) -> dict[str, Any]:
    """Kernels of a graph, with what each reads and writes."""
    from torch._inductor.debug import DebugContext
    from torch._inductor.graph import GraphLowering
    from torch._inductor.virtualized import V

    inputs = [node.meta["val"] for node in module.graph.nodes if node.op == "placeholder"]
    graph = GraphLowering(module, is_backward=is_backward)
    with V.set_graph_handler(graph), V.set_debug_handler(DebugContext()):
        graph.run(*inputs)
        graph._update_scheduler()
        nodes = [node for node in graph.scheduler.nodes if not node.is_template() and "Nop" not in type(node).__name__]
        return {
            "kernels": len(nodes),
            "bytes_per_token": [round(node.get_read_write_buffers_sizes() / TOKENS, 1) for node in nodes],
        }


def both_passes(function, shapes: list[tuple[tuple[int, ...], torch.dtype]]) -> dict[str, Any]:
    """Forward for inference, and forward and backward as they are split for training."""
    from torch._functorch.aot_autograd import aot_export_joint_simple
    from torch._functorch.partitioners import min_cut_rematerialization_partition
    from torch._inductor.compile_fx import select_decomp_table
    from torch._inductor.virtualized import V
    from torch._subclasses import FakeTensorMode
    from torch.fx.experimental.proxy_tensor import make_fx

    with FakeTensorMode() as mode, V.set_fake_mode(mode):
        # Autograd takes no CUDA tensors in a build of PyTorch without CUDA: traced as on a CPU, then moved.
        inputs = [torch.empty(shape, dtype=dtype) for shape, dtype in shapes]
        graphs = {"forward": make_fx(function, decomposition_table=select_decomp_table())(*inputs)}
        leaves = [x.detach().requires_grad_() for x in inputs]
        joint = aot_export_joint_simple(
            lambda *x: [function(*x)], leaves, trace_joint=True, decompositions=select_decomp_table()
        )
        split = min_cut_rematerialization_partition(joint, [inputs, [inputs[0]]], num_fwd_outputs=1)
        graphs["forward of training"], graphs["backward"] = split
        return {name: lowered(_on_gpu(graph), name == "backward") for name, graph in graphs.items()}


def _on_gpu(module: torch.fx.GraphModule) -> torch.fx.GraphModule:
    from torch.utils._pytree import tree_map

    def moved(x):
        is_tensor = isinstance(x, torch.Tensor)
        return torch.empty_strided(x.shape, x.stride(), dtype=x.dtype, device="cuda") if is_tensor else x

    for node in module.graph.nodes:
        if "val" in node.meta:
            node.meta["val"] = tree_map(moved, node.meta["val"])
    return module


def main() -> int:
    pretend_a_gpu()
    wide, vector = ((TOKENS, D_INNER), torch.bfloat16), (D_INNER,)
    weights = [(vector, torch.float32), (vector, torch.bfloat16)]
    result = {
        "channel gate": both_passes(channel_gate, [wide, wide]),
        "residual, output gate and norm": both_passes(gated_norm, [wide, wide, wide, *weights]),
        "sum of three gradients": both_passes(lambda a, b, c: a + b + c, [wide, wide, wide]),
    }
    print("INDUCTOR" + json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())

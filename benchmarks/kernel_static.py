"""What can be said of the Triton kernels without a GPU: compiled for several, and their memory traffic counted.

    python benchmarks/kernel_static.py            # table and JSON into benchmarks/results/ (half an hour of CPU; what was
                                                  # compiled before comes from Triton's cache)
    python benchmarks/kernel_static.py --only convolution    # compile again what begins so, for all of them
    python benchmarks/kernel_static.py --quick    # a few kernels for sm_90, small shapes, nothing written

*Compiled*: each kernel in each configuration that may be chosen for NVIDIA sm_80, sm_90, sm_100 and AMD gfx942: registers, bytes of
spills, shared memory, blocks that fit on a multiprocessor, and whether every matrix product uses tensor cores.
*Counted*: bytes read and written per token and layer by executing the pointer arithmetic in the interpreter
(`kernel_traffic.py`) for rows of 256 and 512 value channels, from which they are carried over to 4096, in which they are linear;
beside fla-core's `chunk_gla` counted in the same way, and eager PyTorch counted operator by operator.
Nothing here is a time; floors are bytes over a bandwidth.
"""

import argparse
import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
TARGETS = {
    "sm_80": ("cuda", 80, 32),
    "sm_90": ("cuda", 90, 32),
    "sm_100": ("cuda", 100, 32),
    "gfx942": ("hip", "gfx942", 64),
}
# An H200, measured elsewhere: bytes/s of a copy, FLOP/s of a bfloat16 matrix product.
BANDWIDTH, MATRIX_RATE = 4.3e12, 788e12
SHARED_PER_BLOCK = {"sm_80": 163 * 1024, "sm_90": 227 * 1024, "sm_100": 227 * 1024, "gfx942": 64 * 1024}
PRECISION = {"cuda": ("tf32", "tf32x3"), "hip": ("ieee", "ieee")}  # of half precision, and of float32
MEM_SIZE, D_INNER = 64, 4096
COUNTED = 256, 512  # value channels of what is executed; all counts are linear in them


def cases(
    target: str, dtypes=("bf16", "fp16", "fp32"), mem_sizes=(16, 32, 64, 128)
) -> Iterator[tuple[str, Any, dict, dict, int, int]]:
    """Name, kernel, signature, constants, warps and stages of everything that is ever launched on a target."""
    import torch
    import triton.language as tl

    from codefuse_hf.kernels import decoding_step_triton, gated_norm_triton, short_convolution_triton
    from codefuse_hf.kernels import gated_linear_attention_triton as gla
    from codefuse_hf.kernels import tempered_selection_triton as gates

    f, backend = "*fp32", TARGETS[target][0]
    generation = TARGETS[target][1] // 10 if backend == "cuda" else 0
    for dtype in dtypes:
        x = f"*{dtype}"
        torch_dtype = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}[dtype]
        state, kept = (tl.bfloat16, x) if dtype == "bf16" else (tl.float32, f)
        for m in mem_sizes:
            c = gla.chunk_size(torch.empty(0, dtype=torch_dtype), m)
            base = {"M": m, "C": c, "PRECISION": PRECISION[backend][dtype == "fp32"]}
            group = {"GROUP": gla.KEPT_EVERY // c}
            for packed in (False, True):
                seq = {"SUB": gla.SUB, "HAS_SEQ": packed} | ({} if packed else {"seq_idx": None})
                intra = {"q": f, "k": f, "g": f, "seq_idx": "*i64", "scale": "fp32"}
                tag = f"{dtype} M{m}{' packed' if packed else ''}"
                outputs = {"scores": x, "q_in": x, "k_out": x, "decay": f}
                yield f"intra_chunk {tag}", gla.intra_chunk_kernel, intra | outputs, base | seq, 4, 1
                sums = dict.fromkeys(("d_scores", "d_q_in", "d_k_out", "d_decay", "d_q", "d_k", "d_g"), f)
                warps = gla.intra_backward_warps(m, generation)
                yield f"intra_chunk_backward {tag}", gla.intra_chunk_backward_kernel, intra | sums, base | seq, warps, 1
            shared = {
                "scores": x,
                "q_in": x,
                "k_out": x,
                "decay": f,
                "v": x,
                "gate": x,
                "o": x,
                "states": kept,
                "initial": f,
                "local": f,
                "fade": f,
                "final": f,
            }
            walk = gla.walk_configs(gla.WALK_CONFIGS, m, base["PRECISION"], generation)
            for config in walk:
                bv, warps, stages = config.kwargs["BV"], config.num_warps, config.num_stages
                for training in (False, True):
                    options = {
                        "HAS_GATE": True,
                        "HAS_INITIAL": True,
                        "CUT": True,
                        "KEEP_STATES": training,
                        "STORE_FINAL": True,
                        "STATE": state,
                        "BV": bv,
                    }
                    name = f"outputs{' keeping states' if training else ''} {dtype} M{m} BV{bv}"
                    yield name, gla.outputs_kernel, shared, base | group | options, warps, stages
                walked = {"keys": x, "decay": f, "x": x, "gate": x, "states": kept, "final": f}
                for reverse in (False, True):
                    options = {"KEEP_STATES": reverse, "STORE_FINAL": True, "REVERSE": reverse, "BV": bv}
                    options |= {"HAS_GATE": not reverse} | ({"gate": None} if reverse else {"states": None})
                    name = f"states{' of gradients' if reverse else ''} {dtype} M{m} BV{bv}"
                    yield name, gla.states_kernel, walked, base | group | options, warps, stages
            given = dict.fromkeys(("scores", "q_in", "k_out", "v", "gate", "d_o", "d_v", "d_gate"), x)
            given |= dict.fromkeys(("decay", "entrances", "reach", "d_scores", "d_q_in", "d_k_out", "d_decay"), f)
            given |= {"states": kept, "d_states": kept}
            in_parts = gla.in_parts(torch_dtype, m)
            for values, sums in ((True, False), (False, True)) if in_parts else ((True, True),):
                for config in gla.gradient_configs(gla.GRADIENT_CONFIGS, m, values and sums, generation):
                    options = {"HAS_GATE": True, "HAS_ENTRANCE": True, "WANT_VALUES": values, "WANT_SUMS": sums}
                    options |= {"STATE": state, "BV": config.kwargs["BV"]}
                    which = "" if values and sums else " of values" if values else " of the rest"
                    name = f"chunk_gradients{which} {dtype} M{m} BV{config.kwargs['BV']}"
                    constants = base | group | options
                    yield name, gla.chunk_gradients_kernel, given, constants, config.num_warps, config.num_stages
            step = dict.fromkeys(("query_key", "gates", "channel_gate", "x"), x)
            step |= {"state": f, "out": f, "eps": "fp32", "scale": "fp32"}
            for s in (1, 4):
                sizes = {"S": s, "M": m, "BV": decoding_step_triton.VALUES}
                yield f"decoding_step {s} {dtype} M{m}", decoding_step_triton._step, step, sizes, 4, 3
            pair = {"query_key": x, "gates": x, "d_query_key": x, "d_gates": x, "eps": "fp32"}
            wide = dict.fromkeys(("query", "key", "log_decay", "d_query", "d_key", "d_log_decay"), f)
            for kernel in (gates._forward, gates._backward):
                sizes = {"M": m, "MP": m, "STEPS": gates.STEPS}
                yield f"gates{kernel.fn.__name__} {dtype} M{m}", kernel, pair | wide, sizes, 4, 3
        conv = ("x", "weight", "bias", "s", "d_s", "d_s1", "d_s2", "d_x1", "d_x2", "d_x")
        conv = dict.fromkeys(conv, x)
        conv |= {"history": f, "seq_idx": "*i64", "d_weights": f}
        for packed in (False, True):
            sizes = {"TAPS": 4, "HAS_HISTORY": packed, "HAS_SEQ": packed}
            sizes |= {
                "BC": short_convolution_triton.CHANNELS,
                "BT": short_convolution_triton.STEPS_PACKED if packed else short_convolution_triton.STEPS,
            }
            sizes |= {"SPAN": short_convolution_triton.SPAN} | ({} if packed else {"history": None, "seq_idx": None})
            tag = f"{dtype}{' packed' if packed else ''}"
            yield f"convolution_forward {tag}", short_convolution_triton._forward, conv, sizes, 4, 3
            yield (
                f"convolution_backward {tag}",
                short_convolution_triton._backward,
                conv,
                sizes | {"SUMS": 8, "BT": short_convolution_triton.STEPS_BACKWARD, "BRANCHES": 3, "INPUT_BRANCHES": 2},
                8,
                3,
            )
        stepping = conv | {"state": f}
        sizes = {"S": 1, "TAPS": 4, "TAPS_POW2": 4, "BC": short_convolution_triton.CHANNELS}
        yield f"convolution_step {dtype}", short_convolution_triton._step, stepping, sizes, 4, 3
        norm = dict.fromkeys(("out", "residual", "gate", "weight", "y", "d_y", "d_out", "d_residual", "d_gate"), x)
        norm |= {"residual_weight": f, "d_weights": f, "statistics": f, "eps": "fp32"}
        for channels in (4096, 6144, 8192):
            forward, backward = gated_norm_triton.options(channels), gated_norm_triton.backward_options(channels)
            launched = [(gated_norm_triton._forward, forward), (gated_norm_triton._backward, backward)]
            if backward["HAS_STATISTICS"]:
                launched.append((gated_norm_triton._statistics, {"BLOCK": backward["BLOCK"], "num_warps": 4}))
            else:
                backward["statistics"] = None
            for kernel, options in launched:
                warps = options.pop("num_warps")
                yield f"gated_norm{kernel.fn.__name__} {channels} {dtype}", kernel, norm, options, warps, 3


def compile_case(kernel: Any, types: dict, constants: dict, warps: int, stages: int, target: str) -> dict[str, Any]:
    """Compile one kernel for one target; see the module's text for what is reported."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    names = kernel.arg_names
    signature = {n: "constexpr" if n in constants else types.get(n, "i32") for n in names}
    ours = kernel.fn.__module__.startswith("codefuse_hf")
    aligned = _aligned(names, signature) if ours else [signature[n][0] == "*" for n in names]
    attributes = {
        (i,): [["tt.divisibility", 16]]
        for i, (n, flag) in enumerate(zip(names, aligned, strict=True))
        if flag and n not in constants
    }
    source = ASTSource(fn=kernel, signature=signature, constexprs=constants, attrs=attributes)
    compiled = triton.compile(
        source, target=GPUTarget(*TARGETS[target]), options={"num_warps": warps, "num_stages": stages}
    )
    products = re.findall(r"(?:tt\.dot|warp_group_dot|tc_gen5_mma)\b.*", compiled.asm["ttgir"])
    products = [line for line in products if "wait" not in line.split(" ")[0]]
    result = {
        "shared_bytes": compiled.metadata.shared,
        "products": compiled.asm["ttir"].count("tt.dot "),
        "products_without_tensor_cores": sum(bool(re.search(r"-> tensor<[^>]*#blocked", line)) for line in products),
        "warps": warps,
        "stages": stages,
    }
    result["fits"] = compiled.metadata.shared <= SHARED_PER_BLOCK[target]
    if target == "gfx942":
        text = compiled.asm["amdgcn"]
        registers = int(re.search(r"\.vgpr_count: *(\d+)", text)[1])
        spilled = int(re.search(r"\.vgpr_spill_count: *(\d+)", text)[1])
        return result | {"registers": registers, "spill_bytes": 4 * spilled}
    tool = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(compiled.asm["cubin"])
        file.flush()
        usage = subprocess.run([tool, "-res-usage", file.name], capture_output=True, text=True, check=True).stdout
    registers, stack = map(int, re.search(r"REG:(\d+) STACK:(\d+)", usage).groups())
    threads = 32 * warps
    by_registers = 65536 // (-(-registers // 8) * 8 * threads)
    by_shared = SHARED_PER_BLOCK[target] // max(compiled.metadata.shared + 1024, 1)
    return result | {
        "registers": registers,
        "spill_bytes": stack,
        "tensor_core_instructions": len(re.findall(r"wgmma\.mma_async|mma\.sync|tcgen05\.mma", compiled.asm["ptx"])),
        "blocks_per_multiprocessor": min(by_registers, by_shared, 2048 // threads),
    }


def _aligned(names: list[str], signature: dict[str, str]) -> list[bool]:
    """Which arguments of our kernels are multiples of 16: pointers, strides and sizes, but no counts."""
    counts = ("V", "channels", "T", "NC", "rows", "HISTORY", "per_segment")
    aligned = [n.endswith(("_batch", "_step", "_row")) or n == "per_split" or signature[n][0] == "*" for n in names]
    aligned = [flag or n in ("V", "channels") for n, flag in zip(names, aligned, strict=True)]
    assert all(
        n in counts or flag or signature[n] != "i32" or n.endswith("_chan")
        for n, flag in zip(names, aligned, strict=True)
    )
    return aligned


def compile_all(cases_of: Callable[[str], Iterable], targets: Iterable[str]) -> list[dict[str, Any]]:
    """Compile what `cases_of` gives for each target."""
    records = []
    for target in targets:
        for name, *case in cases_of(target):
            try:
                figures = compile_case(*case, target)
            except Exception as error:  # a configuration that does not fit is a finding, not the end
                figures = {"error": f"{type(error).__name__}: {str(error)[:200]}"}
            records.append({"kernel": name, "target": target, **figures})
    return records


# --- Traffic: this part runs in a process with TRITON_INTERPRET=1 ---


def _summary(launches: list, tokens: int) -> dict[str, Any]:
    def total(field):
        return round(sum(getattr(x, field) for x in launches) / tokens, 1)

    fields = ("distinct_read", "distinct_written", "issued_read", "issued_written", "outside")
    per_kernel = [
        {"kernel": x.kernel} | {f: round(getattr(x, f) / tokens, 1) for f in (*fields[:4], "products")}
        for x in launches
    ]
    result = {f: total(f) for f in fields} | {"flop_of_products": total("products"), "kernels": per_kernel}
    result["distinct"] = result["distinct_read"] + result["distinct_written"]
    result["issued"] = result["issued_read"] + result["issued_written"]
    return result


def _forward_and_backward(function, tensors, tokens, launched: list | None = None) -> dict[str, Any]:
    """Counts of the forward pass for inference, and of forward and backward for training, whose launches `launched` gets."""
    import torch
    from kernel_traffic import record

    leaves = [x.detach().requires_grad_(x.is_floating_point()) for x in tensors]
    with torch.no_grad(), record() as inference:
        function(*leaves)
    with record() as training:
        out = function(*leaves)
        forward = len(training)
        torch.autograd.backward(out, [torch.randn_like(x) for x in out])
    if launched is not None:
        launched += [{"kernel": x.kernel, "types": x.types, "constants": x.constants} for x in training]
    return {
        "forward": _summary(inference, tokens),
        "forward of training": _summary(training[:forward], tokens),
        "forward and backward": _summary(training, tokens),
    }


def _eager_bytes(function, tensors, tokens) -> dict[str, float]:
    """Bytes per token that eager PyTorch's operators read and write, each operator's inputs and outputs once."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    class Count(TorchDispatchMode):
        total = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            out = function(*args, **(kwargs or {}))
            storages = {
                x.untyped_storage().data_ptr() for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)
            }
            results = [x for x in tree_leaves(out) if isinstance(x, torch.Tensor)]
            is_view = function.is_view or (
                not function._schema.is_mutable
                and results
                and all(x.untyped_storage().data_ptr() in storages for x in results)
            )
            if not is_view and "empty" not in function.name():
                inputs = [x for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)]
                self.total += sum(x.numel() * x.element_size() for x in (*inputs, *results))
            return out

    leaves = [x.detach().requires_grad_(x.is_floating_point()) for x in tensors]
    with Count() as count:
        out = function(*leaves)
        forward = count.total
        torch.autograd.backward(out, [torch.randn_like(x) for x in out])
    return {"forward": round(forward / tokens, 1), "forward and backward": round(count.total / tokens, 1)}


def traffic(d_inner: int) -> dict[str, Any]:
    """At so many value channels, bytes per token of the operator and of all around it, ours, fla-core's, eager PyTorch's; bfloat16 activations."""
    import kernel_fla
    import torch

    from codefuse_hf.kernels import gated_linear_attention_triton as gla
    from codefuse_hf.kernels.gated_linear_attention import gated_linear_attention, gated_linear_attention_chunk
    from codefuse_hf.kernels.gated_norm import gated_norm
    from codefuse_hf.kernels.short_convolution_triton import short_convolution_branched_triton
    from codefuse_hf.kernels.tempered_selection import tempered_selection

    torch.manual_seed(0)
    tokens, bf16 = 256, torch.bfloat16

    def wide(*dtype):
        return torch.randn(1, tokens, d_inner, dtype=torch.float32).to(*dtype)

    q, k, g = torch.randn(1, tokens, 64), torch.randn(1, tokens, 64), -torch.rand(1, tokens, 64)
    v = wide(bf16)

    def ours(q, k, v, g):
        return [gated_linear_attention(q, k, v, g, output_dtype=bf16)[0]]

    result = {
        "tokens": tokens,
        "d_inner": d_inner,
        "mem_size": 64,
        "ours": {"operator": _forward_and_backward(ours, (q, k, v, g), tokens)},
    }
    parts = result["ours"]
    gla.processors, gla.MIN_SEGMENT = lambda device: 2 * d_inner // 64, 1  # a row is cut in two, as on a GPU
    parts["operator, one long row"] = _forward_and_backward(ours, (q, k, v, g), tokens)
    gla.processors, gla.MIN_SEGMENT = lambda device: 1, 8
    gated = lambda q, k, v, g, c: [gated_linear_attention(q, k, v, g, value_gate=c, output_dtype=bf16)[0]]  # noqa: E731
    parts["operator with channel gate"] = _forward_and_backward(gated, (q, k, v, g, wide(bf16)), tokens)
    taps, bias = torch.randn(d_inner, 1, 4).to(bf16), torch.randn(d_inner).to(bf16)
    parts["convolution"] = _forward_and_backward(
        lambda *x: short_convolution_branched_triton(*x, None, None), (wide(bf16), taps, bias), tokens
    )
    pairs = (torch.randn(1, tokens, 128).to(bf16), torch.randn(1, tokens, 128).to(bf16))
    parts["gates"] = _forward_and_backward(lambda a, b: list(tempered_selection(a, b, 1e-5)), pairs, tokens)
    norm = (wide(bf16), wide(bf16), torch.ones(d_inner), wide(bf16), torch.ones(d_inner, dtype=bf16))
    parts["residual, output gate and norm"] = _forward_and_backward(lambda *x: [gated_norm(*x, 1e-5)], norm, tokens)
    result["eager PyTorch"] = {
        "operator": _eager_bytes(lambda *x: [gated_linear_attention_chunk(*x)[0]], (q, k, v, g), tokens)
    }
    try:
        chunk_gla, causal_conv1d = kernel_fla.operators()
    except ImportError as error:
        result["fla-core"] = {"error": str(error)}
        return result
    heads = tuple(x.to(bf16).unsqueeze(2) for x in (q, k, v)) + (g.unsqueeze(2),)
    launched = result["launches of fla-core"] = []
    theirs = _forward_and_backward(lambda *x: [chunk_gla(*x)[0]], heads, tokens, launched)
    peer = result["fla-core"] = {"operator": theirs}
    try:
        conv = lambda x, w, b: [causal_conv1d(x, weight=w[:, 0], bias=b, activation="silu")[0]]  # noqa: E731
        peer["convolution"] = _forward_and_backward(conv, (wide(bf16), taps, bias), tokens)
    except Exception as error:
        peer["convolution"] = {"error": f"{type(error).__name__}: {str(error)[:200]}"}
    return result


def extrapolated(a: Any, b: Any) -> Any:
    """What was counted at the two numbers of value channels, carried over to `D_INNER`."""
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        return {key: extrapolated(a[key], b[key]) for key in a}
    if isinstance(a, list):
        return [extrapolated(x, y) for x, y in zip(a, b, strict=True)]
    if isinstance(a, bool) or not isinstance(a, int | float):
        assert a == b
        return a
    value = a + (b - a) * (D_INNER - COUNTED[0]) / (COUNTED[1] - COUNTED[0])
    return int(value) if isinstance(a, int) else round(value, 1)


def per_token(counted: dict[str, Any], phase: str, seq_len: int, cut: bool = False) -> float:
    """Distinct bytes of our operator per token of a row of `seq_len`; `cut`: in two segments, as for few long rows.

    What was counted is one row of `counted["tokens"]`. A cut adds a pass over half of the values in forward, and states at the
    cut: in forward one, written and read; in backward those of both segments, each written, read to be joined, written again
    and read where gradients are added up (the two joins, in PyTorch, read and write three more).
    """
    whole = counted["ours"]["operator"][phase]["distinct"]
    if not cut:
        return whole
    states = 2 + (8 + 6) * (phase != "forward")
    first_half = next(x for x in counted["ours"]["operator, one long row"][phase]["kernels"] if "states" in x["kernel"])
    return whole + first_half["distinct_read"] + states * MEM_SIZE * counted["d_inner"] * 4 / seq_len


def compare(counted: dict[str, Any]) -> dict[str, Any]:
    """Ratios to what must move and to fla-core, and time floors."""
    unit, small = 2 * counted["d_inner"], 3 * MEM_SIZE * 4  # a row of values; q, k and g in float32, or their gradients
    must = {"forward": 2 * unit + small, "forward and backward": 5 * unit + 3 * small}
    operator, fla = counted["ours"]["operator"], counted["fla-core"]
    rows: dict[str, Any] = {"bytes per token that must move": must, "operator": {}}
    for shape, tokens, seq_len, cut in (("8 x 2048", 16384, 2048, False), ("1 x 32768", 32768, 32768, True)):
        for phase, least in must.items():
            distinct = per_token(counted, phase, seq_len, cut)
            figures = rows["operator"][f"{shape}, {phase}"] = {
                "distinct bytes per token": round(distinct),
                "to what must move": round(distinct / least, 3),
                "H200 microseconds for what must move": round(tokens * least / BANDWIDTH * 1e6, 1),
                "H200 microseconds for distinct bytes": round(tokens * distinct / BANDWIDTH * 1e6, 1),
                "H200 microseconds for products": round(
                    tokens * operator[phase]["flop_of_products"] / MATRIX_RATE * 1e6, 1
                ),
            }
            if "operator" in fla:
                figures["to fla-core"] = round(distinct / fla["operator"][phase]["distinct"], 3)
    if "forward" not in fla.get("convolution", {}):
        return rows
    # Around fla-core's operators: elementwise code compiled at its best, each input read and each output written once, gradients
    # that come from several places added up in one pass. Forward: channel gate 3 tensors, residual with gate and norm 4;
    # backward: 5 and 7, the three gradients of s 4, and of x 4, written where x and gate lie side by side. Ours adds all of them up
    # in the convolution, and norm and convolution write the gradients of gate and x side by side.
    # What Inductor generates (`kernel_inductor.py`) has as many, but for the norm's backward pass.
    inductor = counted.get("Inductor", {}).get("residual, output gate and norm")
    for phase, elementwise in (("forward", 7), ("forward and backward", 27)):
        names = ("operator with channel gate", "convolution", "gates", "residual, output gate and norm")
        ours = sum(counted["ours"][name][phase]["distinct"] for name in names)
        theirs = elementwise * unit + sum(fla[name][phase]["distinct"] for name in ("operator", "convolution"))
        theirs += counted["ours"]["gates"][phase]["distinct"]
        figures = rows[f"mixer layer without projections, 8 x 2048, {phase}"] = {
            "ours": round(ours),
            "fla-core and compiled at its best": round(theirs),
            "to compiled at its best": round(ours / theirs, 3),
        }
        # What is not done. Forward: the norm's scale behind the projection, so that the recurrence reads s and gate too and writes
        # what is projected, without a pass of the norm; and s computed again there, not read. With backward: the residual added in the
        # recurrence, so that the norm's backward pass reads one sum for two tensors and does not write the gradient of s.
        if phase == "forward":
            figures["with the norm's scale behind the projection, to compiled at its best"] = round(
                (ours - 2 * unit) / theirs, 3
            )
            figures["and s computed again"] = round((ours - 3 * unit) / theirs, 3)
        else:
            figures["with the residual in the recurrence, to compiled at its best"] = round(
                (ours - 2 * unit) / theirs, 3
            )
        if inductor:
            theirs += (sum(inductor["backward"]["bytes_per_token"]) - 7 * unit) * (phase != "forward")
            figures |= {"fla-core and Inductor": round(theirs), "to Inductor": round(ours / theirs, 3)}
        if phase == "forward":
            # The norm needs a whole row of what the recurrence gives in blocks of channels, and the gates a whole row of s: x is read and
            # s written; x, channel gate and gate read and the row written; that read and the result written.
            least = 8 * unit + counted["ours"]["gates"][phase]["distinct"] + 3 * MEM_SIZE * 4
            figures |= {"least for kernels between which rows are written": least}
            figures |= {"of that to compiled at its best": round(least / theirs, 3)}
    return rows


def _marked(output: str, mark: str) -> dict[str, Any]:
    """The JSON in the line that begins with a mark."""
    return json.loads(next(line for line in output.splitlines() if line.startswith(mark)).removeprefix(mark))


def _sizes(args: argparse.Namespace) -> str:
    return f"{', '.join(args.dtypes)}, M {', '.join(map(str, args.mem_sizes))}"


def _write(report: dict[str, Any], folder: Path) -> None:
    from kernel_tables import table

    text = json.dumps(report, indent=1) + "\n"
    text = re.sub(r'\{\s+"kernel": [^{}]*\}', lambda found: " ".join(found[0].split()), text)  # a line each
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kernel_static.json").write_text(text)
    (folder / "kernel_static.md").write_text(table(report, TARGETS))


def _versions() -> str:
    import torch
    import triton

    versions = f"PyTorch {torch.__version__}, Triton {triton.__version__}"
    try:
        return f"{versions}, fla-core {importlib.metadata.version('fla-core')}"
    except importlib.metadata.PackageNotFoundError:
        return versions


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="bfloat16 and M 64 for sm_90 only, small shapes, no files")
    parser.add_argument("--dtypes", nargs="+", default=["bf16", "fp16", "fp32"], help="which to compile (default: all)")
    parser.add_argument(
        "--mem-sizes", nargs="+", type=int, default=[16, 32, 64, 128], help="which to compile (default: all)"
    )
    parser.add_argument(
        "--compile-only", action="store_true", help="compile, and keep what the results say of traffic and of fla-core"
    )
    parser.add_argument("--only", help="compile again what begins so, and keep all else that the results say")
    parser.add_argument("--traffic", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, default=RESULTS)
    args = parser.parse_args(argv)
    if args.traffic:
        counted = traffic(COUNTED[0])
        print("TRAFFIC" + json.dumps(counted if args.quick else extrapolated(counted, traffic(COUNTED[1]))))
        return 0
    import kernel_fla
    from kernel_tables import table

    if args.only:
        report = json.loads((args.output / "kernel_static.json").read_text())
        again = compile_all(lambda target: (x for x in cases(target) if x[0].startswith(args.only)), TARGETS)
        by_name = {(x["kernel"], x["target"]): x for x in again}
        report["compiled"] = [by_name.get((x["kernel"], x["target"]), x) for x in report["compiled"]]
        report["compiled later"] = sorted({*report.get("compiled later", ()), args.only})
        _write(report, args.output)
        return 0
    if args.compile_only:
        report = json.loads((args.output / "kernel_static.json").read_text())
        report["compiled"] = compile_all(lambda target: cases(target, args.dtypes, args.mem_sizes), TARGETS)
        report["compiled for"], report["compared"] = _sizes(args), compare(report["counted"])
        report.pop("compiled later", None)
        report["versions"], report["counted before"] = _versions(), True
        _write(report, args.output)
        return 0
    command = [sys.executable, __file__, "--traffic", *(["--quick"] if args.quick else [])]
    environment = os.environ | {"TRITON_INTERPRET": "1"}
    counted = _marked(subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True).stdout, "TRAFFIC")
    if args.quick:
        args.dtypes, args.mem_sizes = ["bf16"], [64]
    targets = ["sm_90"] if args.quick else TARGETS
    compiled = compile_all(lambda target: cases(target, args.dtypes, args.mem_sizes), targets)
    if not args.quick:
        script = Path(__file__).with_name("kernel_inductor.py")
        done = subprocess.run([sys.executable, script], capture_output=True, text=True)
        counted["Inductor"] = (
            _marked(done.stdout, "INDUCTOR") if done.returncode == 0 else {"error": done.stderr[-300:]}
        )
    launched = counted.pop("launches of fla-core", [])
    report = {
        "versions": _versions(),
        "compiled for": _sizes(args),
        "compiled": compiled,
        "compiled, fla-core": []
        if args.quick or not launched
        else compile_all(lambda target: kernel_fla.cases(launched, 4), ["sm_90"]),
        "counted": counted,
        "compared": compare(counted),
    }
    print(table(report, TARGETS))
    if not args.quick:
        _write(report, args.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())

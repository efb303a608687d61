"""Speed of Rodimus' kernels on a GPU, beside fla-core, PyTorch and transformers' Llama and Mamba2, in one run.

    python benchmarks/kernel_gpu.py                                  # on a GPU: table and JSON into benchmarks/results/
    python benchmarks/kernel_gpu.py --parts operator mixer           # some parts, where a GPU is lent for minutes only
    TRITON_INTERPRET=1 python benchmarks/kernel_gpu.py --smoke       # on a CPU, tiny: shows only that everything runs

Bandwidth of a copy and rate of a matrix product are measured first, and every time is also given as a share of what they allow.
What is compared is interleaved; medians of repeats with the spread. What was to be reached is a row each of the first table.
Peers that are not installed, or fail, are left out and named; files are written after every part, so that nothing measured is lost.
Whether the kernels are right on the device is asked by `kernel_gpu_checks.py`: run that first.
"""

import argparse
import contextlib
import functools
import gc
import importlib
import importlib.util
import inspect
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from torch.nn import functional as F
from transformers import LlamaConfig, LlamaForCausalLM, Mamba2Config, Mamba2ForCausalLM, StaticCache

from codefuse_hf import RodimusConfig, RodimusForCausalLM
from codefuse_hf.kernels import kernel_dispatch
from codefuse_hf.kernels.decoding_step import decoding_step
from codefuse_hf.kernels.gated_linear_attention import gated_linear_attention
from codefuse_hf.kernels.tempered_selection import tempered_selection

RESULTS = Path(__file__).parent / "results"
FLA, OURS, LLAMA = "fla-core chunk_gla", "Rodimus+ (ours)", "Llama (sdpa)"
FLA_MIXER = "fla-core's operators, the rest compiled"
CALLS = 5  # timed together, of what takes less than a millisecond
FULL = {
    "operator": ((8, 2048), (1, 32768)), "d_inner": 4096, "d_model": 2048, "layers": 24, "vocab": 126464, "mem_size": 64,
    "train": (8, 4096), "prefill": 32768, "contexts": (1024, 32768), "decode_batches": (1, 64), "new_tokens": 64,
    "matrix": 8192, "copy": 2**30, "repeats": 10,
}  # fmt: skip
SMOKE = {
    "operator": ((1, 33),), "d_inner": 64, "d_model": 32, "layers": 1, "vocab": 64, "mem_size": 16,
    "train": (1, 17), "prefill": 24, "contexts": (8,), "decode_batches": (1, 2), "new_tokens": 2,
    "matrix": 64, "copy": 2**16, "repeats": 1,
}  # fmt: skip


class Bench:
    """Timing on one device."""

    def __init__(self, sizes: dict[str, Any], smoke: bool):
        self.sizes, self.smoke = sizes, smoke
        self.device = torch.device("cpu" if smoke else torch.accelerator.current_accelerator())
        self.dtype = torch.bfloat16
        self.missing: list[str] = []

    def leave_out(self, what: str) -> None:
        """Name what is not measured, once."""
        if what not in self.missing:
            self.missing.append(what)

    def time(self, functions: dict[str, Callable[[], Any]], calls: int = 1) -> dict[str, dict[str, float]]:
        """Seconds of each function, interleaved: median, least and most.

        `calls`: so many one after the other are timed together on the device, for functions so short that the time until the
        first kernel is launched would count.
        """
        seconds: dict[str, list[float]] = {}
        working = {name: function for name, function in functions.items() if self.works(name, function)}
        for _ in range(self.sizes["repeats"]):
            for name, function in working.items():
                seconds.setdefault(name, []).append(self.once(function, 1 if self.smoke else calls))
        return {
            name: {"median": statistics.median(values), "min": min(values), "max": max(values)}
            for name, values in seconds.items()
        }

    def works(self, name: str, function: Callable[[], Any]) -> bool:
        """Warm up, which compiles and tunes; a function that fails is named as left out, and the rest goes on."""
        try:
            for _ in range(1 if self.smoke else 3):
                function()
            self.synchronize()
            return True
        except Exception as error:
            failure = f"{name}: {type(error).__name__}: {str(error)[:160]}"
        self.leave_out(failure)
        self.free()  # only here, where the error no longer holds what the function had in memory
        return False

    def once(self, function: Callable[[], Any], calls: int) -> float:
        """Seconds a call: between two events on the device, or by the clock on a CPU."""
        self.synchronize()
        if self.smoke:
            start = time.perf_counter()
            function()
            return time.perf_counter() - start
        start, end = (torch.Event(device=self.device, enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(calls):
            function()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / 1e3 / calls

    def free(self) -> None:
        """Give memory back, which a function that failed for want of it may hold."""
        gc.collect()
        if not self.smoke:
            torch.accelerator.empty_cache()

    def synchronize(self) -> None:
        if not self.smoke:
            torch.accelerator.synchronize()

    def peak_memory(self, function: Callable[[], Any]) -> int | None:
        """Bytes allocated at most during a call; None on a CPU."""
        if self.smoke:
            function()
            return None
        torch.accelerator.reset_peak_memory_stats()
        function()
        self.synchronize()
        return torch.accelerator.max_memory_allocated()

    def peer(self, name: str, make: Callable[[], Any]) -> dict[str, Any]:
        """`{name: make()}`; empty, and named as left out, where `make` fails to import it and in the smoke run."""
        if self.smoke:
            self.leave_out(f"{name}: not run, it needs a GPU")
            return {}
        try:
            return {name: make()}
        except Exception as error:
            self.leave_out(f"{name}: {type(error).__name__}: {str(error)[:160]}")
            return {}

    def randn(self, *shape: int, dtype: torch.dtype | None = None) -> torch.Tensor:
        return torch.randn(*shape, device=self.device, dtype=dtype or self.dtype)


@contextlib.contextmanager
def without_kernels():
    """Our operators in plain PyTorch."""
    before, kernel_dispatch._ENABLED = kernel_dispatch._ENABLED, False
    try:
        yield
    finally:
        kernel_dispatch._ENABLED = before


def limits(bench: Bench) -> dict[str, float]:
    """Bytes/s of a copy and FLOP/s of a bfloat16 product on this device."""
    n, size = bench.sizes["matrix"], bench.sizes["copy"]
    source, a = torch.empty(size, dtype=torch.uint8, device=bench.device), bench.randn(n, n)
    target = torch.empty_like(source)
    seconds = bench.time({"copy": lambda: target.copy_(source), "product": lambda: a @ a}, CALLS)
    return {"bytes_per_s": 2 * size / seconds["copy"]["min"], "flop_per_s": 2 * n**3 / seconds["product"]["min"]}


def operator(bench: Bench, batch: int, seq_len: int, limit: dict[str, float]) -> dict[str, Any]:
    """The recurrence: ours, fla-core's, eager and compiled PyTorch; forward, and forward with backward."""
    m, d_inner = bench.sizes["mem_size"], bench.sizes["d_inner"]
    q, k = (bench.randn(batch, seq_len, m).requires_grad_() for _ in range(2))
    v = bench.randn(batch, seq_len, d_inner).requires_grad_()
    g = (-torch.rand(batch, seq_len, m, device=bench.device) * 0.1).requires_grad_()
    d_out = bench.randn(batch, seq_len, d_inner)
    leaves = q, k, v, g

    def ours():
        return gated_linear_attention(q, k, v, g, output_dtype=bench.dtype)[0]

    compiled = torch.compile(ours)

    def plain(function):
        def run():
            with without_kernels():
                return function()

        return run

    peers: dict[str, Callable] = {"ours": ours}
    if seq_len <= 4096:  # plain PyTorch keeps states of every chunk
        peers |= {"eager PyTorch": plain(ours)} | ({} if bench.smoke else {"compiled PyTorch": plain(compiled)})
    heads = [x.unsqueeze(2) for x in (q, k, v, g)]

    def fla(name):
        function = getattr(importlib.import_module("fla.ops.gla"), name)
        return lambda: function(*heads)[0].squeeze(2)

    for name in ("chunk_gla", "fused_recurrent_gla"):
        peers |= bench.peer(f"fla-core {name}", functools.partial(fla, name))

    def inference(function):
        def run():
            with torch.no_grad():
                return function()

        return run

    def training(function):
        # Not `backward`, which would add the gradients to those of the call before.
        return lambda: torch.autograd.grad(function(), leaves, d_out)

    unit, small = batch * seq_len * d_inner * 2, batch * seq_len * m * 12
    floors = {"forward": (2 * unit + small) / limit["bytes_per_s"]}
    floors["forward and backward"] = (5 * unit + 3 * small) / limit["bytes_per_s"]
    result = {"shape": [batch, seq_len, m, d_inner], "floor_s": floors}
    result["forward"] = bench.time({name: inference(f) for name, f in peers.items()}, CALLS)
    result["forward and backward"] = bench.time({name: training(f) for name, f in peers.items()}, CALLS)
    result["peak_bytes"] = bench.peak_memory(training(ours))
    return result


def models(bench: Bench) -> dict[str, Callable[[], torch.nn.Module]]:
    """Makers of models of about the same size, with random weights."""
    s = bench.sizes
    common = {"vocab_size": s["vocab"]}

    def make(model_class, config):
        def build():
            with torch.device(bench.device):
                return model_class(config).to(bench.dtype).eval()

        return build

    heads = max(s["d_model"] // 128, 2)
    rodimus = RodimusConfig(
        block_type="rodimus_plus", d_model=s["d_model"], n_layer=s["layers"], **common,
        mixer_cfg={"expand_ratio": s["d_inner"] / s["d_model"], "mem_size": s["mem_size"]},
        attn_cfg={"num_heads": heads, "num_heads_k": 1, "num_heads_v": heads, "window_size": 4096 if not bench.smoke else 8},
    )  # fmt: skip
    llama = LlamaConfig(
        hidden_size=s["d_model"], intermediate_size=4 * s["d_model"], num_hidden_layers=s["layers"],
        num_attention_heads=heads, max_position_embeddings=2 * s["prefill"], tie_word_embeddings=True, **common,
    )  # fmt: skip
    mamba = Mamba2Config(
        hidden_size=s["d_model"], num_hidden_layers=2 * s["layers"], head_dim=16 if bench.smoke else 64,
        num_heads=2 * s["d_model"] // (16 if bench.smoke else 64), n_groups=1, tie_word_embeddings=True, **common,
    )  # fmt: skip
    found = {
        OURS: make(RodimusForCausalLM, rodimus),
        LLAMA: make(LlamaForCausalLM, llama),
        "Mamba2": make(Mamba2ForCausalLM, mamba),
    }

    def fla():
        fla_models = importlib.import_module("fla.models")
        config = fla_models.RodimusConfig(
            hidden_size=s["d_model"], num_hidden_layers=s["layers"], block_type="rodimus_plus", expand_ratio=s["mem_size"],
            ska_attn={"num_heads": heads, "window_size": rodimus.sliding_window}, **common,
        )  # fmt: skip
        return make(fla_models.RodimusForCausalLM, config)

    found |= bench.peer("Rodimus+ (fla)", fla)
    if not all(importlib.util.find_spec(name) for name in ("mamba_ssm", "causal_conv1d")):
        bench.leave_out(
            "Mamba2's own kernels: mamba_ssm or causal_conv1d is not installed, so it runs in plain PyTorch"
        )
    return found


def mixer(bench: Bench) -> dict[str, Any]:
    """One mixer layer, forward with backward: by our kernels, in eager and compiled PyTorch, and flash-linear-attention's."""
    model = models(bench)[OURS]().train()
    layer, (batch, seq_len) = model.model.layers[0].mixer, bench.sizes["operator"][0]
    x = bench.randn(batch, seq_len, bench.sizes["d_model"]).requires_grad_()

    leaves, d_out = (x, *layer.parameters()), torch.ones_like(x)

    def step(function, leaves=leaves):
        return lambda: torch.autograd.grad(function(x), leaves, d_out, allow_unused=True)

    def plain(function):
        def run():
            with without_kernels():
                step(function)()

        return run

    def fla():  # in the package flash-linear-attention; fla-core has the operators alone
        layers = importlib.import_module("fla.layers.rodimus")
        sizes = {"hidden_size": bench.sizes["d_model"], "expand_ratio": bench.sizes["mem_size"]}
        theirs = layers.RodimusAttention(**sizes, layer_idx=0).to(bench.device, bench.dtype)
        return step(lambda x: theirs(x)[0], (x, *theirs.parameters()))

    peers = {"ours": step(layer), "eager PyTorch": plain(layer)}
    if not bench.smoke:
        peers["compiled PyTorch"] = plain(torch.compile(layer))
    peers |= bench.peer(FLA_MIXER, lambda: step(mixer_of_fla(layer)))
    return bench.time(peers | bench.peer("flash-linear-attention's layer", fla), CALLS)


def mixer_of_fla(layer: torch.nn.Module) -> Callable[[torch.Tensor], torch.Tensor]:
    """The same layer, with the same weights, on fla-core's operators, with everything between them compiled."""
    chunk_gla = importlib.import_module("fla.ops.gla").chunk_gla
    convolve = importlib.import_module("fla.modules.convolution").causal_conv1d
    inner = layer.inner_mixer
    conv, eps = inner.short_conv.conv1d, inner.key_eps

    @torch.compile
    def gates(s, x):
        query, key = inner.in_proj(s).float().chunk(2, -1)
        selection, temperature = inner.mem_gate_proj(s).float().chunk(2, -1)
        gamma, tau = F.softplus(selection), torch.sigmoid(temperature)
        key = F.normalize(key, dim=-1, eps=eps) * gamma**tau
        value = torch.sigmoid(inner.ch_gate_proj(x)) * x
        return query.to(x.dtype), key.to(x.dtype), value, -gamma * tau

    @torch.compile
    def norm(out, s, gate):
        z = (out.float() + inner.residual_weight * s.float()) * F.silu(gate.float())
        return F.rms_norm(z, z.shape[-1:], layer.act_norm.weight.float(), layer.act_norm.eps).to(gate.dtype)

    def run(hidden_states):
        x, gate = layer.fc(hidden_states).chunk(2, -1)
        s = convolve(x, weight=conv.weight[:, 0], bias=conv.bias, activation="silu")
        s = s[0] if isinstance(s, tuple) else s
        out = chunk_gla(*(y.unsqueeze(2) for y in gates(s, x)))[0].squeeze(2)
        return layer.out_proj(norm(out, s, gate))

    return run


def decoding_step_alone(bench: Bench, batch: int) -> dict[str, Any]:
    """One step of the recurrence: ours, which has the gates in it, in PyTorch, and fla-core's, which takes gated keys."""
    m, d_inner = bench.sizes["mem_size"], bench.sizes["d_inner"]
    query_key, gates = bench.randn(2, batch, 1, 2 * m)
    channel_gate, x = bench.randn(2, batch, 1, d_inner)
    state = torch.zeros(batch, m, d_inner, device=bench.device)

    @torch.no_grad()
    def ours():
        return decoding_step(query_key, gates, channel_gate, x, state, 1e-6)

    def plain():
        with without_kernels():
            return ours()

    def fla():
        function = importlib.import_module("fla.ops.gla").fused_recurrent_gla
        query, key, log_decay = tempered_selection(query_key, gates, 1e-6)
        q, k, v, g = (y.unsqueeze(2) for y in (query, key, torch.sigmoid(channel_gate) * x, log_decay))
        past = state[:, None].clone()
        return torch.no_grad()(lambda: function(q, k, v, g, initial_state=past, output_final_state=True))

    peers = {"ours": ours, "eager PyTorch": plain} | bench.peer("fla-core fused_recurrent_gla, without gates", fla)
    floor = 2 * state.numel() * state.element_size()
    return {"batch": batch, "bytes of reading and writing the state": floor, "seconds": bench.time(peers, CALLS)}


def whole_models(bench: Bench, limit: dict[str, float]) -> dict[str, Any]:
    """Training step, prefill, decoding with a static cache, at batch 1 and more, and peak memory."""
    s, result = bench.sizes, {}
    for name, make in models(bench).items():
        try:
            model = make()
        except Exception as error:  # a peer that cannot be made is reported, the rest goes on
            bench.leave_out(f"{name}: {type(error).__name__}: {str(error)[:160]}")
            continue
        parameters = sum(p.numel() for p in model.parameters())
        figures: dict[str, Any] = {"parameters": parameters}
        figures |= train(bench, name, model, limit)
        model.eval()
        prompt = torch.randint(s["vocab"], (1, s["prefill"]), device=bench.device)

        @torch.no_grad()
        def prefill(model=model, prompt=prompt):
            model(input_ids=prompt, use_cache=False, logits_to_keep=1)

        figures["prefill"] = bench.time({name: prefill}).get(name)
        figures["prefill_peak_bytes"] = bench.peak_memory(prefill) if figures["prefill"] else None
        figures["decode"] = {}
        for context in s["contexts"]:
            for batch in s["decode_batches"]:
                figures["decode"][f"context {context}, batch {batch}"] = decode(
                    bench, name, model, context, batch, limit
                )
        result[name] = figures
        del model, prefill
        bench.free()
    return result


def train(bench: Bench, name: str, model: torch.nn.Module, limit: dict[str, float]) -> dict[str, Any]:
    """A training step without the optimiser's; where memory does not hold the batch, of half as many rows, and so on."""
    rows, seq_len = bench.sizes["train"]
    parameters = sum(p.numel() for p in model.parameters())
    while rows:
        ids = torch.randint(bench.sizes["vocab"], (rows, seq_len), device=bench.device)

        def step(ids=ids):
            model.train()
            model(input_ids=ids, labels=ids, use_cache=False).loss.backward()
            model.zero_grad(set_to_none=True)

        seconds = bench.time({f"{name}, training on {rows} rows": step})
        if seconds:
            seconds = seconds.popitem()[1]
            rate = 6 * parameters * ids.numel() / seconds["median"]
            share = rate / limit["flop_per_s"]
            return {"training": seconds, "training_rows": rows, "training_share_of_matrix_rate": share}
        model.zero_grad(set_to_none=True)
        rows //= 2
    return {"training": None}


def decode(
    bench: Bench, name: str, model: torch.nn.Module, context: int, batch: int, limit: dict
) -> dict[str, Any] | None:
    """One step of decoding, in a CUDA graph on a GPU, and its share of what reading the weights once allows."""
    ids = torch.randint(bench.sizes["vocab"], (batch, context), device=bench.device)
    token = ids[:, -1:].contiguous()
    try:
        with torch.no_grad():
            cache = StaticCache(config=model.config, max_cache_len=context + bench.sizes["new_tokens"] + 8)
            named = {
                "cache_params"
                if "cache_params" in inspect.signature(model.forward).parameters
                else "past_key_values": cache
            }
            model(input_ids=ids, **named, use_cache=True, logits_to_keep=1)

            def step():
                with torch.no_grad():
                    return model(input_ids=token, **named, use_cache=True).logits

            run = step
            if bench.device.type == "cuda":
                stream = torch.cuda.Stream()
                stream.wait_stream(torch.cuda.current_stream())
                with torch.cuda.stream(stream):
                    for _ in range(3):
                        step()
                torch.cuda.current_stream().wait_stream(stream)
                graph = torch.cuda.CUDAGraph()
                with torch.cuda.graph(graph):
                    step()
                run = graph.replay
            seconds = bench.time({name: run})[name]
    except Exception as error:
        bench.leave_out(f"{name}, decoding at {context}: {type(error).__name__}: {str(error)[:160]}")
        return None
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    return {
        "step_s": seconds,
        "tokens_per_s": batch / seconds["median"],
        "share_of_weight_bandwidth": weights / limit["bytes_per_s"] / seconds["median"],
    }


def targets(report: dict[str, Any]) -> list[tuple[str, float | None, str, float]]:
    """What was to be reached: its name, what was measured (None where it was not), "≥" or "≤", and the aim."""

    def ratio(times, peer, mine="ours"):
        return times[peer]["median"] / times[mine]["median"] if {peer, mine} <= times.keys() else None

    rows: list[tuple[str, float | None, str, float]] = []
    for x in report.get("operator", []):
        for phase, least in (("forward", 1.5), ("forward and backward", 1.3)):
            rows.append(
                (f"operator {x['shape']}, {phase}: times as fast as fla-core", ratio(x[phase], FLA), "≥", least)
            )
        own = x["forward"].get("ours")
        floor = own and own["median"] / x["floor_s"]["forward"]
        rows.append((f"operator {x['shape']}, forward: times the memory floor", floor, "≤", 2.5))
    if "mixer" in report:
        name = "mixer, forward and backward: times as fast as on fla-core's operators, the rest compiled"
        rows.append((name, ratio(report["mixer"], FLA_MIXER), "≥", 1.5))
    if "models" not in report:
        return rows
    ours, llama = (report["models"].get(name, {}) for name in (OURS, LLAMA))
    share = ours.get("training_share_of_matrix_rate")
    rows.append((f"training step, {ours.get('training_rows')} rows: share of the matrix rate", share, "≥", 0.45))
    times = {name: x["prefill"] for name, x in ((OURS, ours), (LLAMA, llama)) if x.get("prefill")}
    rows.append(("prefill: times Llama's tokens/s", ratio(times, LLAMA, OURS), "≥", 2.0))
    single = [x for name, x in ours.get("decode", {}).items() if name.endswith("batch 1")]
    for name, x in ours.get("decode", {}).items():
        if name.endswith("batch 1"):
            rows.append(
                (f"decoding, {name}: share of the weights' bandwidth", x and x["share_of_weight_bandwidth"], "≥", 0.6)
            )
    if len(single) > 1:
        slowest = single[-1]["step_s"]["median"] / single[0]["step_s"]["median"] if all(single) else None
        rows.append(("decoding at the longest context: times a step's at the shortest", slowest, "≤", 1.05))
    return rows


def targets_table(report: dict[str, Any]) -> list[str]:
    lines = ["| to reach | measured | aim | |", "|---|---|---|---|"]
    for name, measured, sign, aim in targets(report):
        if measured is None:
            lines.append(f"| {name} | | {sign} {aim} | not measured |")
        else:
            passed = measured >= aim if sign == "≥" else measured <= aim
            lines.append(f"| {name} | {measured:.3f} | {sign} {aim} | {'reached' if passed else '**missed**'} |")
    return lines


def table(report: dict[str, Any]) -> str:
    """The report in Markdown."""
    lines = [f"# Kernels on {report['device']}", "", report["versions"], ""]
    lines += [
        f"copy {report['limits']['bytes_per_s'] / 1e12:.2f} TB/s, product {report['limits']['flop_per_s'] / 1e12:.0f} TFLOP/s",
        "",
    ]
    lines += [*targets_table(report), ""]
    lines += ["| operator | phase | what | median ms | least | most | of the floor |", "|---|---|---|---|---|---|---|"]
    for x in report.get("operator", []):
        for phase in ("forward", "forward and backward"):
            for name, t in x[phase].items():
                lines.append(
                    f"| {x['shape']} | {phase} | {name} | {t['median'] * 1e3:.3f} | {t['min'] * 1e3:.3f} | {t['max'] * 1e3:.3f} "
                    f"| {t['median'] / x['floor_s'][phase]:.2f} x |"
                )
    lines += [
        "",
        "```json",
        json.dumps({k: report.get(k) for k in ("decoding step", "mixer", "models", "left out")}, indent=1),
        "```",
        "",
    ]
    return "\n".join(lines)


PARTS: dict[str, Callable[[Bench, dict[str, float]], Any]] = {
    "operator": lambda bench, limit: [operator(bench, *shape, limit) for shape in bench.sizes["operator"]],
    "mixer": lambda bench, limit: mixer(bench),
    "decoding step": lambda bench, limit: [decoding_step_alone(bench, n) for n in bench.sizes["decode_batches"]],
    "models": whole_models,
}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--smoke", action="store_true", help="tiny shapes on a CPU, in Triton's interpreter; writes nothing"
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=[*PARTS], help="what to measure (default: all)")
    parser.add_argument("--output", type=Path, default=RESULTS)
    args = parser.parse_args(argv)
    if not args.smoke and torch.accelerator.current_accelerator() is None:
        parser.error("no GPU was found: with TRITON_INTERPRET=1 and --smoke everything runs tiny on a CPU")
    import triton

    torch.manual_seed(0)
    bench = Bench(SMOKE if args.smoke else FULL, args.smoke)
    report: dict[str, Any] = {
        "device": "a CPU, in the interpreter: times mean nothing"
        if args.smoke
        else torch.get_device_module(bench.device).get_device_name(),
        "versions": f"PyTorch {torch.__version__}, Triton {triton.__version__}, transformers {transformers.__version__}",
        "limits": limits(bench),
        "left out": bench.missing,
    }
    for part in args.parts:
        try:
            report[part] = PARTS[part](bench, report["limits"])
        except Exception as error:  # the parts after it are still measured
            if args.smoke:
                raise
            bench.leave_out(f"{part}: {type(error).__name__}: {str(error)[:300]}")
        bench.free()
        if not args.smoke:
            args.output.mkdir(parents=True, exist_ok=True)
            (args.output / "kernel_gpu.json").write_text(json.dumps(report, indent=1) + "\n")
            (args.output / "kernel_gpu.md").write_text(table(report))
    print(table(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())

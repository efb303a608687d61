"""Speed and memory of Rodimus and Rodimus+ beside transformers' Llama and Mamba2 of the same size, on a CPU.

    python benchmarks/rodimus_speed.py

measures, in one run, interleaved and repeated: time per decoded token and cache bytes at growing context, one token beside its
linear layers alone and beside a compiled step, prefill and training throughput, peak memory, and the chunk-parallel operator
against the step-by-step reference. Medians and spread go
to `benchmarks/results/rodimus_speed.json`, a plot beside it. Run it on an otherwise idle machine (under ten minutes on two
cores); the load of the machine is recorded. On one thread (`--threads 1`) all times are CPU seconds, which other programs disturb
least.

How caches are filled: keys and values of attention are random numbers of the right shape, since time depends on their number
alone; every other cache is filled by running tokens through the model. `--quick` is a smoke run with tiny shapes.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from torch._dynamo.utils import counters
from tqdm.auto import tqdm
from transformers import Mamba2Config, Mamba2ForCausalLM, PreTrainedModel, StaticCache

from codefuse_hf import RodimusConfig, RodimusForCausalLM, __version__, measure
from codefuse_hf.files import readable_size
from codefuse_hf.kernels.gated_linear_attention import gated_linear_attention_chunk, gated_linear_attention_reference

RESULTS = Path(__file__).parent / "results"
NAMES = ("Rodimus", "Rodimus+", "Llama", "Mamba2")


@dataclass(frozen=True)
class Shapes:
    """What is measured: sizes of the models and of the inputs."""

    parameters: int = 30_000_000
    vocab_size: int = 8192
    hidden_size: int = 512
    rodimus_layers: int = 14
    rodimus_plus_layers: int = 7
    llama_layers: int = 8
    mamba2_layers: int = 15
    mem_size: int = 64
    # The published window is twice the width of the published models; the same here, so it is full from 512 tokens on.
    window_size: int = 1024
    contexts: tuple[int, ...] = (512, 1024, 2048, 4096, 8192, 16384)
    decode_steps: int = 5
    prefill_length: int = 4096
    training_batch: int = 2
    training_length: int = 512
    operator_length: int = 2048
    step_rounds: int = 40
    compiler: str = "inductor"
    repeats: int = 5


QUICK = Shapes(
    parameters=150_000,
    vocab_size=512,
    hidden_size=64,
    rodimus_layers=2,
    rodimus_plus_layers=1,
    llama_layers=2,
    mamba2_layers=2,
    mem_size=16,
    window_size=32,
    contexts=(32, 64, 128),
    decode_steps=2,
    prefill_length=128,
    training_length=32,
    operator_length=128,
    step_rounds=2,
    compiler="eager",
    repeats=2,
)


def build(name: str, shapes: Shapes, seed: int) -> PreTrainedModel:
    """One of the four models, randomly initialised, float32, embeddings tied."""
    torch.manual_seed(seed)
    if name == "Llama":
        return measure.llama_of_size(shapes.parameters, shapes.vocab_size, shapes.hidden_size, shapes.llama_layers)
    if name == "Mamba2":
        config = Mamba2Config(
            vocab_size=shapes.vocab_size,
            hidden_size=shapes.hidden_size,
            num_hidden_layers=shapes.mamba2_layers,
            num_heads=2 * shapes.hidden_size // 64,
            n_groups=1,
            tie_word_embeddings=True,
        )
        return Mamba2ForCausalLM(config)
    plus = name == "Rodimus+"
    config = RodimusConfig(
        vocab_size=shapes.vocab_size,
        d_model=shapes.hidden_size,
        n_layer=shapes.rodimus_plus_layers if plus else shapes.rodimus_layers,
        block_type="rodimus_plus" if plus else "rodimus",
        mixer_cfg={"mem_size": shapes.mem_size},
        attn_cfg={"num_heads": shapes.hidden_size // 64, "window_size": shapes.window_size},
    )
    return RodimusForCausalLM(config)


# ---- tasks


def prefill(model: PreTrainedModel, shapes: Shapes, length: int | None = None) -> None:
    """A prompt through the model into a new cache, with the logits of its last token."""
    ids = torch.randint(shapes.vocab_size, (1, length or shapes.prefill_length))
    with torch.inference_mode():
        model.eval()(ids, use_cache=True, logits_to_keep=1)


class LinearLayers:
    """Nothing but the products of a model's linear layers: what no change around them can save."""

    def __init__(self, model: PreTrainedModel, tokens: int):
        head = model.get_output_embeddings()
        layers = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]
        self.work = [(x, torch.randn(1 if x is head else tokens, x.in_features)) for x in layers]

    @torch.inference_mode()
    def __call__(self) -> None:
        for layer, rows in self.work:
            layer(rows)


class StaticStep:
    """One token behind a full context in a static cache, through a model or a compiled model."""

    def __init__(self, model: PreTrainedModel, forward: Callable, shapes: Shapes):
        self.forward, self.shapes = forward, shapes
        self.cache = StaticCache(config=model.config, max_cache_len=2 * shapes.contexts[0])
        with torch.no_grad():
            model.eval()(self._ids(shapes.contexts[0]), past_key_values=self.cache, use_cache=True, logits_to_keep=1)

    def _ids(self, tokens: int) -> torch.Tensor:
        return torch.randint(self.shapes.vocab_size, (1, tokens))

    def __call__(self) -> None:
        with torch.no_grad():
            self.forward(self._ids(1), past_key_values=self.cache, use_cache=True)


class TrainingStep:
    """Forward, backward and AdamW on one batch of random tokens."""

    def __init__(self, model: PreTrainedModel, shapes: Shapes):
        self.model, self.shapes = model.train(), shapes
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)

    def __call__(self) -> None:
        ids = torch.randint(self.shapes.vocab_size, (self.shapes.training_batch, self.shapes.training_length))
        self.model(ids, labels=ids, use_cache=False).loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()


def clock_of(threads: int) -> Callable[[], float]:
    """CPU seconds on one thread; of several threads they would add up."""
    return time.process_time if threads == 1 else time.perf_counter


def throughput(
    tasks: dict[str, Callable[[], None]], tokens: int, repeats: int, label: str, clock: Callable[[], float]
) -> dict[str, Any]:
    """Tokens per second of each task, the tasks taking turns; one round that is not counted comes first."""
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for repeat in tqdm(range(repeats + 1), desc=label):
        for name, task in tasks.items():
            start = clock()
            task()
            if repeat > 0:
                seconds[name].append(clock() - start)
    return {name: _summary([tokens / s for s in values]) for name, values in seconds.items()}


def single_steps(models: dict[str, PreTrainedModel], shapes: Shapes, seed: int, clock: Callable) -> dict[str, Any]:
    """Seconds of one token behind the shortest context: in a dynamic and a static cache, compiled, and its linear layers alone.

    All take turns. `graphs` counts what was compiled for each compiled model, for the first token and all others.
    """
    tasks: dict[str, dict[str, Callable[[], None]]] = {}
    graphs: dict[str, int] = {}
    for name in ("Rodimus", "Rodimus+", "Llama"):
        model, growing = models[name], measure.GrowingContext(models[name], seed)
        growing.advance_to(shapes.contexts[0])
        tasks[name] = {"dynamic": lambda growing=growing: growing.forward(1), "linear": LinearLayers(model, 1)}
        if name != "Llama":
            compiled = torch.compile(model.forward, fullgraph=True, dynamic=False, backend=shapes.compiler)
            tasks[name] |= {
                "static": StaticStep(model, model.forward, shapes),
                "compiled": StaticStep(model, compiled, shapes),
            }
    seconds: dict[str, dict[str, list[float]]] = {name: {kind: [] for kind in kinds} for name, kinds in tasks.items()}
    for repeat in tqdm(range(shapes.step_rounds + 2), desc="single tokens"):
        for name, kinds in tasks.items():
            for kind, task in kinds.items():
                before, start = counters["stats"]["unique_graphs"], clock()
                task()
                if repeat > 1:
                    seconds[name][kind].append(clock() - start)
                graphs[name] = graphs.get(name, 0) + counters["stats"]["unique_graphs"] - before
    result = {name: {kind: _summary(values) for kind, values in kinds.items()} for name, kinds in seconds.items()}
    return {"context": shapes.contexts[0], "graphs": graphs, "seconds": result}


def operator(shapes: Shapes, seed: int, clock: Callable[[], float]) -> dict[str, Any]:
    """Seconds of the chunk-parallel operator and of the step-by-step reference, forward and forward with backward."""
    generator = torch.Generator().manual_seed(seed)
    length, d_key, d_value = shapes.operator_length, shapes.mem_size, 2 * shapes.hidden_size
    q, k = (torch.randn(1, length, d_key, generator=generator) for _ in range(2))
    v = torch.randn(1, length, d_value, generator=generator)
    g = -torch.nn.functional.softplus(torch.randn(1, length, d_key, generator=generator) - 3)
    inputs = [x.requires_grad_() for x in (q, k, v, g)]

    def forward(function: Callable) -> None:
        with torch.no_grad():
            function(*inputs)

    def forward_backward(function: Callable) -> None:
        torch.autograd.grad(function(*inputs)[0].sum(), inputs)

    functions = {"chunk": gated_linear_attention_chunk, "reference": gated_linear_attention_reference}
    result: dict[str, Any] = {"shape": {"batch": 1, "seq_len": length, "d_key": d_key, "d_value": d_value}}
    for task in (forward, forward_backward):
        seconds: dict[str, list[float]] = {name: [] for name in functions}
        for repeat in tqdm(range(shapes.repeats + 1), desc=f"operator, {task.__name__}"):
            for name, function in functions.items():
                start = clock()
                task(function)
                if repeat > 0:
                    seconds[name].append(clock() - start)
        medians = {name: statistics.median(values) for name, values in seconds.items()}
        result[task.__name__] = {
            **{f"{name}_seconds": _summary(values) for name, values in seconds.items()},
            "speedup": medians["reference"] / medians["chunk"],
        }
    return result


# ---- peak memory, each measurement in a process of its own


def peak_memory(args: argparse.Namespace) -> dict[str, dict[str, int]]:
    """Bytes that a prefill and a training step of each model need at their peak, above the model's own weights."""
    peaks: dict[str, dict[str, int]] = {"prefill": {}, "training": {}}
    for name in tqdm(NAMES, desc="peak memory"):
        command = [sys.executable, __file__, "--peak-memory-of", name, "--threads", str(args.threads)]
        command += ["--quick"] if args.quick else []
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        for task, peak in json.loads(output.splitlines()[-1]).items():
            peaks[task][name] = peak
    return peaks


def peak_memory_of(name: str, shapes: Shapes, seed: int) -> dict[str, int]:
    """Bytes of resident memory at the peak of each task, less those before it. Linux only: reads /proc."""
    model = build(name, shapes, seed)
    prefill(model, shapes, length=16)  # what libraries allocate once
    peaks = {}
    for task, function in (("prefill", prefill), ("training", lambda model, shapes: TrainingStep(model, shapes)())):
        before = _proc_status("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak
        function(model, shapes)
        peaks[task] = _proc_status("VmHWM") - before
    return peaks


def _proc_status(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {field}")


# ---- the floor that memory bandwidth sets


def bandwidth_floor(
    records: list[measure.DecodeRecord], models: dict[str, PreTrainedModel], bandwidth: float
) -> list[dict]:
    """For each decode record: the bytes that a token cannot do without, the time they take, and how close we are.

    Every weight is read once (the tied embedding as the head), the cache is read once, and recurrent states are written
    once as well.
    """
    floors = []
    for record in records:
        weights = sum(p.numel() * p.element_size() for p in models[record.model].parameters())
        needed = weights + record.cache_bytes + record.recurrent_bytes
        floors.append(
            {
                "model": record.model,
                "context": record.context,
                "bytes": needed,
                "floor_seconds": needed / bandwidth,
                "measured_over_floor": record.median / (needed / bandwidth),
            }
        )
    return floors


# ---- the report


def targets(report: dict[str, Any]) -> list[dict[str, Any]]:
    """What was to be reached, and what was."""
    decode = {(r["model"], r["context"]): r["median_seconds_per_token"] for r in report["decode"]}
    contexts = sorted({context for _, context in decode})
    short, long = contexts[0], contexts[-1]
    speed = {task: {name: report[task][name]["median"] for name in NAMES} for task in ("prefill", "training")}
    rows = []

    def add(text: str, value: float, at_most: float | None = None, at_least: float | None = None) -> None:
        met = value <= at_most if at_most is not None else value >= at_least
        limit = f"≤ {at_most}" if at_most is not None else f"≥ {at_least}"
        rows.append({"target": text, "value": round(value, 3), "limit": limit, "met": bool(met)})

    for name in ("Rodimus", "Rodimus+"):
        add(f"{name}: decode at {long} over decode at {short}", decode[name, long] / decode[name, short], at_most=1.1)
        add(f"{name}: decode at {short} over Llama's", decode[name, short] / decode["Llama", short], at_most=1.0)
        add(f"Llama's decode at {long} over {name}'s", decode["Llama", long] / decode[name, long], at_least=10)
        add(f"{name}: prefill over Llama's", speed["prefill"][name] / speed["prefill"]["Llama"], at_least=1.5)
        add(f"{name}: training over Llama's", speed["training"][name] / speed["training"]["Llama"], at_least=1.0)
        add(f"{name}: training over Mamba2's", speed["training"][name] / speed["training"]["Mamba2"], at_least=2.0)
        step = {kind: x["median"] for kind, x in report["single_steps"]["seconds"][name].items()}
        add(f"{name}: the linear layers' share of a decoded token", step["linear"] / step["dynamic"], at_least=0.85)
        linear = report["prefill"][f"{name}, linear layers"]["median"]
        add(f"{name}: prefill over its linear layers alone", speed["prefill"][name] / linear, at_least=0.85)
        add(f"{name}: static over compiled step", step["static"] / step["compiled"], at_least=1.2)
        add(f"{name}: graphs of the compiled step", report["single_steps"]["graphs"][name], at_most=1)
    add("chunk operator over reference, forward", report["operator"]["forward"]["speedup"], at_least=10)
    add(
        "chunk operator over reference, forward and backward",
        report["operator"]["forward_backward"]["speedup"],
        at_least=10,
    )
    return rows


def environment(args: argparse.Namespace) -> dict[str, Any]:
    """Where the figures come from."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        cpu = names[0] if names else cpu
    return {
        "codefuse_hf": __version__,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": cpu,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "threads": args.threads,
        "time": "CPU seconds" if args.threads == 1 else "seconds",
        "dtype": "float32",
        "seed": args.seed,
        "load_average_before": os.getloadavg()[0],
        "date": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
    }


def run(args: argparse.Namespace, shapes: Shapes) -> dict[str, Any]:
    """All measurements; the report as it goes to JSON."""
    started, clock = time.monotonic(), clock_of(args.threads)
    report: dict[str, Any] = {"environment": environment(args), "shapes": vars(shapes)}
    models = {name: build(name, shapes, args.seed) for name in NAMES}
    report["parameters"] = {name: measure.count_parameters(model) for name, model in models.items()}
    report["read_bandwidth_bytes_per_second"] = bandwidth = measure.read_bandwidth(
        size=1 << 24 if args.quick else 1 << 29
    )
    report["single_steps"] = single_steps(models, shapes, args.seed, clock)
    records = measure.measure_decoding(models, shapes.contexts, shapes.decode_steps, shapes.repeats, args.seed, clock)
    report["decode"] = [record.as_dict() for record in records]
    report["decode_floor"] = bandwidth_floor(records, models, bandwidth)
    prefills = {name: lambda model=model: prefill(model, shapes) for name, model in models.items()}
    for name in ("Rodimus", "Rodimus+"):
        prefills[f"{name}, linear layers"] = LinearLayers(models[name], shapes.prefill_length)
    report["prefill"] = throughput(prefills, shapes.prefill_length, shapes.repeats, "prefill", clock)
    steps = {name: TrainingStep(model, shapes) for name, model in models.items()}
    tokens = shapes.training_batch * shapes.training_length
    report["training"] = throughput(steps, tokens, shapes.repeats, "training step", clock)
    report["operator"] = operator(shapes, args.seed, clock)
    del models, prefills, steps
    report["peak_memory_bytes"] = peak_memory(args)
    report["targets"] = targets(report)
    report["environment"]["load_average_after"] = os.getloadavg()[0]
    report["environment"]["seconds"] = round(time.monotonic() - started, 1)
    _write(report, records, args.output)
    return report


def _write(report: dict[str, Any], records: list[measure.DecodeRecord], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    size = report["shapes"]["parameters"] / 1e6
    threads = report["environment"]["threads"]
    title = (
        f"{size:g} M parameters, float32, {'one thread, CPU time' if threads == 1 else f'{threads} threads'}, batch 1"
    )
    measure.plot_decoding(records, folder / "rodimus_speed.png", title)
    partial = folder / ".rodimus_speed.json.partial"
    partial.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    partial.replace(folder / "rodimus_speed.json")
    print("\n" + measure.table(records))
    floors = {(f["model"], f["context"]): f for f in report["decode_floor"]}
    print(f"\nmemory floor of decoding at {report['read_bandwidth_bytes_per_second'] / 1e9:.1f} GB/s:")
    for (name, context), floor in floors.items():
        if context in (records[0].context, records[-1].context):
            print(
                f"  {name:9} at {context:6}: {floor['floor_seconds'] * 1e3:6.1f} ms, measured {floor['measured_over_floor']:.1f}×"
            )
    memory = report["peak_memory_bytes"]
    print(f"\n{'':10}{'prefill tok/s':>16}{'training tok/s':>16}{'prefill peak':>16}{'training peak':>16}")
    for name in NAMES:
        speeds = "".join(f"{report[task][name]['median']:>16.0f}" for task in ("prefill", "training"))
        peaks = "".join(f"{readable_size(memory[task][name]):>16}" for task in ("prefill", "training"))
        print(f"{name:10}{speeds}{peaks}")
    print("\ntargets:")
    for row in report["targets"]:
        print(f"  {'met   ' if row['met'] else 'MISSED'} {row['target']}: {row['value']} ({row['limit']})")


def _summary(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "repeats": len(values)}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--quick", action="store_true", help="smoke run: tiny models and inputs; its figures mean nothing"
    )
    parser.add_argument("--threads", type=int, default=2, help="1: times are CPU seconds (default: 2)")
    parser.add_argument("--repeats", type=int, help="repetitions of every measurement (default: 5)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--output", type=Path, default=RESULTS, help="folder for JSON and plot (default: benchmarks/results)"
    )
    parser.add_argument("--peak-memory-of", metavar="MODEL", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    shapes = QUICK if args.quick else Shapes()
    if args.repeats is not None:
        shapes = Shapes(**{**vars(shapes), "repeats": args.repeats})
    if args.peak_memory_of:
        print(json.dumps(peak_memory_of(args.peak_memory_of, shapes, args.seed)))
        return 0
    run(args, shapes)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Speed and memory of Rodimus and Rodimus+ beside transformers' Llama and Mamba2 of the same size, on a CPU.

    python benchmarks/rodimus_speed.py
    python benchmarks/rodimus_speed.py --sections prefill training    # these again, the others stay as they were

measures, interleaved and repeated: one token beside its linear layers alone and beside a compiled step, time per decoded token and
cache bytes at growing context, prefill and training throughput beside the linear layers alone, both again by `torch.compile`, the
chunk-parallel operator against the step-by-step reference, and peak memory. Medians and spread go to `benchmarks/results/rodimus_speed.json`, a table and a plot
beside it. The files are written after each section; they say of which commit each is, and which are missing because a run was cut
off. Run it on an otherwise idle machine (under ten minutes on two cores); the load of the machine is recorded. On one thread
(`--threads 1`) all times are CPU seconds, which other programs disturb least.

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
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import transformers
from result_files import code_version
from rodimus_speed_report import NAMES, table, targets, write
from torch._dynamo.utils import counters
from tqdm.auto import tqdm
from transformers import Mamba2Config, Mamba2ForCausalLM, PreTrainedModel, StaticCache

from codefuse_hf import RodimusConfig, RodimusForCausalLM, __version__, measure
from codefuse_hf.kernels.gated_linear_attention import gated_linear_attention_chunk, gated_linear_attention_reference

RESULTS = Path(__file__).parent / "results"


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
    step_contexts: tuple[int, ...] = (512, 4096, 16384)
    decode_steps: int = 5
    prefill_length: int = 4096
    training_batch: int = 2
    training_length: int = 512
    operator_length: int = 2048
    step_rounds: int = 30
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
    step_contexts=(32, 64),
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
    """Nothing but the products of a model's linear layers, with gradients those of the backward pass too: what no change around
    them can save. Without gradients in pieces, which are quicker than new memory for a whole prompt's outputs."""

    PIECE = 1024

    def __init__(self, model: PreTrainedModel, tokens: int, batch: int = 1, gradients: bool = False):
        head = None if gradients else model.get_output_embeddings()  # which without gradients has one token to see
        layers = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]
        self.gradients = gradients
        self.work = [
            (x, torch.randn(batch, 1 if x is head else tokens, x.in_features, requires_grad=gradients)) for x in layers
        ]

    def __call__(self) -> None:
        if not self.gradients:
            with torch.inference_mode():
                for layer, rows in self.work:
                    for piece in rows.split(self.PIECE, 1):
                        layer(piece)
            return
        for layer, rows in self.work:
            out = layer(rows)
            torch.autograd.grad(out, [rows, layer.weight], torch.ones_like(out))


class StaticStep:
    """One token behind a full context in a static cache, through a model or a compiled model."""

    def __init__(self, model: PreTrainedModel, forward: Callable, shapes: Shapes):
        self.forward, self.shapes = forward, shapes
        self.cache = StaticCache(config=model.config, max_cache_len=2 * shapes.step_contexts[0] + 64)
        with torch.no_grad():
            model.eval()(
                self._ids(shapes.step_contexts[0]), past_key_values=self.cache, use_cache=True, logits_to_keep=1
            )

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
    """Seconds of one token: its linear layers alone, in a dynamic cache, and behind the shortest context in a static one, compiled
    and not.

    All take turns. Each is run once before it is timed, so that all find in the processor's caches what the token before left
    there. `graphs` counts what was compiled for each compiled model, for the first token and all others.
    """
    names = [name for name in NAMES if name != "Mamba2"]
    growing = {name: measure.GrowingContext(models[name], seed) for name in names}
    tasks: dict[tuple[str, str], Callable[[], None]] = {}
    for name in names:
        tasks[name, "linear"] = LinearLayers(models[name], 1)
        tasks[name, "dynamic"] = lambda state=growing[name]: state.forward(1)
    seconds: dict[int, dict[str, dict[str, Any]]] = {}
    graphs = dict.fromkeys(names, 0)
    for context in shapes.step_contexts:
        turns, rounds = dict(tasks), max(shapes.step_rounds // 2, 1)
        if context == shapes.step_contexts[0]:
            turns |= _static_steps(models, names, shapes)
            rounds = shapes.step_rounds
        for state in growing.values():
            state.advance_to(context)
        found: dict[tuple[str, str], list[float]] = {turn: [] for turn in turns}
        for repeat in tqdm(range(rounds + 1), desc=f"single tokens at {context}"):
            for (name, kind), task in turns.items():
                before = counters["stats"]["unique_graphs"]
                task()
                start = clock()
                task()
                if repeat > 0:
                    found[name, kind].append(clock() - start)
                graphs[name] += counters["stats"]["unique_graphs"] - before
        seconds[context] = {name: {} for name in names}
        for (name, kind), values in found.items():
            seconds[context][name][kind] = _summary(values)
    return {"graphs": graphs, "seconds": seconds}


def _static_steps(models: dict[str, PreTrainedModel], names: list[str], shapes: Shapes) -> dict:
    tasks = {}
    for name in names:
        model = models[name]
        compiled = torch.compile(model.forward, fullgraph=True, dynamic=False, backend=shapes.compiler)
        tasks[name, "static"] = StaticStep(model, model.forward, shapes)
        tasks[name, "compiled"] = StaticStep(model, compiled, shapes)
    return tasks


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


# ---- a run


class Run:
    """The sections of the benchmark; each gives what it adds to the report."""

    SECTIONS = ("steps", "decode", "prefill", "training", "compiled", "operator", "memory")

    def __init__(self, args: argparse.Namespace, shapes: Shapes):
        self.args, self.shapes, self.clock = args, shapes, clock_of(args.threads)

    @cached_property
    def models(self) -> dict[str, PreTrainedModel]:
        return {name: build(name, self.shapes, self.args.seed) for name in NAMES}

    def _linear(self, *arguments, **options) -> dict[str, LinearLayers]:
        models = {name: model for name, model in self.models.items() if name != "Mamba2"}
        return {f"{name}, linear layers": LinearLayers(x, *arguments, **options) for name, x in models.items()}

    def steps(self) -> dict[str, Any]:
        return {"single_steps": single_steps(self.models, self.shapes, self.args.seed, self.clock)}

    def decode(self) -> dict[str, Any]:
        shapes, seed = self.shapes, self.args.seed
        bandwidth = measure.read_bandwidth(size=1 << 24 if self.args.quick else 1 << 29)
        records = measure.measure_decoding(
            self.models, shapes.contexts, shapes.decode_steps, shapes.repeats, seed, self.clock
        )
        return {
            "read_bandwidth_bytes_per_second": bandwidth,
            "decode": [record.as_dict() for record in records],
            "decode_floor": bandwidth_floor(records, self.models, bandwidth),
        }

    def prefill(self) -> dict[str, Any]:
        length = self.shapes.prefill_length
        tasks = {name: lambda model=model: prefill(model, self.shapes) for name, model in self.models.items()}
        tasks |= self._linear(length)
        return {"prefill": throughput(tasks, length, self.shapes.repeats, "prefill", self.clock)}

    def training(self) -> dict[str, Any]:
        batch, length = self.shapes.training_batch, self.shapes.training_length
        tasks = {name: TrainingStep(model, self.shapes) for name, model in self.models.items()}
        tasks |= self._linear(length, batch, gradients=True)
        return {"training": throughput(tasks, batch * length, self.shapes.repeats, "training step", self.clock)}

    def compiled(self) -> dict[str, Any]:
        """Prefill and training by `torch.compile`, each in one graph, beside the models as they are and their linear layers."""
        shapes, models = self.shapes, {name: x for name, x in self.models.items() if name != "Mamba2"}
        graphs = {
            name: torch.compile(x, fullgraph=True, dynamic=False, backend=shapes.compiler) for name, x in models.items()
        }
        length, batch = shapes.prefill_length, shapes.training_batch
        tasks = {name: lambda model=model: prefill(model, shapes) for name, model in graphs.items()}
        tasks |= {f"{name}, as it is": lambda model=model: prefill(model, shapes) for name, model in models.items()}
        prompt = throughput(tasks | self._linear(length), length, shapes.repeats, "compiled prefill", self.clock)
        length = shapes.training_length
        tasks = {name: TrainingStep(model, shapes) for name, model in graphs.items()}
        tasks |= {f"{name}, as it is": TrainingStep(model, shapes) for name, model in models.items()}
        tasks |= self._linear(length, batch, gradients=True)
        step = throughput(tasks, batch * length, shapes.repeats, "compiled training step", self.clock)
        return {"compiled_prefill": prompt, "compiled_training": step}

    def operator(self) -> dict[str, Any]:
        return {"operator": operator(self.shapes, self.args.seed, self.clock)}

    def memory(self) -> dict[str, Any]:
        self.__dict__.pop("models", None)  # the processes that are measured need room
        return {"peak_memory_bytes": peak_memory(self.args)}


def earlier_report(path: Path, start: dict[str, Any]) -> dict[str, Any]:
    """The report that sections are measured again for, or `start` if there is none.

    Raises:
        SystemExit: its figures do not belong beside those of today.
    """
    if not path.is_file():
        return start
    report = json.loads(path.read_text(encoding="utf-8"))
    # As JSON has it: tuples become lists.
    other = [key for key, value in json.loads(json.dumps(start)).items() if report.get(key) != value]
    if other or "sections" not in report:
        raise SystemExit(
            f"{path} differs in {', '.join(other) or 'form'}: leave out --sections, or give another --output"
        )
    return report


def run(args: argparse.Namespace, shapes: Shapes) -> dict[str, Any]:
    """Measure sections one after another; the report as it is in JSON after each of them."""
    here = Run(args, shapes)
    facts = environment(args, shapes)
    same = {key: facts[key] for key in ("cpu", "cores", "threads", "time", "dtype", "seed")}
    start = same | {"shapes": {key: value for key, value in vars(shapes).items() if key != "repeats"}}
    report = start if args.sections is None else earlier_report(args.output / "rodimus_speed.json", start)
    report.setdefault("sections", {})
    report["parameters"] = {name: measure.count_parameters(model) for name, model in here.models.items()}
    for name in args.sections or Run.SECTIONS:
        facts, started = environment(args, shapes), time.monotonic()
        report |= getattr(here, name)()
        facts["load_average_after"] = round(os.getloadavg()[0], 2)
        facts["seconds"] = round(time.monotonic() - started, 1)
        report["sections"][name] = facts
        report["missing"] = [section for section in Run.SECTIONS if section not in report["sections"]]
        report["targets"] = targets(report)
        write(report, args.output)
    return report


def environment(args: argparse.Namespace, shapes: Shapes) -> dict[str, Any]:
    """Where the figures of a section come from."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        cpu = names[0] if names else cpu
    return {
        "codefuse_hf": __version__,
        "commit": code_version(),
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
        "repeats": shapes.repeats,
        "load_average_before": round(os.getloadavg()[0], 2),
        "date": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
    }


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
        "--output", type=Path, default=RESULTS, help="folder for JSON, table and plot (default: benchmarks/results)"
    )
    parser.add_argument(
        "--sections",
        nargs="+",
        choices=Run.SECTIONS,
        help="measure these again and keep the others (default: all, anew)",
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
    print("\n" + table(run(args, shapes)))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What a token costs on a device without a GPU: Rodimus and Llama of the same size, in every engine and number format.

    python benchmarks/on_device.py                       # models of 30M parameters
    python benchmarks/on_device.py --sizes 30M 1.6B      # and random weights in the shapes of Rodimus-Plus-Coder-1.6B

In one call: exports the models, starts a process for each model in each engine, and lets those of an engine take turns at a prompt and
at single tokens behind 512, 4k and 16k tokens of context (large models run one after another). Beside each stands the memory floor: the
bytes of its weights over the read bandwidth, measured between the turns. An engine that fails is reported with the reason, and stops none
of the others. Results go to `benchmarks/results/on_device.{json,md,png}` (with `--threads 2` to `on_device_2_threads.…`); with
`--append` to those of earlier runs, which may have measured other engines. They are written after each context, and each row says of which commit it is. What a run that was cut off has measured stands there as
unfinished, until it is measured again, beside the earlier row.

On one thread the figures are CPU seconds, which other programs on the machine disturb least; on several, seconds.
"""

import argparse
import contextlib
import json
import os
import platform
import select
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from on_device_engines import ENGINES, MODELS, SIZES, Size, build, export, weight_bytes, work
from result_files import code_version, put_whole
from tqdm.auto import tqdm

from codefuse_hf import measure
from codefuse_hf.files import readable_size

RESULTS = Path(__file__).parent / "results"
CONTEXTS = (512, 4096, 16384)
PATIENCE = 1500  # seconds that one answer may take


class Failure(Exception):
    """An engine that cannot do what was asked of it."""


class Worker:
    """A process in which one engine runs one model."""

    def __init__(self, args: argparse.Namespace, name: str, model: str, engine: str, folder: Path):
        self.size, self.model, self.engine = name, model, engine
        command = [sys.executable, __file__, "--work", name, model, engine, str(folder), "--threads", str(args.threads)]
        environment = os.environ | {"OMP_NUM_THREADS": str(args.threads)}
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        self.record: dict[str, Any] = {"size": name, "model": model, "engine": engine, "decode": {}}

    def ask(self, do: str, **arguments: int) -> dict[str, Any]:
        """An answer of the process.

        Raises:
            Failure: an error there, its end, or too long a silence; the message is for the report.
        """
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps({"do": do, **arguments}), file=self.process.stdin, flush=True)
        if not select.select([self.process.stdout], [], [], PATIENCE)[0]:
            raise Failure(f"no answer to '{do}' within {PATIENCE} s")
        line = self.process.stdout.readline()
        if not line:
            raise Failure(f"the process ended with {self.process.wait()} at '{do}'")
        answer = json.loads(line)
        if "error" in answer:
            raise Failure(f"{do}: {answer['error']}")
        return answer

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()


def measure_together(args: argparse.Namespace, workers: list[Worker], size: Size, save: Callable[[], None]) -> None:
    """Fill the records of these workers, which take turns at every measurement, and save them after each context."""
    base = "cpu_seconds" if args.threads == 1 else "seconds"

    def each(label: str):
        return tqdm([worker for worker in workers if "error" not in worker.record], desc=label, leave=False)

    def attempt(worker: Worker, do: str, **arguments: int) -> dict[str, Any] | None:
        try:
            return worker.ask(do, **arguments)
        except Failure as error:
            worker.record["error"] = str(error)
            worker.stop()
            return None

    for worker in each("loading"):
        if answer := attempt(worker, "load"):
            worker.record |= {"load_seconds": answer["seconds"], "load_peak_bytes": answer["load_peak_bytes"]}
    for repeat in range(args.prompts + 1):
        for worker in each("prompts"):
            if answer := attempt(worker, "read", tokens=size.prefill):
                if repeat > 0 or args.prompts == 0:
                    worker.record.setdefault("prefill", []).append(size.prefill / answer[base])
    for context in args.contexts:
        for worker in each(f"putting {context} tokens in place"):
            if attempt(worker, "place", context=context):
                worker.record["decode"][context] = {"seconds": [], "wall_seconds": []}
        for _ in range(args.repeats):
            for worker in each(f"decoding at {context}"):
                if answer := attempt(worker, "steps", steps=args.steps):
                    point = worker.record["decode"][context]
                    point["seconds"].append(answer[base] / args.steps)
                    point["wall_seconds"].append(answer["seconds"] / args.steps)
                    point |= {key: answer[key] for key in ("cache_bytes", "running_peak_bytes", "mapped_bytes")}
            speed = read_bandwidth(args.threads)
            for worker in workers:
                worker.record.setdefault("read_bandwidth", []).append(speed)
        save()


def prepare(args: argparse.Namespace, name: str, model: str, engine: str, root: Path) -> tuple[Path, float]:
    """The folder that the engine reads, made in a process of its own if it is not there yet, and the seconds that took.

    Raises:
        Failure: it cannot be exported.
    """
    few_bits = engine in ("torch-int8", "torch-int4")  # which are rounded while the model is loaded
    folder = root / f"{name}-{model}-{'torch-bf16' if few_bits else engine}"
    if engine == "torch-fp32" or folder.exists():
        return folder, 0.0
    started = time.perf_counter()
    partial = folder.with_name(f"{folder.name}.{os.getpid()}")
    command = [sys.executable, __file__, "--export", name, model, engine, str(partial)]
    result = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if result.returncode != 0:
        shutil.rmtree(partial, ignore_errors=True)
        lines = [line for line in result.stderr.splitlines() if line.strip()] or [f"ended with {result.returncode}"]
        raise Failure(f"export: {lines[-1][:300]}")
    partial.rename(folder)
    return folder, time.perf_counter() - started


def run(args: argparse.Namespace) -> dict[str, Any]:
    """All measurements; the report as it goes to JSON."""
    torch.set_num_threads(args.threads)
    facts = environment(args)
    report: dict[str, Any] = {"runs": [facts], "contexts": list(args.contexts), "records": []}
    path = args.output / f"{stem(args.threads)}.json"
    if args.append and path.is_file():
        earlier = json.loads(path.read_text(encoding="utf-8"))
        report = earlier | {"runs": [*earlier["runs"], facts]}
    with contextlib.ExitStack() as stack:
        root = args.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="on-device-")))
        root.mkdir(parents=True, exist_ok=True)
        for name in args.sizes:
            size = SIZES[name]
            models = [m for m in args.models if m != "Rodimus" or size.rodimus_layers]
            pairs = [(model, engine) for engine in args.engines for model in models]
            for group in groups(pairs, size):
                earlier = report["records"]

                def save(records: list[dict], earlier=earlier) -> None:
                    report["records"] = merged(earlier, [describe(record, facts) for record in records])
                    write(report, args.output)

                _measure_group(args, name, group, root, save)
    facts["load_average_after"] = os.getloadavg()
    write(report, args.output)
    return report


def read_bandwidth(threads: int, size: int = 1 << 28) -> float:
    """Bytes of memory that are read in a second; on one thread in a CPU second, as all that it is compared with."""
    if threads > 1:
        return measure.read_bandwidth(size)
    block, seconds = torch.ones(size // 4), []
    for _ in range(5):
        start = time.thread_time()
        block.sum()
        seconds.append(time.thread_time() - start)
    return size / min(seconds)


def describe(record: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    """A row with what is known of its model, and where it comes from."""
    with torch.device("meta"):
        model = build(record["model"], SIZES[record["size"]])
        needed = weight_bytes(model, record["engine"])
    return record | {
        "weight_bytes": needed,
        "parameters": measure.count_parameters(model),
        "floor_seconds": needed / statistics.median(record["read_bandwidth"]) if "read_bandwidth" in record else None,
        "date": facts["date"],
        "commit": facts["commit"],
    }


def merged(earlier: list[dict], new: list[dict]) -> list[dict]:
    """Earlier rows with new ones in the place of those that measured the same. One that is not finished takes the place of none
    but its like."""

    def key(record: dict) -> tuple[str, str, str]:
        return record["size"], record["model"], record["engine"]

    begun, finished = {key(r) for r in new}, {key(r) for r in new if not r["unfinished"]}
    return [r for r in earlier if key(r) not in (begun if r.get("unfinished") else finished)] + new


def _measure_group(
    args: argparse.Namespace,
    name: str,
    group: list[tuple[str, str]],
    root: Path,
    save: Callable[[list[dict]], None],
) -> None:
    """Measure what takes turns, and save it after each context."""
    workers, failed = [], []
    for model, engine in tqdm(group, desc=f"{name}: exporting", leave=False):
        try:
            folder, seconds = prepare(args, name, model, engine, root)
        except Failure as error:
            failed.append({"size": name, "model": model, "engine": engine, "decode": {}, "error": str(error)})
            continue
        workers.append(Worker(args, name, model, engine, folder))
        if seconds:
            workers[-1].record["export_seconds"] = seconds
        if folder.exists():
            files = [file for file in folder.iterdir() if file.suffix in (".onnx", ".data", ".xml", ".bin")]
            workers[-1].record["file_bytes"] = sum(file.stat().st_size for file in files)

    def records(unfinished: bool) -> list[dict]:
        return [r | {"unfinished": unfinished and "error" not in r} for r in (*(w.record for w in workers), *failed)]

    try:
        measure_together(args, workers, SIZES[name], lambda: save(records(True)))
        save(records(False))
    finally:
        for worker in workers:
            worker.stop()


def groups(pairs: list[tuple[str, str]], size: Size) -> list[list[tuple[str, str]]]:
    """Which models and engines are in memory at the same time and take turns: the models of an engine, or where they are large one
    after another."""
    if size.parameters > 100_000_000:
        return [[pair] for pair in pairs]
    return [[pair for pair in pairs if pair[1] == engine] for engine in dict.fromkeys(engine for _, engine in pairs)]


def environment(args: argparse.Namespace) -> dict[str, Any]:
    """Where the figures come from."""
    packages = {}
    for package in ("codefuse-hf", "torch", "transformers", "torchao", "onnxruntime", "openvino", "nncf"):
        with contextlib.suppress(PackageNotFoundError):
            packages[package] = version(package)
    info = Path("/proc/cpuinfo")
    names = [x for x in info.read_text().splitlines() if x.startswith("model name")] if info.exists() else []
    return {
        "packages": packages,
        "commit": code_version(),
        "cpu": names[0].partition(":")[2].strip() if names else platform.processor(),
        "cores": os.cpu_count(),
        "threads": args.threads,
        "arguments": (
            f"--sizes {' '.join(args.sizes)} --models {' '.join(args.models)} --engines {' '.join(args.engines)} "
            f"--steps {args.steps} --repeats {args.repeats} --threads {args.threads}"
        ),
        "time": "CPU seconds" if args.threads == 1 else "seconds",
        "load_average_before": os.getloadavg(),
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }


# ---- the report


def write(report: dict[str, Any], folder: Path) -> None:
    """JSON, table and plot, each put in place whole."""
    name = stem(report["runs"][-1]["threads"])
    put_whole(folder, {f"{name}.json": json.dumps(report, indent=1) + "\n", f"{name}.md": table(report)})
    plot(report, folder / f"{name}.png")


def stem(threads: int) -> str:
    """Name the files of results: those of one thread are not those of several."""
    return "on_device" if threads == 1 else f"on_device_{threads}_threads"


def table(report: dict[str, Any]) -> str:
    """The report for people."""
    runs, contexts = report["runs"], report["contexts"]
    facts = runs[-1]
    loads = [
        f"{run['date']}: load {', '.join(f'{x:.1f}' for x in run['load_average_before'])} at the start of "
        f"`python benchmarks/on_device.py {run['arguments']}`."
        for run in runs
    ]
    packages = ", ".join(f"{name} {number}" for name, number in facts["packages"].items())
    lines = [
        "# Tokens on a device without a GPU",
        "",
        f"{facts['cpu']}, {facts['threads']} of {facts['cores']} cores; {packages}. Times are",
        f"medians in {facts['time']} (least to most). *of the floor*: the time in which the weights can be read, over the time of a token at the",
        "shortest context; how fast memory is read, the median of readings between the turns, stands beside it.",
        "Peaks of memory are those of the process, less what it has taken before loading; the second, at the longest context, has the cache in it;",
        "behind it stands what of that is pages of files (the model's and libraries'), which the system can take back at any time.",
        *loads,
        "In 8 bits PyTorch's own product reads 5 to 7 GB/s of weights on one thread of such a processor, whatever memory gives.",
        *report.get("notes", []),
    ]
    for size in dict.fromkeys(record["size"] for record in report["records"]):
        heads = [f"ms a token at {context}" for context in contexts]
        titles = [
            "model",
            "engine",
            *heads,
            "of the floor",
            "memory GB/s",
            "prompt tokens/s",
            "load s",
            "peak of loading / weights",
            "peak / mapped, in weights",
            "weights",
            "file of float32",
            "cache",
            "commit",
        ]
        lines += ["", f"## {size}", "", f"| {' | '.join(titles)} |", f"|{' --- |' * len(titles)}"]
        for record in sorted(report["records"], key=lambda r: (ENGINES.index(r["engine"]), MODELS.index(r["model"]))):
            if record["size"] == size:
                lines.append(f"| {' | '.join(_row(record, contexts))} |")
    return "\n".join(lines) + "\n"


def _row(record: dict[str, Any], contexts: list[int]) -> list[str]:
    decode = {int(context): point for context, point in record["decode"].items() if point["seconds"]}
    cells = [record["model"], record["engine"] + (" (**unfinished**)" if record.get("unfinished") else "")]
    commit = record.get("commit", "–")
    for context in contexts:
        seconds = decode[context]["seconds"] if context in decode else None
        cells.append(
            f"{statistics.median(seconds) * 1e3:.1f} ({min(seconds) * 1e3:.1f}–{max(seconds) * 1e3:.1f})"
            if seconds
            else "–"
        )
    if not decode:
        return [*cells, record.get("error", ""), *["–"] * 8, commit]
    first, last = decode[min(decode)], decode[max(decode)]
    cells.append(f"{record['floor_seconds'] / statistics.median(first['seconds']):.0%}")
    cells.append(f"{statistics.median(record['read_bandwidth']) / 1e9:.1f}")
    cells.append(f"{statistics.median(record['prefill']):.0f}" if "prefill" in record else "–")
    cells.append(f"{record['load_seconds']:.1f}")
    cells.append(f"{record['load_peak_bytes'] / record['weight_bytes']:.2f}")
    cells.append(
        " / ".join(f"{last[key] / record['weight_bytes']:.2f}" for key in ("running_peak_bytes", "mapped_bytes"))
    )
    cells.append(readable_size(record["weight_bytes"]))
    file = record.get("file_bytes")
    cells.append(f"1/{4 * record['parameters'] / file:.2f}" if file else "–")
    cells.append(readable_size(last["cache_bytes"]) + (f"; then {record['error']}" if "error" in record else ""))
    return [*cells, commit]


def plot(report: dict[str, Any], path: Path) -> None:
    """Tokens per second over the context, a panel for each size and model."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    records = [r for r in report["records"] if r["decode"] and not r.get("unfinished")]
    panels = list(dict.fromkeys((r["size"], r["model"]) for r in records))
    if not panels:
        return
    figure = Figure(figsize=(4.5 * len(panels), 4.5), layout="constrained")
    for axes, (size, model) in zip(figure.subplots(1, len(panels), sharey=True, squeeze=False)[0], panels, strict=True):
        for record in records:
            points = {int(c): statistics.median(p["seconds"]) for c, p in record["decode"].items() if p["seconds"]}
            if (record["size"], record["model"]) == (size, model) and points:
                speeds, engine = [1 / s for s in points.values()], record["engine"]
                axes.plot(list(points), speeds, marker="o", label=engine, color=f"C{ENGINES.index(engine)}")
        axes.set(xscale="log", yscale="log", xlabel="tokens of context", title=f"{model}, {size}")
        axes.set_xscale("log", base=2)
        axes.grid(alpha=0.3, which="both")
    figure.axes[0].set_ylabel(f"tokens per {'CPU second' if report['runs'][-1]['threads'] == 1 else 'second'}")
    labels = {
        label: line for axes in figure.axes for line, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(labels.values(), labels, loc="outside right upper", fontsize="small")
    FigureCanvasAgg(figure).print_png(path)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=["30M"])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--contexts", nargs="+", type=int, default=list(CONTEXTS))
    parser.add_argument("--threads", type=int, default=1, help="of every engine (default: 1)")
    parser.add_argument("--steps", type=int, default=5, help="tokens that a model decodes at its turn")
    parser.add_argument("--repeats", type=int, default=5, help="turns at each context")
    parser.add_argument("--prompts", type=int, default=2, help="prompts that are timed, after one that is not")
    parser.add_argument("--folder", type=Path, help="where exported models are kept for the next run")
    parser.add_argument("--append", action="store_true", help="keep what earlier runs with as many threads have left")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder for the results")
    parser.add_argument("--work", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--export", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.work or args.export:
        name, model, engine, folder = args.work or args.export
        if args.export:
            export(model, SIZES[name], engine, Path(folder))
        else:
            work(model, SIZES[name], engine, Path(folder), args.threads)
        return 0
    print(table(run(args)))
    return 0


if __name__ == "__main__":
    sys.exit(main())

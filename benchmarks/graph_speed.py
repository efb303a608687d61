"""Speed and memory of the code-graph builder, side by side with the tools a user would pick instead.

Trees are drawn from the packages installed beside this project: nested samples of 10 to 10 000 files (the same seeded
shuffle, so that file sizes are alike), 1 MB of Python, and the whole `transformers` package. Every tool runs in a process
of its own, the other tools in virtual environments of their own (`--install` makes them); no tool is a dependency of the
project. Noted are time and CPU time (after a first run on one line, which imports and loads what the tool needs), and the
peak memory of all its processes together (pages that they share counted once). A tool that fails on one tree, or takes
longer than `--timeout`, is not run on larger ones.

    python benchmarks/graph_speed.py --install          once: the environments of the other tools
    python benchmarks/graph_speed.py                    measure (several minutes); --quick for small trees, --resume to go on
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import venv
from pathlib import Path

import psutil
from graph_common import RESULTS, environment_facts, python_files, write_result
from tqdm import tqdm

TOOLS_SCRIPT = Path(__file__).with_name("graph_speed_tools.py")
OURS = "codefuse-hf"
PEERS = {
    "PyCG": ["pycg"],
    "pyan3": ["pyan3"],
    "tree-sitter tags": ["tree-sitter<0.22", "tree-sitter-languages", "networkx"],
    "aider": ["aider-chat"],
}
MAKES = {
    OURS: "whole schema",
    "PyCG": "calls",
    "pyan3": "definitions, uses",
    "tree-sitter tags": "definitions, names called",
    "aider": "ranked tags",
}
LEAVES_OUT = {
    OURS: "nothing of the schema: containment, imports, inheritance, calls, references, texts, locations",
    "PyCG": "everything but calls: no texts, no locations, no inheritance, no import edges; unmaintained",
    "pyan3": "texts and columns; calls and other uses are one kind of edge; no data flow through containers or returns",
    "tree-sitter tags": "resolution: a call leads to every definition of that name; no imports, inheritance, texts",
    "aider": "edges between functions: ranks tags by references between files, for a prompt; no graph to keep",
}
SIZES = (10, 30, 100, 300, 1000, 3000, 10_000)
QUICK_SIZES = (10, 100, 300)
COPIES = (3, 10)
"""How many copies of the sample of 1000 files there are in trees of copies."""


def peer_python(peers: Path, tool: str) -> Path:
    """Interpreter of a tool's environment."""
    return Path(sys.executable) if tool == OURS else peers / tool.replace(" ", "-").lower() / "bin" / "python"


def install(peers: Path) -> None:
    """Make the environments that are missing."""
    for tool, requirements in tqdm(PEERS.items(), desc="environments"):
        python = peer_python(peers, tool)
        if not python.exists():
            venv.create(python.parents[1], with_pip=True)
            command = [python, "-m", "pip", "install", "--quiet", *requirements]
            if subprocess.run(command, check=False, timeout=1800).returncode:
                shutil.rmtree(python.parents[1])
                print(f"{tool}: could not be installed", file=sys.stderr)


def versions(peers: Path) -> dict[str, str]:
    """Versions of the other tools, as installed."""
    code = "import importlib.metadata as m, sys; print(m.version(sys.argv[1]))"
    found = {}
    for tool, requirements in PEERS.items():
        name = "tree-sitter-languages" if tool == "tree-sitter tags" else requirements[0]
        if peer_python(peers, tool).exists():
            run = subprocess.run(
                [peer_python(peers, tool), "-c", code, name], capture_output=True, text=True, check=False
            )
            found[name] = run.stdout.strip()
    return found


class MemoryWatch(threading.Thread):
    """Samples the memory of a process and its descendants; where there are several, each page is shared out among those that have it."""

    def __init__(self, process: subprocess.Popen) -> None:
        super().__init__(daemon=True)
        self.root, self.peak, self.done = psutil.Process(process.pid), 0, threading.Event()

    def run(self) -> None:
        while not self.done.wait(0.1):
            try:
                processes = [self.root, *self.root.children(recursive=True)]
                alone = len(processes) == 1  # nothing to share out: the cheaper figure will do
                total = sum(item.memory_info().rss if alone else proportional_memory(item) for item in processes)
            except psutil.Error:
                continue
            self.peak = max(self.peak, total)


def proportional_memory(process: psutil.Process) -> int:
    """The process's share of the memory it uses, in bytes; all of it where the system does not tell shares."""
    try:
        for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return 1024 * int(line.split()[1])
    except OSError:
        pass
    return process.memory_info().rss


def run_tool(python: Path, tool: str, tree: Path, timeout: float, *options: str) -> dict:
    """Time one tool on one tree."""
    command = [str(python), str(TOOLS_SCRIPT), tool, str(tree), *options]
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as errors, tempfile.TemporaryDirectory() as scratch:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=scratch)
        watch = MemoryWatch(process)
        watch.start()
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()
            process.wait()
            return {
                "failure": f"not done after {timeout:.0f} s",
                "timeout": timeout,
                "peak_memory_mb": round(watch.peak / 1e6),
            }
        finally:
            watch.done.set()
            watch.join()
        if process.returncode:
            errors.seek(0)
            last = (errors.read().strip().splitlines() or ["no message"])[-1]
            return {"failure": last.split("/")[0][:120], "peak_memory_mb": round(watch.peak / 1e6)}
    result = json.loads(output.strip().splitlines()[-1])
    result["process_seconds"] = time.perf_counter() - start
    result["peak_memory_mb"] = round(watch.peak / 1e6)
    return {key: round(value, 3) if isinstance(value, float) else value for key, value in result.items()}


class Trees:
    """Sample trees below a scratch folder, made when first asked for."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        import transformers

        self.transformers = Path(transformers.__file__).parent
        self.site = self.transformers.parent
        files = [file for file in python_files(self.site) if len(file.relative_to(self.site).parts) > 1]
        random.Random(0).shuffle(files)
        self.files = files

    def sample(self, count: int) -> Path:
        """The first `count` files of the shuffle."""
        return self._copy(f"files-{count}", self.files[:count])

    def copies(self, count: int, times: int) -> Path:
        """The first `count` files, `times` times over, each in a folder of its own: `times` the work, whereas in a larger sample more imports lead to files."""
        tree = self.scratch / f"files-{count}-x{times}"
        if not tree.exists():
            for number in range(times):
                shutil.copytree(self.sample(count), tree / f"copy{number}")
        return tree

    def megabyte(self) -> Path:
        """Files that come to 1 MB."""
        chosen, total = [], 0
        for file in self.files:
            chosen.append(file)
            total += file.stat().st_size
            if total >= 1_000_000:
                break
        return self._copy("megabyte", chosen)

    def empty(self) -> Path:
        """One file without a line: what memory is the interpreter's and the libraries'."""
        tree = self.scratch / "empty"
        tree.mkdir(exist_ok=True)
        (tree / "empty.py").touch()
        return tree

    def package(self) -> Path:
        """The whole of `transformers`."""
        return self._copy("transformers", python_files(self.transformers))

    def _copy(self, name: str, files: list[Path]) -> Path:
        tree = self.scratch / name
        if not tree.exists():
            for file in files:
                target = tree / file.relative_to(self.site)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)
        return tree


def describe(tree: Path) -> dict[str, int]:
    """Files and bytes of a tree."""
    files = python_files(tree)
    return {"files": len(files), "bytes": sum(file.stat().st_size for file in files)}


def measure(options: argparse.Namespace, trees: Trees) -> dict:
    """All runs, written to the output after each."""
    result = {"complete": False, "runs": []}
    if options.resume and options.output.exists():
        result = json.loads(options.output.read_text())
    result |= environment_facts(["transformers", "networkx", "psutil"])
    result["tools"], result["leaves_out"] = versions(options.peers), LEAVES_OUT
    done = {(run["tool"], run["tree"], run["variant"]) for run in result["runs"]}
    failed: set[str] = {run["tool"] for run in result["runs"] if "failure" in run and run["tree"] != "transformers"}

    def one(tool: str, name: str, tree: Path, timeout: float, variant: str = "", *arguments: str) -> None:
        if (tool, name, variant) in done:
            return
        run = run_tool(peer_python(options.peers, tool), tool, tree, timeout, *arguments)
        if "failure" in run and tool != OURS:
            failed.add(tool)
        result["runs"].append({"tool": tool, "tree": name, "variant": variant, **describe(tree), **run})
        tqdm.write(json.dumps(result["runs"][-1]))
        write_result(options.output, result)

    tools = [OURS, *(tool for tool in PEERS if peer_python(options.peers, tool).exists())]
    sizes = QUICK_SIZES if options.quick else SIZES
    for size in tqdm(sizes, desc="sizes"):
        tree = trees.sample(size)
        for tool in tools:
            if tool == OURS or tool not in failed:
                one(tool, f"{size} files", tree, 600 if tool == OURS else options.timeout)
    for times in () if options.quick else COPIES:
        one(OURS, f"1000 files x {times}", trees.copies(1000, times), 600)
    one(OURS, "1 MB", trees.megabyte(), 60, "one core", "--workers", "1", "--one-core")
    one(OURS, "empty file", trees.empty(), 60)
    if not options.quick:
        one(OURS, "1000 files", trees.sample(1000), 300, "updates", "--update", "1", "10", "100")
    if not options.quick:
        package = trees.package()
        for tool in tools:
            if tool == OURS or tool not in failed:
                one(tool, "transformers", package, 600 if tool == OURS else 2 * options.timeout)
    result["complete"] = True
    write_result(options.output, result)
    return result


def table(result: dict) -> str:
    """The runs as a Markdown table."""
    rows = [
        "| tool | makes | tree | files | MB | seconds | CPU seconds | ms per file | peak memory, MB | nodes | edges |",
        "|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    notes = []
    for run in result["runs"]:
        tree = f"{run['tree']}, {run['variant']}" if run["variant"] else run["tree"]
        head = f"| {run['tool']} | {MAKES[run['tool']]} | {tree} | {run['files']:,} | {run['bytes'] / 1e6:.1f} |"
        if "failure" in run:
            rows.append(f"{head} {run['failure']} | | | {run['peak_memory_mb']:,} | | |")
        elif "updates" in run:
            notes += [update_note(run)]
        else:
            rows.append(
                f"{head} {run['seconds']:.2f} | {run['cpu_seconds']:.2f} | {1000 * run['seconds'] / run['files']:.1f} "
                f"| {run['peak_memory_mb']:,} | {run['nodes']:,} | {run['edges'] or 0:,} |"
            )
    notes += memory_notes(result["runs"])
    rows += ["", *(f"- **{tool}** leaves out {text}" for tool, text in result["leaves_out"].items())]
    return "\n".join([*rows, *(f"- {note}" for note in notes)])


def update_note(run: dict) -> str:
    """What updates cost after the full build of a tree."""
    parts = [f"{update['seconds']:.2f} s ({update['changed_files']} changed)" for update in run["updates"]]
    same = "the same bytes as a full build" if run["same_as_full_build"] else "OTHER BYTES THAN A FULL BUILD"
    return f"Updates of {run['files']:,} files ({run['full_seconds']:.2f} s to build): {', '.join(parts)}; {same}."


def memory_notes(runs: list[dict]) -> list[str]:
    """Our memory beyond four times the source."""
    ours = {run["tree"]: run for run in runs if run["tool"] == OURS and not run["variant"] and "seconds" in run}
    return [
        f"Memory of {OURS} on {tree}: 4 x the source {run['peak_memory_mb'] - 4 * run['bytes'] / 1e6:+,.0f} MB."
        for tree, run in ours.items()
        if run["bytes"] > 10_000_000
    ]


def plot(result: dict, path: Path) -> None:
    """Time and memory against size."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, (times, memory) = pyplot.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    for tool in (OURS, *PEERS):
        runs = [run for run in result["runs"] if run["tool"] == tool and run["tree"].endswith("files")]
        runs = sorted((run for run in runs if not run["variant"]), key=lambda run: run["files"])
        if not runs:
            continue
        done = [run for run in runs if "seconds" in run]
        sizes, style = [run["files"] for run in done], {"marker": "o", "linewidth": 2.5 if tool == OURS else 1.2}
        line = times.plot(sizes, [run["seconds"] for run in done], label=f"{tool} ({MAKES[tool]})", **style)
        memory.plot(sizes, [run["peak_memory_mb"] for run in done], label=tool, **style)
        for run in runs:
            if "timeout" in run:  # a cross where a tool was stopped
                times.plot(run["files"], run["timeout"], marker="x", markersize=9, color=line[0].get_color())
    copies = [run for run in result["runs"] if run["tree"].startswith("1000 files") and run["tool"] == OURS]
    copies = [(run["files"], run["seconds"], run["peak_memory_mb"]) for run in copies if not run["variant"]]
    if len(copies) > 1:
        sizes, seconds, peaks = zip(*sorted(copies), strict=True)
        times.plot(sizes, seconds, linestyle="--", color="black", label=f"{OURS}, copies of 1,000 files")
        memory.plot(sizes, peaks, linestyle="--", color="black")
    source = sorted({(run["files"], run["bytes"] / 1e6) for run in result["runs"] if run["tree"].endswith("files")})
    memory.plot(*zip(*source, strict=True), linestyle=":", color="grey", label="source")
    for axes, label in ((times, "seconds"), (memory, "peak memory, MB")):
        axes.set(xscale="log", yscale="log", xlabel="Python files", ylabel=label)
        axes.grid(True, which="major", alpha=0.3)
        axes.legend(frameon=False, fontsize=8)
    figure.suptitle("Code graph of a tree of Python files (x: stopped, took too long)")
    figure.savefig(path, dpi=130)


def main() -> None:
    """Install the other tools, or measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", type=Path, default=Path.home() / ".cache" / "codefuse-hf-benchmarks")
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--quick", action="store_true", help="small trees only")
    parser.add_argument("--resume", action="store_true", help="keep the runs that the output already has")
    parser.add_argument("--timeout", type=float, default=20, help="seconds for each run of another tool")
    parser.add_argument("--output", type=Path, default=RESULTS / "graph_speed.json")
    options = parser.parse_args()
    if options.install:
        install(options.peers)
        return
    with tempfile.TemporaryDirectory() as scratch:
        result = measure(options, Trees(Path(scratch)))
    options.output.with_suffix(".md").write_text(table(result) + "\n", encoding="utf-8")
    plot(result, options.output.with_suffix(".png"))
    print(table(result))


if __name__ == "__main__":
    main()

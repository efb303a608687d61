"""Time and memory of the graph builder beside those of an earlier version of it, on the same trees, in turns and on one thread.

    git worktree add EARLIER COMMIT
    python benchmarks/graph_speed_versions.py EARLIER [--packages FOLDER] [--repeats 2]

`--packages` is a folder of packages that the earlier version needs in place of the installed ones (`pip install --target`). CPU seconds are the least of
the repeats: on a machine with other work they vary by a quarter.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from graph_common import REPOSITORY, RESULTS, environment_facts, write_result
from graph_speed import Trees, describe
from tqdm import tqdm

BUILD = """
import json, os, resource, sys, time
from codefuse_hf.graph import build_code_graph
start = time.process_time()
graph = build_code_graph(sys.argv[1], workers=1, progress=False)
seconds = time.process_time() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
print(json.dumps({"cpu_seconds": round(seconds, 2), "peak_memory_mb": round(peak), "nodes": graph.num_nodes, "edges": graph.num_edges}))
"""


def build(tree: Path, path: list[Path]) -> dict:
    """Builds the graph of a tree with the modules of `path`, in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path)), "OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, "-c", BUILD, tree], env=environment, cwd=tree, capture_output=True, text=True, check=True
    )
    return {**json.loads(run.stdout), "load": round(os.getloadavg()[0], 1)}


def table(result: dict) -> str:
    """The runs as a Markdown table."""
    rows = [
        f"{result['date']}, Python {result['python']}, one thread, other work on the machine; {result['before']} and {result['now']}.",
        "",
        "| tree | files | MB | CPU seconds before | now | | peak memory before, MB | now | | edges before | now | load |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for run in result["runs"]:
        before, now = run["before"], run["now"]
        time, memory = (now[key] / before[key] for key in ("cpu_seconds", "peak_memory_mb"))
        rows.append(
            f"| {run['tree']} | {run['files']:,} | {run['bytes'] / 1e6:.1f} | {before['cpu_seconds']:.2f} | {now['cpu_seconds']:.2f} | {time:.2f}x "
            f"| {before['peak_memory_mb']} | {now['peak_memory_mb']} | {memory:.2f}x | {before['edges']:,} | {now['edges']:,} | {now['load']} |"
        )
    return "\n".join(rows) + "\n"


def commit(folder: Path) -> str:
    """The commit of a checkout."""
    run = subprocess.run(
        ["git", "-C", folder, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    )
    return run.stdout.strip()


def main() -> None:
    """Measure, and write the results after each tree."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("earlier", type=Path)
    parser.add_argument("--packages", type=Path)
    parser.add_argument("--sizes", type=int, nargs="*", default=[100, 300, 1000], help="files of the sample trees")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--output", type=Path, default=RESULTS / "graph_speed_versions.json")
    options = parser.parse_args()
    earlier = [*([options.packages.resolve()] if options.packages else []), options.earlier.resolve()]
    versions = {"before": earlier, "now": [REPOSITORY]}
    result = {**environment_facts(["transformers"]), "runs": []}
    result |= {"before": commit(options.earlier), "now": commit(REPOSITORY)}
    with tempfile.TemporaryDirectory() as scratch:
        trees = Trees(Path(scratch))
        chosen = [(f"{size} files", lambda size=size: trees.sample(size)) for size in options.sizes]
        for name, make in tqdm([*chosen, ("transformers", trees.package)]):
            tree = make()
            found: dict[str, list[dict]] = {"before": [], "now": []}
            for _ in range(options.repeats):
                for version, path in versions.items():
                    found[version].append(build(tree, path))
            least = {version: min(runs, key=lambda run: run["cpu_seconds"]) for version, runs in found.items()}
            result["runs"].append({"tree": name, **describe(tree), **least, "all": found})
            write_result(options.output, result)
    options.output.with_suffix(".md").write_text(table(result), encoding="utf-8")
    print(table(result))


if __name__ == "__main__":
    main()

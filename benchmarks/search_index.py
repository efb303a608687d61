"""Time and memory of code search: synthetic source, each step in a process of its own.

    python benchmarks/search_index.py

writes 100 000 small functions to a temporary folder, indexes them with `codefuse_hf.search`, with vectors of the right width made up
rather than computed, and records time, peak memory and the size of the index in `benchmarks/results/search_index.json`. Then it
indexes 5 000 functions with the shipped model and asks the index: with everything yet to load (cold), and again (warm). CPU seconds are those
of all threads; on a machine with other work they tell more than the clock, whose load average stands beside.
"""

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
FUNCTION = '''def function_{n}_{word}(a, b):
    """{description}"""
    x = a + {n}
    y = b * x
    return helper_{group}(x, y) if y > {n} else None
'''
# Runs in a fresh process, so that its peak memory is that of indexing alone.
INDEX = """
import json, resource, sys, time
import numpy as np
from codefuse_hf.search import CodeIndex

class Vectors:
    def encode_document(self, texts, **options):
        return np.random.default_rng(0).standard_normal((len(texts), int(sys.argv[3])), dtype=np.float32)

    encode_query = encode_document

import faiss, scipy.sparse
before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
index = CodeIndex.build(sys.argv[1], model=Vectors(), folder=sys.argv[2], kinds=("function",), progress=False)
seconds, peak = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
index.search("helper of the third function", mode="hybrid")
print(json.dumps({"functions": len(index), "seconds": round(seconds, 1), "peak_mib": round(peak / 1024),
                  "mib_before": round(before / 1024), "search_seconds": round(time.perf_counter() - start, 3)}))
"""

# The shipped model: index, then ask twice. What Python itself needs to start is in the figures of the whole process.
SHIPPED = """
import json, resource, sys, time
from codefuse_hf.search import DEFAULT_MODEL, CodeIndex

if sys.argv[3] == "index":
    index = CodeIndex.build(sys.argv[1], model=DEFAULT_MODEL, folder=sys.argv[2], kinds=("function",), progress=False)
    figures = {"functions": len(index)}
else:
    start = time.process_time()
    index = CodeIndex.load(sys.argv[2], sys.argv[1])
    index.search("helper of the third function")
    asked = time.process_time()
    for question in ("where is a sum made", "product of two numbers", "return nothing"):
        index.search(question)
    figures = {"warm_query_cpu_seconds": round((time.process_time() - asked) / 3, 3)}
usage = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({**figures, "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2), "peak_mib": round(usage.ru_maxrss / 1024)}))
"""


def write_source(folder: Path, functions: int, per_file: int = 100) -> int:
    """Files of `per_file` functions each; returns their size in bytes."""
    rng, size = random.Random(0), 0
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, 9))) for _ in range(5000)]
    for first in range(0, functions, per_file):
        source = "\n\n".join(
            FUNCTION.format(n=n, word=rng.choice(words), description=" ".join(rng.choices(words, k=40)), group=n % 97)
            for n in range(first, min(first + per_file, functions))
        )
        (folder / f"module_{first}.py").write_text(source)
        size += len(source)
    return size


def measure_shipped(folder: Path, functions: int) -> dict:
    """Indexing and asking with the shipped model."""
    source, index = folder / "small", folder / "small-index"
    source.mkdir()
    write_source(source, functions)
    figures = {}
    for step in ("index", "cold_query"):
        command = [sys.executable, "-c", SHIPPED, str(source), str(index), step]
        start = time.perf_counter()
        figures[step] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        figures[step]["wall_seconds"] = round(time.perf_counter() - start, 2)
    return {**figures, "load": round(os.getloadavg()[0], 1), "cpus": os.cpu_count()}


def main(argv: list[str] | None = None) -> dict:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--functions", type=int, default=100_000)
    parser.add_argument("--shipped", type=int, default=5000, help="functions that the shipped model embeds")
    parser.add_argument("--width", type=int, default=256, help="width of the vectors")
    parser.add_argument("--results", type=Path, default=RESULTS / "search_index.json")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        source, index = Path(folder) / "source", Path(folder) / "index"
        source.mkdir()
        size = write_source(source, args.functions)
        command = [sys.executable, "-c", INDEX, str(source), str(index), str(args.width)]
        figures = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        figures["index_mb"] = round(sum(p.stat().st_size for p in index.rglob("*") if p.is_file()) / 1e6, 1)
        shipped = measure_shipped(Path(folder), args.shipped)
    figures |= {"shipped_model": shipped, "load": round(os.getloadavg()[0], 1)}
    figures |= {"source_mb": round(size / 1e6, 1), "width": args.width, "python": platform.python_version()}
    figures |= {name: metadata.version(name) for name in ("faiss-cpu", "scipy", "numpy", "tokenizers")} | {
        "date": time.strftime("%Y-%m-%d")
    }
    args.results.parent.mkdir(parents=True, exist_ok=True)
    args.results.write_text(json.dumps(figures, indent=1) + "\n")
    print(json.dumps(figures, indent=1))
    return figures


if __name__ == "__main__":
    main()

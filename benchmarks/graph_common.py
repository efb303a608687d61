"""What the code-graph benchmarks share: building a package's graph, facts about the machine, writing results."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
from collections.abc import Iterable
from pathlib import Path

from graph_names import GraphIndex

from codefuse_hf.files import replacing

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = REPOSITORY / "benchmarks" / "results"
GRAMMARS = tuple(
    f"tree_sitter_{name}"
    for name in (
        "python",
        "java",
        "c",
        "cpp",
        "c_sharp",
        "go",
        "javascript",
        "kotlin",
        "php",
        "ruby",
        "rust",
        "scala",
        "typescript",
    )
)

__all__ = [
    "REPOSITORY",
    "RESULTS",
    "GraphIndex",
    "build_package_graph",
    "environment_facts",
    "is_test_file",
    "python_files",
    "write_result",
]


def python_files(root: Path) -> list[Path]:
    """All Python files below a folder, sorted."""
    return sorted(path for path in root.rglob("*.py") if "__pycache__" not in path.parts)


def build_package_graph(root: Path) -> GraphIndex:
    """The graph of an installed package, built as in its repository: the package is a folder below the root."""
    from codefuse_hf.graph import build_code_graph

    graph = build_code_graph(root.parent, files=python_files(root), progress=False)
    return GraphIndex(json.loads(graph.to_json()))


def is_test_file(path: str) -> bool:
    """Whether a path inside a package belongs to its tests."""
    parts = path.split("/")
    return bool({"tests", "test", "testing", "conftest.py"} & set(parts)) or parts[-1].startswith("test_")


def environment_facts(packages: Iterable[str] = ()) -> dict:
    """Date, interpreter, versions and cores; nothing that names the machine."""
    distributions = importlib.metadata.packages_distributions()
    versions = {}
    for package in ("codefuse_hf", *packages, "tree_sitter", *GRAMMARS):
        name = next(iter(distributions.get(package, [])), package.replace("_", "-"))
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "python": platform.python_version(),
        "system": platform.system(),
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "versions": versions,
    }


def processor() -> str:
    """Model name of the processor where the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.machine()


def write_result(path: Path, result: dict) -> None:
    """Write a result as JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, "w", encoding="utf-8") as file:
        file.write(json.dumps(result, indent=1) + "\n")

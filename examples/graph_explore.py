"""Build the code graph of an installed package (or a folder), ask it some questions, and save it in every form.

    python examples/graph_explore.py jinja2 --output jinja2-graph

Needs no model and no network.
"""

import argparse
import importlib.util
from collections import Counter
from pathlib import Path

from codefuse_hf.graph import CodeGraph, build_code_graph, node_sentence, save_page
from codefuse_hf.graph.formats.tables import save_rows


def source_folder(name: str) -> Path:
    """The folder of that name, or of the installed package of that name."""
    if Path(name).is_dir():
        return Path(name)
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"{name!r} is neither a folder nor an installed package")
    return Path(spec.submodule_search_locations[0])


def most_called(graph: CodeGraph, count: int = 5) -> list[tuple[str, int]]:
    """The functions with the most callers."""
    callers = Counter(target for _, _, target in graph.edges("calls"))
    return [(graph.qualified_name(node), number) for node, number in callers.most_common(count)]


def never_used(graph: CodeGraph, count: int = 5) -> list[str]:
    """Private functions that nothing in the graph calls, references or imports: candidates for removal."""
    used = {target for _, _, target in graph.edges("calls", "references", "imports")}
    private = (node for node in graph.nodes("Function") if (node.name or "").startswith("_"))
    unused = [node for node in private if node.id not in used and not node.name.endswith("__")]
    return [f"{node.qualified_name}  {node.file_path}:{node.start_line}" for node in unused[:count]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", help="an installed package or a folder")
    parser.add_argument("--output", type=Path, default=Path("code-graph"), help="a new folder for the results")
    args = parser.parse_args()

    graph = build_code_graph(source_folder(args.package))
    print(f"{graph.num_nodes} nodes, {graph.num_edges} edges: {graph.counts()}")
    for problem in graph.diagnostics[:3]:
        print(f"  {problem.path}: {problem.message}")

    print("most called:", *(f"\n  {number:>5}  {name}" for name, number in most_called(graph)))
    print("private and never used:", *(f"\n  {each}" for each in never_used(graph)))

    largest = max(graph.nodes("Class", "Function"), key=lambda node: (node.end_line or 0) - (node.start_line or 0))
    context = graph.subgraph(graph.cgm_nodes(largest))
    print(f"what CGM would read around {largest.qualified_name}: {context.num_nodes} nodes")
    print("its sentence begins:", repr(node_sentence(largest)[:70]))

    args.output.mkdir(parents=True)
    graph.save(args.output / "graph.json.gz")
    save_rows(graph, args.output / "rows")  # datasets.load_dataset("…/rows", "nodes")
    save_page(graph, args.output / "graph.html")
    print(f"saved to {args.output}: graph.json.gz, rows/ and graph.html (open it in a browser)")


if __name__ == "__main__":
    main()

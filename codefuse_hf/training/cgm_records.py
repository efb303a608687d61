"""Records that CGM is trained on: a code graph, a prompt, an answer. In and out of Hugging Face `datasets`.

The graph stands in its JSON form in one column of text, so that a record is plain JSON, any `datasets` format holds it
(Parquet, JSON Lines, Arrow), and a graph costs nothing before it is needed.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import datasets

from codefuse_hf.graph import CodeGraph

FEATURES = datasets.Features(
    {
        "graph": datasets.Value("large_string"),
        "prompt": datasets.Value("large_string"),
        "answer": datasets.Value("large_string"),
        "task": datasets.Value("string"),
        "repository": datasets.Value("string"),
        "anchors": datasets.List(datasets.Value("int64")),
        "options": datasets.List(datasets.Value("string")),
    }
)
"""Columns of a record. `task`: what is asked. `repository`: where the graph is from, to hold out by. `anchors`: ids of the
nodes that go first into the budget. `options`: the answers to choose from, if there are any."""
_DEFAULTS: dict[str, Any] = {"repository": "", "anchors": [], "options": []}


def make_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """Check a record and complete it to the columns of `FEATURES`; the graph may be a `CodeGraph`, a dictionary or JSON.

    Raises:
        ValueError: a missing or unknown key, an empty answer, or a graph that is none.
        TypeError: a text that is no text.
    """
    missing = [key for key in FEATURES if key not in record and key not in _DEFAULTS]
    unknown = sorted(set(record) - set(FEATURES))
    if missing or unknown:
        found = f"no {missing[0]!r}" if missing else f"an unknown {unknown[0]!r}"
        raise ValueError(f"a record for CGM has {found}: expected {', '.join(FEATURES)}")
    made = {**_DEFAULTS, **record, "graph": graph_json(record["graph"])}
    for key in ("prompt", "answer", "task", "repository"):
        if not isinstance(made[key], str):
            raise TypeError(f"a record's {key!r} must be text, found {type(made[key]).__name__}")
    if not made["answer"].strip():
        raise ValueError(f"a record of the task {made['task']!r} has an empty answer, from which nothing can be learnt")
    return {key: made[key] for key in FEATURES}


def graph_json(graph: CodeGraph | Mapping[str, Any] | str) -> str:
    """Return the JSON of a graph, after checking that it is one.

    Raises:
        ValueError: what is given holds no graph; says where.
    """
    if isinstance(graph, CodeGraph):
        return graph.to_json()
    if not isinstance(graph, str):
        graph = json.dumps(graph, ensure_ascii=False)
    CodeGraph.from_json(graph)
    return graph


def records_dataset(records: Iterable[Mapping[str, Any]]) -> datasets.Dataset:
    """Make a data set of records, each checked and completed as by `make_record`."""
    return datasets.Dataset.from_list([make_record(record) for record in records], features=FEATURES)

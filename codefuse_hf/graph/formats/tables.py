"""Code graphs as Hugging Face data sets and as folders of Parquet or JSON lines, both ways.

A graph is two tables, `nodes` and `edges`, whose columns are the keys of the JSON schema; a field that a node
does not have is null. What was wrong while it was built, if anything, is a third, `diagnostics`. On the Hub and in a folder they are
configurations of one data set:

    push_to_hub(graph, "me/my-code-graph")
    graph = CodeGraph.from_dataset({name: load_dataset("me/my-code-graph", name, split="train") for name in ("nodes", "edges")})

datasets and pyarrow are imported when they are needed.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from codefuse_hf.files import replacing_folder
from codefuse_hf.graph.arrays import EXTRA, LANGUAGES, NO_NUMBER
from codefuse_hf.graph.formats.json import diagnostic_of
from codefuse_hf.graph.schema import EDGE_TYPES, FIELDS, NODE_TYPES, Diagnostic, Field, FieldKind, NodeType

if TYPE_CHECKING:
    import datasets
    import pyarrow

    from codefuse_hf.graph.code_graph import CodeGraph

TABLES = ("nodes", "edges")
DIAGNOSTICS = "diagnostics"
FORMATS = ("parquet", "jsonl")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_BATCH = 10_000  # rows turned into Arrow at a time


def to_dataset(graph: "CodeGraph") -> "dict[str, datasets.Dataset]":
    """Makes the graph as data sets, `{"nodes": …, "edges": …}` and where there are some `"diagnostics"`, held in memory; each can be saved
    and pushed as usual."""
    import datasets

    return {name: datasets.Dataset(table) for name, table in _tables(graph).items()}


def read_tables(
    tables: Mapping[str, Iterable[Mapping[str, Any]]],
) -> tuple[Iterator[dict], Iterable[Mapping], list[Diagnostic]]:
    """Reads the node records, the edges and the diagnostics of data sets (or any iterables of rows), see `CodeGraph.from_dataset`."""
    missing = [name for name in TABLES if name not in tables]
    if missing:
        raise ValueError(f"expected the tables 'nodes' and 'edges', found {', '.join(map(repr, tables)) or 'none'}")
    return map(_record_of_row, tables["nodes"]), tables["edges"], list(map(diagnostic_of, tables.get(DIAGNOSTICS, ())))


def push_to_hub(graph: "CodeGraph", repo_id: str, **options: Any) -> None:
    """Uploads the graph as a data set with the configurations `nodes` and `edges`, and `diagnostics` where there are some.

    `options` are those of `datasets.Dataset.push_to_hub` (`private`, `token`, `revision`, `commit_message`, …).
    """
    for name, table in to_dataset(graph).items():
        table.push_to_hub(repo_id, config_name=name, split="train", **options)


def save_rows(graph: "CodeGraph", folder: str | os.PathLike, file_format: str = "parquet") -> None:
    """Writes the graph as a data-set folder: its tables as Parquet or JSON lines, and the card that names them.

    `datasets.load_dataset(folder, "nodes")` reads it, and so does `CodeGraph.load`. The folder must be new or empty.
    """
    if file_format not in FORMATS:
        raise ValueError(f"file_format must be one of {', '.join(FORMATS)}, found {file_format!r}")
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty: choose a new folder")
    with replacing_folder(folder) as partial:
        tables = _tables(graph)
        for name, table in tables.items():
            path = partial / f"{name}.{file_format}"
            if file_format == "parquet":
                import pyarrow.parquet

                pyarrow.parquet.write_table(table, path)
            else:
                with path.open("w", encoding="utf-8", newline="\n") as file:
                    for batch in table.to_batches(_BATCH):
                        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in batch.to_pylist())
        (partial / "README.md").write_text(_card(tables, file_format), encoding="utf-8")


def read_rows(folder: str | os.PathLike) -> dict[str, Iterator[dict[str, Any]]]:
    """Reads the tables in a folder that `save_rows` wrote, row by row. OSError where files are missing, ValueError where wrong."""
    folder = Path(folder)
    has_diagnostics = any((folder / f"{DIAGNOSTICS}.{each}").exists() for each in FORMATS)
    return {name: _rows(folder, name) for name in (*TABLES, DIAGNOSTICS)[: 3 if has_diagnostics else 2]}


def _rows(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    parquet, lines = folder / f"{name}.parquet", folder / f"{name}.jsonl"
    if parquet.exists():
        import pyarrow
        import pyarrow.parquet

        try:
            for batch in pyarrow.parquet.ParquetFile(parquet).iter_batches(_BATCH):
                yield from batch.to_pylist()
        except pyarrow.ArrowInvalid as error:
            raise ValueError(f"{parquet} is not a Parquet file: {error}") from None
    elif lines.exists():
        with lines.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                try:
                    yield json.loads(line)
                except json.JSONDecodeError as error:
                    raise ValueError(f"{lines}, line {number}: not JSON ({error.msg})") from None
    else:
        raise FileNotFoundError(f"{folder} has neither {parquet.name} nor {lines.name}")


def _tables(graph: "CodeGraph") -> "dict[str, pyarrow.Table]":
    import pyarrow

    schema = pyarrow.schema(
        [("id", pyarrow.int64()), ("nodeType", pyarrow.string())]
        + [(key, _arrow_type(field)) for key, field in _used_keys(graph).items()]
        + ([(EXTRA, pyarrow.large_string())] if EXTRA in graph.arrays.texts else [])
    )
    known, records = set(schema.names), graph.records()
    batches = []
    while chunk := list(islice(records, _BATCH)):
        rows = [_row_of_record(record, known) for record in chunk]
        try:
            batches.append(pyarrow.RecordBatch.from_pylist(rows, schema))
        except UnicodeEncodeError:
            batches.append(pyarrow.RecordBatch.from_pylist([_encodable(row) for row in rows], schema))
    arrays = graph.arrays
    edge_names = np.array([each.value for each in EDGE_TYPES])
    edges = {
        "edgeType": pyarrow.array(edge_names[arrays.edge_types], pyarrow.string()),
        "source": arrays.ids[arrays.sources],
        "target": arrays.ids[arrays.targets],
    }
    tables = {"nodes": pyarrow.Table.from_batches(batches, schema), "edges": pyarrow.table(edges)}
    if graph.diagnostics:
        columns = [
            ("path", pyarrow.string()),
            ("kind", pyarrow.string()),
            ("message", pyarrow.string()),
            ("line", pyarrow.int32()),
        ]
        rows = [_encodable(asdict(each)) for each in graph.diagnostics]
        tables[DIAGNOSTICS] = pyarrow.Table.from_pylist(rows, pyarrow.schema(columns))
    return tables


def _used_keys(graph: "CodeGraph") -> dict[str, Field]:
    """The keys that some node of the graph has, with their fields, in schema order."""
    arrays = graph.arrays
    used: dict[str, Field] = {}
    for type_code, language_code in np.unique(np.stack([arrays.types, arrays.languages]), axis=1).T.tolist():
        alike = (arrays.types == type_code) & (arrays.languages == language_code)
        for field in FIELDS[NODE_TYPES[type_code]]:
            if field.column in arrays.texts:
                present = arrays.texts[field.column].lengths[alike] >= 0
            elif field.column in arrays.numbers:
                present = arrays.numbers[field.column][alike] != NO_NUMBER
            else:
                continue
            if present.any():
                used.setdefault(field.key(LANGUAGES[language_code]), field)
    return used


def _arrow_type(field: Field) -> "pyarrow.DataType":
    import pyarrow

    # large: the source of a big repository passes the 2 GiB that a column of plain strings may hold
    return pyarrow.int32() if field.kind is FieldKind.NUMBER else pyarrow.large_string()


def _row_of_record(record: dict[str, Any], known: set[str]) -> dict[str, Any]:
    """A record as a row: values that are any JSON, and keys outside the schema, become JSON text."""
    row, extra = {}, {}
    json_keys = _JSON_KEYS.get(record["nodeType"], ())
    schema_keys = _SCHEMA_KEYS[record["nodeType"]]
    for key, value in record.items():
        if key in json_keys:
            row[key] = json.dumps(value, ensure_ascii=False)
        elif key in schema_keys and key in known:
            row[key] = value
        else:
            extra[key] = value
    if extra:
        row[EXTRA] = json.dumps(extra, ensure_ascii=False)
    return row


def _encodable(row: dict[str, Any]) -> dict[str, Any]:
    """A row without lone surrogates, which Arrow's UTF-8 cannot hold: each becomes U+FFFD."""
    fixed = {}
    for key, value in row.items():
        is_text = isinstance(value, str)
        fixed[key] = _LONE_SURROGATE.sub("\ufffd", value) if is_text else value
    return fixed


def _record_of_row(row: Mapping[str, Any]) -> dict[str, Any]:
    record = {key: value for key, value in row.items() if value is not None and key != EXTRA}
    try:
        for key in _JSON_KEYS.get(record.get("nodeType", ""), ()):
            if isinstance(record.get(key), str):
                record[key] = json.loads(record[key])
        extra = json.loads(row[EXTRA]) if row.get(EXTRA) is not None else {}
    except json.JSONDecodeError as error:
        raise ValueError(f"node {record.get('id')}: a column of JSON text holds none ({error.msg})") from None
    return {**extra, **record}


_JSON_KEYS: dict[str, tuple[str, ...]] = {
    node_type.value: keys
    for node_type in NodeType
    if (keys := tuple(f.default_key for f in FIELDS[node_type] if f.kind is FieldKind.JSON))
}
_SCHEMA_KEYS: dict[str, frozenset[str]] = {
    t.value: frozenset({"id", "nodeType", *(key for f in FIELDS[t] for key in (f.default_key, *f.spellings.values()))})
    for t in NodeType
}


def _card(tables: "Mapping[str, pyarrow.Table]", file_format: str) -> str:
    """The card of the folder: which file is which table, and the type of every column."""
    lines = ["---", "configs:"]
    for name in tables:
        lines += [f"- config_name: {name}", "  data_files:", "  - split: train", f"    path: {name}.{file_format}"]
    lines += ["dataset_info:"]
    for name, table in tables.items():
        lines += [f"- config_name: {name}", "  features:"]
        for column in table.schema:
            lines += [f"  - name: {column.name}", f"    dtype: {column.type}"]
    counts = ", ".join(f"{table.num_rows} {name}" for name, table in tables.items())
    return "\n".join([*lines, "tags:", "- code-graph", "---", "", "# Code graph", "", f"{counts}.", ""])

"""An exported folder as data: its manifest, and the files of its graphs."""

import json
from pathlib import Path
from typing import Any

MANIFEST = "export.json"
EXPORT_FORMATS = ("onnx", "openvino", "executorch", "dynamo")


def is_exported(folder: str | Path) -> bool:
    """Tell whether a folder holds an exported model."""
    return (Path(folder) / MANIFEST).is_file()


def graph_files(folder: Path) -> list[Path]:
    """List the files of an exported folder's graphs, with the weights that lie beside them.

    Raises:
        ValueError, OSError: as `read_manifest`.
    """
    stems = {Path(entry["file"]).stem for entry in read_manifest(folder)["components"].values()}
    return sorted(path for path in folder.iterdir() if path.is_file() and path.name.split(".")[0] in stems)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read what an exported folder says of its graphs.

    Raises:
        ValueError: no such folder, or a manifest that cannot be right.
    """
    if not is_exported(folder):
        raise ValueError(f"{folder} is not an exported model: it has no {MANIFEST}. Make one with codefuse-hf export")
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files = [entry["file"] for entry in manifest["components"].values()]
        known = manifest["export_format"] in EXPORT_FORMATS
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise ValueError(f"{folder / MANIFEST} is not the manifest of an exported model: {error!r}") from error
    if not known or not all(isinstance(file, str) and Path(file).name == file for file in files):
        raise ValueError(f"{folder / MANIFEST} names an unknown format or files outside of the folder")
    for file in files:
        if not (folder / file).is_file():
            raise FileNotFoundError(f"{folder} lacks {file}, which its {MANIFEST} names")
    return manifest

"""Import and inheritance edges against what the running interpreter says, per installed package.

For each package a process of its own imports every module and writes down facts. *Inheritance*: the `__bases__` and the
`__mro__` of every class that a module or class body defines, as far as the bases are defined in the package. *Imports*:
every import statement of every file, wherever it stands, is resolved by the interpreter (`importlib`, `getattr`): to a
module's file, or to the function or class that the name is bound to, followed through `__init__` files to where it is
written. A statement that the interpreter cannot resolve (a missing optional package) asks for nothing.

The graph is built from the source alone. An import edge is right when a statement of its file names its target, or a file
on the way to it (`import a.b` also runs `a/__init__.py`); a statement is found when an edge leads to the definition it
binds, or, for constants and modules, to the file.

    python benchmarks/graph_imports_inheritance.py [--packages networkx click] [--differences 20]
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import functools
import gc
import importlib
import importlib.util
import inspect
import io
import json
import os
import subprocess
import sys
import tempfile
import types
import typing
import warnings
from collections.abc import Iterator
from pathlib import Path

from graph_common import RESULTS, build_package_graph, environment_facts, python_files, write_result
from graph_names import module_name
from graph_runtime_recall import package_root

PACKAGES = (
    "networkx",
    "sklearn",
    "mpmath",
    "joblib",
    "pygments",
    "rich",
    "jinja2",
    "click",
    "huggingface_hub",
    "fontTools",
    "pyparsing",
)
NOT_IMPORTED = {"__main__.py", "setup.py", "conftest.py"}


class Facts:
    """What the interpreter says about one package; paths are relative to the folder that holds the package."""

    def __init__(self, package: str) -> None:
        self.base = package_root(package).resolve().parent
        self.paths = {str(file.relative_to(self.base).as_posix()): file for file in python_files(self.base / package)}
        self.trees = {path: self._parse(file) for path, file in self.paths.items()}
        self.files = {module_name(path): path for path in self.paths}
        self.classes = {path: dict(class_lines(tree)) for path, tree in self.trees.items()}
        self.modules: dict[str, types.ModuleType] = {}
        self.failed: list[str] = []

    @staticmethod
    def _parse(file: Path) -> ast.Module:
        try:
            return ast.parse(file.read_bytes())
        except (SyntaxError, ValueError):
            return ast.Module(body=[], type_ignores=[])

    def load(self, name: str) -> types.ModuleType | None:
        """Import a module; None when that fails."""
        if name not in self.modules:
            try:
                with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                    self.modules[name] = importlib.import_module(name)
            except BaseException:  # a module may do anything on import, also exit
                self.modules[name] = None
        return self.modules[name]

    def collect(self) -> dict:
        """All facts as plain data."""
        bases, mros, ambiguous = {}, {}, 0
        for name, path in self.files.items():
            if Path(path).name in NOT_IMPORTED:
                continue
            module = self.load(name)
            if module is None:
                self.failed.append(path)
                continue
            for qualname, lines in self.classes[path].items():
                cls = attribute(module, qualname)
                if not isinstance(cls, type) or (cls.__module__, cls.__qualname__) != (name, qualname):
                    continue
                if len(lines) > 1 or forgets_bases(cls):
                    ambiguous += 1
                    continue
                key = f"{path}:{qualname}"
                bases[key] = [found for base in written_bases(cls) if (found := self.class_key(base))]
                mros[key] = [found for base in lineage(cls) if (found := self.class_key(base))]
        imports = {path: self.imports(path) for path in self.paths}
        return {"bases": bases, "mros": mros, "ambiguous": ambiguous, "imports": imports, "failed": self.failed}

    def class_key(self, cls: type) -> str | None:
        """`path:qualname` of a class that the package's source defines."""
        path = self.files.get(cls.__module__)
        return f"{path}:{cls.__qualname__}" if path and cls.__qualname__ in self.classes[path] else None

    def definition(self, value: object) -> str | None:
        """`path:qualname` of a function or class that the package's source defines."""
        if isinstance(value, type):
            return self.class_key(value)
        with contextlib.suppress(Exception):
            value = inspect.unwrap(value)
        if isinstance(value, types.FunctionType):
            file = Path(value.__code__.co_filename)
            with contextlib.suppress(ValueError, OSError):
                path = file.resolve().relative_to(self.base).as_posix()
                if path in self.trees and "<" not in value.__code__.co_qualname:
                    return f"{path}:{value.__code__.co_qualname}"
        return None

    def origin(self, path: str, name: str, seen: set | None = None) -> Iterator[str]:
        """Files and definitions that a name of a file may lead to, by the source alone."""
        seen = set() if seen is None else seen
        if (path, name) in seen:
            return
        seen.add((path, name))
        yield path
        definitions, imported = self.bindings(path)
        if name in definitions:
            yield f"{path}:{name}"
        for module, original in [*imported.get(name, ()), *((module, name) for module, _ in imported.get("*", ()))]:
            source, submodule = self.files.get(module), self.files.get(f"{module}.{original}")
            if source:
                yield from self.origin(source, original, seen)
            if submodule:
                yield submodule

    @functools.cache  # noqa: B019 - one object per process
    def bindings(self, path: str) -> tuple[set[str], dict[str, list[tuple[str, str]]]]:
        """Names that a file defines, and for each name it imports the modules and names it comes from."""
        definitions: set[str] = set()
        imported: dict[str, list[tuple[str, str]]] = {}
        for node in ast.walk(self.trees[path]):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                definitions.add(node.name)
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    imported.setdefault(alias.asname or alias.name, []).append((self.absolute(path, node), alias.name))
        return definitions, imported

    def absolute(self, path: str, node: ast.ImportFrom) -> str:
        """Absolute name of the module that a `from` statement reads."""
        if not node.level:
            return node.module or ""
        package = module_name(path) if path.endswith("__init__.py") else module_name(path).rpartition(".")[0]
        with contextlib.suppress(ImportError):
            return importlib.util.resolve_name("." * node.level + (node.module or ""), package)
        return ""

    def imports(self, path: str) -> dict[str, list]:
        """`needed`: for each imported name the targets of which one must be there; `allowed`: all targets that are right."""
        needed, allowed = [], set()
        for node in ast.walk(self.trees[path]):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    parts = alias.name.split(".")
                    allowed.update(
                        filter(None, (self.files.get(".".join(parts[:end])) for end in range(1, len(parts) + 1)))
                    )
                    if alias.name in self.files and self.load(alias.name) is not None:
                        needed.append([self.files[alias.name]])
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    wanted, right = self.from_import(self.absolute(path, node), alias.name)
                    allowed |= right
                    if wanted - {path}:
                        needed.append(sorted(wanted))
        return {"needed": needed, "allowed": sorted(allowed - {path})}

    @functools.cache  # noqa: B019 - one object per process
    def from_import(self, module: str, name: str) -> tuple[set[str], set[str]]:
        """Targets of one imported name: (those of which one is needed, all that are right)."""
        if module.split(".")[0] not in self.files:
            return set(), set()
        parts = module.split(".")
        right = {
            self.files[parent] for end in range(1, len(parts) + 1) if (parent := ".".join(parts[:end])) in self.files
        }
        loaded = self.load(module)
        source = self.files.get(module)
        if name == "*":
            public = (
                getattr(loaded, "__all__", None) or [key for key in vars(loaded or object) if key[0] != "_"]
                if loaded
                else []
            )
            for key in public:
                right |= self.from_import(module, key)[1]
            return ({source} if source and loaded else set()), right
        right |= set(self.origin(source, name)) if source else set()
        submodule = self.files.get(f"{module}.{name}")
        if submodule:
            right.add(submodule)
        if loaded is None:
            return set(), right
        if not hasattr(loaded, name):
            return ({submodule} if submodule and self.load(f"{module}.{name}") else set()), right
        value = getattr(loaded, name)
        if isinstance(value, types.ModuleType):
            target = self.files.get(value.__name__)
            return ({target} if target else set()), right | ({target} if target else set())
        target = self.definition(value)
        if target is not None:
            right |= {target, target.partition(":")[0]}
            if (
                target.rpartition(":")[2].split(".")[-1] == name
                or any(item.endswith(f":{name}") for item in right) is False
            ):
                return {target}, right
        parents = {
            self.files[parent] for end in range(1, len(parts)) if (parent := ".".join(parts[:end])) in self.files
        }
        return right - (parents - {source}), right


def class_lines(tree: ast.AST, prefix: str = "") -> dict[str, list[int]]:
    """Lines of the class statements outside of functions, by qualified name."""
    found: dict[str, list[int]] = {}
    pending = [(node, prefix) for node in ast.iter_child_nodes(tree)]
    while pending:
        node, scope = pending.pop()
        if isinstance(node, ast.ClassDef):
            found.setdefault(scope + node.name, []).append(node.lineno)
            scope = f"{scope}{node.name}."
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            pending.extend((child, scope) for child in ast.iter_child_nodes(node))
    return found


def forgets_bases(cls: type) -> bool:
    """Whether a class was written with bases that the interpreter no longer knows: a TypedDict before Python 3.12."""
    return issubclass(cls, dict) and hasattr(cls, "__total__") and "__orig_bases__" not in vars(cls)


def written_bases(cls: type) -> set[type]:
    """Direct bases; a TypedDict or NamedTuple forgets those it was written with in `__bases__`, not in `__orig_bases__`."""
    written = {typing.get_origin(base) or base for base in vars(cls).get("__orig_bases__", ())}
    return {*cls.__bases__, *(base for base in written if isinstance(base, type))}


def lineage(cls: type) -> set[type]:
    """Everything in the `__mro__` but the class itself, and the lineage of bases that the `__mro__` forgets."""
    found = set(cls.__mro__[1:])
    for base in written_bases(cls):
        found |= {base, *lineage(base)} if base not in found else set()
    return found


def attribute(module: types.ModuleType, qualname: str) -> object:
    """Value of a dotted name in a module, None where it is missing; classes are looked up without running descriptors."""
    value: object = module
    for part in qualname.split("."):
        value = vars(value).get(part) if isinstance(value, (types.ModuleType, type)) else None
    return value


def compare(found: set, right: set) -> dict:
    """Counts, precision and recall of two sets."""
    return {
        "found": len(found),
        "expected": len(right),
        "precision": round(len(found & right) / len(found), 4) if found else 1.0,
        "recall": round(len(found & right) / len(right), 4) if right else 1.0,
    }


def ancestors(parents: dict[str, list[str]], key: str) -> set[str]:
    """Everything reachable over `parents`."""
    found, pending = set(), list(parents.get(key, ()))
    while pending:
        item = pending.pop()
        if item not in found:
            found.add(item)
            pending.extend(parents.get(item, ()))
    return found


def measure(package: str, facts: dict, differences: int) -> dict:
    """Compare the graph of a package with the facts."""
    index = build_package_graph(package_root(package))

    def key(node: int) -> str:
        path = index.path_of(node)
        return path if index.kind(node) == "File" else f"{path}:{index.names[node][len(module_name(path)) + 1 :]}"

    parents: dict[str, list[str]] = {}
    imports: dict[str, set[str]] = {}
    for kind, source, target in index.edges:
        if kind in ("extends", "implements"):
            parents.setdefault(key(source), []).append(key(target))
        elif kind == "imports":
            imports.setdefault(key(source), set()).add(key(target) if target in index.names else f"other:{target}")
    found_bases = {(cls, base) for cls in facts["bases"] for base in parents.get(cls, ())}
    # A base of the class's own name (`class Color(namedtuple("Color", …))`) has no statement of its own.
    right_bases = {(cls, base) for cls, bases in facts["bases"].items() for base in bases if base != cls}
    found_mro = {(cls, base) for cls in facts["mros"] for base in ancestors(parents, cls)}
    right_mro = {(cls, base) for cls, bases in facts["mros"].items() for base in bases if base != cls}
    found = right = needed = met = 0
    wrong, missed = [], []
    for path, item in facts["imports"].items():
        targets, allowed = imports.get(path, set()), set(item["allowed"])
        found += len(targets)
        right += len(targets & allowed)
        wrong += [(path, target) for target in sorted(targets - allowed)]
        for wanted in item["needed"]:
            needed += 1
            if targets & set(wanted):
                met += 1
            else:
                missed.append((path, wanted))
    if differences:
        show("extends, wrong", sorted(found_bases - right_bases), differences)
        show("extends, missed", sorted(right_bases - found_bases), differences)
        show("imports, wrong", wrong, differences)
        show("imports, missed", missed, differences)
    return {
        "files": len(facts["imports"]),
        "modules_not_importable": len(facts["failed"]),
        "classes": len(facts["bases"]),
        "classes_left_out": facts["ambiguous"],
        "extends": compare(found_bases, right_bases),
        "ancestors": compare(found_mro, right_mro),
        "imports": {
            "found": found,
            "expected": needed,
            "precision": round(right / found, 4) if found else 1.0,
            "recall": round(met / needed, 4) if needed else 1.0,
            "right": right,
            "met": met,
        },
    }


def show(title: str, items: list, limit: int) -> None:
    """Print the first differences."""
    if items:
        print(f"{title}: {len(items)}", *items[:limit], sep="\n    ")


def table(results: dict[str, dict]) -> str:
    """The results as a Markdown table."""
    rows = [
        "| package | files | imports: precision | recall | extends: precision | recall | ancestors: precision | recall |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for package, item in results.items():
        cells = [
            f"{item[kind][figure]:.4f}"
            for kind in ("imports", "extends", "ancestors")
            for figure in ("precision", "recall")
        ]
        rows.append(f"| {package} | {item['files']} | {' | '.join(cells)} |")
    return "\n".join(rows)


def totals(results: dict[str, dict]) -> dict:
    """Precision and recall over all packages together."""
    found = {}
    for kind in ("imports", "extends", "ancestors"):
        items = [item[kind] for item in results.values()]
        given, expected = sum(item["found"] for item in items), sum(item["expected"] for item in items)
        right = sum(item.get("right", round(item["precision"] * item["found"])) for item in items)
        met = sum(item.get("met", round(item["recall"] * item["expected"])) for item in items)
        found[kind] = {
            "found": given,
            "expected": expected,
            "precision": round(right / max(given, 1), 4),
            "recall": round(met / max(expected, 1), 4),
        }
    return found


def main() -> None:
    """Collect facts in one process per package, then compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packages", nargs="+", default=list(PACKAGES))
    parser.add_argument("--differences", type=int, default=0, help="print that many differences of each kind")
    parser.add_argument("--output", type=Path, default=RESULTS / "graph_imports_inheritance.json")
    parser.add_argument("--facts", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.facts:
        warnings.simplefilter("ignore")
        gc.disable()  # the syntax trees of a whole package are kept anyway
        facts = Facts(options.facts).collect()
        options.output.write_text(json.dumps(facts))
        os._exit(0)  # imported modules may have started threads
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for package in options.packages:
            file = Path(folder, f"{package}.json")
            command = [sys.executable, __file__, "--facts", package, "--output", str(file)]
            with contextlib.suppress(subprocess.TimeoutExpired):
                subprocess.run(command, check=False, timeout=600, cwd=folder, stdout=subprocess.DEVNULL)
            if not file.is_file():
                print(f"{package}: no facts, the process that imports it died or did not end", file=sys.stderr)
                continue
            results[package] = measure(package, json.loads(file.read_text()), options.differences)
            print(json.dumps({package: results[package]}))
    print(table(results))
    write_result(options.output, {**environment_facts(options.packages), "all": totals(results), "packages": results})


if __name__ == "__main__":
    main()

"""Dotted names of the nodes of a code graph given as JSON records, and its edges in those names.

A function's dotted name is its module and what contains it: `package.module.Class.method`, `module.outer.inner`; the
k-th lambda of a scope is `<lambdak>`, as in the labels of the programs. Attributes and fields are no scopes: a lambda
inside one belongs to the scope around it.
"""

from __future__ import annotations

import collections
from collections.abc import Mapping
from functools import cached_property

CALLABLES = ("Function", "Method", "Lambda")
SCOPES = ("File", "Class", *CALLABLES)


class GraphIndex:
    """Look-ups over `{"nodes": […], "edges": […]}` as a code graph writes it."""

    def __init__(self, graph: Mapping) -> None:
        self.records = {node["id"]: node for node in graph["nodes"]}
        self.edges = [(edge["edgeType"], edge["source"], edge["target"]) for edge in graph["edges"]]
        self.parents = {target: source for kind, source, target in self.edges if kind == "contains"}

    def kind(self, node: int) -> str:
        """`nodeType` of a node."""
        return self.records[node]["nodeType"]

    def scope_of(self, node: int) -> int | None:
        """The file, class or function that the node stands in; None outside of files."""
        parent = self.parents.get(node)
        while parent is not None and self.kind(parent) not in SCOPES:
            parent = self.parents.get(parent)
        return parent

    def file_of(self, node: int) -> int | None:
        """The File node that the node stands in, or is."""
        found: int | None = node
        while found is not None and self.kind(found) != "File":
            found = self.parents.get(found)
        return found

    def path_of(self, node: int) -> str:
        """Path of the node's file, `/`-separated, relative to the repository; empty outside of files."""
        file = self.file_of(node)
        if file is None:
            return ""
        record = self.records[file]
        folder = record.get("filePath", record.get("path"))
        return "/".join(part for part in (folder, record.get("fileName", record.get("name"))) if part and part != ".")

    @cached_property
    def names(self) -> dict[int, str]:
        """Dotted names of all files, classes and callables; several nodes may share one (a redefinition does)."""
        lambdas: dict[int, list[int]] = collections.defaultdict(list)
        for node, record in self.records.items():
            if record["nodeType"] == "Lambda":
                lambdas[self.scope_of(node)].append(node)
        numbers = {}
        for group in lambdas.values():
            group.sort(key=lambda node: (self.records[node]["startLoc"], self.records[node]["col"]))
            numbers.update({node: f"<lambda{number}>" for number, node in enumerate(group, 1)})
        found: dict[int, str] = {}

        def name(node: int) -> str:
            if node not in found:
                record = self.records[node]
                if record["nodeType"] == "File":
                    found[node] = module_name(self.path_of(node))
                else:
                    own = numbers.get(node) or record.get("className") or record.get("methodName") or record["name"]
                    found[node] = f"{name(self.scope_of(node))}.{own}"
            return found[node]

        for node, record in self.records.items():
            if record["nodeType"] in SCOPES:
                name(node)
        return found

    def calls(self) -> set[tuple[str, str]]:
        """All calls as (caller, callee) pairs of dotted names."""
        return {(self.names[a], self.names[b]) for kind, a, b in self.edges if kind == "calls"}

    def targets(self, kind: str) -> dict[int, set[int]]:
        """Targets of each node's edges of one type."""
        found: dict[int, set[int]] = collections.defaultdict(set)
        for edge_kind, source, target in self.edges:
            if edge_kind == kind:
                found[source].add(target)
        return found


def module_name(path: str) -> str:
    """Dotted module name of a path: `pack/__init__.py` is `pack`."""
    parts = path.removesuffix(".py").split("/")
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)

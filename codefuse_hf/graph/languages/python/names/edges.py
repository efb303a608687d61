"""Edges that names alone tell: imports, base classes, and uses of classes, functions and attributes by name."""

from __future__ import annotations

from collections.abc import Iterator

from codefuse_hf.graph.languages.base import Ref
from codefuse_hf.graph.languages.python.names.modules import Entity
from codefuse_hf.graph.languages.python.names.names import Names

Edge = tuple[str, Ref, Ref]


def name_edges(names: Names, path: str) -> Iterator[Edge]:
    """Lists the edges that begin in one file."""
    yield from import_edges(names, path)
    yield from class_edges(names, path)
    yield from reference_edges(names, path)


def entity_ref(names: Names, entity: Entity) -> Ref | None:
    """Returns the node of an entity; None for what has none (namespace packages, things outside the project)."""
    if entity.kind in ("namespace", "external"):
        return None
    return Ref(entity.place, names.definition(entity))


def import_edges(names: Names, path: str) -> Iterator[Edge]:
    """Lists the edges from a file to the module it imports from, and to each class, function or attribute it imports by name."""
    source = Ref(path, 0)
    for statement in names.facts[path].imports:
        module = names.module_of(path, statement)
        if module is None:
            continue
        targets = [module]
        if statement.name == "*":
            if module.kind == "module":
                public = names.public(module.place)
                targets += [entity for name in public for entity in names.exported(module.place, name)]
        elif statement.name is not None:
            targets += names.member(module, statement.name)
        for entity in targets:
            target = entity_ref(names, entity)
            if target is None or target == source:
                continue
            if entity.kind != "attribute":
                yield "imports", source, target
                continue
            yield "references", source, target  # the schema lets files import files, classes and functions
            if target.path != path:
                yield "imports", source, Ref(target.path, 0)


def class_edges(names: Names, path: str) -> Iterator[Edge]:
    """Lists the edges from a class to each base class of the project."""
    classes = names.facts[path].classes
    for index in classes.present():
        for base in names.bases(path, index):
            target = entity_ref(names, base)
            if target is not None:
                yield "extends", Ref(path, classes.definition(index)), target


def reference_edges(names: Names, path: str) -> Iterator[Edge]:
    """Uses of names that mean a class, a function or an attribute."""
    numbers = iter(names.facts[path].references)
    for caller, variable in zip(numbers, numbers, strict=True):
        for entity in names.entities(path, variable):
            if entity.kind in ("class", "function", "attribute"):
                target = entity_ref(names, entity)
                if target is not None and target != (path, caller):
                    yield "references", Ref(path, caller), target

"""Edges that names alone tell: imports, and calls inside of a file, of what is imported, and of what has the only such qualified name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from codefuse_hf.graph.languages.base import FileFacts, Ref
from codefuse_hf.graph.languages.outline.names import ProjectNames
from codefuse_hf.graph.languages.outline.table import Callee, Outline


def find_edges(
    project: Mapping[str, FileFacts], outlines: Mapping[str, Outline], metadata: Mapping[str, str]
) -> Iterator[tuple[str, Ref, Ref]]:
    """Finds the edges between the files of a project; a call of which it is not clear what it calls has none."""
    names = ProjectNames(project, outlines, metadata)
    for path in names.files:
        yield from _File(names, path).edges()


_SEVERAL_WORDS = re.compile(r"[a-z0-9][A-Z]|_|^[A-Z]")
"""Names that a class outside of the project hardly has as well; of `get` or `size`, in a class that has such a base, nobody can say whose it is."""


class _File:
    """One file with the names it has imported."""

    def __init__(self, names: ProjectNames, path: str):
        self.names, self.path = names, path
        self.facts, self.outline = names.files[path], names.outlines[path]
        self.imported, self.bindings = names.imported(path)

    def edges(self) -> Iterator[tuple[str, Ref, Ref]]:
        """The edges that begin in the file."""
        file = Ref(self.path, 0)
        for binding in self.imported:
            for path in binding.paths:
                if path != self.path:
                    yield "imports", file, Ref(path, 0)
            if binding.member or binding.dotted:
                for ref in self.names.meant(binding, ()):
                    if ref.path != self.path:
                        yield "imports", file, ref
                        yield "imports", file, Ref(ref.path, 0)
        yield from self.inheritance()
        for caller, callee, size in self.facts.calls:
            called = self.called(caller, callee, size)
            if called is not None:
                yield "calls", Ref(self.path, caller), called

    def inheritance(self) -> Iterator[tuple[str, Ref, Ref]]:
        """The edges from classes to what they name as their bases and interfaces, where it is clear which classes these are."""
        for named, scope, base in self.facts.supers:
            below = Ref(self.path, named) if isinstance(named, int) else self.names.class_ref(self.path, scope, named)
            above = self.names.class_ref(self.path, scope, base)
            if below is not None and above is not None and below != above:
                is_interface = above.index in self.names.files[above.path].interfaces
                implements = is_interface and below.index not in self.names.files[below.path].interfaces
                yield ("implements" if implements else "extends"), below, above

    def called(self, caller: int, callee: Callee, size: int) -> Ref | None:
        """The function that a call means."""
        parts = callee.parts
        if callee.makes:
            parts = (*parts, self.outline.constructor or parts[-1])
        if parts[0] == "self":
            owner = self.facts.names[caller] if caller in self.facts.classes else self.facts.owners[caller]
            if len(parts) != 2 or not owner:
                return None
            name = parts[1] if parts[1] != "self" else owner.rpartition(".")[2]
            found = self.names.exact(self.names.full(self.path, f"{owner}.{name}"))
            return self.names.one(found or self.names.inherited(self.path, owner, name)[0], self.path, size)
        if parts[0] == "super":
            return self.above(caller, parts[1:], size)
        return self.by_scope(caller, parts, size)

    def above(self, caller: int, parts: tuple[str, ...], size: int) -> Ref | None:
        """The function of a base that a call means, without a name that of the caller's own name."""
        owner = self.facts.owners[caller]
        if len(parts) > 1 or not owner:
            return None
        name = parts[0] if parts else self.facts.names[caller].rpartition(".")[2]
        return self.names.one(self.names.inherited(self.path, owner, name)[0], self.path, size)

    def by_scope(self, caller: int, parts: tuple[str, ...], size: int) -> Ref | None:
        """The function that a name means: of the innermost scope that has it, else imported, else the only one of the project."""
        names, facts, dotted = self.names, self.facts, ".".join(parts)
        index, may_be_inherited = caller, False
        scope = facts.names[caller]
        while True:
            is_own = index and facts.names[index] == scope
            is_class = scope and (not is_own or index in facts.classes) and scope not in facts.namespaces
            if self.outline.own or not is_class or len(parts) > 1:
                found = names.exact(names.full(self.path, f"{scope}.{dotted}" if scope else dotted))
                if is_class and not found and len(parts) == 1:
                    found, is_known = names.inherited(self.path, scope, dotted)
                    may_be_inherited |= not is_known and not _SEVERAL_WORDS.search(dotted)
                if may_be_inherited and not is_class:  # of the same file still, not of the whole package
                    found = [ref for ref in found if ref.path == self.path]
                if found:
                    return names.one(found, self.path, size)
            if is_own:
                if parts[0] in facts.locals.get(index, ()):
                    return None
                index = facts.parents[index]
            if not scope:
                break
            scope = scope.rpartition(".")[0]
        if parts[0] in self.bindings:
            return names.one(names.meant(self.bindings[parts[0]], parts[1:]), self.path, size)
        if may_be_inherited:
            return None
        module = names.modules[self.path]
        while module and self.outline.by_tail:  # names of the packages around, and of the project as a whole
            module = module.rpartition(".")[0]
            if found := names.exact(f"{module}.{dotted}" if module else dotted):
                return names.one(found, self.path, size)
        return names.one(names.tail(parts), self.path, size) if self.outline.by_tail else None

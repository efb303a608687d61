"""What dotted names mean in a project whose files were read by a table."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping

from codefuse_hf.graph.languages.base import FileFacts, Ref
from codefuse_hf.graph.languages.outline.reading import OutlineFacts
from codefuse_hf.graph.languages.outline.table import Binding, Import, Outline

_MOST_STEPS = 12
_MOST_BASES = 40


class ProjectNames:
    """All definitions of the project by their full dotted names.

    Attributes:
        files: facts by path.
        metadata: texts of the files that the languages' descriptions name, by path.
        modules: what the names of a file's definitions begin with for others, by path.
        by_module: the files of each module.
        folders: the files in each folder.
        all_taken: packages of which every file has all names (`global using` in C#).
    """

    def __init__(self, project: Mapping[str, FileFacts], outlines: Mapping[str, Outline], metadata: Mapping[str, str]):
        self.files: dict[str, OutlineFacts] = {path: file.facts for path, file in project.items()}
        self.metadata = metadata
        self.outlines = {path: outlines[file.language] for path, file in project.items()}
        self.modules = {path: self.outlines[path].module(path, facts.package) for path, facts in self.files.items()}
        self.folders: dict[str, list[str]] = {}
        self._named: dict[str, list[str]] = {}
        self.by_module: dict[str, list[str]] = {}
        self._exact: dict[str, list[Ref]] = {}
        self._tails: dict[str, list[str]] = {}
        self._known: set[str] = set()
        self._classes: dict[str, set[str]] = {}
        self._bases: dict[str, list[tuple[str, str, str]]] = {}
        self.all_taken = [
            each.target for facts in self.files.values() for each in facts.imports if each.kind == "everywhere"
        ]
        self._imported: dict[str, tuple[list[Binding], dict[str, Binding]]] = {}
        self._above: dict[str, tuple[list[str], bool]] = {}
        for path, facts in self.files.items():
            folder, _, name = path.rpartition("/")
            self.folders.setdefault(folder, []).append(path)
            self._named.setdefault(name, []).append(path)
            self.by_module.setdefault(self.modules[path], []).append(path)
            for index, name in enumerate(facts.names[1:], 1):
                full = self.full(path, name)
                if full not in self._exact:
                    self._exact[full] = []
                    self._tails.setdefault(full.rpartition(".")[2], []).append(full)
                self._exact[full].append(Ref(path, index))
                if index in facts.classes:
                    last = name.rpartition(".")[2]
                    self._known.add(last)
                    self._classes.setdefault(last, set()).add(full)
            for name, bases in facts.bases.items():
                self._bases.setdefault(self.full(path, name), []).extend((path, name, base) for base in bases)
            self._known.update(name.rpartition(".")[2] for name in (*facts.namespaces, self.modules[path]))

    def named(self, name: str) -> list[str]:
        """Returns the files with this name, in any folder."""
        return self._named.get(name, [])

    def full(self, path: str, name: str) -> str:
        """Returns the dotted name of a definition for the whole project."""
        module = self.modules[path]
        return f"{module}.{name}" if module and name else module or name

    def is_function(self, ref: Ref) -> bool:
        """Tells functions from classes and attributes."""
        return self.files[ref.path].sizes[ref.index] >= 0

    def is_of_object(self, ref: Ref) -> bool:
        """Tells whether a definition is a member of what is one object (`object Box` in Scala, beside the class of that name)."""
        facts = self.files[ref.path]
        return facts.parents[ref.index] in facts.objects

    def exact(self, dotted: str) -> list[Ref]:
        """Returns the definitions with this full name."""
        return self._exact.get(dotted, [])

    def tail(self, parts: tuple[str, ...]) -> list[Ref]:
        """Returns the definitions whose full name ends in a qualified name, if they all have the same, and what qualifies it is of the project."""
        if len(parts) < 2 or parts[-2] not in self._known:
            return []
        ending = "." + ".".join(parts)
        found = [full for full in self._tails.get(parts[-1], ()) if f".{full}".endswith(ending)]
        return self._exact[found[0]] if len(found) == 1 else []

    def one(self, found: Iterable[Ref], path: str, size: int = -1) -> Ref | None:
        """Returns the one function among definitions that a call in the file `path` with so many arguments can mean; None where it is not clear."""
        found = [ref for ref in found if self.is_function(ref)]
        near = [ref for ref in found if ref.path == path]
        found = near or [ref for ref in found if ref.index not in self.files[ref.path].private]
        if size > 0 and self.outlines[path].own:  # JavaScript and PHP take what is too much
            found = [ref for ref in found if self.files[ref.path].sizes[ref.index]]
        if len(found) > 1:
            found = [ref for ref in found if self.files[ref.path].sizes[ref.index] == size]
        return found[0] if len(found) == 1 else None

    def members(self, path: str, name: str) -> list[Ref]:
        """Returns the definitions that a file offers under a name, where it says so (`export`) those of other files."""
        found: list[Ref] = []
        pending, seen = [(path, name)], set()
        while pending and len(seen) < _MOST_STEPS:
            step = pending.pop()
            if step in seen:
                continue
            seen.add(step)
            at, wanted = step
            facts = self.files[at]
            found += [Ref(at, index) for index, each in enumerate(facts.names) if index and each == wanted]
            first, _, rest = wanted.partition(".")
            for each in facts.imports:
                if each.kind == "export" and each.name in (first, "*"):
                    member = ".".join(filter(None, (first if each.name == "*" else each.member, rest)))
                    for target in self.targets(at, each) if each.target else (at,):
                        pending.append((target, member))
        return found

    def targets(self, path: str, each: Import) -> tuple[str, ...]:
        """Returns the files that an import leads to."""
        find = self.outlines[path].find_imports
        return () if find is None else tuple(p for _, binding in find(self, path, each) for p in binding.paths)

    def imported(self, path: str) -> tuple[list[Binding], dict[str, Binding]]:
        """Returns all that a file imports, and what the names stand for that it has by that."""
        if path not in self._imported:
            everything: list[Binding] = []
            by_name: dict[str, Binding] = {}
            find = self.outlines[path].find_imports
            for each in self.files[path].imports if find is not None else ():
                for name, binding in find(self, path, each):
                    everything.append(binding)
                    if name and each.kind != "export":
                        by_name[name] = binding
            self._imported[path] = everything, by_name
        return self._imported[path]

    def inherited(self, path: str, scope: str, name: str) -> tuple[list[Ref], bool]:
        """Finds what a class, called `scope` in its file, has from others under a name: the definitions, and whether all that it has members from is known."""
        above, is_known = self.above(self.full(path, scope))
        for each in above:
            if found := [ref for ref in self.exact(f"{each}.{name}") if not self.is_of_object(ref)]:
                return found, True
        return [], is_known

    def above(self, full: str) -> tuple[list[str], bool]:
        """Lists what a class has its members from, the nearest first, by full names; and tells whether that is all."""
        if full not in self._above:
            order, is_known = [full], True
            for each in order:  # it grows
                for path, scope, base in self._bases.get(each, ()):
                    found = self.class_meant(path, scope, base)
                    is_known &= found is not None
                    if found is not None and found not in order and len(order) < _MOST_BASES:
                        order.append(found)
            self._above[full] = order[1:], is_known
        return self._above[full]

    def class_meant(self, path: str, scope: str, base: str) -> str | None:
        """Finds the full name of the class that is called so where the class `scope` begins; None for one that is not of the project, or not clear."""
        last = base.rpartition(".")[2]
        known = self._classes.get(last, ())
        if base.startswith("."):
            return base[1:] if base[1:] in known else None
        own, around = self.full(path, scope), scope
        while around:
            around = around.rpartition(".")[0]
            full = self.full(path, f"{around}.{base}" if around else base)
            if full in known and full != own:
                return full
        first, _, rest = base.partition(".")
        if (binding := self.imported(path)[1].get(first)) is not None:
            refs = self.meant(binding, tuple(rest.split(".")) if rest else ())
            found = {self.full(ref.path, self.files[ref.path].names[ref.index]) for ref in refs}
        else:
            found = set(itertools.islice(self._classes_seen(path, base, known), 3)) - {own}  # two are already not clear
        return found.pop() if len(found) == 1 else None

    def _classes_seen(self, path: str, base: str, known: Collection[str]) -> Iterator[str]:
        """The classes that a file may mean by a name that it neither defines nor imports: of packages around its own, and of those of which it takes
        all; a qualified name may be the end of the full one. Where files are included, any class of the project."""
        by_import = self.outlines[path].by_import
        if by_import is None or "." in base:
            yield from (full for full in known if f".{full}".endswith(f".{base}"))
        elif not by_import:
            places = [
                self.modules[path],
                *self.all_taken,
                *(i.target for i in self.files[path].imports if i.member == "*"),
            ]
            while places[0]:
                places.insert(0, places[0].rpartition(".")[0])
            yield from (full for place in dict.fromkeys(places) if (full := f"{place}.{base}".lstrip(".")) in known)

    def class_ref(self, path: str, scope: str, name: str) -> Ref | None:
        """Returns the class that is called so where the class `scope` begins; None where it is not clear which it is."""
        full = self.class_meant(path, scope, name)
        found = (
            [
                ref
                for ref in self.exact(full)
                if ref.index in self.files[ref.path].classes and ref.index not in self.files[ref.path].objects
            ]
            if full
            else []
        )
        found = [ref for ref in found if ref.path == path] or found
        return found[0] if len(found) == 1 else None

    def meant(self, binding: Binding, rest: tuple[str, ...]) -> list[Ref]:
        """Returns the definitions that an imported name, with further parts, stands for."""
        parts = ".".join(filter(None, (binding.member, *rest)))
        if binding.dotted:
            return self.exact(".".join(filter(None, (binding.dotted, parts))))
        return [ref for path in binding.paths for ref in self.members(path, parts)]

"""What dotted names mean in a project whose files were read by a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from codefuse_hf.graph.languages.base import FileFacts, Ref
from codefuse_hf.graph.languages.outline.reading import OutlineFacts
from codefuse_hf.graph.languages.outline.table import Binding, Import, Outline

_MOST_STEPS = 12


class ProjectNames:
    """All definitions of the project by their full dotted names.

    Attributes:
        files: facts by path.
        metadata: texts of the files that the languages' descriptions name, by path.
        modules: what the names of a file's definitions begin with for others, by path.
        by_module: the files of each module.
        folders: the files in each folder.
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
                    self._known.add(name.rpartition(".")[2])
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

    def meant(self, binding: Binding, rest: tuple[str, ...]) -> list[Ref]:
        """Returns the definitions that an imported name, with further parts, stands for."""
        parts = ".".join(filter(None, (binding.member, *rest)))
        if binding.dotted:
            return self.exact(".".join(filter(None, (binding.dotted, parts))))
        return [ref for path in binding.paths for ref in self.members(path, parts)]

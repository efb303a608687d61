"""Modules, imported names and classes across files: what a dotted name stands for, and each class's method resolution order.

This part needs no data flow: a name is followed through imports, re-exports, plain aliases and star imports to the definitions it stands for.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import NamedTuple

from codefuse_hf.graph.languages.python_facts import ImportFacts, PythonFacts

SUFFIXES = (".py", ".pyi", ".pyw")


class Entity(NamedTuple):
    """What a name stands for. `kind`: module (index 0), class, function (index into the file's facts), attribute (definition), namespace, external.

    `place` is the file's path, the folder of a namespace package, or the dotted name of something outside the project.
    """

    kind: str
    place: str
    index: int


class Modules:
    """Finds modules the way the interpreter would, for every plausible entry of `sys.path` inside the project."""

    def __init__(self, paths: list[str], root_name: str = ""):
        self.paths = set(paths)
        self.folders: set[str] = {""}
        for path in paths:
            folder = path.rpartition("/")[0]
            while folder not in self.folders:
                self.folders.add(folder)
                folder = folder.rpartition("/")[0]
        self.root_name = root_name
        self._homes: dict[str, list[str]] = {}
        for folder in sorted(self.folders, key=lambda f: (f.count("/"), f)):
            if folder:
                self._homes.setdefault(folder.rpartition("/")[2], []).append(folder.rpartition("/")[0])
        for path in sorted(paths, key=lambda p: (p.count("/"), p)):
            folder, _, name = path.rpartition("/")
            stem = name.rsplit(".", 1)[0]
            homes = self._homes.setdefault(stem, [])
            if stem != "__init__" and folder not in homes:
                homes.append(folder)
        self._roots: dict[tuple[str, str], str | None] = {}

    def is_package(self, folder: str) -> bool:
        return self.file(_join(folder, "__init__")) is not None

    def file(self, stem: str) -> str | None:
        for suffix in SUFFIXES:
            if stem + suffix in self.paths:
                return stem + suffix
        return None

    def at(self, location: str) -> Entity | None:
        """The module or package at a `/`-separated path without suffix; a package wins over a module of the same name."""
        found = self.file(_join(location, "__init__")) or (self.file(location) if location else None)
        if found is not None:
            return Entity("module", found, 0)
        return Entity("namespace", location, 0) if location in self.folders else None

    def root(self, folder: str, top: str) -> str | None:
        """The folder in which an absolute import of `top` from a file in `folder` finds it."""
        key = (folder, top)
        if key not in self._roots:
            self._roots[key] = self._find_root(folder, top)
        return self._roots[key]

    def _find_root(self, folder: str, top: str) -> str | None:
        homes = self._homes.get(top)
        if not homes:
            return None
        # Inside a package absolute names do not look beside the file; a root that is a package itself serves its own scripts only.
        proper = [h for h in homes if not self.is_package(h) or (h == folder == "")]
        if top in sys.stdlib_module_names:
            # Only a script's own folder comes before the standard library.
            proper = [h for h in proper if h == folder and not self.is_package(h)]
        found = [h for h in proper if (entity := self.at(_join(h, top))) is not None and entity.kind == "module"]
        for candidates in (found, proper):
            ancestors = [h for h in candidates if h == "" or folder == h or folder.startswith(h + "/")]
            if ancestors:
                return max(ancestors, key=len)
            if candidates:
                return candidates[0]
        return None

    def resolve(self, importer: str, level: int, module: str) -> Entity | None:
        """The module that `from {'.' * level}{module} import …` in the file `importer` names; None outside the project."""
        folder = importer.rpartition("/")[0]
        if level:
            for _ in range(level - 1):
                if not folder:
                    return None
                folder = folder.rpartition("/")[0]
            return self.at(_join(folder, module.replace(".", "/"))) if module else self.at(folder)
        if not module:
            return None
        parts = module.split(".")
        home = self.root(folder, parts[0])
        if home is not None:
            return self.at(_join(home, "/".join(parts)))
        if parts[0] == self.root_name and self.is_package(""):
            return self.at("/".join(parts[1:]))
        return None

    def child(self, entity: Entity, name: str) -> Entity | None:
        """The submodule `name` of a package."""
        if entity.kind == "namespace":
            return self.at(_join(entity.place, name))
        folder, _, file = entity.place.rpartition("/")
        return self.at(_join(folder, name)) if file.startswith("__init__.") else None


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder and name else folder or name


class Names:
    """Follows names to definitions over the facts of all files.

    Answers do not depend on which questions came before, circles of imports, star imports and base classes included: an answer found from inside a
    circle is kept for the question that it was found for only, and never built upon.
    """

    def __init__(self, facts: Mapping[str, PythonFacts], root_name: str = ""):
        self.facts = dict(facts)
        self.modules = Modules(list(facts), root_name)
        self._memo: dict[tuple[str, int], tuple[Entity, ...]] = {}
        self._open: set[tuple] = set()
        self._cut = self._circular_reads = 0
        self._circular: set[tuple[str, int]] = set()
        self._circular_classes: set[tuple[str, int]] = set()
        self._circular_stars: set[str] = set()
        self._imports: dict[tuple[str, int], Entity | None] = {}
        self._mro: dict[tuple[str, int], tuple[tuple[str, int], ...]] = {}
        self._external: dict[tuple[str, int], tuple[str, ...]] = {}
        self._builtin: dict[str, dict[int, str]] = {}
        self._stars: dict[str, tuple[str, ...]] = {}
        self._starred: dict[str, dict[str, tuple[str, int]]] = {}
        for path in facts:
            self._stars[path] = tuple(self._star_targets(path))

    def replace(self, path: str, facts: PythonFacts, moved: Mapping[int, int]) -> None:
        """Takes in another version of a file in which names mean the same; `moved` tells where each definition is now."""
        self.facts[path] = facts
        self._builtin.pop(path, None)
        self._circular = {key for key in self._circular if key[0] != path}
        for key, found in list(self._memo.items()):
            if key[0] == path:
                del self._memo[key]
            elif any(entity.kind == "attribute" and entity.place == path for entity in found):
                self._memo[key] = tuple(
                    [
                        e._replace(index=moved[e.index]) if e.kind == "attribute" and e.place == path else e
                        for e in found
                    ]
                )
        for place, names in self._starred.items():
            for name, (owner, _) in names.items():
                if owner == path:
                    self._starred[place][name] = path, facts.exports[name]

    # -- variables and names ---------------------------------------------------------------------------------------------------

    def entities(self, path: str, variable: int) -> tuple[Entity, ...]:
        """What a variable of a file stands for, as far as names alone tell."""
        key = (path, variable)
        known = self._memo.get(key)
        if known is not None:
            self._circular_reads += key in self._circular
            return known
        if key in self._open:
            self._cut += 1
            self._circular_reads += 1
            return ()
        self._open.add(key)
        cut, reads = self._cut, self._circular_reads
        found = tuple(dict.fromkeys(self._entities(path, variable)))
        self._open.discard(key)
        if self._circular_reads != reads:
            # The order depends on where the circle was entered.
            found = tuple(sorted(found, key=self._definition))
        # What was found while a cycle was cut short may be incomplete; only the outermost question keeps its answer.
        if self._cut == cut or not self._open:
            self._memo[key] = found
            if self._circular_reads != reads:
                self._circular.add(key)
        if not self._open:
            self._cut = 0
        return found

    def _definition(self, entity: Entity) -> tuple[str, str, int]:
        """Where an entity is defined, whatever number it goes by."""
        index = entity.index
        if entity.kind == "class":
            index = self.facts[entity.place].classes[index].definition
        elif entity.kind == "function":
            index = self.facts[entity.place].functions[index].definition
        return entity.kind, entity.place, index

    def _entities(self, path: str, variable: int) -> list[Entity]:
        facts = self.facts[path]
        origin = facts.origins.get(variable)
        if origin is None:
            name = self.free_names(path).get(variable)
            if name is None:
                return []
            found = self.exported(path, name)
            return list(found) if found else [Entity("external", f"builtins.{name}", 0)]
        kind = origin[0]
        if kind == "phi":
            return [entity for part in origin[1] for entity in self.entities(path, part)]
        if kind == "import":
            return self.imported(path, facts.imports[origin[1]])
        return [Entity(kind, path, origin[1])]

    def free_names(self, path: str) -> dict[int, str]:
        """Variables of names that the module does not bind itself: built-in, or from a star import."""
        known = self._builtin.get(path)
        if known is None:
            facts = self.facts[path]
            known = self._builtin[path] = {v: n for n, v in facts.cells.items() if n not in facts.exports}
        return known

    def imported(self, path: str, statement: ImportFacts) -> list[Entity]:
        """What an import statement binds its name to."""
        module = self.module_of(path, statement)
        if statement.name is None:
            if (module is not None and not statement.whole and "." in statement.module) or (
                module is None and not statement.whole
            ):
                module = self.modules.resolve(path, 0, statement.module.split(".")[0])
            if module is not None:
                return [module]
            return [Entity("external", statement.module if statement.whole else statement.module.split(".")[0], 0)]
        if module is None:
            return [
                Entity("external", f"{statement.module}.{statement.name}" if statement.module else statement.name, 0)
            ]
        return list(self.member(module, statement.name))

    def module_of(self, path: str, statement: ImportFacts) -> Entity | None:
        return self.modules.resolve(path, statement.level, statement.module)

    def member(self, entity: Entity, name: str) -> tuple[Entity, ...]:
        """What `entity.name` stands for."""
        if entity.kind == "external":
            return (Entity("external", f"{entity.place}.{name}", 0),)
        if entity.kind == "module":
            child = self.modules.child(entity, name)
            if child is not None and child.kind == "module" and name not in self.facts[entity.place].exports:
                return (child,)
            found = self.exported(entity.place, name)
            if found:
                return found
            return (child,) if child is not None else ()
        if entity.kind == "namespace":
            child = self.modules.child(entity, name)
            return (child,) if child is not None else ()
        if entity.kind == "class":
            for place, index in self.mro(entity.place, entity.index):
                facts = self.facts[place].classes[index]
                if name in facts.namespace:
                    found = self.entities(place, facts.namespace[name])
                    if not found and name in facts.attributes:
                        return (Entity("attribute", place, facts.attributes[name]),)
                    return found
        return ()

    def exported(self, path: str, name: str) -> tuple[Entity, ...]:
        """What a module's name stands for, through star imports too."""
        variable = self.export(path, name)
        return self.entities(*variable) if variable is not None else ()

    def export(self, path: str, name: str) -> tuple[str, int] | None:
        """The file and variable that hold a module's name."""
        variable = self.facts[path].exports.get(name)
        if variable is not None:
            return path, variable
        return self._starred_names(path).get(name) if self._stars[path] else None

    def _starred_names(self, path: str) -> dict[str, tuple[str, int]]:
        """Every name that a module gets from its star imports; later ones win."""
        known = self._starred.get(path)
        if known is not None:
            return known
        order, is_circular = self._star_order(path)
        tables: dict[str, dict[str, tuple[str, int]]] = {place: {} for place in order}
        for _ in range(len(order) if is_circular else 1):
            before = {place: dict(table) for place, table in tables.items()} if is_circular else None
            for place in order:
                for target in self._stars[place]:
                    tables[place].update(self._public_names(target, tables.get(target)))
            if tables == before:
                break
        if is_circular:
            self._starred[path] = tables[path]
            self._circular_stars.add(path)
        else:
            self._starred.update(tables)
        return tables[path]

    def _star_order(self, path: str) -> tuple[list[str], bool]:
        """The modules that a module's star imports need, targets first, and whether some of them form a circle."""
        order: list[str] = []
        is_circular, open_paths, seen = False, {path}, {path}
        stack = [(path, iter(self._stars[path]))]
        while stack:
            place, targets = stack[-1]
            target = next(targets, None)
            if target is None:
                stack.pop()
                open_paths.discard(place)
                order.append(place)
            elif target in open_paths:
                is_circular = True
            elif target not in seen and (target not in self._starred or target in self._circular_stars):
                seen.add(target)
                open_paths.add(target)
                stack.append((target, iter(self._stars[target])))
        return order, is_circular

    def _public_names(self, path: str, starred: dict[str, tuple[str, int]] | None) -> dict[str, tuple[str, int]]:
        facts = self.facts[path]
        if starred is None:
            starred = self._starred.get(path, {})
        names = {**starred, **{name: (path, variable) for name, variable in facts.exports.items()}}
        if facts.public is not None:
            return {name: names[name] for name in facts.public if name in names}
        return {name: place for name, place in names.items() if not name.startswith("_")}

    def _star_targets(self, path: str) -> list[str]:
        targets = []
        for statement in self.facts[path].imports:
            if statement.name == "*":
                module = self.module_of(path, statement)
                if module is not None and module.kind == "module" and module.place != path:
                    targets.append(module.place)
        return targets

    def path_entities(self, path: str, dotted: tuple[int, tuple[str, ...]] | None) -> tuple[Entity, ...]:
        """What `(variable, attribute names)` stands for."""
        if dotted is None or not dotted[0]:
            return ()
        found = self.entities(path, dotted[0])
        for name in dotted[1]:
            found = tuple(dict.fromkeys(part for entity in found for part in self.member(entity, name)))
        return found

    # -- classes -----------------------------------------------------------------------------------------------------------------

    def bases(self, path: str, index: int) -> list[Entity]:
        """What a class's bases stand for: classes of the project and external names, in order."""
        facts = self.facts[path].classes[index]
        result = []
        for base in facts.bases:
            for entity in self.path_entities(path, base):
                if entity.kind in ("class", "external") and not (
                    entity.kind == "class" and (entity.place, entity.index) == (path, index)
                ):
                    result.append(entity)
        return list(dict.fromkeys(result))

    def mro(self, path: str, index: int) -> tuple[tuple[str, int], ...]:
        """The project's classes in method resolution order (C3); where that does not exist, depth first."""
        key = (path, index)
        known = self._mro.get(key)
        if known is not None:
            return known
        # Iterative: post-order over bases, so that a chain of thousands of classes does not recurse.
        stack: list[tuple[tuple[str, int], list[tuple[str, int]] | None]] = [(key, None)]
        open_classes: set[tuple[str, int]] = set()
        orders: dict[tuple[str, int], tuple[tuple[str, int], ...]] = {}
        is_circular = False

        def order(place: tuple[str, int]) -> tuple[tuple[str, int], ...] | None:
            return orders.get(place) or (None if place in self._circular_classes else self._mro.get(place))

        while stack:
            current, parents = stack.pop()
            if parents is None:
                if order(current) is not None:
                    continue
                open_classes.add(current)
                entities = self.bases(*current)
                self._external[current] = tuple(e.place for e in entities if e.kind == "external")
                parents = [(e.place, e.index) for e in entities if e.kind == "class"]
                stack.append((current, parents))
                is_circular = is_circular or any(p in open_classes for p in parents)
                stack.extend((p, None) for p in parents if p not in open_classes)
                continue
            open_classes.discard(current)
            orders[current] = _linearize(current, [order(p) or (p,) for p in parents], parents)
        if is_circular:
            self._mro[key] = orders[key]
            self._circular_classes.add(key)
        else:
            self._mro.update(orders)
        return self._mro[key]

    def external_bases(self, path: str, index: int) -> tuple[str, ...]:
        """Dotted names of the classes outside the project that a class inherits from, directly or through the project's classes."""
        return tuple(name for place in self.mro(path, index) for name in self._external.get(place, ()))


def _linearize(own: tuple[str, int], orders: list[tuple], parents: list[tuple]) -> tuple:
    sequences = [list(order) for order in orders] + [list(parents)]
    result = [own]
    while any(sequences):
        sequences = [s for s in sequences if s]
        tails = {item for s in sequences for item in s[1:]}
        head = next((s[0] for s in sequences if s[0] not in tails), None)
        if head is None:  # no consistent order: Python would refuse the class
            rest = dict.fromkeys(item for s in sequences for item in s)
            return tuple(dict.fromkeys([*result, *rest]))
        if head != own:
            result.append(head)
        for s in sequences:
            if s[0] == head:
                del s[0]
    return tuple(dict.fromkeys(result))

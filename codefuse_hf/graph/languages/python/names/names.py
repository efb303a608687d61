"""Modules, imported names and classes across files: what a dotted name stands for, and each class's method resolution order.

This part needs no data flow: a name is followed through imports, re-exports, plain aliases and star imports to the definitions it stands for.

So that a change costs what it touches, what is looked up on the way can be put on record, by file; python/update/name_changes.py uses this to find what has
another meaning after a change. What is read has one of these ids:

    ("at", location)        the module or package at a place, or that there is none
    ("root", folder, top)   where absolute imports of `top` in that folder begin
    (path, name)            what a module's name is bound to, itself or by a star import, or that it has none
    ("public", path)        the names that a star import of the module takes
    (path, label)           a class's method resolution order
    (path, label, name)     what a name is bound to in a class's body
    ("order", path)         the order of the definitions of a file
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from codefuse_hf.graph.languages.python.names.modules import Entity, Modules, Record
from codefuse_hf.graph.languages.python.names.stubs import behind_stub, sources_of_stubs
from codefuse_hf.graph.languages.python.reading.facts import ClassFacts, ImportFacts, PythonFacts


class Names:
    """Follows names to definitions over the facts of all files.

    Answers do not depend on which questions came before, circles of imports, star imports and base classes included: an answer found from inside a
    circle is kept for the question that it was found for only, and never built upon.

    With `keep`, what each file reads of others is on record: `readers` has the files by what they read. An answer to a question about a variable of a
    file itself has its reads in `variable_reads`; whoever asks what another module's name means reads that name and not what it hangs on in turn.

    The number of an attribute is its definition in the version of the file that was read first, and stays when it moves: see `definition`.
    """

    def __init__(
        self,
        facts: Mapping[str, PythonFacts],
        root_name: str = "",
        keep: bool = False,
        packages: Mapping[str, str] = {},
    ):
        self.facts = dict(facts)
        self.record = Record(keep)
        self.modules = Modules(list(facts), root_name, self.record, packages)
        self.readers: dict[tuple, list[str]] = {}
        self.noted: dict[str, set[tuple]] = {}
        self.variable_reads: dict[str, dict[int, tuple[tuple, ...]]] = {}
        self.base_reads: dict[str, dict[int, tuple[tuple, ...]]] = {}
        self.star_reads: dict[str, list[tuple]] = {}
        self.attributes: dict[str, AttributeNumbers] = {}
        self.memo: dict[str, dict[int, tuple[Entity, ...]]] = {path: {} for path in facts}
        self._open: set[tuple] = set()
        self._cut = self._circular_reads = 0
        self.circular: dict[str, set[int]] = {}
        self.circular_classes: set[tuple[str, int]] = set()
        self.circular_stars: set[str] = set()
        self.orders: dict[tuple[str, int], tuple[tuple[str, int], ...]] = {}
        self.parents: dict[tuple[str, int], list[tuple[str, int]]] = {}
        self.children: dict[tuple[str, int], set[tuple[str, int]]] = {}
        self.external: dict[tuple[str, int], tuple[str, ...]] = {}
        self.free: dict[str, dict[int, str]] = {}
        self.stars: dict[str, tuple[str, ...]] = {}
        self.star_users: dict[str, set[str]] = {}
        self.starred: dict[str, dict[str, str]] = {}
        self.sources = sources_of_stubs(facts)
        self.stubs = {source: stub for stub, source in self.sources.items()}
        for path in facts:
            self.find_stars(path)

    # -- what is read ------------------------------------------------------------------------------------------------------------

    def read_by(self, reader: str, question: Callable[..., Any], *arguments: Any) -> tuple[Any, list[tuple]]:
        """Returns the answer to a question that a file asks, and what was read for it, which is put on record."""
        outer = self.record.reads
        if outer is None:
            return question(*arguments), []
        reads = self.record.reads = []
        answer = question(*arguments)
        self.record.reads = outer
        self.note(reader, reads)
        return answer, reads

    def note(self, reader: str, reads: Iterable[tuple]) -> None:
        """Puts on record that a file (or a folder that is a namespace package) depends on what has these ids."""
        noted = self.noted.get(reader)
        if noted is None:
            noted = self.noted[reader] = set()
        for each in reads:
            if each not in noted:
                noted.add(each)
                self.readers.setdefault(each, []).append(reader)

    def unread(self, question: Callable[..., Any], *arguments: Any) -> Any:
        """Returns the answer to a question of which only what it keeps itself is put on record."""
        outer = self.record.reads
        self.record.reads = None if outer is None else []
        answer = question(*arguments)
        self.record.reads = outer
        return answer

    def _read(self, *what: Any) -> None:
        if self.record.reads is not None:
            self.record.reads.append(what)

    # -- variables and names ---------------------------------------------------------------------------------------------------

    def entities(self, path: str, variable: int) -> tuple[Entity, ...]:
        """Finds what a variable of a file stands for, as far as names alone tell."""
        outer = self.record.reads
        known = self.memo[path].get(variable)
        if known is not None:
            if self.circular and variable in self.circular.get(path, ()):
                self._circular_reads += 1
            if outer is not None and path in self.variable_reads:
                outer.extend(self.variable_reads[path].get(variable, ()))
            return known
        key = (path, variable)
        if key in self._open:
            self._cut += 1
            self._circular_reads += 1
            return ()
        self._open.add(key)
        cut, circular_reads = self._cut, self._circular_reads
        reads = self.record.reads = None if outer is None else []
        found = tuple(dict.fromkeys(self._entities(path, variable)))
        self.record.reads = outer
        self._open.discard(key)
        is_circular = self._circular_reads != circular_reads
        if is_circular:
            # The order depends on where the circle was entered.
            found = tuple(sorted(found, key=self._definition))
            if reads is not None:
                reads += [("order", e.place) for e in found if e.kind in ("class", "function", "attribute")]
        if reads:
            reads = tuple(dict.fromkeys(reads))
            outer.extend(reads)
        # What was found while a cycle was cut short may be incomplete; only the outermost question keeps its answer.
        if self._cut == cut or not self._open:
            self._remember(key, found, is_circular, reads)
        if not self._open:
            self._cut = 0
        return found

    def _remember(self, key: tuple[str, int], found: tuple[Entity, ...], is_circular: bool, reads: Any) -> None:
        path, variable = key
        self.memo[path][variable] = found
        if is_circular:
            self.circular.setdefault(path, set()).add(variable)
        if reads:
            self.variable_reads.setdefault(path, {})[variable] = reads
            self.note(path, reads)

    def definition(self, entity: Entity) -> int:
        """Returns the number of an entity's definition in the facts of its file."""
        path, index = entity.place, entity.index
        if entity.kind == "class":
            return self.facts[path].classes.definition(index)
        if entity.kind == "function":
            return self.facts[path].functions.definition(index)
        if entity.kind == "attribute" and path in self.attributes:
            return self.attributes[path].definitions[index]
        return index

    def _definition(self, entity: Entity) -> tuple[str, str, int]:
        """Where an entity is defined, whatever number it goes by."""
        return entity.kind, entity.place, self.definition(entity)

    def _attribute(self, path: str, definition: int) -> Entity:
        if path in self.attributes:
            definition = self.attributes[path].numbers[definition]
        return Entity("attribute", path, definition)

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
        if kind == "attribute":
            return [self._attribute(path, origin[1])]
        found = self.behind_stub(path, kind, origin[1]) if path in self.sources else ()
        return list(found) or [Entity(kind, path, origin[1])]

    def behind_stub(self, path: str, kind: str, label: int) -> tuple[Entity, ...]:
        """Returns the definitions of sources that a class or function of a stub stands for, if there are any."""
        return tuple(behind_stub(self, path, kind, label))

    def free_names(self, path: str) -> dict[int, str]:
        """Returns the variables of names that the module does not bind itself: built-in, or from a star import."""
        known = self.free.get(path)
        if known is None:
            facts = self.facts[path]
            known = self.free[path] = {v: n for n, v in facts.cells.items() if n not in facts.exports}
        return known

    def imported(self, path: str, statement: ImportFacts) -> list[Entity]:
        """Finds what an import statement binds its name to."""
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
        """Finds the module that an import statement takes names from."""
        return self.modules.resolve(path, statement.level, statement.module)

    def member(self, entity: Entity, name: str) -> tuple[Entity, ...]:
        """Finds what `entity.name` stands for."""
        if entity.kind == "external":
            return (Entity("external", f"{entity.place}.{name}", 0),)
        if entity.kind == "module":
            child = self.modules.child(entity, name)
            if child is not None and child.kind == "module" and name not in self.facts[entity.place].exports:
                self._read(entity.place, name)
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
                self._read(place, index, name)
                facts = self.class_(place, index)
                if name in facts.namespace:
                    found = self.entities(place, facts.namespace[name])
                    if not found and name in facts.attributes:
                        return (self._attribute(place, facts.attributes[name]),)
                    return found
        return ()

    def own_member(self, entity: Entity, name: str) -> tuple[Entity, ...]:
        """Finds what a name in the body of a class stands for, its bases left out."""
        self._read(entity.place, entity.index, name)
        namespace = self.class_(entity.place, entity.index).namespace
        return self.entities(entity.place, namespace[name]) if name in namespace else ()

    def exported(self, path: str, name: str) -> tuple[Entity, ...]:
        """Finds what a module's name stands for, through star imports too."""
        held = self.export(path, name)
        if held is None:
            return ()
        outer = self.record.reads
        if outer is None:
            return self.entities(*held)
        if held[0] != path:
            outer.append((held[0], name))
        reads = self.record.reads = []
        found = self.entities(*held)
        self.record.reads = outer
        if held[1] not in self.memo[held[0]]:
            outer.extend(reads)  # an answer from inside a circle: what it hangs on is on record nowhere else
        return found

    def export(self, path: str, name: str) -> tuple[str, int] | None:
        """Returns the file and variable that hold a module's name: those of the stub, where only that has it."""
        if self.record.reads is not None:
            self.record.reads.append((path, name))
        variable = self.facts[path].exports.get(name)
        if variable is not None:
            return (
                (self.stubs[path], self.facts[self.stubs[path]].exports[name])
                if self._is_foreign(path, name)
                else (path, variable)
            )
        owner = self.starred_names(path).get(name) if self.stars[path] else None
        if owner is None and path in self.stubs and name in self.facts[self.stubs[path]].exports:
            owner = self.stubs[path]  # what the source makes at run time, or has from a compiled part
        return None if owner is None else (owner, self.facts[owner].exports[name])

    def _is_foreign(self, path: str, name: str) -> bool:
        """Whether a source imports a name from where there is no source, and the stub beside it defines it."""
        if path not in self.stubs:
            return False
        facts, stub = self.facts[path], self.facts[self.stubs[path]]
        here = facts.origins.get(facts.exports[name], ("",))
        there = stub.origins.get(stub.exports.get(name, 0), ("",))
        if here[0] != "import" or there[0] not in ("function", "class"):
            return False
        statement = facts.imports[here[1]]
        return statement.name is not None and self.module_of(path, statement) is None

    def public(self, path: str) -> list[str]:
        """Returns the names that `from module import *` takes, less those that the module has from star imports itself."""
        self._read("public", path)
        facts = self.facts[path]
        return facts.public if facts.public is not None else [n for n in facts.exports if not n.startswith("_")]

    # -- star imports ------------------------------------------------------------------------------------------------------------

    def starred_names(self, path: str) -> dict[str, str]:
        """Lists every name that a module gets from its star imports, with the file that binds it; later ones win."""
        known = self.starred.get(path)
        if known is not None:
            return known
        order, is_circular = self._star_order(path)
        tables: dict[str, dict[str, str]] = {place: {} for place in order}
        for _ in range(len(order) if is_circular else 1):
            before = {place: dict(table) for place, table in tables.items()} if is_circular else None
            for place in order:
                for target in self.stars[place]:
                    tables[place].update(self._public_names(target, tables.get(target)))
            if tables == before:
                break
        if is_circular:
            self.starred[path] = tables[path]
            self.circular_stars.add(path)
        else:
            self.starred.update(tables)
        return tables[path]

    def _star_order(self, path: str) -> tuple[list[str], bool]:
        """The modules that a module's star imports need, targets first, and whether some of them form a circle."""
        order: list[str] = []
        is_circular, open_paths, seen = False, {path}, {path}
        stack = [(path, iter(self.stars[path]))]
        while stack:
            place, targets = stack[-1]
            target = next(targets, None)
            if target is None:
                stack.pop()
                open_paths.discard(place)
                order.append(place)
            elif target in open_paths:
                is_circular = True
            elif target not in seen and (target not in self.starred or target in self.circular_stars):
                seen.add(target)
                open_paths.add(target)
                stack.append((target, iter(self.stars[target])))
        return order, is_circular

    def _public_names(self, path: str, starred: dict[str, str] | None) -> dict[str, str]:
        facts = self.facts[path]
        if starred is None:
            starred = self.starred.get(path, {})
        names = {**starred, **dict.fromkeys(facts.exports, path)}
        if facts.public is not None:
            return {name: names[name] for name in facts.public if name in names}
        return {name: place for name, place in names.items() if not name.startswith("_")}

    def find_stars(self, path: str) -> None:
        """Finds which modules a file imports all names of."""
        statements = self.facts[path].imports.stars()
        if not statements:
            self.stars[path] = ()
            return
        targets, reads = self.read_by(path, lambda: [self.module_of(path, statement) for statement in statements])
        self.stars[path] = tuple([t.place for t in targets if t is not None and t.kind == "module" and t.place != path])
        if self.record.reads is not None:
            self.star_reads[path] = reads
            for target in self.stars[path]:
                self.star_users.setdefault(target, set()).add(path)

    def path_entities(self, path: str, dotted: tuple[int, tuple[str, ...]] | None) -> tuple[Entity, ...]:
        """Finds what `(variable, attribute names)` stands for."""
        if dotted is None or not dotted[0]:
            return ()
        found = self.entities(path, dotted[0])
        for name in dotted[1]:
            found = tuple(dict.fromkeys(part for entity in found for part in self.member(entity, name)))
        return found

    # -- classes -----------------------------------------------------------------------------------------------------------------

    def class_(self, path: str, index: int) -> ClassFacts:
        """Returns the facts of a class that there is."""
        return self.facts[path].classes[index]

    def bases(self, path: str, index: int) -> list[Entity]:
        """Finds what a class's bases stand for: classes of the project and external names, in order."""
        result = []
        for base in self.facts[path].classes.bases(index):
            for entity in self.path_entities(path, base):
                if entity.kind in ("class", "external") and not (
                    entity.kind == "class" and (entity.place, entity.index) == (path, index)
                ):
                    result.append(entity)
        return list(dict.fromkeys(result))

    def mro(self, path: str, index: int) -> tuple[tuple[str, int], ...]:
        """Returns the project's classes in method resolution order (C3); where that does not exist, depth first."""
        key = (path, index)
        self._read(path, index)
        known = self.orders.get(key)
        if known is not None:
            return known
        # Iterative: post-order over bases, so that a chain of thousands of classes does not recurse.
        stack: list[tuple[tuple[str, int], list[tuple[str, int]] | None]] = [(key, None)]
        open_classes: set[tuple[str, int]] = set()
        orders: dict[tuple[str, int], tuple[tuple[str, int], ...]] = {}
        is_circular = False

        def order(place: tuple[str, int]) -> tuple[tuple[str, int], ...] | None:
            return orders.get(place) or (None if place in self.circular_classes else self.orders.get(place))

        while stack:
            current, parents = stack.pop()
            if parents is None:
                if order(current) is not None:
                    continue
                open_classes.add(current)
                parents = self._find_parents(current)
                stack.append((current, parents))
                is_circular = is_circular or any(p in open_classes for p in parents)
                stack.extend((p, None) for p in parents if p not in open_classes)
                continue
            open_classes.discard(current)
            orders[current] = _linearize(current, [order(p) or (p,) for p in parents], parents)
        if is_circular:
            self.orders[key] = orders[key]
            self.circular_classes.add(key)
        else:
            self.orders.update(orders)
        return self.orders[key]

    def _find_parents(self, place: tuple[str, int]) -> list[tuple[str, int]]:
        path, index = place
        entities, reads = self.read_by(path, self.bases, path, index)
        self.external[place] = tuple(e.place for e in entities if e.kind == "external")
        parents = [(e.place, e.index) for e in entities if e.kind == "class"]
        if self.record.reads is not None:
            self.base_reads.setdefault(path, {})[index] = tuple(dict.fromkeys(reads))
            self.parents[place] = parents
            for parent in parents:
                self.children.setdefault(parent, set()).add(place)
        return parents

    def external_bases(self, path: str, index: int) -> tuple[str, ...]:
        """Returns the dotted names of the classes outside the project that a class inherits from, directly or through the project's
        classes."""
        return tuple(name for place in self.mro(path, index) for name in self.external.get(place, ()))


class AttributeNumbers:
    """What the attributes of a file that has changed go by: `numbers` by definition, `definitions` by number."""

    def __init__(self, before: AttributeNumbers | None, size: int, moved: Mapping[int, int], now: Iterable[int]):
        """`moved`: where the definitions before (which were fewer than `size`) are now; `now`: all there are now."""
        old = {} if before is None else before.numbers
        self.numbers = {place: old.get(number, number) for number, place in moved.items()}
        self.free = size if before is None else before.free
        for place in now:
            if place not in self.numbers:
                self.numbers[place] = self.free
                self.free += 1
        self.definitions = {number: place for place, number in self.numbers.items()}


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

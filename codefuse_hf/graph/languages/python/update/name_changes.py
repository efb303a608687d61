"""What has another meaning after a change: which names, classes and modules, and which files have read any of them.

From the bottom up: where modules are, what star imports take, what each name of a changed file is bound to, each compared with what was before; then, without
looking at any answer, everything that was found by reading one of these, and so on. It is forgotten and found again when it is asked for.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import NamedTuple

from codefuse_hf.graph.languages.python.names.names import AttributeNumbers, Names
from codefuse_hf.graph.languages.python.reading.facts import PythonFacts
from codefuse_hf.graph.languages.python.update.labels import (
    NameDescription,
    definition_keys,
    describe_names,
    moved_definitions,
)

ClassPlace = tuple[str, int]
"""A class: path, label."""


class FileChange:
    """One changed, new or removed file: `before` and `now` are its (relabelled) facts or None, `moved` tells where its definitions are now."""

    def __init__(self, before: PythonFacts | None, now: PythonFacts | None):
        self.before, self.now = before, now
        self.old_keys: dict[int, Hashable] = {} if before is None else definition_keys(before)
        self.keys: dict[int, Hashable] = {} if now is None else definition_keys(now)
        self.moved = moved_definitions(self.old_keys, self.keys)
        self.was, self.is_ = _description(before, self.old_keys), _description(now, self.keys)

    def keeps_order(self) -> bool:
        """Tells whether the definitions that are still there follow each other as they did."""
        places = [self.moved[number] for number in sorted(self.moved)]
        return places == sorted(places)


def _description(facts: PythonFacts | None, keys: Mapping[int, Hashable]) -> NameDescription:
    return NameDescription({}, None, {}, []) if facts is None else describe_names(facts, keys)


class NameChanges(NamedTuple):
    """What has changed.

    Attributes:
        readers: the files, removed ones too, and the folders that have read something which is another now, or have changed themselves.
        orders: classes that are new or gone, or whose method resolution order may be another.
        bodies: by class, the names that are bound to something else in its body; None stands for what concerns it as a whole.
    """

    readers: set[str]
    orders: set[ClassPlace]
    bodies: dict[ClassPlace, set[str | None]]


def update_names(names: Names, changes: Mapping[str, FileChange]) -> NameChanges:
    """Takes changed files into `names`, which forgets what may be different now."""
    return _Update(names, changes).run()


class _Update:
    def __init__(self, names: Names, changes: Mapping[str, FileChange]):
        self.names, self.changes = names, changes
        self.result = NameChanges(set(changes), set(), {})
        self.seen: set[tuple] = set()

    def run(self) -> NameChanges:
        names, changes = self.names, self.changes
        added = [path for path, change in changes.items() if change.before is None]
        removed = [path for path, change in changes.items() if change.now is None]
        changed = names.modules.update(added, removed)
        for path, change in changes.items():
            self._replace(path, change)
        changed |= self._star_changes(changed)
        for path, change in changes.items():
            changed |= self._file_changes(path, change)
        self._spread(changed)
        return self.result

    # -- changed files -------------------------------------------------------------------------------------------------------------

    def _replace(self, path: str, change: FileChange) -> None:
        """Puts the facts in place, with what is known of those names that are bound to the same things."""
        names = self.names
        memo, reads = names.memo.pop(path, {}), names.variable_reads.pop(path, {})
        circular = names.circular.pop(path, set())
        names.free.pop(path, None)
        if change.now is None:
            for table in (names.facts, names.attributes):
                table.pop(path, None)
            return
        names.facts[path], names.memo[path] = change.now, {}
        if change.before is None:
            return
        size = max(change.old_keys) + 1
        names.attributes[path] = AttributeNumbers(names.attributes.get(path), size, change.moved, change.keys)
        for name, variable in change.now.exports.items():
            earlier = change.before.exports.get(name)
            if earlier in memo and change.was.exports[name] == change.is_.exports[name]:
                names.memo[path][variable] = memo[earlier]
                if earlier in reads:
                    names.variable_reads.setdefault(path, {})[variable] = reads[earlier]
                if earlier in circular:
                    names.circular.setdefault(path, set()).add(variable)

    def _file_changes(self, path: str, change: FileChange) -> set[tuple]:
        """Ids of what is bound to something else in a changed file; notes what has become of its classes."""
        was, now = change.was, change.is_
        changed: set[tuple] = {(path, name) for name in _differences(was.exports, now.exports)}
        if _public(was) != _public(now):
            changed.add(("public", path))
        if not change.keeps_order():
            changed.add(("order", path))
        dirty = {
            label
            for label in was.classes.keys() | now.classes.keys()
            if label not in was.classes
            or label not in now.classes
            or was.classes[label].bases != now.classes[label].bases
        }
        for label in was.classes.keys() | now.classes.keys():
            if label not in dirty:
                before, after = was.classes[label], now.classes[label]
                altered: set[str | None] = _differences(before.names, after.names)
                if before.rest != after.rest:
                    altered.add(None)
                if altered or was.order != now.order:
                    self.result.bodies[path, label] = altered
                changed |= {(path, label, name) for name in altered if name is not None}
        return changed | self._forget_orders((path, label) for label in dirty)

    # -- star imports --------------------------------------------------------------------------------------------------------------

    def _star_changes(self, modules: set[tuple]) -> set[tuple]:
        """Ids of the names that star imports give another meaning, after changes of `modules`."""
        names = self.names
        again = {reader for each in modules for reader in names.readers.get(each, ())}
        again = {path for path in again if not modules.isdisjoint(names.star_reads.get(path, ()))} | self.changes.keys()
        affected = {path for path in again if self._stars_again(path)}
        for path, change in self.changes.items():
            if change.was.exports.keys() != change.is_.exports.keys() or change.was.public != change.is_.public:
                affected |= names.star_users.get(path, set())
        affected = _closure(affected, names.star_users)
        tables = {path: names.starred.pop(path, {}) for path in affected}
        names.circular_stars -= affected
        changed = set()
        for path, before in tables.items():
            own = names.facts[path].exports if path in names.facts else {}
            now = names.starred_names(path) if names.stars.get(path) else {}
            changed |= {(path, name) for name in _differences(before, now) if name not in own}
        return changed

    def _stars_again(self, path: str) -> bool:
        """Finds the targets of a file's star imports again; whether they are others now."""
        names = self.names
        before = names.stars.pop(path, ())
        names.star_reads.pop(path, None)
        for target in before:
            names.star_users[target].discard(path)
        if path in names.facts:
            names.find_stars(path)
        return names.stars.get(path, ()) != before

    # -- what follows from it --------------------------------------------------------------------------------------------------------

    def _spread(self, changed: set[tuple]) -> None:
        """Forgets everything that was found by reading what has changed."""
        readers = self.names.readers
        while changed:
            self.seen |= changed
            touched = {reader for each in changed for reader in readers.get(each, ())}
            self.result.readers.update(touched)
            following: set[tuple] = set()
            for reader in touched:
                following |= self._forget(reader, changed)
            changed = following - self.seen

    def _forget(self, path: str, changed: set[tuple]) -> set[tuple]:
        """Forgets what a file has found by reading something of `changed`; the ids of what it says to others."""
        names = self.names
        reads = names.variable_reads.get(path, {})
        variables = {variable for variable, each in reads.items() if not changed.isdisjoint(each)}
        found: set[tuple] = set()
        if variables:
            for variable in variables:
                del reads[variable]
                names.memo[path].pop(variable, None)
                names.circular.get(path, set()).discard(variable)
            found = {(path, name) for name, variable in names.facts[path].exports.items() if variable in variables}
        bases = names.base_reads.get(path, {})
        dirty = [label for label, each in bases.items() if not changed.isdisjoint(each)]
        return found | self._forget_orders((path, label) for label in dirty)

    def _forget_orders(self, places: Iterable[ClassPlace]) -> set[tuple]:
        """Forgets the method resolution order of classes and of all that inherit from them; their ids."""
        names = self.names
        below = _closure(places, names.children)
        for place in below:
            names.orders.pop(place, None)
            names.external.pop(place, None)
            names.circular_classes.discard(place)
            for parent in names.parents.pop(place, ()):
                names.children[parent].discard(place)
            names.base_reads.get(place[0], {}).pop(place[1], None)
        self.result.orders.update(below)
        return below


def _differences(before: Mapping[str, object], now: Mapping[str, object]) -> set:
    return {
        name
        for name in before.keys() | now.keys()
        if name not in before or name not in now or before[name] != now[name]
    }


def _public(description: NameDescription) -> set[str]:
    """The names that a star import takes."""
    if description.public is not None:
        return set(description.public)
    return {name for name in description.exports if not name.startswith("_")}


def _closure(start: Iterable, successors: Mapping) -> set:
    """What can be reached from `start`, itself included."""
    found = set(start)
    queue = list(found)
    for each in queue:
        for following in successors.get(each, ()):
            if following not in found:
                found.add(following)
                queue.append(following)
    return found

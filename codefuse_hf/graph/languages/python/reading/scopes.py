"""Scopes of a Python file while it is read: which variable a name means at each point of the program.

Names are kept in SSA form: every binding makes a new version, branches that meet make a phi. Branches are undone from a trail of changes rather than by
copying the environment, so a file costs time in its size however many names it has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from codefuse_hf.graph.languages.python.reading.facts import Constant

if TYPE_CHECKING:
    from codefuse_hf.graph.languages.python.reading.extract import Extractor

Version = int | Constant
"""A variable, 0 (nothing of interest) or a literal."""


class Loop:
    """An open loop: versions from before it that its body reads (`phis`), and what its body binds."""

    __slots__ = ("bound", "first", "leaves", "phis")

    def __init__(self, first: int):
        self.first = first
        self.phis: dict[str, tuple[int, Version]] = {}
        self.bound: dict[str, list[Version]] = {}
        self.leaves = False


class Stores:
    """What straight-line code stored last to attributes and items, as far as nothing since can have changed it.

    Two variables may be the same object: a store to `a.x` forgets `b.x`, one to `a[1]` forgets the items of `b`, one to an unknown item all items. So one
    variable per attribute name, and one whose items are known, is all there is to keep.
    """

    __slots__ = ("attributes", "base", "items")

    def __init__(self) -> None:
        self.attributes: dict[str, tuple[int, Version]] = {}
        self.base = 0
        self.items: dict[Constant, Version] = {}

    def clear(self) -> None:
        """Forgets everything, at a call or a branch: anything may be different now."""
        if self.attributes:
            self.attributes.clear()
        if self.items:
            self.items.clear()

    def attribute(self, base: int, name: str) -> Version | None:
        """Tells what `base.name` is, if that is known."""
        owner, version = self.attributes.get(name, _UNKNOWN)
        return version if owner == base else None

    def item(self, base: int, key: Constant) -> Version | None:
        """Tells what `base[key]` is, if that is known."""
        return self.items.get(key) if base == self.base else None

    def set_item(self, base: int, key: Constant, version: Version) -> None:
        """Keep the version that `base[key]` was given."""
        if base != self.base:
            self.base = base
            self.items.clear()
        self.items[key] = version


_UNKNOWN = (0, None)


class Scope:
    """One scope of kind `module`, `class`, `function` or `comprehension`; `definition` is the node that its calls are charged to."""

    __slots__ = (
        "attributes",
        "bindings",
        "captured",
        "cells",
        "dead",
        "declared",
        "definition",
        "env",
        "epoch",
        "extractor",
        "first_parameter",
        "function",
        "is_async",
        "kind",
        "last",
        "loads",
        "loops",
        "outer_writes",
        "owner",
        "parameters",
        "parent",
        "paths",
        "returned",
        "returned_parameters",
        "stores",
        "trail",
        "wrapped",
        "yielded",
    )  # fmt: skip

    def __init__(self, extractor: Extractor, kind: str, parent: Scope | None, definition: int):
        self.extractor, self.kind, self.parent, self.definition = extractor, kind, parent, definition
        self.env: dict[str, Version] = {}
        self.bindings: dict[str, list[Version]] = {}
        self.cells: dict[str, int] = {}
        self.declared: dict[str, str] = {}
        self.outer_writes: dict[str, list[Version]] = {}
        self.trail: list[tuple[str, Version | None]] | None = None
        self.loops: list[Loop] = []
        self.loads: dict[tuple, int] = {}
        self.paths: set[str] = set()  # those in `env` that a condition has told of: `a.b`
        self.stores = Stores()
        self.last: dict[str, tuple] = {}
        self.epoch = 0
        self.dead = False
        self.owner = -1
        self.attributes: dict[str, int] = {}
        self.first_parameter = 0
        self.function = -1
        self.wrapped: list[tuple[Scope, str, int, int, bool, bool]] = []
        self.parameters: dict[int, int] = {}
        self.returned = self.yielded = 0
        self.returned_parameters: set[int] = set()
        self.is_async = False

    # -- reading -----------------------------------------------------------------------------------------------------------

    def load(self, name: str) -> Version:
        """Returns the version of `name` at this point of the program."""
        scope = self
        while True:
            version = scope.env.get(name)
            if version is not None:
                if name in scope.outer_writes and scope.last.get(name, (None, -1))[1] != scope.epoch:
                    return scope.cell(name)  # an inner function may have rebound it in a call since
                return scope._through_loops(name, version) if scope.loops else version
            if scope.kind in ("comprehension", "class") and name not in scope.declared:
                scope = scope.parent
                continue
            return scope.cell(name)

    def _through_loops(self, name: str, version: Version) -> Version:
        """A version from before a loop is, inside the loop, also what the loop's body may have bound in an earlier round."""
        for loop in self.loops:
            outside = version < loop.first if type(version) is int and version else name not in loop.bound
            if not outside:
                continue
            known = loop.phis.get(name)
            if known is None:
                known = loop.phis[name] = (self.extractor.variable(), version)
            version = known[0]
        return version

    def path(self, names: tuple[str, ...]) -> int | None:
        """Returns the variable that `a.b.c` stands for, where a condition has told what it is."""
        scope, path = self, ".".join(names)
        while True:
            found = scope.env.get(path)
            if found is not None or scope.kind != "comprehension" or names[0] in scope.env:
                return found
            scope = scope.parent

    def forget_paths(self, path: str) -> None:
        """Forgets what conditions have told of `path` and of what lies below it: it is assigned to."""
        for each in self.paths:
            if (each == path or each.startswith(path + ".")) and self.env.get(each) is not None:
                self.set(each, None)

    def cell(self, name: str) -> int:
        """Returns the variable of everything that is ever bound to `name` here, or further out."""
        variable = self.cells.get(name)
        if variable is None:
            variable = self.cells[name] = self.extractor.variable()
        return variable

    def capture(self, name: str) -> int:
        """Returns the cell that an inner function sees for `name`."""
        scope = self
        while scope.kind == "class" or (scope.kind == "comprehension" and name not in scope.env):
            scope = scope.parent
        return scope.cell(name)

    # -- binding -----------------------------------------------------------------------------------------------------------

    def bind(self, name: str, version: Version) -> None:
        """Binds `name`; what it was bound to right before is forgotten if nothing can have seen it."""
        if self.paths:
            self.forget_paths(name)
        if name in self.declared:
            self._bind_outer(self.declared[name], name, version)
            self.set(name, version)
            return
        trail, epoch = self.trail, self.epoch
        bound = self.bindings.get(name)
        if bound is None:
            self.bindings[name] = [version]
        elif (last := self.last.get(name)) is not None and last[0] is trail and last[1] == epoch:
            bound[-1] = version
        else:
            bound.append(version)
        self.last[name] = (trail, epoch)
        for loop in self.loops:
            loop.bound.setdefault(name, []).append(version)
        if trail is not None:
            trail.append((name, self.env.get(name)))
        self.env[name] = version

    def _bind_outer(self, where: str, name: str, version: Version) -> None:
        scope = self.parent
        if where == "global":
            while scope is not None and scope.parent is not None:
                scope = scope.parent
        else:
            while scope is not None and scope.kind != "function":
                scope = scope.parent
        if scope is not None:
            scope.outer_writes.setdefault(name, []).append(version)

    def set(self, name: str, version: Version | None) -> None:
        """Let a name mean a version, so that the end of a branch can take it back."""
        if self.trail is not None:
            self.trail.append((name, self.env.get(name)))
        self.env[name] = version

    # -- branches ----------------------------------------------------------------------------------------------------------

    def begin(self, changes: dict[str, Version] | None = None) -> tuple:
        """Opens a branch, starting from `changes` to the present state; returns what `end` needs."""
        saved = (self.trail, self.dead)
        self.trail, self.dead = [], False
        self.stores.clear()
        if changes:
            for name, version in changes.items():
                self.set(name, version)
        return saved

    def end(self, saved: tuple) -> tuple[dict[str, Version], bool]:
        """Closes a branch and undoes it: what it bound last to each name, and whether its end is never reached."""
        env, changes = self.env, {}
        for name, old in reversed(self.trail):
            if name not in changes and name in env:
                changes[name] = env[name]
            if old is None:
                env.pop(name, None)
            else:
                env[name] = old
        # Undoing in reverse visits the newest change of a name first, and env then holds the value the branch ended with.
        dead = self.dead
        self.trail, self.dead = saved
        self.stores.clear()
        return changes, dead

    def merge(self, branches: list[tuple[dict[str, Version], bool]]) -> None:
        """Goes on after branches of which one was taken; `({}, False)` is the branch that does nothing."""
        live = [changes for changes, dead in branches if not dead]
        if not live:
            live, self.dead = [changes for changes, _ in branches], True
        names = dict.fromkeys(name for changes in live for name in changes)
        for name in names:
            base = self.env.get(name)
            if "." in name:  # of a path (narrowing.py) only what holds in all branches is known behind them
                told = {changes.get(name, base) for changes in live}
                self.set(name, told.pop() if len(told) == 1 else None)
                continue
            if name in self.declared and any(name not in changes for changes in live) and base is None:
                self._forget(name)
                continue
            versions = [changes.get(name, base) for changes in live]
            self.set(name, self.extractor.phi([v for v in versions if v is not None]))

    def _forget(self, name: str) -> None:
        if self.trail is not None:
            self.trail.append((name, self.env.get(name)))
        self.env.pop(name, None)

    def open_loop(self) -> tuple[Loop, tuple]:
        """Begin a loop; returns it and what `end` needs."""
        loop = Loop(self.extractor.next_variable)
        self.loops.append(loop)
        return loop, self.begin()

    def close_loop(self, loop: Loop, saved: tuple) -> None:
        """Feeds what the body bound back to its start, and goes on with either."""
        changes, _ = self.end(saved)
        self.loops.pop()
        extractor = self.extractor
        for name, (variable, outer) in loop.phis.items():
            bound = loop.bound.get(name)
            if not bound and type(outer) is int and outer:
                extractor.alias(variable, outer)
                continue
            extractor.flow(outer, variable)
            for version in bound or ():
                extractor.flow(version, variable)
        if loop.leaves:
            for name, bound in loop.bound.items():
                if name in changes and len(bound) > 1:
                    changes[name] = extractor.phi(bound)
        self.merge([({}, False), (changes, False)])

    # -- the end of a scope --------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Links the cells: to the bindings of this scope, or to the enclosing one's cell."""
        for name, variable in self.cells.items():
            bound = self.bindings.get(name)
            if bound is None and name not in self.outer_writes:
                if self.parent is not None:
                    outer = self._module() if self.declared.get(name) == "global" else self.parent
                    self.extractor.alias(variable, outer.capture(name))
                continue
            for version in dict.fromkeys((bound or []) + self.outer_writes.get(name, [])):
                self.extractor.flow(version, variable)
        # Bindings of a name that is declared nonlocal further in reach this scope through its cell only; flow-sensitive reads miss them, which is
        # the price of reading each function once.

    def _module(self) -> Scope:
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope

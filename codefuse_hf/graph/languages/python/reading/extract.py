"""Reads one Python file: a single walk over its syntax tree that yields its definitions and its data-flow program.

The walk recurses; what is nested deeper than Python's recursion limit is read by `DeepExtractor` (deep.py).
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from itertools import chain
from sys import intern
from typing import Any

import numpy as np

from codefuse_hf.graph.languages.base import Definition
from codefuse_hf.graph.languages.python.reading.branches import Branches
from codefuse_hf.graph.languages.python.reading.calls import CallReading
from codefuse_hf.graph.languages.python.reading.classes import ClassDefinitions
from codefuse_hf.graph.languages.python.reading.definitions import Definitions
from codefuse_hf.graph.languages.python.reading.dotted import LONGEST, DottedNames
from codefuse_hf.graph.languages.python.reading.expressions import Expressions
from codefuse_hf.graph.languages.python.reading.facts import (
    COPY,
    OPERATOR,
    Constant,
    FunctionFacts,
    ImportFacts,
    Op,
    Parameter,
    PythonFacts,
)
from codefuse_hf.graph.languages.python.reading.narrowing import Narrowing
from codefuse_hf.graph.languages.python.reading.returned import decorators, handed_out, makers, overrides
from codefuse_hf.graph.languages.python.reading.scopes import Scope, Version
from codefuse_hf.graph.languages.python.reading.statements import Statements
from codefuse_hf.graph.languages.source_text import SourceText


class Extractor(Expressions, CallReading, Definitions, ClassDefinitions, Statements, Branches, Narrowing):
    """The state of the walk over one file."""

    def __init__(self, source: SourceText, clean: bool = False):
        self.handlers: dict[str, Callable] = HANDLERS
        self.read_from(source, clean)
        self.definitions = [Definition("File", -1, 0, len(source.text), {})]
        self.container = 0
        self.next_variable = 1
        self.emitted: list[int] = []
        self.emit = self.emitted.extend
        self.aliases: dict[int, int] = {}
        self.constants: dict[Any, int] = {}
        self.names: dict[str, int] = {}
        self.seeds: list[tuple] = []
        self.attribute_loads: list[tuple] = []
        self.items: list[tuple] = []
        self.calls: list[tuple] = []
        self.functions: list[Any] = []
        self.classes: list[Any] = []
        self.imports: list[ImportFacts] = []
        self.sites: list[tuple] = []
        self.origins: dict[int, tuple] = {}
        self.references: dict[tuple[int, int], None] = {}
        self.decorated: list[tuple] = []
        self.decorated_results: set[int] = set()
        self.typed: list[tuple] = []
        self.narrowed_names: set[str] = set()  # last names of the paths that conditions have told of
        self.lazy: dict[str, list[Version]] = {}
        self.is_lazy = "def __getattr__(" in source.text
        self.wrappers: list[tuple[int, int, int, int]] = []
        self.forwarded: dict[int, tuple[Scope, int]] = {}
        self.class_of_scope: dict[int, int] = {}
        self.class_scopes: dict[int, Scope] = {}
        self.class_fields: dict[int, list[str]] = {}
        self.public: list[str] | None = None
        self.typing_bindings: dict[str, int] = {}  # how often `if TYPE_CHECKING` binds the module's names
        self.leading: list[Any] = []
        self.following: Any = None
        self.module = self.scope = Scope(self, "module", None, 0)

    # -- building blocks -----------------------------------------------------------------------------------------------------

    def read_from(self, source: SourceText, clean: bool) -> None:
        """Takes the texts of nodes from `source`; `clean`: its tree has no errors."""
        self.source = source
        self.dotted_names = DottedNames(clean)
        self._ascii = source.is_ascii
        self._text = source.text if self._ascii else source.utf8.decode("latin-1")  # a character per byte

    def visit(self, node: Any) -> Version:
        """Reads a node by the method for its type; returns its value, as far as it has one."""
        return self.handlers[node.type](self, node)

    def others(self, node: Any) -> Version:
        """Reads the parts of anything else: keywords and punctuation have none, broken code may hold anything."""
        handlers = self.handlers
        for child in node.children:
            handlers[child.type](self, child)
        return 0

    def text_of(self, node: Any) -> str:
        """Reads the text of a node."""
        text = self._text[node.start_byte : node.end_byte]
        return text if self._ascii or text.isascii() else text.encode("latin-1").decode("utf-8", "replace")

    def name_of(self, node: Any) -> str:
        """Returns the text of an identifier: names come again and again, in one file and in all."""
        text = self._text[node.start_byte : node.end_byte]
        return intern(text if self._ascii or text.isascii() else self.text_of(node))

    def names_of(self, node: Any) -> tuple[str, ...] | None:
        """Returns the names of `a.b.c`; None for an expression that is, or may be, anything else."""
        start, end = node.start_byte, node.end_byte
        if end - start > LONGEST:
            return None
        text = self._text[start:end]
        known = self.dotted_names
        return known[text] if text in known else known.read(text)

    def variable(self) -> int:
        """Makes a new variable."""
        number = self.next_variable
        self.next_variable = number + 1
        return number

    def operation(self, variable: int, code: int, a: int, b: int) -> None:
        """Notes an operation on a variable; `a` and `b` mean what its code says (facts.py)."""
        self.emit((variable, code, a, b))

    def name_index(self, name: str) -> int:
        """Returns the number of a name in this file."""
        return self.names.setdefault(name, len(self.names))

    def as_variable(self, version: Version) -> int:
        """Returns a variable that holds the version."""
        if type(version) is int:
            return version
        variable = self.constants.get(version.value)
        if variable is None:
            variable = self.constants[version.value] = self.variable()
            self.seeds.append((variable, "constant", version.value))
        return variable

    def flow(self, version: Version, target: int) -> None:
        """Lets everything in `version` reach `target`."""
        source = self.as_variable(version)
        if source and source != target:
            self.emit((source, COPY, target, 0))

    def alias(self, variable: int, other: int) -> None:
        """Makes `variable` another name of `other`."""
        if variable != other:
            self.aliases[variable] = other

    def phi(self, versions: list[Version]) -> Version:
        """Returns one version that may be any of `versions`."""
        distinct = [v for v in dict.fromkeys(versions) if v != 0 or type(v) is not int]
        if len(distinct) <= 1:
            return distinct[0] if distinct else 0
        if all(isinstance(v, Constant) for v in distinct) and len(distinct) > 8:
            return 0
        target = self.variable()
        for version in distinct:
            self.flow(version, target)
        if any(v in self.origins for v in distinct if type(v) is int):
            self.origins[target] = ("phi", tuple(v for v in distinct if type(v) is int))
        return target

    # -- the end of a file ---------------------------------------------------------------------------------------------------

    def finish(self) -> PythonFacts:
        """Closes the module's scope and packs the program."""
        module = self.module
        module.close()
        exports = {}
        for name in dict.fromkeys([*module.bindings, *module.outer_writes]):
            version = module.env.get(name, 0)
            if name in module.outer_writes:
                variable = self.variable()
                self.flow(version, variable)
                for write in module.outer_writes[name]:
                    self.flow(write, variable)
                self.origins.setdefault(variable, ("phi", (version,)) if type(version) is int else ("phi", ()))
            else:
                variable = self.as_variable(version)
            exports[name] = variable
        for name, variable in module.cells.items():
            versions = [v for v in module.bindings.get(name, ()) if type(v) is int and v]
            if versions:
                self.origins[variable] = ("phi", tuple(versions))
        public = self._public(exports) if self.public is None else self.public
        exports = {**{name: self._answered(name) for name in self.lazy}, **exports}
        root = {variable: self.find(variable) for variable in self.aliases}
        facts = PythonFacts(list(self.names), variables=self.next_variable)
        operations = self._pack_operations(facts, root)
        self._pack_values(facts, root)
        self._pack_definitions(facts, root)
        at = root.get
        facts.exports = {n: at(v, v) for n, v in exports.items()}
        facts.cells = {n: at(v, v) for n, v in module.cells.items()}
        facts.public, facts.lazy = public, frozenset(self.lazy)
        facts.wanted = self._wanted(facts, operations)
        facts.handed_out = handed_out(facts, operations) | decorators(facts, operations) | overrides(facts, operations)
        facts.makers = makers(facts, operations)
        return facts

    def _answered(self, name: str) -> int:
        """What the module's `__getattr__` answers for a name, which so is one of the module's."""
        variable = self.variable()
        for version in self.lazy[name]:
            self.flow(version, variable)
        self.origins[variable] = ("phi", tuple(v for v in self.lazy[name] if type(v) is int and v))
        return variable

    def _public(self, exports: Iterable[str]) -> list[str] | None:
        """The names that a star import takes where no `__all__` tells, if those are not simply all without an underscore."""
        bindings, typing = self.module.bindings, self.typing_bindings
        hidden = {
            name for name, count in typing.items() if count == len(bindings[name])
        } - self.module.outer_writes.keys()
        if not hidden or any(statement.name == "*" for statement in self.imports):
            return None  # with star imports of its own only all files together tell; then rather too many names
        return [name for name in exports if name not in hidden and not name.startswith("_")]

    def find(self, variable: int) -> int:
        """Returns the variable that a variable is an alias of, in the end."""
        aliases = self.aliases
        root = variable
        while root in aliases:
            root = aliases[root]
        while variable in aliases and aliases[variable] != root:
            aliases[variable], variable = root, aliases[variable]
        return root

    def _pack_values(self, facts: PythonFacts, root: dict[int, int]) -> None:
        """What flows: every variable under its one name."""
        at = root.get
        facts.seeds = [(at(s[0], s[0]), s[1], s[2]) for s in self.seeds]
        facts.loads = self.attribute_loads
        facts.items = [
            (at(k, k) if type(k) is int else k, at(t, t) if type(t) is int else t, c) for k, t, c in self.items
        ]
        facts.calls = [
            (
                caller,
                at(callee, callee),
                target,
                tuple([(s, at(v, v) if type(v) is int else v) for s, v in positional]) if positional else (),
                tuple([(n, at(v, v) if type(v) is int else v) for n, v in keywords]) if keywords else (),
                mode,
            )
            for caller, callee, target, positional, keywords, mode in self.calls
        ]
        facts.sites = [
            (kind, {n: at(v, v) for n, v in fields.items()}, at(rest, rest), at(keys, keys), length)
            if fields or rest or keys
            else _EMPTY_DISPLAYS.setdefault((kind, length), (kind, fields, rest, keys, length))
            for kind, fields, rest, keys, length in self.sites
        ]
        self.seeds, self.items, self.calls, self.sites = [], [], [], []
        facts.origins = {
            at(v, v): (o[0], tuple([at(x, x) for x in o[1]])) if o[0] == "phi" else o for v, o in self.origins.items()
        }
        facts.references.extend(chain.from_iterable(dict.fromkeys([(c, at(v, v)) for c, v in self.references])))
        facts.decorated = [(at(r, r), at(d, d), at(v, v)) for r, d, v in self.decorated]

    def _pack_definitions(self, facts: PythonFacts, root: dict[int, int]) -> None:
        """What is defined and imported: every variable under its one name."""
        at = root.get

        def path(dotted: tuple | None) -> tuple | None:
            if dotted is None or dotted[0]:
                return dotted if dotted is None or dotted[0] not in root else (root[dotted[0]], dotted[1])
            return 0, tree(dotted[1])

        def tree(part: Any) -> Any:
            if type(part) is not tuple or not part:
                return part
            return ("name", at(part[1], part[1]), part[2]) if part[0] == "name" else tuple([tree(p) for p in part])

        for definition, name, parameters, returned, yielded, *rest, annotation in self.functions:
            parameters = tuple([Parameter(n, k, at(v, v), path(a)) for n, k, v, a in parameters])
            facts.functions.append(
                FunctionFacts(
                    definition, name, parameters, at(returned, returned), at(yielded, yielded), *rest, path(annotation)
                )
            )
        facts.classes += [
            c._replace(
                bases=tuple([path(b) for b in c.bases]),
                metaclass=path(c.metaclass),
                namespace={n: at(v, v) for n, v in c.namespace.items()},
            )
            for c in self.classes
        ]
        facts.wrappers = [(inner, outer, position, at(v, v)) for inner, outer, position, v in self.wrappers]
        facts.typed = [(owner, name, at(v, v), path(annotation)) for owner, name, v, annotation in self.typed]
        facts.imports += [i._replace(variable=root[i.variable]) if i.variable in root else i for i in self.imports]

    def _pack_operations(self, facts: PythonFacts, root: dict[int, int]) -> np.ndarray:
        """Sorts the operations by variable; returns them, int32 [operations, (variable, code, a, b)]."""
        operations = np.array(array("i", self.emitted), np.int32).reshape(-1, 4)
        self.emit, self.emitted = None, []  # eight times as large as the array
        variables, codes, a, b = operations.T  # views
        if root:
            names = np.arange(facts.variables, dtype=np.int32)
            names[np.fromiter(root, np.int32, len(root))] = np.fromiter(root.values(), np.int32, len(root))
            variables[:] = names[variables]
            for operand, which in ((a, _NAMED_BY_A), (b, _NAMED_BY_B)):
                where = np.flatnonzero(which[codes])
                operand[where] = names[operand[where]]
        operations = operations[(codes != COPY) | (a != variables)]
        operations = operations[np.argsort(operations[:, 0], kind="stable")]
        counts = np.bincount(operations[:, 0], minlength=facts.variables)
        facts.starts.frombytes(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32).tobytes())
        facts.operations.frombytes(operations[:, 1:].tobytes())
        return operations

    def _wanted(self, facts: PythonFacts, operations: np.ndarray) -> frozenset:
        """Variables in which literals matter, because they end up as keys or as attribute names."""
        wanted = {key for key, _, _ in facts.items if type(key) is int}
        cells = facts.cells
        names = {cells[n] for n in ("getattr", "setattr", "hasattr", "__import__") if n in cells}
        getters = {target for name, target, _, is_callee in facts.loads if is_callee and name in _TAKES_KEY}
        if names or getters:
            for _, callee, _, positional, _, _ in facts.calls:
                if callee in names:
                    wanted.update([v for _, v in positional[1:2] if type(v) is int])
                if callee in getters:
                    wanted.update([v for _, v in positional[:1] if type(v) is int])
        wanted.discard(0)
        if wanted:
            sources: dict[int, list[int]] = {}
            copies = operations[operations[:, 1] == COPY]
            for source, target in zip(copies[:, 0].tolist(), copies[:, 2].tolist(), strict=True):
                sources.setdefault(target, []).append(source)
            operators = operations[operations[:, 1] == OPERATOR]
            for source, item in zip(operators[:, 0].tolist(), operators[:, 2].tolist(), strict=True):
                key, target, _ = facts.items[item]
                if type(key) is tuple:
                    sources.setdefault(target, []).append(source)
            pending = list(wanted)
            while pending:
                for source in sources.get(pending.pop(), ()):
                    if source not in wanted:
                        wanted.add(source)
                        pending.append(source)
        return frozenset(wanted)


_EMPTY_DISPLAYS: dict[tuple[str, int], tuple] = {}
"""The displays without known contents, by kind and length: most are, and one of each will do. They are read only."""

_TAKES_KEY = frozenset({"get", "pop", "setdefault", "__getitem__", "import_module"})


def _codes(*operations: Op) -> np.ndarray:
    """bool [operations]: True for the given ones."""
    return np.isin(np.arange(len(Op)), [int(operation) for operation in operations])


_NAMED_BY_A = _codes(Op.COPY, Op.ITERATE, Op.ENTER, Op.CATCH, Op.AWAIT)
"""Operations whose operand a is a variable."""
_NAMED_BY_B = _codes(Op.SUPER, Op.OPERATOR)
"""Operations whose operand b is a variable."""


class Handlers(dict[str, Any]):
    """The method for each type of node; nodes of unknown type are gone through."""

    def __missing__(self, kind: str) -> Any:
        self[kind] = Extractor.others
        return Extractor.others


HANDLERS = Handlers(
    {
        "identifier": Extractor.identifier,
        "attribute": Extractor.attribute,
        "subscript": Extractor.subscript,
        "integer": Extractor.integer,
        "float": Extractor.float,
        "true": Extractor.true,
        "false": Extractor.false,
        "none": Extractor.none,
        "string": Extractor.string,
        "interpolation": Extractor.interpolation,
        "concatenated_string": Extractor.concatenated_string,
        "list": Extractor.sequence,
        "tuple": Extractor.sequence,
        "set": Extractor.sequence,
        "expression_list": Extractor.sequence,
        "list_splat": Extractor.splat_value,
        "parenthesized_list_splat": Extractor.splat_value,
        "dictionary": Extractor.dictionary,
        "parenthesized_expression": Extractor.parenthesized,
        "binary_operator": Extractor.binary_operator,
        "unary_operator": Extractor.unary_operator,
        "not_operator": Extractor.not_operator,
        "boolean_operator": Extractor.boolean_operator,
        "comparison_operator": Extractor.comparison,
        "conditional_expression": Extractor.conditional,
        "named_expression": Extractor.named_expression,
        "await": Extractor.await_expression,
        "yield": Extractor.yield_expression,
        "list_comprehension": Extractor.comprehension,
        "set_comprehension": Extractor.comprehension,
        "dictionary_comprehension": Extractor.comprehension,
        "generator_expression": Extractor.comprehension,
        "for_in_clause": Extractor.for_in_clause,
        "call": Extractor.call,
        "lambda": Extractor.lambda_expression,
        "type": Extractor.type_expression,
        "decorated_definition": Extractor.decorated_definition,
        "function_definition": Extractor.function_definition,
        "class_definition": Extractor.class_definition,
        "module": Extractor.block,
        "block": Extractor.block,
        "expression_statement": Extractor.expression_statement,
        "assignment": Extractor.assignment,
        "augmented_assignment": Extractor.augmented_assignment,
        "return_statement": Extractor.return_statement,
        "raise_statement": Extractor.raise_statement,
        "delete_statement": Extractor.delete_statement,
        "if_statement": Extractor.if_statement,
        "if_clause": Extractor.conditions,
        "assert_statement": Extractor.conditions,
        "for_statement": Extractor.for_statement,
        "while_statement": Extractor.while_statement,
        "try_statement": Extractor.try_statement,
        "with_statement": Extractor.with_statement,
        "match_statement": Extractor.match_statement,
        "import_statement": Extractor.import_statement,
        "import_from_statement": Extractor.import_from_statement,
        "future_import_statement": Extractor.nothing,
        "global_statement": Extractor.global_statement,
        "nonlocal_statement": Extractor.nonlocal_statement,
        "break_statement": Extractor.break_statement,
        "continue_statement": Extractor.continue_statement,
        "pass_statement": Extractor.nothing,
        "type_alias_statement": Extractor.type_alias,
        "comment": Extractor.nothing,
        "ellipsis": Extractor.nothing,
    }
)

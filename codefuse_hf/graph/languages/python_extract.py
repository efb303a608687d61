"""Reads one Python file: a single walk over its syntax tree that yields its definitions and its data-flow program.

The walk recurses; a file nested deeper than Python's recursion limit is read again by python_deep.py.
"""

from __future__ import annotations

from array import array
from itertools import chain
from typing import Any

from codefuse_hf.graph import syntax
from codefuse_hf.graph.languages.base import Definition, FileFacts, Problem
from codefuse_hf.graph.languages.python_definitions import Definitions
from codefuse_hf.graph.languages.python_expressions import Expressions
from codefuse_hf.graph.languages.python_facts import Constant, ImportFacts, Op, PythonFacts
from codefuse_hf.graph.languages.python_flow import Scope, Version
from codefuse_hf.graph.languages.python_indentation import narrow_indentation
from codefuse_hf.graph.languages.python_statements import Statements
from codefuse_hf.graph.source_text import SourceText


def extract_python(path: str, source: SourceText) -> FileFacts:
    """The definitions and the data-flow program of one file."""
    tree = syntax.parse("python", narrow_indentation(source.parser_input))
    problems = []
    error = syntax.first_error(tree)
    if error is not None:
        line = source.line(source.char(error[0]))
        problems.append(Problem("syntax", f"syntax {error[1]}: the parts around it are in the graph", line))
    extractor = Extractor(source)
    try:
        extractor.visit(tree.root_node)
    except RecursionError:
        from codefuse_hf.graph.languages.python_deep import DeepExtractor

        extractor = DeepExtractor(source)
        extractor.visit(tree.root_node)
        problems += extractor.problems()
    found = FileFacts(path, "python", extractor.definitions, extractor.finish(), problems)
    extractor.__dict__.clear()  # scopes know their extractor: without the circle they and the tree go at once
    return found


class Extractor(Expressions, Definitions, Statements):
    """The state of the walk over one file."""

    def __init__(self, source: SourceText):
        self.source = source
        self._text, self._ascii = source.text, len(source.utf8) == len(source.text)
        self.definitions = [Definition("File", -1, 0, len(source.text), {})]
        self.container = 0
        self.next_variable = 1
        self.emitted: list[tuple[int, int, int, int]] = []
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
        self.class_of_scope: dict[int, int] = {}
        self.class_scopes: dict[int, Scope] = {}
        self.class_fields: dict[int, list[str]] = {}
        self.public: list[str] | None = None
        self.leading: list[Any] = []
        self.following: Any = None
        self.module = self.scope = Scope(self, "module", None, 0)

    # -- building blocks -----------------------------------------------------------------------------------------------------

    def visit(self, node: Any) -> Version:
        handler = HANDLERS.get(node.type)
        if handler is not None:
            return handler(self, node)
        for child in node.children:  # keywords and punctuation have none; broken code may hold anything
            self.visit(child)
        return 0

    def text_of(self, node: Any) -> str:
        if self._ascii:
            return self._text[node.start_byte : node.end_byte]
        return self.source.slice(node.start_byte, node.end_byte)

    def variable(self) -> int:
        number = self.next_variable
        self.next_variable = number + 1
        return number

    def operation(self, variable: int, code: int, a: int, b: int) -> None:
        self.emitted.append((variable, code, a, b))

    def name_index(self, name: str) -> int:
        return self.names.setdefault(name, len(self.names))

    def as_variable(self, version: Version) -> int:
        """A variable that holds the version."""
        if type(version) is int:
            return version
        variable = self.constants.get(version.value)
        if variable is None:
            variable = self.constants[version.value] = self.variable()
            self.seeds.append((variable, "constant", version.value))
        return variable

    def flow(self, version: Version, target: int) -> None:
        """Everything in `version` reaches `target`."""
        source = self.as_variable(version)
        if source and source != target:
            self.emitted.append((source, Op.COPY, target, 0))

    def alias(self, variable: int, other: int) -> None:
        """Makes `variable` another name of `other`."""
        if variable != other:
            self.aliases[variable] = other

    def phi(self, versions: list[Version]) -> Version:
        """One version that may be any of `versions`."""
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
        find = self.find
        facts = PythonFacts(list(self.names), variables=self.next_variable)
        self._pack_operations(facts)
        facts.seeds = [(find(s[0]), *s[1:]) for s in self.seeds]
        facts.loads = [(n, t, c, k) for n, t, c, k in self.attribute_loads]
        facts.items = [(self._key(k), t if t.__class__ is not int else find(t), c) for k, t, c in self.items]
        facts.calls = [self._call(call) for call in self.calls]
        facts.functions = [f._replace(returned=find(f.returned), yielded=find(f.yielded), parameters=tuple(
            p._replace(variable=find(p.variable), annotation=self._path(p.annotation)) for p in f.parameters), result_annotation=self._path(f.result_annotation)) for f in self.functions]  # fmt: skip
        facts.classes = [c._replace(bases=tuple(self._path(b) for b in c.bases), metaclass=self._path(c.metaclass),
            namespace={n: find(v) for n, v in c.namespace.items()}) for c in self.classes]  # fmt: skip
        facts.imports = [i._replace(variable=find(i.variable)) for i in self.imports]
        facts.sites = [(k, {n: find(v) for n, v in f.items()}, find(r), find(s), n_) for k, f, r, s, n_ in self.sites]
        facts.origins = {
            find(v): (o[0], tuple(find(x) for x in o[1])) if o[0] == "phi" else o for v, o in self.origins.items()
        }
        facts.exports = {n: find(v) for n, v in exports.items()}
        facts.cells = {n: find(v) for n, v in module.cells.items()}
        facts.public = self.public
        facts.references = list(dict.fromkeys((c, find(v)) for c, v in self.references))
        facts.decorated = [(find(r), find(d), find(v)) for r, d, v in self.decorated]
        facts.wanted = self._wanted(facts)
        return facts

    def find(self, variable: int) -> int:
        aliases = self.aliases
        root = variable
        while root in aliases:
            root = aliases[root]
        while variable in aliases and aliases[variable] != root:
            aliases[variable], variable = root, aliases[variable]
        return root

    def _path(self, path: tuple | None) -> tuple | None:
        return None if path is None else (self.find(path[0]), path[1])

    def _key(self, key: Any) -> Any:
        return self.find(key) if type(key) is int else key

    def _call(self, call: tuple) -> tuple:
        caller, callee, target, positional, keywords, decorates = call
        find = self.find
        return (
            caller, find(callee), target, tuple((s, find(v) if type(v) is int else v) for s, v in positional),
            tuple((n, find(v) if type(v) is int else v) for n, v in keywords), decorates,
        )  # fmt: skip

    def _pack_operations(self, facts: PythonFacts) -> None:
        find, aliases = self.find, self.aliases
        variable_operand = (Op.COPY, Op.ITERATE, Op.ENTER, Op.CATCH, Op.AWAIT)
        packed = []
        for v, code, a, b in self.emitted:
            if v in aliases:
                v = find(v)
            if code in variable_operand:
                if a in aliases:
                    a = find(a)
                if code == Op.COPY and a == v:
                    continue
            elif code in (Op.SUPER, Op.OPERATOR) and b in aliases:
                b = find(b)
            packed.append((v, code, a, b))
        packed.sort(key=lambda operation: operation[0])
        starts = array("i", bytes(4 * (facts.variables + 1)))
        for operation in packed:
            starts[operation[0] + 1 if operation[0] + 1 <= facts.variables else facts.variables] += 1
        total = 0
        for i in range(len(starts)):
            total += starts[i]
            starts[i] = total
        facts.starts = starts
        facts.operations = array("i", chain.from_iterable((c, a, b) for _, c, a, b in packed))

    def _wanted(self, facts: PythonFacts) -> frozenset:
        """Variables in which literals matter, because they end up as keys or as attribute names."""
        wanted = {key for key, _, _ in facts.items if type(key) is int and key}
        names = {facts.cells.get(n) for n in ("getattr", "setattr", "hasattr", "__import__")} - {None}
        for _, callee, _, positional, _, _ in facts.calls:
            if callee in names:
                wanted.update(v for _, v in positional[1:2] if type(v) is int)
        method_targets = {
            t
            for n, t, _, callee in facts.loads
            if callee and n in ("get", "pop", "setdefault", "__getitem__", "import_module")
        }
        for _, callee, _, positional, _, _ in facts.calls:
            if callee in method_targets:
                wanted.update(v for _, v in positional[:1] if type(v) is int)
        wanted.discard(0)
        if wanted:
            sources: dict[int, list[int]] = {}
            find = self.find
            for v, code, a, _ in self.emitted:
                if code == Op.COPY:
                    sources.setdefault(find(a), []).append(find(v))
                elif code == Op.OPERATOR and facts.items[a][0].__class__ is tuple:
                    sources.setdefault(facts.items[a][1], []).append(find(v))
            pending = list(wanted)
            while pending:
                for source in sources.get(pending.pop(), ()):
                    if source not in wanted:
                        wanted.add(source)
                        pending.append(source)
        return frozenset(wanted)


HANDLERS: dict[str, Any] = {
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

"""What functions return, as far as their file tells: which of its definitions, and what calling a parameter yields."""

from __future__ import annotations

import numpy as np

from codefuse_hf.graph.languages.python.reading.facts import ATTRIBUTE, AWAIT, COPY, SUPER, VARIADIC, PythonFacts

_TELLING = frozenset(
    (
        "isinstance",
        "issubclass",
        "hasattr",
        "callable",
        "len",
        "repr",
        "str",
        "bool",
        "int",
        "hash",
        "id",
        "super",
        "__new__",
    )
)
"""Functions that return none of what they are given, be they called as methods or not; `cast` returns its second argument."""


def handed_out(facts: PythonFacts, operations: np.ndarray) -> frozenset[tuple[str, int]]:
    """Finds the definitions that may be returned, be it through calls that they are given to."""
    copies = operations[operations[:, 1] == COPY]
    names = {variable: name for name, variable in facts.cells.items()}
    names.update((target, name) for name, target, _, is_callee in facts.loads if is_callee)
    given = []
    for _, callee, target, positional, _, _ in facts.calls:
        name = names.get(callee)
        passed = positional[1:] if name == "cast" else () if name in _TELLING else positional
        given += [(variable, target) for _, variable in passed if type(variable) is int]
    moves = np.concatenate([copies[:, (0, 2)], np.array(given, np.int32).reshape(-1, 2)])
    reached = np.zeros(facts.variables, bool)
    reached[facts.functions.all_returned()] = True
    reached[0], before = False, 0
    while (count := np.count_nonzero(reached)) != before:
        before = count
        reached[moves[reached[moves[:, 1]], 0]] = True
    return frozenset((kind, label) for v, kind, label in facts.seeds if kind in ("function", "class") and reached[v])


def makers(facts: PythonFacts, operations: np.ndarray) -> list[tuple[int, int]]:
    """Finds the functions that return nothing but what a call of one parameter, and of its methods, yields: (function, parameter)."""
    parameters = {
        variable: (label, position)
        for label in facts.functions.present()
        if not facts.functions.yielded(label)
        for position, (_, kind, variable) in enumerate(facts.functions.parameters(label))
        if kind not in VARIADIC
    }
    called: dict[int, list[int]] = {}
    for _, callee, target, _, _, mode in facts.calls:
        if not mode and callee in parameters:
            called.setdefault(callee, []).append(target)
    if not called:
        return []
    sources = _sources(operations, (COPY, AWAIT))
    loads = operations[operations[:, 1] == ATTRIBUTE]
    loaded = [(v, facts.loads[load][1]) for v, load in zip(loads[:, 0].tolist(), loads[:, 2].tolist(), strict=True)]
    literals = {seed[0] for seed in facts.seeds if seed[1] not in ("function", "class", "object")}
    found = []
    for variable, made in called.items():
        label, position = parameters[variable]
        methods = {target for source, target in loaded if source == variable}
        known = literals.union(made, (call[2] for call in facts.calls if call[1] in methods))
        pending, has_made = [facts.functions.returned(label)], False
        for each in pending:
            has_made = has_made or each in made
            pending += [source for source in sources.get(each, ()) if source not in pending]
        ends = [each for each in pending if each in made or each not in sources]
        if has_made and known.issuperset(ends):
            found.append((label, position))
    return found


def overrides(facts: PythonFacts, operations: np.ndarray) -> frozenset[tuple[str, int]]:
    """Finds the methods that return nothing but what `super()` gives for a call of their own name, as ("super", function)."""
    supers = set(operations[operations[:, 1] == SUPER][:, 3].tolist())
    if not supers:
        return frozenset()
    loads = operations[operations[:, 1] == ATTRIBUTE]
    named = {}
    for variable, load in zip(loads[:, 0].tolist(), loads[:, 2].tolist(), strict=True):
        if variable in supers:
            named[facts.loads[load][1]] = facts.loads[load][0]
    given: dict[str, set[int]] = {}
    for _, callee, target, _, _, _ in facts.calls:
        if callee in named:
            given.setdefault(named[callee], set()).add(target)
    sources, known = _sources(operations, (COPY, AWAIT)), facts.functions
    found = set()
    for label in known.present():
        results = given.get(known.name(label))
        if results and known.owner(label) >= 0 and not known.yielded(label) and not known.arguments(label)[0]:
            pending = [known.returned(label)]
            for each in pending:
                if each not in results:
                    pending += [source for source in sources.get(each, ()) if source not in pending]
            ends = {each for each in pending if each in results or each not in sources}
            if ends <= results:
                found.add(("super", label))
    return frozenset(found)


def decorators(facts: PythonFacts, operations: np.ndarray) -> frozenset[tuple[str, int]]:
    """Finds the decorators with options, as ("options", function), and as ("decorator", function) what they return only where they are given no
    function: one that they call with the function else (`return inner if function is None else inner(function)`), or that calls them with its own
    argument (`return lambda function: decorator(function, option)`), or that returns what it is given as they do."""
    functions = {variable: label for variable, kind, label in facts.seeds if kind == "function"}
    calls = [call for call in facts.calls if call[3] and not call[3][0][0] and type(call[3][0][1]) is int]
    known = facts.functions
    parameters = {
        variable: label
        for label in known.present()
        for _, kind, variable in known.parameters(label)
        if kind not in VARIADIC
    }
    own = _by_cell(facts)
    sources = _sources(operations, (COPY,))
    found = set()
    for _, callee, target, positional, _, _ in calls:
        first = positional[0][1]
        if callee in functions and len(positional) == 1:
            for given in _behind(first, sources):
                if given in parameters and {callee, target} <= _behind(known.returned(parameters[given]), sources):
                    found |= {("decorator", functions[callee]), ("options", parameters[given])}
        elif callee in own and first in parameters:
            returned = _behind(known.returned(own[callee]), sources)
            label = parameters[first]
            if any(functions.get(each) == label for each in returned):
                found |= {("decorator", label), ("options", own[callee])}
        elif first in own and target in _behind(known.returned(own[first]), sources):
            found.add(("options", own[first]))  # `return partial(decorator, option=option)`
    return frozenset(found | _marks(facts, functions, sources))


def _marks(facts: PythonFacts, functions: dict[int, int], sources: dict[int, list[int]]) -> set[tuple[str, int]]:
    """Functions that return what they are given, and functions that return these or what they are given themselves: `@mark` and `@mark("name")`."""
    known = facts.functions
    inner = {variable: label for variable, label in functions.items() if 0 in known.arguments(label)[0]}
    found = set()
    for label in known.present() if inner else ():
        parameters = known.parameters(label)
        returned = _behind(known.returned(label), sources) if parameters else set()
        for variable in returned & inner.keys() if parameters and parameters[0][2] in returned else ():
            found |= {("decorator", inner[variable]), ("options", label)}
    return found


def _by_cell(facts: PythonFacts) -> dict[int, int]:
    """The functions of a module by the variables through which its functions read them."""
    found = {}
    for name, variable in facts.cells.items():
        origin = facts.origins.get(facts.exports.get(name, 0), ("",))
        if origin[0] == "function":
            found[variable] = origin[1]
    return found


def _sources(operations: np.ndarray, kinds: tuple[int, ...]) -> dict[int, list[int]]:
    """The variables whose values come to a variable by operations of some kinds, by that variable."""
    sources: dict[int, list[int]] = {}
    moves = operations[np.isin(operations[:, 1], kinds)]
    for source, target in zip(moves[:, 0].tolist(), moves[:, 2].tolist(), strict=True):
        sources.setdefault(target, []).append(source)
    return sources


def _behind(variable: int, sources: dict[int, list[int]]) -> set[int]:
    """The variables from which values come to one, itself among them."""
    found, pending = {variable}, [variable]
    for each in pending:
        new = set(sources.get(each, ())) - found
        found |= new
        pending += new
    return found

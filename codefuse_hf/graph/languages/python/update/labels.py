"""Labels: numbers of a file's functions, classes and displays that stay the same while the file is edited.

Extraction numbers them in order, so that a new function moves the numbers of all that follow. What has been found out about other files speaks of them
by number and would all be out of date. So the facts of a changed file are renumbered: what is recognisably still there keeps its number, what is new
gets a new one. Numbers may then be in any order, with holes (None).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from codefuse_hf.graph.languages.python.reading.facts import (
    Classes,
    ClassFacts,
    FunctionFacts,
    Functions,
    Op,
    PythonFacts,
)
from codefuse_hf.graph.languages.python.reading.program import Program, pack_program


def relabelled(facts: PythonFacts, before: PythonFacts) -> PythonFacts:
    """Returns `facts`, fresh from extraction, with the labels of `before` (an earlier, relabelled version) for what is still there."""
    classes = _keep_labels(class_keys(facts), class_keys(before), len(before.classes))
    functions = _keep_labels(function_keys(facts), function_keys(before), len(before.functions))
    program = Program(facts.program)
    sites = _align([_shape(s) for s in program.sites], [_shape(s) for s in Program(before.program).sites])
    if all(_is_identity(m) for m in (classes, functions, sites)):
        return facts
    return _renumbered(facts, program, classes, functions, sites)


def _renumbered(
    facts: PythonFacts, program: Program, classes: dict[int, int], functions: dict[int, int], sites: dict[int, int]
) -> PythonFacts:
    tables = {
        "class": classes,
        "function": functions,
        "decorator": functions,
        "options": functions,
        "super": functions,
        "object": sites,
    }

    def renumber(kind: str, number: Any) -> Any:
        return tables[kind][number] if kind in tables else number

    def function(old: FunctionFacts) -> FunctionFacts:
        variadic = tuple([sites[s] if s >= 0 else s for s in old.variadic_sites])
        return old._replace(owner=classes[old.owner] if old.owner >= 0 else old.owner, variadic_sites=variadic)

    def class_(old: ClassFacts) -> ClassFacts:
        return old._replace(plain={name: functions[number] for name, number in old.plain.items()})

    operations = program.operations
    for i in range(0, len(operations), 3):
        if operations[i] == Op.SUPER:
            operations[i + 1] = classes[operations[i + 1]]
    program.seeds = [(v, kind, renumber(kind, payload)) for v, kind, payload in program.seeds]
    program.sites = _placed(program.sites, sites, lambda site: site)
    return replace(
        facts,
        program=pack_program(program),
        origins={v: (o[0], renumber(o[0], o[1]), *o[2:]) for v, o in facts.origins.items()},
        functions=Functions(_placed(facts.functions, functions, function)),
        classes=Classes(_placed(facts.classes, classes, class_)),
        wrappers=[(functions[inner], functions[outer], *rest) for inner, outer, *rest in facts.wrappers],
        makers=[(functions[label], position) for label, position in facts.makers],
        handed_out=frozenset((kind, renumber(kind, label)) for kind, label in facts.handed_out),
        typed=[(classes[owner] if owner >= 0 else owner, *rest) for owner, *rest in facts.typed],
    )


def _placed(items: Sequence[Any], labels: dict[int, int], change: Callable[[Any], Any]) -> list[Any]:
    placed: list[Any] = [None] * (max(labels.values(), default=-1) + 1)
    for number, item in enumerate(items):
        placed[labels[number]] = change(item)
    return placed


def _is_identity(labels: dict[int, int]) -> bool:
    return all(number == label for number, label in labels.items())


def _keep_labels(now: dict[int, Hashable], before: dict[int, Hashable], free: int) -> dict[int, int]:
    known = {key: label for label, key in before.items()}
    labels: dict[int, int] = {}
    for number, key in now.items():
        label = known.get(key)
        if label is None:
            label, free = free, free + 1
        labels[number] = label
    return labels


def _align(now: list, before: list) -> dict[int, int]:
    """Labels by what the beginnings and the ends of two lists have in common."""
    places = [label for label, item in enumerate(before) if item is not None]
    old = [before[label] for label in places]
    size = min(len(now), len(old))
    start = 0
    while start < size and now[start] == old[start]:
        start += 1
    end = 0
    while end < size - start and now[-1 - end] == old[-1 - end]:
        end += 1
    labels = {i: places[i] for i in range(start)}
    free = len(before)
    for i in range(start, len(now) - end):
        labels[i], free = free, free + 1
    for i in range(end):
        labels[len(now) - 1 - i] = places[-1 - i]
    return labels


def _shape(site: tuple | None) -> tuple | None:
    if site is None:
        return None
    kind, fields, rest, keys, length = site
    return kind, tuple(fields), bool(rest), bool(keys), length


def _numbered(keys: Iterable[tuple[int, Hashable]]) -> dict[int, Hashable]:
    """Keys made unique: equal ones are counted, in order."""
    seen: Counter = Counter()
    result: dict[int, Hashable] = {}
    for label, key in keys:
        result[label] = key, seen[key]
        seen[key] += 1
    return result


def class_keys(facts: PythonFacts) -> dict[int, Hashable]:
    """Returns by what each class is recognised, by label: its name, and which of that name it is."""
    return _numbered((label, facts.classes.name(label)) for label in facts.classes.in_order())


def function_keys(facts: PythonFacts) -> dict[int, Hashable]:
    """Returns the keys of functions: their class, name, and which of these it is."""
    owners, functions = class_keys(facts), facts.functions
    return _numbered(
        (label, (owners.get(functions.owner(label)), functions.name(label))) for label in functions.in_order()
    )


def definition_keys(facts: PythonFacts) -> dict[int, Hashable]:
    """Returns by what each definition with a node is recognised, by its number: classes and functions as above, attributes by the name that
    a module or a class knows them by, or else by what stands before them."""
    keys: dict[int, Hashable] = {0: "file"}
    for label, key in function_keys(facts).items():
        keys[facts.functions.definition(label)] = "function", key
    for label, key in class_keys(facts).items():
        owner = facts.classes[label]
        keys[owner.definition] = "class", key
        for name, number in owner.attributes.items():
            keys.setdefault(number, ("attribute", key, name))
    for name, variable in facts.exports.items():
        origin = facts.origins.get(variable, ("",))
        if origin[0] == "attribute":
            keys.setdefault(origin[1], ("attribute", name))
    last, count = keys[0], 0
    for number in sorted({o[1] for o in facts.origins.values() if o[0] == "attribute"} | keys.keys()):
        if number in keys:
            last, count = keys[number], 0
        else:
            keys[number] = "behind", last, count
            count += 1
    return keys


def moved_definitions(before: Mapping[int, Hashable], now: Mapping[int, Hashable]) -> dict[int, int]:
    """Tells where each definition is now, from the keys of two versions of a file; those that are gone are left out."""
    places = {key: number for number, key in now.items()}
    return {number: places[key] for number, key in before.items() if key in places}


class ClassDescription(NamedTuple):
    """What a class is to those who follow names.

    Attributes:
        bases: its bases.
        names: by name, what it is bound to in the class's body.
        rest: what concerns the class as a whole.
    """

    bases: list[tuple | None]
    names: dict[str, tuple]
    rest: tuple


class NameDescription(NamedTuple):
    """All that following names through a file depends on, without the numbers of its variables.

    Two versions of a file for which a part of this is equal look the same to everything that looks at that part only.

    Attributes:
        exports: by name, what it is bound to at the end of the module.
        public: `__all__`.
        classes: by label.
        order: the labels of the classes, in order.
    """

    exports: dict[str, tuple]
    public: list[str] | None
    classes: dict[int, ClassDescription]
    order: list[int]


def describe_names(facts: PythonFacts, keys: Mapping[int, Hashable]) -> NameDescription:
    """Returns the description of a file whose definitions have `keys`."""
    free = {variable: name for name, variable in facts.cells.items() if name not in facts.exports}

    def describe(variable: int) -> tuple:
        numbers, queue, parts = {variable: 0}, [variable], []
        for each in queue:
            origin = facts.origins.get(each)
            if origin is None:
                parts.append(("free", free.get(each)))
            elif origin[0] == "import":
                parts.append(("import", facts.imports[origin[1]][:4]))
            elif origin[0] == "attribute":
                parts.append(keys[origin[1]])
            elif origin[0] == "phi":
                for part in origin[1]:
                    if part not in numbers:
                        numbers[part] = len(queue)
                        queue.append(part)
                parts.append(("phi", *[numbers[part] for part in origin[1]]))
            else:
                parts.append(origin)
        return tuple(parts)

    def dotted(base: tuple | None) -> tuple | None:
        return None if base is None else (describe(base[0]), base[1])

    def describe_class(owner: ClassFacts) -> ClassDescription:
        names: dict[str, tuple] = {name: (describe(variable),) for name, variable in owner.namespace.items()}
        for name, number in owner.attributes.items():
            names[name] = *names.get(name, ()), "attribute", keys[number]
        for name, label in owner.plain.items():
            names[name] = *names.get(name, ()), "function", label
        rest = dotted(owner.metaclass), owner.fields, owner.is_dataclass
        return ClassDescription([dotted(base) for base in owner.bases], names, rest)

    order = facts.classes.in_order()
    return NameDescription(
        {name: describe(variable) for name, variable in facts.exports.items()},
        facts.public,
        {label: describe_class(facts.classes[label]) for label in order},
        order,
    )

"""Labels: numbers of a file's functions, classes and displays that stay the same while the file is edited.

Extraction numbers them in order, so that a new function moves the numbers of all that follow. What has been found out about other files speaks of them
by number and would all be out of date. So the facts of a changed file are renumbered: what is recognisably still there keeps its number, what is new
gets a new one. Numbers may then be in any order, with holes (None).
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from codefuse_hf.graph.languages.python_facts import ClassFacts, FunctionFacts, Op, PythonFacts


def relabelled(facts: PythonFacts, before: PythonFacts) -> PythonFacts:
    """`facts`, fresh from extraction, with the labels of `before` (an earlier, relabelled version) for what is still there."""
    classes = _keep_labels(class_keys(facts), class_keys(before), len(before.classes))
    functions = _keep_labels(function_keys(facts), function_keys(before), len(before.functions))
    sites = _align([_shape(s) for s in facts.sites], [_shape(s) for s in before.sites])
    if all(_is_identity(m) for m in (classes, functions, sites)):
        return facts
    return _renumbered(facts, classes, functions, sites)


def _renumbered(
    facts: PythonFacts, classes: dict[int, int], functions: dict[int, int], sites: dict[int, int]
) -> PythonFacts:
    tables = {"class": classes, "function": functions, "object": sites}

    def renumber(kind: str, number: Any) -> Any:
        return tables[kind][number] if kind in tables else number

    def function(old: FunctionFacts) -> FunctionFacts:
        variadic = tuple([sites[s] if s >= 0 else s for s in old.variadic_sites])
        return old._replace(owner=classes[old.owner] if old.owner >= 0 else old.owner, variadic_sites=variadic)

    def class_(old: ClassFacts) -> ClassFacts:
        return old._replace(plain={name: functions[number] for name, number in old.plain.items()})

    operations = array("i", facts.operations)
    for i in range(0, len(operations), 3):
        if operations[i] == Op.SUPER:
            operations[i + 1] = classes[operations[i + 1]]
    return replace(
        facts,
        operations=operations,
        seeds=[(v, kind, renumber(kind, payload)) for v, kind, payload in facts.seeds],
        origins={v: (o[0], renumber(o[0], o[1]), *o[2:]) for v, o in facts.origins.items()},
        functions=_placed(facts.functions, functions, function),
        classes=_placed(facts.classes, classes, class_),
        sites=_placed(facts.sites, sites, lambda site: site),
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


def _ordered(definitions: Sequence[Any]) -> list[int]:
    present = [label for label, facts in enumerate(definitions) if facts is not None]
    return sorted(present, key=lambda label: definitions[label].definition)


def class_keys(facts: PythonFacts) -> dict[int, Hashable]:
    """By which each class is recognised, by label: its name, and which of that name it is."""
    return _numbered((label, facts.classes[label].name) for label in _ordered(facts.classes))


def function_keys(facts: PythonFacts) -> dict[int, Hashable]:
    """The same of functions: their class, name, and which of these it is."""
    owners = class_keys(facts)
    return _numbered(
        (label, (owners.get(facts.functions[label].owner), facts.functions[label].name))
        for label in _ordered(facts.functions)
    )


def definition_keys(facts: PythonFacts) -> dict[int, Hashable]:
    """By which each definition with a node is recognised, by its number: classes and functions as above, attributes by what stands before them."""
    keys: dict[int, Hashable] = {0: "file"}
    for label, key in class_keys(facts).items():
        keys[facts.classes[label].definition] = "class", key
    for label, key in function_keys(facts).items():
        keys[facts.functions[label].definition] = "function", key
    attributes = {number for c in facts.classes if c is not None for number in c.attributes.values()}
    attributes.update(o[1] for o in facts.origins.values() if o[0] == "attribute")
    last, count = keys[0], 0
    for number in sorted(attributes | keys.keys()):
        if number in keys:
            last, count = keys[number], 0
        else:
            keys[number] = "attribute", last, count
            count += 1
    return keys


def moved_definitions(before: PythonFacts, now: PythonFacts) -> dict[int, int]:
    """Where each definition of `before` is in `now`; those that are gone are left out."""
    places = {key: number for number, key in definition_keys(now).items()}
    return {number: places[key] for number, key in definition_keys(before).items() if key in places}


def describe_names(facts: PythonFacts) -> tuple:
    """All that following names through this file depends on, without the numbers of its variables.

    Two versions of a file for which this is equal look the same to everything that asks what names, modules and classes are.
    """
    keys = definition_keys(facts)
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

    return (
        [(name, describe(variable)) for name, variable in facts.exports.items()],
        list(facts.cells),
        facts.public,
        [statement[:4] for statement in facts.imports],
        [
            (
                label,
                [dotted(base) for base in owner.bases],
                dotted(owner.metaclass),
                [(name, describe(variable)) for name, variable in owner.namespace.items()],
                owner.plain,
                {name: keys[number] for name, number in owner.attributes.items()},
                owner.fields,
                owner.is_dataclass,
            )
            for label in _ordered(facts.classes)
            for owner in [facts.classes[label]]
        ],
    )

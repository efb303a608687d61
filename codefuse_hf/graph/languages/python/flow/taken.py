"""What annotations say of what is taken out of annotated things: `for item in items`, `table[key]`, `table.items()`, `a, b = pair`, `object.attribute`.

An annotation of such a variable is (what is taken, …, annotation of the container), or (IS, type) for an attribute, beside those of `reading/facts.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from codefuse_hf.graph.languages.python.flow.annotations import Type, parts
from codefuse_hf.graph.languages.python.reading.facts import OWN_TYPE, Constant, Op
from codefuse_hf.graph.languages.python.reading.program import Program

ITEM, VALUE, VALUES, ITEMS, AT, ATTRIBUTE, IS = "item", "value", "values", "items", "at", "attribute", "is"
METHODS = {"get": VALUE, "pop": VALUE, "setdefault": VALUE, "values": VALUES, "items": ITEMS, "popleft": ITEM}
"""Methods of containers, and what they take out."""
_MAX_STEPS = 4
"""Things that are taken out of what was taken out."""


def taken_out(
    program: Program, limits: Mapping[int, tuple], of_attribute: Callable[[tuple, str], tuple | None]
) -> dict[int, tuple]:
    """Returns the annotations of the variables that hold what is taken out of annotated ones; `of_attribute` returns that of an attribute."""
    found: dict[int, tuple] = {}
    pending = [(variable, each, 0) for variable, each in limits.items()]
    for variable, annotation, depth in pending:
        for target, what in _targets(program, variable):
            if target and target not in limits and target not in found:
                if what[0] == ATTRIBUTE:
                    known = of_attribute(annotation, what[1])
                else:
                    known = None if annotation[0] == OWN_TYPE else (*what, annotation)
                if known is not None:
                    found[target] = known
                    if depth < _MAX_STEPS:
                        pending.append((target, known, depth + 1))
    return found


def _targets(program: Program, variable: int) -> list[tuple[int, tuple]]:
    found: list[tuple[int, tuple]] = []
    starts, operations = program.starts, program.operations
    for i in range(3 * starts[variable], 3 * starts[variable + 1], 3):
        code, a = operations[i], operations[i + 1]
        if code == Op.ITERATE:
            found.append((a, (ITEM,)))
        elif code == Op.GET_ITEM:
            key, target, _ = program.items[a]
            if isinstance(key, Constant) and type(key.value) is int and key.value >= 0:
                found.append((target, (AT, key.value)))
            elif key.__class__ is not tuple:
                found.append((target, (VALUE,)))
        elif code == Op.UNPACK:
            key, target, _ = program.items[a]
            if key[0] == "at":
                found.append((target, (AT, key[1])))
        elif code == Op.ATTRIBUTE:
            name, method, _, is_callee = program.loads[a]
            if not is_callee:
                if starts[method] != starts[method + 1]:  # something is done with it
                    found.append((method, (ATTRIBUTE, name)))
            elif name in METHODS:
                for j in range(3 * starts[method], 3 * starts[method + 1], 3):
                    if operations[j] == Op.CALL:
                        target, given = program.calls[operations[j + 1]][2:4]
                        if len(given) < 2:  # not with a default
                            found.append((target, (METHODS[name],)))
    return found


def type_taken(annotation: tuple, type_: Type) -> Type:
    """Returns the type of what `annotation` takes out of a container of a type."""
    what, found = annotation[0], []
    for part in parts(type_):
        if part is None:
            return None
        kind = part[0]
        if kind == "nothing":
            continue
        if kind == "list":
            each = part[1] if what in (ITEM, VALUE, AT) else None
        elif kind == "tuple":
            place = annotation[1] if what == AT else -1
            each = (
                part[1 + place] if 0 <= place < len(part) - 1 else _any_of(part[1:]) if what in (ITEM, VALUE) else None
            )
        elif kind == "dict":
            key, value = part[1], part[2]
            each = {
                ITEM: key, VALUE: value, AT: value, VALUES: value and ("list", value, "ValuesView"),
                ITEMS: ("list", ("tuple", key, value), "ItemsView"),
            }[what]  # fmt: skip
        else:
            return None
        if each is None:
            return None
        found += [other for other in parts(each) if other not in found]
    return None if not found else found[0] if len(found) == 1 else ("union", *found)


def _any_of(types: tuple) -> Type:
    found = [part for each in types for part in parts(each)]
    return None if not found or None in found else ("union", *found)

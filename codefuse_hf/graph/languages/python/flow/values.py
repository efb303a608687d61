"""What the solver of the data-flow programs computes with: kinds of values, numbers of variables, arguments of calls."""

from __future__ import annotations

from typing import Any

from codefuse_hf.graph.languages.python.reading.facts import Constant

SHIFT = 24
"""The number of a variable that files tell each other of is `file << SHIFT | count`."""


class Kind:
    """What a value is. A value is a triple (kind, a, b); file-local entities are paired with their file's number.

    Plain integers: members of an enumeration take five times as long to look up, and they are looked up millions of times.
    """

    FUNCTION = 0  # a: file, b: index in functions
    CLASS = 1  # a: file, b: index in classes
    INSTANCE = 2  # of class: a: file, b: index
    BOUND = 3  # a: value called, b: value of the receiver
    MODULE = 4  # a: file, b: 0; or a: -1, b: name of a folder without __init__
    OBJECT = 5  # container made at a display: a: file, b: site
    GENERATOR = 6  # of function a: file, b: index
    SUPER = 7  # a: class value, b: receiver value
    PARTIAL = 8  # a: file, b: call site
    PROPERTY = 9  # a: getter value, b: setter value or -1
    STATIC = 10  # a: value
    CLASSMETHOD = 11  # a: value
    BUILTIN = 12  # a: name
    METHOD = 13  # of a container or generator: a: receiver value, b: name
    CONSTANT = 14  # a: the Python value
    NAMESPACE = 15  # `__dict__` of a module: a: file; of an instance: a: -1, b: value
    WRAPPED = 18  # a: the wrapper, b: the value that it was made for
    GETTER = 17  # a property seen through an instance: a: getter value, b: receiver value


class Arguments:
    """What a call passes: values in front (a bound receiver), then (is_star, variable or Constant), then (name or None, variable or Constant)."""

    __slots__ = ("keywords", "positional", "prefix")

    def __init__(self, positional: tuple = (), keywords: tuple = (), prefix: tuple = ()):
        self.positional, self.keywords, self.prefix = positional, keywords, prefix

    def after(self, value: int) -> Arguments:
        """Returns the same arguments behind a further first one, such as `self`."""
        return Arguments(self.positional, self.keywords, (value, *self.prefix))

    def plain(self) -> tuple[tuple, tuple, tuple]:
        """Turns them into plain data, in which a literal stands as a tuple of itself."""
        return _plain(self.positional), _plain(self.keywords), self.prefix

    @classmethod
    def of_plain(cls, plain: tuple[tuple, tuple, tuple]) -> Arguments:
        """Makes arguments of the plain data that `plain` gives."""
        positional, keywords, prefix = plain
        return cls(_with_constants(positional), _with_constants(keywords), prefix)


def call_back(key: tuple, caller: int, arguments: Arguments, target: int) -> tuple:
    """Makes the step that calls a value."""
    return "call_value", key, caller, arguments.plain(), target


def _plain(pairs: tuple) -> tuple:
    for _, argument in pairs:
        if argument.__class__ is not int:
            return tuple([(word, (a.value,) if isinstance(a, Constant) else a) for word, a in pairs])
    return pairs


def _with_constants(pairs: tuple) -> tuple:
    for _, argument in pairs:
        if argument.__class__ is tuple:
            return tuple([(word, Constant(*a) if a.__class__ is tuple else a) for word, a in pairs])
    return pairs


def variables_as_arguments(variables: tuple) -> Arguments:
    """Makes positional arguments of variables."""
    return Arguments(tuple((0, v) for v in variables))


def arguments_of(*sources: Any) -> Arguments:
    """Makes positional arguments of variables and Constants; anything else (a slice) passes nothing of interest."""
    return Arguments(tuple((0, s if type(s) is int or isinstance(s, Constant) else 0) for s in sources))


NO_ARGUMENTS = Arguments()

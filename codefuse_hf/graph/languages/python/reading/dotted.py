"""Dotted names read from their text: a fifth of the nodes of ordinary source are the parts of `a.b.c`, and need not be made to know them."""

from __future__ import annotations

from sys import intern

_LITERALS = frozenset({"None", "True", "False", ""})
"""What stands before the first dot of an expression but is no name; `....x` is an attribute of the ellipsis."""
LONGEST = 120
"""Characters; longer texts are gone through node by node, so that a chain of calls costs no time in the square of its length."""


class DottedNames(dict[str, "tuple[str, ...] | None"]):
    """The names in the text of an expression that is nothing but names and dots, None for other texts; each text is looked at once.

    In a tree with errors the text does not tell what the nodes are: `trusted` False gives None for all.
    """

    def __init__(self, trusted: bool):
        super().__init__()
        self.trusted = trusted

    def read(self, text: str) -> tuple[str, ...] | None:
        """Reads the names in a new text."""
        names = None
        if self.trusted and text.isascii() and text.replace(".", "_").isidentifier():
            first, *rest = text.split(".")
            if first not in _LITERALS:
                names = intern(first), *map(intern, rest)
        self[text] = names
        return names

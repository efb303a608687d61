"""The kinds of units that are indexed and the ways to rank them; a module of its own, so that the command line knows them without the rest."""

KINDS = ("function", "class", "section", "file")
MODES = ("hybrid", "vectors", "words")

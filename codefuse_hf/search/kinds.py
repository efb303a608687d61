"""The kinds of units that are indexed; a module of its own, so that the command line knows them without the rest."""

KINDS = ("function", "class", "file")

"""One folder per programming language: what its syntax tree means to the code graph."""

from __future__ import annotations

import importlib
import pkgutil
from functools import lru_cache

from codefuse_hf.graph.languages.base import LanguageFrontEnd


@lru_cache(maxsize=1)
def front_ends() -> dict[str, LanguageFrontEnd]:
    """Every language by name: the folders here, each with a `front_end.py` that sets `FRONT_END`."""
    found = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda m: m.name):
        if module.ispkg:
            front_end = importlib.import_module(f"{__name__}.{module.name}.front_end").FRONT_END
            found[front_end.name] = front_end
    return found


def select_front_ends(languages: list[str] | None) -> dict[str, LanguageFrontEnd]:
    """The chosen languages (None: all); ValueError names the known ones."""
    known = front_ends()
    if languages is None:
        return known
    if isinstance(languages, str):
        languages = [languages]
    unknown = [name for name in languages if name not in known]
    if unknown:
        raise ValueError(f"unknown language {unknown[0]!r}: expected one of {', '.join(known)}")
    return {name: known[name] for name in known if name in languages}

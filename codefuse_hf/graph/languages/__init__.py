"""The programming languages that code graphs know: a folder each, found by looking."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache

from codefuse_hf.graph.languages.base import LanguageDescription, LanguageFrontEnd


@lru_cache(maxsize=1)
def languages() -> Mapping[str, LanguageDescription]:
    """Finds every language, by name: the packages in this folder that set `LANGUAGE`."""
    packages = sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)
    modules = (importlib.import_module(f"{__name__}.{name}") for name in packages)
    found = (module.LANGUAGE for module in modules if hasattr(module, "LANGUAGE"))
    return {language.name: language for language in found}


def resolved_as(name: str) -> str:
    """Names the language whose front end finds the edges of this one's files."""
    language = languages().get(name)
    return name if language is None else language.resolved_with or name


@cache
def front_end(name: str) -> LanguageFrontEnd:
    """Makes the front end of a language, once."""
    return languages()[name].front_end()


def select_languages(names: str | Iterable[str] | None) -> dict[str, LanguageDescription]:
    """Chooses languages by name (None: all), in the order of their names. ValueError for an unknown one names the known ones."""
    known = languages()
    wanted = set(known) if names is None else {names} if isinstance(names, str) else set(names)
    unknown = sorted(wanted - set(known))
    if unknown:
        raise ValueError(f"unknown language {unknown[0]!r}: expected one of {', '.join(known)}")
    return {name: known[name] for name in known if name in wanted}


def language_of_path(path: str, names: Iterable[str] | None = None) -> str | None:
    """Tells a file's language from its name, among all languages or those named; None for a file that is text."""
    for name, language in languages().items():
        if path.endswith(language.suffixes) and (names is None or name in names):
            return name
    return None

"""From an issue to a patch: find the places, read them, write the change.

`Locator` ranks files and functions without a language model.
"""

import importlib

_PUBLIC_NAMES = {
    "Issue": "issue",
    "read_issue": "issue",
    "Places": "places",
    "Locator": "locate",
    "Ranking": "locate",
}

__all__ = sorted(_PUBLIC_NAMES)


def __getattr__(name: str):
    if name not in _PUBLIC_NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_PUBLIC_NAMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC_NAMES})

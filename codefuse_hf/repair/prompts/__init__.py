"""The prompts of the stages: one text file each, with `$names` for what is filled in."""

import functools
import importlib.resources
import string


@functools.cache
def _template(name: str) -> string.Template:
    return string.Template((importlib.resources.files(__name__) / f"{name}.txt").read_text(encoding="utf-8"))


def fill(name: str, **values: str) -> str:
    """Fill in the blanks of the prompt `name`. What is filled in is not looked at again, so it cannot bring blanks of its own."""
    return _template(name).substitute(values)

"""The prompts of the stages: one text file each, with `$names` for what is filled in."""

import functools
import importlib.resources
import string


@functools.cache
def _template(name: str) -> string.Template:
    return string.Template((importlib.resources.files(__name__) / f"{name}.txt").read_text(encoding="utf-8"))


def fill(name: str, **values: str) -> str:
    """The prompt of a name with its blanks filled in; what is filled in is not looked at again."""
    return _template(name).substitute(values)

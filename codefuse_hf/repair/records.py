"""Plain results that are kept as JSON: frozen dataclasses of texts, numbers, tuples and each other."""

import json
import os
import types
import typing
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any, Self

from codefuse_hf.files import replacing


class Record:
    """Base of frozen dataclasses that `to_json` writes and `from_json` reads back equal."""

    def to_json(self) -> str:
        """Write the record as JSON text."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote.

        Raises:
            ValueError: the text is something else; the message names the field.
        """
        try:
            return _read(cls, json.loads(text), cls.__name__)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"this is no {cls.__name__}: {error}") from error

    def save(self, path: str | os.PathLike) -> None:
        """Write the record to a file, which appears whole or not at all."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, "w", "utf-8") as file:
            file.write(self.to_json())

    @classmethod
    def load(cls, path: str | os.PathLike) -> Self:
        """Read what `save` wrote.

        Raises:
            OSError: there is no such file.
            ValueError: it holds something else.
        """
        return cls.from_json(Path(path).read_text(encoding="utf-8"))


def _read(kind: Any, value: Any, place: str) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:
        if value is None and type(None) in arguments:
            return None
        return _read(next(each for each in arguments if each is not type(None)), value, place)
    if origin is tuple:
        if not isinstance(value, list):
            raise ValueError(f"{place} must be a list, found {value!r:.80}")
        return tuple(_read(arguments[0], each, f"{place}[{position}]") for position, each in enumerate(value))
    if is_dataclass(kind):
        if not isinstance(value, dict):
            raise ValueError(f"{place} must be an object, found {value!r:.80}")
        hints = typing.get_type_hints(kind)
        names = {field.name for field in fields(kind)}
        if set(value) != names:
            raise ValueError(f"{place} must have exactly the fields {', '.join(sorted(names))}")
        return kind(**{name: _read(hints[name], each, f"{place}.{name}") for name, each in value.items()})
    wanted = (int, float) if kind is float else kind
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{place} must be of type {kind.__name__}, found {value!r:.80}")
    return kind(value)

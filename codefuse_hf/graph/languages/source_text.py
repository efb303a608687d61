"""The text of one source file, with exact conversions between UTF-8 byte offsets (what tree-sitter counts), characters, lines and columns."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from functools import cached_property

_LINE_END = re.compile(r"\r\n|\r|\n")
_WIDE = re.compile(r"[^\x00-\x7f]")
_LONE_CARRIAGE_RETURN = re.compile(rb"\r(?!\n)")


class SourceText:
    """Decoded text plus its UTF-8 form.

    `text` keeps the file's own line endings. `parser_input` has the same length in bytes as the UTF-8 text, with what grammars stumble over replaced: lone
    carriage returns (old Mac line ends) become line feeds and null bytes blanks, so byte offsets of a tree fit `utf8` exactly.
    """

    __slots__ = ("__dict__", "text", "utf8")

    def __init__(self, text: str):
        self.text = text
        self.utf8 = text.encode("utf-8", "replace") if not text.isascii() else text.encode("ascii")

    @cached_property
    def parser_input(self) -> bytes:
        """The text as tree-sitter should see it, of the same length: lone carriage returns end lines, and no byte is zero."""
        data = self.utf8
        if b"\r" in data:
            data = _LONE_CARRIAGE_RETURN.sub(b"\n", data)
        return data.replace(b"\0", b" ") if b"\0" in data else data

    @cached_property
    def is_ascii(self) -> bool:
        """Whether byte and character offsets agree."""
        return len(self.utf8) == len(self.text)

    @cached_property
    def _wide(self) -> tuple[array, array]:
        """Byte offset behind each character of several bytes, and how far bytes are ahead of characters from there on."""
        ends, ahead, total = array("q"), array("q", [0]), 0
        for match in _WIDE.finditer(self.text):
            width = len(match[0].encode("utf-8", "replace"))
            ends.append(match.start() + total + width)
            total += width - 1
            ahead.append(total)
        return ends, ahead

    def char(self, byte_offset: int) -> int:
        """Finds the character offset of a UTF-8 byte offset that lies on a character border."""
        if self.is_ascii:
            return byte_offset
        ends, ahead = self._wide
        return byte_offset - ahead[bisect_right(ends, byte_offset)]

    def slice(self, start_byte: int, end_byte: int) -> str:
        """Reads the text between two byte offsets."""
        if self.is_ascii:
            return self.text[start_byte:end_byte]
        return self.utf8[start_byte:end_byte].decode("utf-8", "replace")

    @cached_property
    def line_starts(self) -> list[int]:
        """Character offset of each line's first character; `\\n`, `\\r\\n` and `\\r` end lines, form feeds do not."""
        if "\r" not in self.text:
            starts, position = [0], self.text.find("\n")
            while position >= 0:
                starts.append(position + 1)
                position = self.text.find("\n", position + 1)
            return starts
        return [0, *(match.end() for match in _LINE_END.finditer(self.text))]

    def line(self, offset: int) -> int:
        """Finds the 1-based line of a character offset."""
        return bisect_right(self.line_starts, offset)

    def column(self, offset: int) -> int:
        """Finds the 0-based column of a character offset, in characters."""
        return offset - self.line_starts[self.line(offset) - 1]

"""Untrusted text inside prompts: it stays a quotation, whatever it holds.

An issue is written in front of each line with "> ", so that no marker in it stands where markers are read. A file stands
between fences that it does not contain. What chat templates read as the border of a message ("<|im_end|>") is broken by
an invisible character, which `restore` takes out of answers again.
"""

import re

BREAK = "\u2060"  # word joiner: invisible, and no blank
_BORDERS = re.compile(
    r"<(?=\|[^|<>\n]{1,40}\|>|/?s>|/?(?:start|end)_of_turn>|/?think>|\uff5c)|\[(?=/?(?:INST|SYS|AVAILABLE_TOOLS|TOOL_\w+)\])"
)
_BROKEN = re.compile(f"(?<=[<\\[]){BREAK}")
_HALVES = re.compile(r"[\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def neutral(text: str) -> str:
    """Make untrusted text harmless in a prompt: borders of messages are broken, halves of surrogate pairs (no Unicode text)
    replaced."""
    return _BORDERS.sub(lambda match: match.group() + BREAK, _HALVES.sub("\ufffd", text))


def restore(text: str) -> str:
    """Undo `neutral` in what a model wrote: its breaks are taken out; halves of surrogate pairs are replaced."""
    return _BROKEN.sub("", _HALVES.sub("\ufffd", text))


def quote(text: str) -> str:
    """Write a text as a quotation: each line after "> "."""
    clean = _CONTROL.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n")).strip()
    return "\n".join(f"> {line}".rstrip() for line in neutral(clean).split("\n"))


def fence(text: str) -> str:
    """Put a text between fences of more backticks than it has in a row, so that it cannot end them."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    ticks = "`" * (longest + 1)
    return f"{ticks}\n{neutral(text)}{'' if text.endswith(chr(10)) else chr(10)}{ticks}"

"""Bytes put away while they are not needed: in memory as long as they are few, then in a temporary file that nobody else sees."""

from __future__ import annotations

import tempfile

_IN_MEMORY = 1 << 20
"""Up to so many bytes no file is made."""
_SMALLEST = 1 << 10

Handle = tuple[int, int]
"""Where a blob lies: its offset and its length."""


class BlobStore:
    """Blobs of bytes by handle. What is replaced or removed leaves room for others of its size class, so the file does not grow without end."""

    def __init__(self, in_memory: int = _IN_MEMORY):
        self._file = tempfile.SpooledTemporaryFile(max_size=in_memory)  # noqa: SIM115 (closed with the store)
        self._end = 0
        self._free: dict[int, list[int]] = {}

    def put(self, blob: bytes) -> Handle:
        """Stores a blob."""
        room = _room(len(blob))
        free = self._free.get(room)
        if free:
            offset = free.pop()
        else:
            offset, self._end = self._end, self._end + room
        self._file.seek(offset)
        self._file.write(blob)
        return offset, len(blob)

    def get(self, handle: Handle) -> bytes:
        """The blob behind a handle."""
        offset, length = handle
        self._file.seek(offset)
        return self._file.read(length)

    def remove(self, handle: Handle) -> None:
        """Gives up a blob."""
        offset, length = handle
        self._free.setdefault(_room(length), []).append(offset)

    def replace(self, handle: Handle | None, blob: bytes) -> Handle:
        """Stores a blob in place of an earlier one."""
        if handle is not None:
            self.remove(handle)
        return self.put(blob)

    def close(self) -> None:
        """Frees the file; handles are void afterwards."""
        self._file.close()


def _room(length: int) -> int:
    """The size class of a blob: four steps per power of two, so that at most a fifth of the room is empty."""
    if length <= _SMALLEST:
        return _SMALLEST
    step = 1 << (length - 1).bit_length() - 3
    return -(-length // step) * step

"""Keeps bytes on disk while they are not needed: a temporary SQLite database that nobody else sees."""

from __future__ import annotations

import errno
import sqlite3


class Spill:
    """Bytes by number, in a private database that goes with the object. SQLite keeps the little that is used in memory, and uses room again."""

    def __init__(self) -> None:
        # "" is a temporary database. Nothing is read by others or after a crash, so it needs neither a journal nor transactions.
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for setting in ("page_size = 16384", "journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE"):
            self._database.execute(f"PRAGMA {setting}")
        self._database.execute("CREATE TABLE spill (key INTEGER PRIMARY KEY, value BLOB)")

    def __setitem__(self, key: int, value: bytes) -> None:
        """Put a value away. Raises `OSError` where there is no more room on the disk."""
        try:
            self._database.execute("REPLACE INTO spill VALUES (?, ?)", (key, value))
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                raise
            raise OSError(
                errno.ENOSPC,
                "no room for intermediate results among the temporary files: free some, name another folder with the variable "
                "SQLITE_TMPDIR, or allow more memory",
            ) from error

    def __getitem__(self, key: int) -> bytes:
        found = self._database.execute("SELECT value FROM spill WHERE key = ?", (key,)).fetchone()
        if found is None:
            raise KeyError(key)
        return found[0]

    def __delitem__(self, key: int) -> None:
        self._database.execute("DELETE FROM spill WHERE key = ?", (key,))

    def close(self) -> None:
        """Removes the database."""
        self._database.close()

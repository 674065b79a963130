"""A set of texts that may outgrow memory: SQLite keeps it in a private temporary file once its cache is full."""

from __future__ import annotations

import sqlite3


class Seen:
    """Ids met so far. Holds at most 16 MB in memory, however many there are."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.executescript(
            "PRAGMA cache_size=-16000; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; "
            "CREATE TABLE seen (id TEXT PRIMARY KEY) WITHOUT ROWID; BEGIN;"
        )

    def add(self, name: str) -> bool:
        """Whether `name` is new."""
        return self._db.execute("INSERT OR IGNORE INTO seen VALUES (?)", (name,)).rowcount == 1

    def close(self) -> None:
        self._db.close()

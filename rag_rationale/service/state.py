"""The service's own file: one SQLite database, and the secret under which users are hashed in it.

Cache and log keep their tables in it. It knows neither.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rag_rationale.errors import SettingsError

FILE = "rationales.sqlite"
_SETUP = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA secure_delete = ON;
CREATE TABLE IF NOT EXISTS secret (value BLOB NOT NULL);
"""


class State:
    """Opens or makes `rationales.sqlite` in a folder, readable by its owner only. Safe to share between threads.

    SettingsError where the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._lock = threading.Lock()
        path = folder / FILE
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=10)
            self._db.executescript(_SETUP)
        except (OSError, sqlite3.Error) as error:
            raise SettingsError(
                f"{path} cannot be opened: {error}.", remedy="Set RAG_RATIONALE_STATE to a folder that can be written."
            ) from error
        with self.writing() as db:
            if db.execute("SELECT 1 FROM secret").fetchone() is None:
                db.execute("INSERT INTO secret VALUES (?)", (secrets.token_bytes(32),))
        self._secret = bytes(self.rows("SELECT value FROM secret")[0][0])

    def hashed(self, user_id: str) -> bytes:
        """16 bytes that stand for a user here; without the secret of this file nobody can tell for whom."""
        return hashlib.blake2b(user_id.encode("utf-8", "replace"), digest_size=16, key=self._secret).digest()

    def rows(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self._lock:
            return self._db.execute(query, parameters).fetchall()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all of it holds, or nothing."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def flush(self) -> None:
        """Bring what was deleted out of the write-ahead log too."""
        with self._lock:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

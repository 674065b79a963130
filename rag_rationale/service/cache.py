"""Rationales that were written, by what shaped them, so that what did not change is not written again.

The key is the caller's (see `slices`). Bounded in bytes and in age; persistent. It never holds a degraded reply.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Collection

from rag_rationale.service.state import State
from rag_rationale.types import Rationale

_SCHEMA = """
CREATE TABLE IF NOT EXISTS replies (key BLOB PRIMARY KEY, user BLOB, made INTEGER NOT NULL, used INTEGER NOT NULL,
    size INTEGER NOT NULL, reply TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS replies_by_user ON replies (user);
CREATE INDEX IF NOT EXISTS replies_by_use ON replies (used);
CREATE TABLE IF NOT EXISTS quoted (author BLOB NOT NULL, key BLOB NOT NULL, PRIMARY KEY (author, key)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS quoted_by_key ON quoted (key);
"""
_USED_ANEW = 3600  # seconds after which a hit is noted as use: a hit then writes nothing, mostly
_SLACK = 0.9  # of the bound, down to which old entries go once it is passed
_DAY = 86_400


class RationaleCache:
    """The cache over a state file. `largest` in bytes of replies, `days` an entry is served. Safe between threads."""

    def __init__(self, state: State, *, largest: int, days: float, now: Callable[[], float] = time.time) -> None:
        self._state, self._largest, self._days, self._now = state, largest, days, now
        self._lock = threading.Lock()
        with state.writing() as db:
            for statement in filter(str.strip, _SCHEMA.split(";")):
                db.execute(statement)
        self._size = self._measured()

    def get(self, key: bytes) -> Rationale | None:
        """The reply as it was written, id and timings included; None where there is none young enough."""
        now = int(self._now())
        found = self._state.rows("SELECT reply, made, used FROM replies WHERE key = ?", (key,))
        if not found or found[0][1] < now - self._days * _DAY:
            return None
        if found[0][2] < now - _USED_ANEW:
            with self._state.writing() as db:
                db.execute("UPDATE replies SET used = ? WHERE key = ?", (now, key))
        return Rationale.model_validate_json(found[0][0])

    def put(self, key: bytes, reply: Rationale, *, user: str | None, authors: Collection[str]) -> None:
        """Keep a reply to `user` that quotes `authors`. A degraded one is not kept."""
        if reply.degraded:
            return
        text, now = reply.model_dump_json(), int(self._now())
        size = len(text.encode())
        who = None if user is None else self._state.hashed(user)
        with self._lock, self._state.writing() as db:
            old = db.execute("SELECT size FROM replies WHERE key = ?", (key,)).fetchone()
            db.execute("INSERT OR REPLACE INTO replies VALUES (?, ?, ?, ?, ?, ?)", (key, who, now, now, size, text))
            db.execute("DELETE FROM quoted WHERE key = ?", (key,))
            db.executemany("INSERT INTO quoted VALUES (?, ?)", [(self._state.hashed(a), key) for a in set(authors)])
            self._size += size - (old[0] if old else 0)
        if self._size > self._largest:
            self._evict()

    def erase(self, user: str) -> int:
        """Delete what was written for a user, and what quotes her to others; returns how many replies went."""
        who = self._state.hashed(user)
        return self._delete(
            "SELECT key FROM quoted WHERE author = ? UNION SELECT key FROM replies WHERE user = ?", who, who
        )

    def purge(self, index: str, *, keep: str) -> int:
        """Delete what was written over versions of an index but the one of this label; how many replies went."""
        label = "json_extract(reply, '$.provenance.index')"
        doomed = f"SELECT key FROM replies WHERE substr({label}, 1, ?) = ? AND {label} != ?"
        return self._delete(doomed, len(index) + 1, f"{index}@", keep)

    def _delete(self, doomed: str, *parameters: object) -> int:
        with self._lock, self._state.writing() as db:
            keys = db.execute(doomed, parameters).fetchall()
            db.executemany("DELETE FROM replies WHERE key = ?", keys)
            db.executemany("DELETE FROM quoted WHERE key = ?", keys)
            self._size = self._measured_in(db)
        self._state.flush()
        return len(keys)

    def __len__(self) -> int:
        """How many replies it holds."""
        return int(self._state.rows("SELECT COUNT(*) FROM replies")[0][0])

    @property
    def size(self) -> int:
        """Bytes of the replies it holds."""
        return self._size

    def _measured(self) -> int:
        return int(self._state.rows("SELECT COALESCE(SUM(size), 0) FROM replies")[0][0])

    @staticmethod
    def _measured_in(db: sqlite3.Connection) -> int:
        return int(db.execute("SELECT COALESCE(SUM(size), 0) FROM replies").fetchone()[0])

    def _evict(self) -> None:
        """Drop what is too old, then what was not used for longest, until there is room again."""
        oldest = int(self._now() - self._days * _DAY)
        with self._lock, self._state.writing() as db:
            db.execute("DELETE FROM replies WHERE made < ?", (oldest,))
            size = self._measured_in(db)
            for key, one in db.execute("SELECT key, size FROM replies ORDER BY used, rowid").fetchall():
                if size <= self._largest * _SLACK:
                    break
                db.execute("DELETE FROM replies WHERE key = ?", (key,))
                size -= one
            db.execute("DELETE FROM quoted WHERE key NOT IN (SELECT key FROM replies)")
            self._size = size

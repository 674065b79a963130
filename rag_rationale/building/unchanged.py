"""Which rows of the sources the current version holds already, just as they are: they are not cut again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from rag_rationale.index import SnapshotReader, Tombstone
from rag_rationale.types import SourceKind


class Unchanged:
    """The items and reviews of a version, ticked off as their rows are met. Memory does not grow with the version."""

    def __init__(self, base: SnapshotReader | None) -> None:
        self._db = sqlite3.connect("", isolation_level=None)  # a private temporary file
        self._db.executescript(
            "PRAGMA cache_size=-16000; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; "
            "CREATE TABLE rows (kind TEXT, id TEXT, segment TEXT, digest BLOB, kept INTEGER DEFAULT 0, "
            "PRIMARY KEY (kind, id)) WITHOUT ROWID; BEGIN;"
        )
        if base is not None:
            self._db.executemany(
                "INSERT OR REPLACE INTO rows (segment, kind, id, digest) VALUES (?, ?, ?, ?)",
                base.rows.living_digests(),
            )

    def keep(self, kind: SourceKind, source_id: str, digest: bytes) -> bool:
        """Tick a row off. Whether the version holds it with this digest; its passages then stay."""
        query = "UPDATE rows SET kept = 1 WHERE kind = ? AND id = ? AND digest = ?"
        return self._db.execute(query, (kind, source_id, digest)).rowcount == 1

    def has_item(self, item_id: str) -> bool:
        """Whether the item was ticked off."""
        query = "SELECT kept FROM rows WHERE kind = 'item' AND id = ?"
        return bool(self._db.execute(query, (item_id,)).fetchone() == (1,))

    def count(self) -> tuple[int, int]:
        """How many rows were ticked off, and how many not."""
        kept, total = self._db.execute("SELECT TOTAL(kept), COUNT(*) FROM rows").fetchone()
        return int(kept), total - int(kept)

    def left(self) -> Iterator[Tombstone]:
        """What was not ticked off: it has changed or is gone."""
        for segment, kind, key in self._db.execute("SELECT segment, kind, id FROM rows WHERE NOT kept"):
            yield Tombstone(segment, kind, key)

    def close(self) -> None:
        self._db.close()

"""Who must be treated as unknown in an index that still holds her.

A hash of her id joins the index's own list, which builds leave out and every opened version heeds, older ones too. The
id itself is kept for other processes of this state folder, until an opened version of the index has nothing of her; for
good only where the index's folder is read only, so that the list could not be told.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from rag_rationale.index import Forgotten as Listed
from rag_rationale.index import SnapshotReader
from rag_rationale.service.state import State

_SCHEMA = """CREATE TABLE IF NOT EXISTS forgotten (number INTEGER PRIMARY KEY AUTOINCREMENT, index_name TEXT NOT NULL,
    user TEXT NOT NULL, UNIQUE (index_name, user))"""
_log = logging.getLogger(__name__)


class Forgotten:
    """The users to forget, in a state file; without one they are forgotten until the process ends."""

    def __init__(self, state: State | None = None) -> None:
        self._state = state
        self._heeded: dict[str, tuple[str, int]] = {}  # by index: the version, and the last number heeded in it
        self._lock = threading.Lock()
        if state is not None:
            with state.writing() as db:
                db.execute(_SCHEMA)

    def add(self, snapshot: SnapshotReader, user: str) -> bool:
        """Have a user forgotten in an index from now on; False where this version has nothing of her."""
        try:
            Listed(_root(snapshot)).add([user])
        except OSError as error:
            _log.warning("index %s cannot be told whom to forget: %s", snapshot.manifest.name, error)
        if not _holds(snapshot, user):
            return False
        if self._state is not None:
            with self._state.writing() as db:
                db.execute(
                    "INSERT OR IGNORE INTO forgotten (index_name, user) VALUES (?, ?)", (snapshot.manifest.name, user)
                )
        snapshot.forget(user)
        return True

    def heed(self, snapshot: SnapshotReader) -> bool:
        """Have a snapshot forget those who were added since it was last asked, by another process too; whether any."""
        if self._state is None:
            return False
        name, label = snapshot.manifest.name, snapshot.manifest.label
        with self._lock:
            known, last = self._heeded.get(name, ("", 0))
            query = "SELECT number, user FROM forgotten WHERE index_name = ? AND number > ? ORDER BY number"
            found = self._state.rows(query, (name, last if known == label else 0))
            for number, user in found:
                if _holds(snapshot, user):
                    snapshot.forget(user)
                elif known != label and user in Listed(_root(snapshot)):  # a version that was built without her
                    with self._state.writing() as db:
                        db.execute("DELETE FROM forgotten WHERE number = ?", (number,))
            if found or known != label:
                self._heeded[name] = (label, found[-1][0] if found else 0)
        return bool(found)


def _root(snapshot: SnapshotReader) -> Path:
    return snapshot.folder.parent.parent


def _holds(snapshot: SnapshotReader, user: str) -> bool:
    return bool(snapshot.user_passages(user) or snapshot.user_events(user))

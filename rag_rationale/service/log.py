"""What was served: ids, versions, verdicts and times, never a text, never a user's name. Feedback joins it by id."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rag_rationale.service.state import State
from rag_rationale.types import Rationale

_SCHEMA = """CREATE TABLE IF NOT EXISTS served (id TEXT PRIMARY KEY, at INTEGER NOT NULL, made TEXT,
    index_label TEXT NOT NULL, template TEXT NOT NULL, language TEXT NOT NULL, model TEXT NOT NULL,
    verifier TEXT NOT NULL, seed INTEGER NOT NULL, user BLOB, item TEXT, status TEXT NOT NULL, reason TEXT,
    degraded INTEGER NOT NULL, personal INTEGER NOT NULL, verdicts TEXT NOT NULL, total_ms REAL NOT NULL)"""
_INDEXES = (
    "CREATE INDEX IF NOT EXISTS served_by_time ON served (at)",
    "CREATE INDEX IF NOT EXISTS served_by_user ON served (user)",
)
_DAY, _SWEEP = 86_400, 3600
_SHOWN = (
    "id, at, made, index_label, template, language, model, verifier, seed, lower(hex(user)), item, status, reason, "
    "degraded, verdicts"
)


@dataclass(frozen=True, slots=True)
class Served:
    """A row of the log. `made` is the id of the reply that the cache answered with, None where it was written anew.

    `user` is a hash, hex; `verdicts` hold kind, mode, tier and score of each sentence.
    """

    id: str
    at: int
    made: str | None
    index: str
    template: str
    language: str
    model: str
    verifier: str
    seed: int
    user: str | None
    item: str | None
    status: str
    reason: str | None
    degraded: bool
    verdicts: list[dict[str, Any]]


class RationaleLog:
    """The log over a state file; rows older than `days` go. Safe to share between threads."""

    def __init__(self, state: State, *, days: float, now: Callable[[], float] = time.time) -> None:
        self._state, self._days, self._now = state, days, now
        self._swept = -1.0
        with state.writing() as db:
            for statement in (_SCHEMA, *_INDEXES):
                db.execute(statement)

    def add(self, reply: Rationale, *, user: str | None, item: str | None, made: str | None = None) -> None:
        """Note a reply that was served; `made` names the one it repeats."""
        now, told = self._now(), reply.provenance
        verdicts = [{"kind": s.kind, "mode": s.mode, "tier": s.tier, "score": s.score} for s in reply.sentences]
        row = (
            reply.id, int(now), made, told.index, told.template, reply.language, told.model, told.verifier, told.seed,
            None if user is None else self._state.hashed(user), item, reply.status, reply.reason, reply.degraded,
            reply.personal, json.dumps(verdicts), reply.timings_ms.total,
        )  # fmt: skip
        with self._state.writing() as db:
            db.execute(f"INSERT INTO served VALUES ({', '.join('?' * len(row))})", row)
            if now - self._swept > _SWEEP:
                db.execute("DELETE FROM served WHERE at < ?", (int(now - self._days * _DAY),))
                self._swept = now

    def get(self, reply_id: str) -> Served | None:
        """The row of a reply that was served; None where there is none, or no more."""
        found = self._state.rows(
            f"SELECT {_SHOWN} FROM served WHERE id = ? AND at >= ?",
            (reply_id, int(self._now() - self._days * _DAY)),
        )
        if not found:
            return None
        *told, user, item, status, reason, degraded, verdicts = found[0]
        return Served(*told, user or None, item, status, reason, bool(degraded), json.loads(verdicts))  # type: ignore[call-arg]

    def erase(self, user: str) -> int:
        """Delete every row about a user; returns how many."""
        with self._state.writing() as db:
            gone = db.execute("DELETE FROM served WHERE user = ?", (self._state.hashed(user),)).rowcount
        self._state.flush()
        return int(gone)

    def purge(self, index: str, *, keep: str) -> int:
        """Delete the rows of versions of an index but the one of this label; returns how many."""
        query = "DELETE FROM served WHERE substr(index_label, 1, ?) = ? AND index_label != ?"
        with self._state.writing() as db:
            gone = db.execute(query, (len(index) + 1, f"{index}@", keep)).rowcount
        self._state.flush()
        return int(gone)

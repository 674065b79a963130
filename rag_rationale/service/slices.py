"""What shapes a rationale, as one key: the rows of the user and of the item, the versions, and what was asked.

In the key: every passage, event, title and description that may be cited or compared, with their ratings, times,
authors and trust; the request's options; the templates it may resolve to; writer, embedder, verifier, this package's
version, the trust bound. Not in it: what an index measures over all its passages (word rarity, mean vectors, the
background of cosines, the praise head, the newest time). A night's additions move these a little and everywhere, so a
key that held them would keep nothing; they choose between sentences that are each checked against their own passages,
so an old choice stays true. Only their scale is in the key: the index's size in powers of two and its embedder. And a
cached text has an age after which it is written anew.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from rag_rationale.types import Passage, RationaleRequest, Snapshot

_REMEMBERED = 50_000


class Slices:
    """Keys of requests. What one version says of an item or a user is hashed once. Safe to share between threads."""

    def __init__(self, settled: Sequence[str]) -> None:
        """`settled` names what shapes every text of this process: models and versions."""
        self._settled = tuple(settled)
        self._known: dict[str, tuple[str, dict[tuple[str, str], bytes]]] = {}
        self._lock = threading.Lock()

    def key(self, request: RationaleRequest, snapshot: Snapshot, templates: Sequence[str]) -> bytes | None:
        """32 bytes; None where user or item came with the request: what they say is never stored.

        `templates` are the versions that the request may be answered with, one per language.
        """
        user, item = request.user, request.item
        if item.id is None or item.title or item.description or user.history or user.preferences:
            return None
        asked = request.model_dump(exclude={"stream", "deadline_ms"})
        index = (snapshot.manifest.embedder, sum(snapshot.manifest.languages.values()).bit_length())
        whole = hashlib.blake2b(_json([asked, self._settled, list(templates), index]), digest_size=32)
        whole.update(self._slice("item", item.id, snapshot))
        if user.id is not None:
            whole.update(self._slice("user", user.id, snapshot))
        return whole.digest()

    def drop(self, index: str) -> None:
        """Hash anew what an index says: it was told to forget something."""
        with self._lock:
            self._known.pop(index, None)

    def _slice(self, kind: str, name: str, snapshot: Snapshot) -> bytes:
        with self._lock:
            label, known = self._known.get(snapshot.manifest.name, ("", {}))
            if label != snapshot.manifest.label or len(known) >= _REMEMBERED:
                known = {}
                self._known[snapshot.manifest.name] = (snapshot.manifest.label, known)
            found = known.get((kind, name))
        if found is None:
            found = (_item_slice if kind == "item" else _user_slice)(snapshot, name)
            known[kind, name] = found
        return found


def _item_slice(snapshot: Snapshot, item_id: str) -> bytes:
    item = snapshot.item(item_id)
    told = [] if item is None else [_json(asdict(item))]
    return _hashed([*told, *map(_row, snapshot.item_passages(item_id))])


def _user_slice(snapshot: Snapshot, user_id: str) -> bytes:
    passages, events = snapshot.user_passages(user_id), snapshot.user_events(user_id)
    rows = [*map(_row, passages), *(_json(asdict(event)) for event in events)]
    for item_id in sorted({p.item_id for p in passages} | {e.item_id for e in events}):
        item = snapshot.item(item_id)
        rows.append(_json([item_id, *((item.title, item.description, item.categories) if item else ())]))
    for item_id in sorted({e.item_id for e in events}):
        rows += map(_row, snapshot.source_passages("item", item_id, "title"))
    return _hashed(rows)


def _row(passage: Passage) -> bytes:
    p = passage  # its id stands for source, field and text
    said = [p.id, p.item_id, p.start, p.lang, p.user_id, p.rating, p.timestamp, p.trust, p.quarantined]
    return _json(said)


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=True, sort_keys=True, default=str).encode()


def _hashed(rows: Iterable[bytes]) -> bytes:
    made = hashlib.blake2b(digest_size=32)
    for row in rows:
        made.update(len(row).to_bytes(4, "big") + row)
    return made.digest()

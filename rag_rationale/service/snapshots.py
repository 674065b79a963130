"""Open snapshots by name, and passages out of them by evidence id."""

from __future__ import annotations

import hmac
import threading
from pathlib import Path

from rag_rationale.errors import UnknownEvidenceError
from rag_rationale.index import SnapshotReader, check_embedder, open_snapshot
from rag_rationale.retrieval import Rarity, history_tag
from rag_rationale.types import Embedder, Manifest, SourceReply

_SAMPLE = 4000  # passages whose words are counted when an index is opened
_HIDDEN = "█"


class Snapshots:
    """The current version of each index under `folder`, opened on first use. Safe to share between threads."""

    def __init__(self, folder: Path, embedder: Embedder) -> None:
        self._folder, self._embedder = folder, embedder
        self._open: dict[str, SnapshotReader] = {}
        self._rarity: dict[str, Rarity] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> SnapshotReader:
        """Raises UnknownIndexError, SnapshotError, or EmbedderMismatchError where another embedder built it."""
        with self._lock:
            if name not in self._open:
                snapshot = open_snapshot(self._folder, name)
                check_embedder(snapshot.manifest, self._embedder)
                self._rarity[name] = Rarity(snapshot.sample_passages(_SAMPLE))
                self._open[name] = snapshot
            return self._open[name]

    def rarity(self, name: str) -> Rarity:
        """How rare words are in the index, which must be open."""
        return self._rarity[name]

    def opened(self) -> list[Manifest]:
        """The manifests of what is open now."""
        with self._lock:
            return [snapshot.manifest for snapshot in self._open.values()]

    def names(self) -> list[str]:
        """Names of the indexes in the folder that have a current version."""
        return sorted(path.parent.name for path in self._folder.glob("*/CURRENT"))

    def evidence(self, evidence_id: str, *, user_id: str | None, admin: bool) -> SourceReply:
        """A passage inside its source. Parts of the source that are quarantined are blacked out, equally long."""
        index, _, rest = evidence_id.partition(":")
        made, _, tag = rest.partition(":")
        nowhere = UnknownEvidenceError(
            f"No evidence {evidence_id!r} that this reader may see.",
            remedy="Evidence ids come from a reply; history evidence is shown to its own user (`?user=ID`) only, "
            "inline evidence is returned whole in the reply and not stored.",
        )
        if index not in self.names():
            raise nowhere
        snapshot = self.get(index)
        passage = snapshot.passage(made)
        if passage is None or passage.quarantined is not None:
            raise nowhere
        if tag and not admin:
            own = history_tag(index, user_id, passage.id) if user_id else ""
            if not hmac.compare_digest(own, tag):
                raise nowhere
        if not tag and passage.kind == "review" and passage.trust <= 0:
            raise nowhere
        source = snapshot.source(passage.kind, passage.source_id, passage.field) or passage.text
        for other in snapshot.source_passages(passage.kind, passage.source_id, passage.field):
            if other.quarantined is not None:
                source = source[: other.start] + _HIDDEN * (other.end - other.start) + source[other.end :]
        return SourceReply(
            id=evidence_id,
            item_id=passage.item_id,
            source_id=passage.source_id,
            field=passage.field,
            start=passage.start,
            end=passage.end,
            text=passage.text,
            source=source,
            lang=passage.lang,
        )

    def close(self) -> None:
        """Close every open snapshot."""
        with self._lock:
            for snapshot in self._open.values():
                snapshot.close()
            self._open.clear()

"""Open snapshots by name, and passages out of them by evidence id."""

from __future__ import annotations

import hmac
import logging
import math
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rag_rationale.errors import SnapshotError, UnknownEvidenceError
from rag_rationale.index import SnapshotReader, current_version, index_root, open_snapshot
from rag_rationale.retrieval import Rarity, history_tag
from rag_rationale.service.embedders import Embedders
from rag_rationale.types import Embedder, Manifest, SourceReply

_SAMPLE = 4000  # passages whose words are counted when an index is opened
_SPOKEN = 20_000  # passages whose pairs of words are counted then, in a second
_ITEMS = 400  # items whose listed facts are counted then
_HIDDEN = "█"
PATIENCE = 1.0
"""Seconds between two looks at which version is current."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OpenIndex:
    """One version of one index, with the embedder that built it and how rare words are in it.

    A request holds one of these from its first step to its last.
    """

    snapshot: SnapshotReader
    embedder: Embedder
    rarity: Rarity


class Snapshots:
    """The current version of each index under `folder`, opened on first use. Safe to share between threads.

    When another version becomes current it is opened aside and then takes the old one's place; that frees its files
    once the last request that holds it is done. A version that does not open is told of in the log and by `troubles`,
    and the old one goes on.
    """

    def __init__(self, folder: Path, embedders: Embedders) -> None:
        self._folder, self._embedders = folder, embedders
        self._open: dict[str, OpenIndex] = {}
        self.on_open: Callable[[SnapshotReader], object] = lambda _: None  # called before a version answers
        self._looked: dict[str, float] = {}
        self._troubles: dict[str, tuple[str | None, str]] = {}
        self._lock = threading.Lock()
        self._opening: dict[str, threading.Lock] = defaultdict(threading.Lock)

    def open(self, name: str) -> OpenIndex:
        """The version that answers now. At most once in `PATIENCE` seconds it is looked whether another is current.

        Raises UnknownIndexError or SnapshotError where none is open and the current one does not, and
        EmbedderMismatchError or ModelMissingError where its embedder is not to be had.
        """
        now = time.monotonic()
        with self._lock:
            found = self._open.get(name)
            due = found is not None and now - self._looked.get(name, -math.inf) >= PATIENCE
            if due:
                self._looked[name] = now
        if found is None:
            return self._first(name)
        if due and self._is_other(name, found):
            threading.Thread(target=self._follow, args=(name,), name=f"open-{name}", daemon=True).start()
        return found

    def get(self, name: str) -> SnapshotReader:
        """The snapshot of `open`."""
        return self.open(name).snapshot

    def reload(self, name: str) -> Manifest:
        """Switch to the version that is current now, opened anew where it is another. Errors as of `open`; the old
        version then goes on.
        """
        with self._opening[name]:
            found = self._open.get(name)
            if found is None or self._is_other(name, found, again=True):
                found = self._take(name)
        return found.snapshot.manifest

    def troubles(self) -> dict[str, str]:
        """By index, why its current version is not the one that answers."""
        with self._lock:
            return {name: told for name, (_, told) in self._troubles.items()}

    def opened(self) -> list[Manifest]:
        """The manifests of what is open now."""
        with self._lock:
            return [found.snapshot.manifest for found in self._open.values()]

    def _first(self, name: str) -> OpenIndex:
        if current_version(index_root(self._folder, name)) is None:
            return self._take(name)  # raises, and keeps nothing of a name that anybody may make up
        with self._opening[name]:
            return self._open.get(name) or self._take(name)

    def _is_other(self, name: str, found: OpenIndex, *, again: bool = False) -> bool:
        """Whether another version is current; one that did not open is asked about `again` only when told to."""
        try:
            current = current_version(index_root(self._folder, name))
        except SnapshotError:
            current = ""
        with self._lock:
            failed = self._troubles.get(name)
            if current == found.snapshot.manifest.version:
                self._troubles.pop(name, None)
        if failed is not None and failed[0] == current and not again:
            return False
        return current is not None and current != found.snapshot.manifest.version

    def _follow(self, name: str) -> None:
        """Take the current version in another thread than those that answer; what goes wrong is told."""
        if not self._opening[name].acquire(blocking=False):
            return
        try:
            self._take(name)
        except Exception as error:  # whatever it is, the old version answers on
            _log.error("the current version of index %s does not open, the one before goes on: %s", name, error)
        finally:
            self._opening[name].release()

    def _take(self, name: str) -> OpenIndex:
        version = None
        try:
            version = current_version(index_root(self._folder, name))
            snapshot = open_snapshot(self._folder, name, version=version)
            self.on_open(snapshot)
            samples = (
                snapshot.sample_passages(_SAMPLE),
                snapshot.sample_items(_ITEMS),
                snapshot.sample_passages(_SPOKEN),
            )
            rarity = Rarity(*samples)
            fresh = OpenIndex(snapshot, self._embedders.of(snapshot.manifest), rarity)
        except Exception as error:
            with self._lock:
                if name in self._open:
                    self._troubles[name] = version or "", str(error)
            raise
        with self._lock:
            old = self._open.get(name)
            self._open[name] = fresh
            self._looked[name] = time.monotonic()
            self._troubles.pop(name, None)
        if old is not None:
            _log.info("index %s: %s answers now", name, snapshot.manifest.label)
        return fresh

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
            for found in self._open.values():
                found.snapshot.close()
            self._open.clear()

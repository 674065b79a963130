"""An index as a LangChain vector store: a delta and tombstones in memory, over the current version, until `commit`.

The service sees nothing of the delta, and no version ever changes: `commit` writes the next one.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore
from langchain_core.vectorstores.utils import maximal_marginal_relevance

from rag_rationale.connect.documents import FIELD, Kept, find, keep, stored, write
from rag_rationale.connect.models import LangChainEmbedder, RationaleEmbeddings
from rag_rationale.errors import InvalidRequestError
from rag_rationale.index import (
    SegmentWriter,
    SnapshotReader,
    Tombstone,
    check_embedder,
    current_version,
    index_root,
    locked,
    open_snapshot,
    read_tombstones,
    set_current,
    write_version,
)
from rag_rationale.types import Embedder, Manifest, Passage, Vectors

Filter = Mapping[str, Any] | Callable[[Document], bool]
"""Metadata that a document must have, or a test of it. An `item_id` narrows the search before it begins."""

_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class _Hit:
    document: Document
    score: float
    vector: Vectors


class SnapshotStore(VectorStore):
    """The passages of one index as Documents, found by cosine, to which documents can be added and deleted.

    `folder` holds the indexes; one that has no version yet is empty. Quarantined passages never come. A filter is
    applied inside the search, so that `k` documents come back wherever so many pass it. What a document becomes, and
    what its metadata may say, is told in `rag_rationale.connect.documents`. Safe to share between threads; raises
    EmbedderMismatchError where the index was built with another embedder.
    """

    def __init__(self, embedder: Embedder, *, folder: Path, index: str) -> None:
        self._embedder, self._folder, self._name = embedder, folder, index
        self._root = index_root(folder, index)
        self._lock = threading.RLock()
        self._delta: dict[str, tuple[Kept, Vectors]] = {}
        self._hidden: set[str] = set()
        self._snapshot = self._open()

    @property
    def embeddings(self) -> Embeddings:
        return RationaleEmbeddings(self._embedder)

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Add documents to the delta, in place of those of the same ids; returns their ids, new ones where not given.

        Raises InvalidRequestError where the lists differ in length or metadata holds a rating that cannot be one.
        """
        del kwargs
        texts = list(texts)
        given = list(ids) if ids is not None else [None] * len(texts)
        metadata = metadatas if metadatas is not None else [{} for _ in texts]
        if not len(texts) == len(given) == len(metadata):
            raise InvalidRequestError(
                f"There are {len(texts)} texts, {len(metadata)} metadatas and {len(given)} ids.",
                remedy="Give one of each per text, or leave `metadatas` or `ids` out.",
            )
        names = [name or uuid.uuid4().hex for name in given]
        kept = [keep(text, told, name=name) for text, told, name in zip(texts, metadata, names, strict=True)]
        vectors = self._embedder.embed([k.passage.text for k in kept], role="passage")
        with self._lock:
            self._delta.update(zip(names, zip(kept, vectors, strict=True), strict=True))
            self._hidden.update(names)
        return names

    def delete(self, ids: list[str] | None = None, **kwargs: Any) -> bool:
        """Delete the documents of these ids; unknown ones are passed over. True, once none of them is there.

        Raises InvalidRequestError without ids: dropping everything is a build's business.
        """
        del kwargs
        if ids is None:
            raise InvalidRequestError("`delete` needs ids.", remedy="Name the documents; a build replaces them all.")
        with self._lock:
            for name in ids:
                self._delta.pop(name, None)
            self._hidden.update(ids)
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """The documents of these ids, in the order given, without those that are unknown, deleted or quarantined."""
        found = []
        with self._lock:
            for name in ids:
                if name in self._delta:
                    kept, _ = self._delta[name]
                    found += [kept.document] if kept.passage.quarantined is None else []
                elif self._snapshot and name not in self._hidden and (passage := find(name, self._snapshot)):
                    found.append(stored(passage, self._snapshot))
        return [found_.model_copy(deep=True) for found_ in found]

    def similarity_search(
        self, query: str, k: int = 4, *, filter: Filter | None = None, **kwargs: Any
    ) -> list[Document]:
        """The `k` documents nearest the query, nearest first."""
        return [document for document, _ in self.similarity_search_with_score(query, k, filter=filter, **kwargs)]

    def similarity_search_with_score(
        self, query: str, k: int = 4, *, filter: Filter | None = None, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """The same with their cosines to the query."""
        del kwargs
        hits = self._search(self._embedder.embed([query], role="query")[0], k, filter)
        return [(hit.document, hit.score) for hit in hits]

    def similarity_search_by_vector(
        self, embedding: list[float], k: int = 4, *, filter: Filter | None = None, **kwargs: Any
    ) -> list[Document]:
        """The `k` documents nearest a vector of the index's embedder."""
        del kwargs
        return [hit.document for hit in self._search(_unit(embedding), k, filter)]

    def max_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        *,
        filter: Filter | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """`k` of the `fetch_k` nearest documents, each unlike those before it as far as `lambda_mult` is below 1."""
        vector = self._embedder.embed([query], role="query")[0]
        return self.max_marginal_relevance_search_by_vector(
            vector.tolist(), k, fetch_k, lambda_mult, filter=filter, **kwargs
        )

    def max_marginal_relevance_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        *,
        filter: Filter | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """As `max_marginal_relevance_search`, for a vector of the index's embedder."""
        del kwargs
        vector = _unit(embedding)
        hits = self._search(vector, fetch_k, filter)
        vectors = [hit.vector.tolist() for hit in hits]
        chosen = maximal_marginal_relevance(vector, vectors, lambda_mult=lambda_mult, k=k)
        return [hits[at].document for at in chosen]

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **kwargs: Any,
    ) -> Self:
        """A store over `folder` and `index`, both needed, with these texts in its delta.

        Embeddings that are not this package's own are known to the index by their class: name them better by opening
        the store with a LangChainEmbedder.
        """
        if isinstance(embedding, RationaleEmbeddings):
            embedder: Embedder = embedding.embedder
        else:
            embedder = LangChainEmbedder(f"langchain:{type(embedding).__name__}", model=embedding)
        store = cls(embedder, **kwargs)
        store.add_texts(texts, metadatas, ids=ids)
        return store

    def commit(self, *, promote: bool = True) -> Manifest:
        """Write the delta and what was deleted as the index's next version, over the version that is current by then.

        With `promote` it becomes current and the store goes on from it. Raises LockedError where a build of the index
        runs, InvalidRequestError where nothing was changed, UnknownItemError where a document speaks of an item that
        is not there; the delta is kept.
        """
        with self._lock, locked(self._root):
            base = self._open()
            try:
                manifest = self._write(base)
            finally:
                if base is not None:
                    base.close()
            if promote:
                set_current(self._root, manifest.version)
                self.close()
                self._delta, self._hidden, self._snapshot = {}, set(), self._open()
        return manifest

    def close(self) -> None:
        """Let go of the version underneath."""
        if self._snapshot is not None:
            self._snapshot.close()

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        return lambda cosine: (1 + cosine) / 2

    def _open(self) -> SnapshotReader | None:
        if current_version(self._root) is None:
            return None
        snapshot = open_snapshot(self._folder, self._name)
        check_embedder(snapshot.manifest, self._embedder)
        return snapshot

    def _search(self, query: Vectors, k: int, filter: Filter | None) -> list[_Hit]:
        with self._lock:
            hits = [
                _Hit(kept.document.model_copy(deep=True), float(vector @ query), vector)
                for kept, vector in self._delta.values()
                if kept.passage.quarantined is None and _passes(kept.document, filter)
            ]
            if self._snapshot is not None:
                hits += self._beneath(query, k, filter, self._snapshot)
        return sorted(hits, key=lambda hit: -hit.score)[: max(k, 0)]

    def _beneath(self, query: Vectors, k: int, filter: Filter | None, snapshot: SnapshotReader) -> list[_Hit]:
        """The `k` best of the version: those of one item by its slice, others by asking for more until they suffice."""
        if isinstance(filter, Mapping) and filter.get("item_id") is not None:
            own = [p for p in snapshot.item_passages(str(filter["item_id"])) if p.quarantined is None]
            (places,) = snapshot.knn(query[None], own, k=len(own))
            return list(islice(self._kept([(own[at], score) for at, score in places], filter, snapshot), max(k, 0)))
        asked = max(k, 1) + len(self._hidden)
        while True:
            (names,) = snapshot.nearest(query[None], k=asked, over="passages")
            found = [(p, score) for name, score in names if (p := snapshot.passage(name)) is not None]
            hits = list(islice(self._kept(found, filter, snapshot), max(k, 0)))
            if len(hits) >= k or len(names) < asked:
                return hits
            asked *= _AT_ONCE

    def _kept(
        self, found: Sequence[tuple[Passage, float]], filter: Filter | None, snapshot: SnapshotReader
    ) -> Iterator[_Hit]:
        """Those that were not deleted or replaced and pass the filter, as hits."""
        vectors = snapshot.vectors([passage for passage, _ in found])
        for (passage, score), vector in zip(found, vectors, strict=True):
            document = stored(passage, snapshot, score=score)
            if document.id not in self._hidden and _passes(document, filter):
                yield _Hit(document, score, vector)

    def _write(self, base: SnapshotReader | None) -> Manifest:
        gone = [] if base is None else read_tombstones(base.folder / "tombstones.jsonl")
        buried = [] if base is None else [t for name in sorted(self._hidden) for t in _burial(name, base)]
        if not (self._delta or buried):
            raise InvalidRequestError("Nothing was added or deleted.", remedy="Commit after a change.")
        segments = [] if base is None else [base.folder / "segments" / name for name in base.manifest.segments]
        with TemporaryDirectory(prefix=".store-", dir=self._root) as scratch:
            if self._delta:
                segments.append(self._write_segment(Path(scratch) / "segment"))
            return write_version(
                self._root,
                segments,
                embedder=self._embedder.name,
                dimension=self._embedder.dimension,
                tombstones=[*gone, *buried],
                report={"documents": len(self._delta), "deleted": len(buried)},
            )

    def _write_segment(self, folder: Path) -> Path:
        writer = SegmentWriter(folder, dimension=self._embedder.dimension)
        try:
            for kept, _ in self._delta.values():
                write(kept, writer)
            writer.finish_rows()
            vectors = {kept.passage.id: vector for kept, vector in self._delta.values()}
            for batch in writer.clean_texts(chunk=len(vectors)):
                writer.set_vectors([row for row, _, _ in batch], np.stack([vectors[name] for _, name, _ in batch]))
        finally:
            writer.close()
        return folder


def _burial(name: str, snapshot: SnapshotReader) -> Iterator[Tombstone]:
    """What takes a document out of a version: a whole item or review where it was added as one, else a passage."""
    passage = find(name, snapshot)
    if passage is not None:
        segment = snapshot.rows.home(passage.row)
        whole = passage.field == FIELD
        yield Tombstone(segment, passage.kind if whole else "passage", passage.source_id if whole else passage.id)


def _passes(document: Document, filter: Filter | None) -> bool:
    if filter is None:
        return True
    if isinstance(filter, Mapping):
        return all(document.metadata.get(name) == value for name, value in filter.items())
    return filter(document)


def _unit(embedding: Sequence[float]) -> Vectors:
    vector = np.asarray(embedding, np.float32)
    norm = float(np.linalg.norm(vector))
    return vector / np.float32(norm) if norm else vector

"""Vectors of the current version, and of builds that died, that a rebuild need not compute again.

A passage id hashes the passage's text, so under the same embedder the same id has the same vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from rag_rationale.building.checkpoint import leftovers
from rag_rationale.errors import RagRationaleError
from rag_rationale.index import SnapshotReader, check_embedder, check_files, index_root, open_snapshot
from rag_rationale.types import Embedder, Vectors


class KnownVectors:
    """Looks vectors up in the current version and what dead builds left, where sound and of the same embedder."""

    def __init__(self, folder: Path, name: str, embedder: Embedder) -> None:
        self._snapshot = _sound_snapshot(folder, name, embedder)
        self._leftovers = leftovers(index_root(folder, name), embedder)

    @property
    def base(self) -> SnapshotReader | None:
        """The current version, where it is sound and of the same embedder."""
        return self._snapshot

    def find(self, ids: Sequence[str]) -> tuple[list[int], Vectors | None]:
        """Positions in `ids` whose vectors are known, each once, and those vectors in that order."""
        found, blocks = self._in_snapshot(ids)
        for leftover in self._leftovers:
            open_ = sorted({*range(len(ids))}.difference(found))
            more, vectors = leftover.find([ids[at] for at in open_])
            if vectors is not None:
                found += [open_[at] for at in more]
                blocks.append(vectors)
        return found, np.concatenate(blocks) if blocks else None

    def _in_snapshot(self, ids: Sequence[str]) -> tuple[list[int], list[Vectors]]:
        if self._snapshot is None:
            return [], []
        rows = self._snapshot.rows.rows_of(ids)
        known = [at for at, name in enumerate(ids) if name in rows]
        vectors = self._snapshot.rows.vectors(np.array([rows[ids[at]] for at in known], np.int64))
        self._snapshot.rows.release()
        return known, [vectors] if known else []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._snapshot is not None:
            self._snapshot.close()
        for leftover in self._leftovers:
            leftover.close()


def _sound_snapshot(folder: Path, name: str, embedder: Embedder) -> SnapshotReader | None:
    try:
        snapshot = open_snapshot(folder, name, whole=True)
    except RagRationaleError:
        return None
    try:
        check_embedder(snapshot.manifest, embedder)
        sound = not check_files(snapshot.folder, snapshot.manifest, hashes=True)
    except RagRationaleError:
        sound = False
    if not sound:
        snapshot.close()
        return None
    return snapshot

"""What passages say of each item, added up when a version is written: a request reads one row of an item, not hundreds.

Per item the sum of its clean passages' vectors and how many there are in each language, so that the languages' centres
can be taken off whenever. Knows rows and vectors, no ids.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag_rationale.errors import SnapshotError
from rag_rationale.types import LANGUAGES, Vectors

VECTORS, COUNTS = "items.sums.npy", "items.told.npy"


class SumsWriter:
    """Adds up, in files in `folder`, which grow with the number of items only."""

    def __init__(self, folder: Path, *, items: int, dimension: int) -> None:
        shape = (max(items, 1), dimension)
        self._sums: NDArray[np.float32] = np.lib.format.open_memmap(
            folder / VECTORS, mode="w+", dtype=np.float32, shape=shape
        )
        self._counts = np.zeros((shape[0], len(LANGUAGES)), np.int32)
        self._folder = folder

    def add(self, items: NDArray[np.int64], languages: NDArray[np.int8], vectors: Vectors) -> None:
        """Passages with their vectors, shape (n, d), and global item rows, -1 for an item that is not there."""
        here = np.flatnonzero(items >= 0)
        order = here[np.argsort(items[here], kind="stable")]
        if not len(order):
            return
        rows, firsts = np.unique(items[order], return_index=True)
        self._sums[rows] += np.add.reduceat(vectors[order], firsts, axis=0)
        np.add.at(self._counts, (items[order], languages[order]), 1)

    def close(self) -> None:
        self._sums.flush()  # type: ignore[attr-defined]
        np.save(self._folder / COUNTS, self._counts)


@dataclass(frozen=True, slots=True)
class Sums:
    """`vectors`: shape (items, d), memory-mapped; `counts`: shape (items, languages)."""

    vectors: NDArray[np.float32]
    counts: NDArray[np.int32]

    def offset(self, row: int, centres: NDArray[np.float32]) -> tuple[Vectors, int]:
        """Of an item the sum of its passages less their languages' centres, shape (d,), and how many there are."""
        counts = self.counts[row]
        return np.asarray(self.vectors[row] - counts @ centres, np.float32), int(counts.sum())


def read_sums(folder: Path, *, items: int, dimension: int) -> Sums | None:
    """What a `SumsWriter` wrote, None for a version of a release that did not. SnapshotError for what does not fit."""
    if not (folder / VECTORS).exists():
        return None
    try:
        vectors, counts = (_load(folder / name) for name in (VECTORS, COUNTS))
    except (OSError, ValueError) as error:
        raise SnapshotError(f"{folder / VECTORS} is damaged: {error}.", remedy="Rebuild the index.") from error
    if vectors.shape != (max(items, 1), dimension) or counts.shape != (max(items, 1), len(LANGUAGES)):
        raise SnapshotError(f"{folder / VECTORS} is not of {items} x {dimension}.", remedy="Rebuild the index.")
    return Sums(vectors, counts)


def _load(path: Path) -> NDArray[Any]:
    return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]

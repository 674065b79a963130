"""The door to FAISS: exact inner-product search over rows in memory or in a file.

Ids are positions in what is searched; what they mean is the caller's. Every id that comes back is checked.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from rag_rationale.errors import SnapshotError
from rag_rationale.types import Vectors

KIND = "Flat"
_FLAT_MARK = b"IxFI"
_HEADER_BYTES = 128
_COUNT_AT = 8
_REMEDY = "Roll back with `rag-rationale index rollback`, or rebuild."
Hits = list[list[tuple[int, float]]]


def search_rows(queries: Vectors, rows: Vectors, *, k: int) -> Hits:
    """Per query the (position in `rows`, inner product) of the k best, best first; fewer where there are fewer."""
    k = min(k, len(rows))
    if k < 1 or not len(queries):
        return [[] for _ in range(len(queries))]
    left, right = np.ascontiguousarray(queries, np.float32), np.ascontiguousarray(rows, np.float32)
    with _one_thread():
        scores, positions = faiss.knn(left, right, k, metric=faiss.METRIC_INNER_PRODUCT)
    return _hits(scores, positions, allowed=np.ones(len(rows), bool))


def write_flat(path: Path, blocks: Iterable[Vectors], *, dimension: int) -> int:
    """Write an exact index over vectors that come in blocks, holding one at a time; returns how many there were.

    A flat index file is a header, which tells the number of rows at byte 8 and of floats in its last 8 bytes, and then
    the rows. FAISS would hold them all to write them.
    """
    faiss.write_index(faiss.IndexFlatIP(dimension), str(path))
    count = 0
    with path.open("r+b") as file:
        header = file.seek(0, os.SEEK_END)
        for block in blocks:
            file.write(np.ascontiguousarray(block, "<f4").tobytes())
            count += len(block)
        for place, number in ((_COUNT_AT, count), (header - 8, count * dimension)):
            file.seek(place)
            file.write(number.to_bytes(8, "little"))
    return count


class FlatFile:
    """An exact index in a file, memory-mapped. SnapshotError where it is not what its manifest says."""

    def __init__(self, path: Path, *, dimension: int, count: int) -> None:
        _check_header(path, dimension=dimension, count=count)
        try:
            index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        except RuntimeError as error:
            raise SnapshotError(f"{path} is no FAISS index: {str(error)[-200:]}.", remedy=_REMEDY) from error
        found = type(index).__name__, index.d, index.ntotal
        if found != ("IndexFlatIP", dimension, count):
            raise SnapshotError(
                f"{path} is {found[0]} of {found[2]} x {found[1]}, expected IndexFlatIP of {count} x {dimension}.",
                remedy=_REMEDY,
            )
        self._index = index

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def search(self, queries: Vectors, *, k: int, allowed: NDArray[np.bool_] | None = None) -> Hits:
        """As `search_rows`, over the file, among the positions that `allowed` marks (None: all)."""
        mask = np.ones(len(self), bool) if allowed is None else allowed
        k = min(k, int(mask.sum()))
        if k < 1 or not len(queries):
            return [[] for _ in range(len(queries))]
        parameters = None if allowed is None else _only(allowed)
        with _one_thread():
            scores, positions = self._index.search(np.ascontiguousarray(queries, np.float32), k, params=parameters)
        return _hits(scores, positions, allowed=mask)

    def vectors(self, positions: NDArray[np.int64]) -> Vectors:
        """The vectors at these positions, shape (n, d), in the order given."""
        return np.asarray(self._index.reconstruct_batch(positions))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep FAISS to the calling thread.

    Beside one busy process, a search of 0.13 ms took 11.7 ms on two threads that spin; alone, two gain a third at best.
    """
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)


def _check_header(path: Path, *, dimension: int, count: int) -> None:
    """That a file begins as a flat index and has its size, before FAISS, which trusts what it reads, opens it."""
    try:
        with path.open("rb") as file:
            mark = file.read(len(_FLAT_MARK))
        spare = path.stat().st_size - 4 * dimension * count
    except OSError as error:
        raise SnapshotError(f"{path} cannot be read: {error.strerror}.", remedy=_REMEDY) from error
    if mark != _FLAT_MARK or not 0 <= spare <= _HEADER_BYTES:
        raise SnapshotError(f"{path} is not a flat index of {count} x {dimension} floats.", remedy=_REMEDY)


def _only(allowed: NDArray[np.bool_]) -> Any:
    """Search parameters that admit the positions marked. A flat index heeds its selector; HNSW may not."""
    selector = faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))  # type: ignore[call-arg, arg-type]
    return faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]


def _hits(scores: NDArray[np.float32], positions: NDArray[np.int64], *, allowed: NDArray[np.bool_]) -> Hits:
    """Pairs, best first, ties in order of position. FAISS marks what it did not find with -1."""
    found = positions[positions >= 0]
    if found.size and (found.max() >= len(allowed) or not allowed[found].all()):
        raise SnapshotError("FAISS returned a row it was not allowed to.", remedy="Rebuild the index, and report this.")
    return [
        sorted(((int(p), float(s)) for p, s in zip(ps, ss, strict=True) if p >= 0), key=lambda hit: (-hit[1], hit[0]))
        for ps, ss in zip(positions, scores, strict=True)
    ]

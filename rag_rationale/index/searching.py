"""The door to FAISS for reading: inner-product search over rows in memory or in a file; scores are always exact.

Ids are positions in what is searched; what they mean is the caller's. Every id that comes back is checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from rag_rationale.errors import SnapshotError
from rag_rationale.types import Vectors

Hits = list[list[tuple[int, float]]]
Gather = Callable[[NDArray[np.int64]], Vectors]
"""The vectors at some positions, shape (n, d), in the order given."""

WIDER = 4  # times as many rows are scored exactly as are asked for
_FLAT, _LISTS = "IndexFlatIP", "IndexIVFScalarQuantizer"
_MARKS = {b"IxFI": _FLAT, b"IwSq": _LISTS}
_HEADER_BYTES = 128
_REMEDY = "Roll back with `rag-rationale index rollback`, or rebuild."


def search_rows(queries: Vectors, rows: Vectors, *, k: int) -> Hits:
    """Per query the (position in `rows`, inner product) of the k best, best first; fewer where there are fewer."""
    k = min(k, len(rows))
    if k < 1 or not len(queries):
        return [[] for _ in range(len(queries))]
    left, right = np.ascontiguousarray(queries, np.float32), np.ascontiguousarray(rows, np.float32)
    with _one_thread():
        scores, positions = faiss.knn(left, right, k, metric=faiss.METRIC_INNER_PRODUCT)
    return [_hits(*pair, allowed=np.ones(len(rows), bool)) for pair in zip(scores, positions, strict=True)]


class IndexFile:
    """A FAISS index in a file that `write_index` wrote, memory-mapped. SnapshotError where it is none of `count` x `d`.

    A flat one is exact. One of inverted lists finds most of the best by rough scores, and the best of these by exact
    ones: `exact` is where the vectors themselves are read.
    """

    def __init__(self, path: Path, *, dimension: int, count: int, exact: Gather) -> None:
        kind = _kind(path, dimension=dimension, count=count)
        flags = faiss.IO_FLAG_MMAP_IFC if kind == _FLAT else faiss.IO_FLAG_MMAP
        try:
            index: Any = faiss.read_index(str(path), flags)
        except RuntimeError as error:
            raise SnapshotError(f"{path} is no FAISS index: {str(error)[-200:]}.", remedy=_REMEDY) from error
        found = type(index).__name__, index.d, index.ntotal
        if found != (kind, dimension, count):
            raise SnapshotError(
                f"{path} is {found[0]} of {found[2]} x {found[1]}, expected {kind} of {count} x {dimension}.",
                remedy=_REMEDY,
            )
        if kind == _LISTS:  # it would start threads for every query, to read ahead what the system has cached anyway
            faiss.downcast_InvertedLists(index.invlists).prefetch_nthread = 0  # type: ignore[attr-defined]
        self._index, self._flat, self._exact = index, kind == _FLAT, exact

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def search(self, queries: Vectors, *, k: int, allowed: NDArray[np.bool_] | None = None) -> Hits:
        """As `search_rows`, over the file, among the positions that `allowed` marks (None: all)."""
        mask = np.ones(len(self), bool) if allowed is None else allowed
        k = min(k, int(mask.sum()))
        if k < 1 or not len(queries):
            return [[] for _ in range(len(queries))]
        selector = None if allowed is None else _only(allowed)
        find = self._flat_search if self._flat else self._list_search
        with _one_thread():
            rows = [find(query, k, selector) for query in np.ascontiguousarray(queries, np.float32)]
        return [_hits(scores, positions, allowed=mask) for scores, positions in rows]

    def vectors(self, positions: NDArray[np.int64]) -> Vectors:
        """The vectors at these positions, shape (n, d), in the order given."""
        if self._flat:
            return np.asarray(self._index.reconstruct_batch(positions))
        return self._exact(positions)

    def _flat_search(self, query: Vectors, k: int, selector: Any) -> tuple[Vectors, NDArray[np.int64]]:
        parameters = None if selector is None else faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
        scores, positions = self._index.search(query[None], k, params=parameters)
        return scores[0], positions[0]

    def _list_search(self, query: Vectors, k: int, selector: Any) -> tuple[Vectors, NDArray[np.int64]]:
        """Looks into more lists where those it should look into hold fewer than `k` that are allowed."""
        probes = min(self._index.nprobe, self._index.nlist)
        wanted = min(WIDER * k, len(self))
        while True:
            parameters = faiss.SearchParametersIVF(nprobe=probes, sel=selector)  # type: ignore[call-arg]
            _, (found,) = self._index.search(query[None], wanted, params=parameters)
            positions = found[found >= 0]
            if len(positions) >= k or probes == self._index.nlist:
                break
            probes = min(2 * probes, self._index.nlist)
        scores = self._exact(positions) @ query
        best = np.argsort(-scores, kind="stable")[:k]
        return scores[best], positions[best]


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


def _kind(path: Path, *, dimension: int, count: int) -> str:
    """What a file begins as, its size checked, before FAISS, which trusts what it reads, opens it."""
    try:
        with path.open("rb") as file:
            kind = _MARKS.get(file.read(4), "")
        size = path.stat().st_size
    except OSError as error:
        raise SnapshotError(f"{path} cannot be read: {error.strerror}.", remedy=_REMEDY) from error
    if kind == _FLAT:
        fits = 0 <= size - 4 * dimension * count <= _HEADER_BYTES
    else:  # a byte a dimension and 8 of id a row; the lists' centroids and sizes come on top
        fits = kind == _LISTS and 0 <= size - (dimension + 8) * count <= 8 * (dimension + 8) * count
    if not fits:
        raise SnapshotError(f"{path} is not an index of {count} x {dimension} floats.", remedy=_REMEDY)
    return kind


def _only(allowed: NDArray[np.bool_]) -> Any:
    """A selector of the positions marked. Flat and inverted lists heed it; HNSW may not."""
    return faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))  # type: ignore[call-arg, arg-type]


def _hits(scores: Vectors, positions: NDArray[np.int64], *, allowed: NDArray[np.bool_]) -> list[tuple[int, float]]:
    """Pairs, best first, ties in order of position. FAISS marks what it did not find with -1."""
    found = positions[positions >= 0]
    if found.size and (found.max() >= len(allowed) or not allowed[found].all()):
        raise SnapshotError("FAISS returned a row it was not allowed to.", remedy="Rebuild the index, and report this.")
    pairs = ((int(at), float(score)) for at, score in zip(positions, scores, strict=True) if at >= 0)
    return sorted(pairs, key=lambda hit: (-hit[1], hit[0]))

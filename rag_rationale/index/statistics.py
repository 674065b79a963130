"""What is ordinary in one version: each language's mean vector, and how near two unrelated passages are.

Cosines of e5 lie between 0.8 and 0.9 whatever is compared, so a cosine means something only after its language's mean
is taken off, and against the background of random pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from rag_rationale.errors import SnapshotError
from rag_rationale.types import LANGUAGES, Vectors

Gather = Callable[[NDArray[np.int64]], Vectors]
See = Callable[[NDArray[np.int64], Vectors], None]
"""Shown positions and their vectors, shape (n, d), as they are passed over."""

PAIRS = 20_000
QUANTILES = 1001
_SEED = 20_240_229
_CHUNK = 4096


@dataclass(frozen=True, slots=True)
class Statistics:
    """`centres`: shape (languages, d), rows as in LANGUAGES; `background`: shape (1001,), its quantiles 0 to 1."""

    centres: NDArray[np.float32]
    background: NDArray[np.float32]


def centre_vectors(vectors: Vectors, centres: NDArray[np.float32]) -> Vectors:
    """Each vector minus its centre, norm 1 again; zeros where nothing is left. Both of shape (n, d)."""
    rest = vectors - centres
    norms = np.linalg.norm(rest, axis=1, keepdims=True)
    return np.asarray(np.divide(rest, norms, out=np.zeros_like(rest), where=norms > 1e-6), dtype=np.float32)


def measure(
    gather: Gather, languages: NDArray[np.int8], items: NDArray[np.int64], *, dimension: int, see: See | None = None
) -> Statistics:
    """Centres over n passages, background over random pairs of one language from different items.

    `gather` returns the vectors at some of the positions 0 to n - 1; `languages` index LANGUAGES and `items` number the
    items, both of shape (n,). `see` is shown every vector once. The same input gives the same numbers. Without two
    items the background is zero.
    """
    centres = np.zeros((len(LANGUAGES), dimension), np.float64)
    for at in range(0, len(languages), _CHUNK):
        codes = languages[at : at + _CHUNK]
        positions = np.arange(at, at + len(codes))
        vectors = gather(positions)
        if see is not None:
            see(positions, vectors)
        block = vectors.astype(np.float64)
        for code in range(len(LANGUAGES)):
            centres[code] += block[codes == code].sum(axis=0)
    counts = np.bincount(languages, minlength=len(LANGUAGES))
    centres /= np.maximum(counts, 1)[:, None]
    means = centres.astype(np.float32)
    return Statistics(means, _background(gather, languages, items, means))


def _background(
    gather: Gather, languages: NDArray[np.int8], items: NDArray[np.int64], centres: NDArray[np.float32]
) -> NDArray[np.float32]:
    left, right = _pairs(languages, items)
    if not len(left):
        return np.zeros(QUANTILES, np.float32)
    cosines = []
    for at in range(0, len(left), _CHUNK):
        a, b = left[at : at + _CHUNK], right[at : at + _CHUNK]
        one = centre_vectors(gather(a), centres[languages[a]])
        two = centre_vectors(gather(b), centres[languages[b]])
        cosines.append(np.einsum("nd,nd->n", one, two))
    return np.asarray(np.quantile(np.concatenate(cosines), np.linspace(0, 1, QUANTILES)), np.float32)


def _pairs(languages: NDArray[np.int8], items: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Up to PAIRS pairs of rows: the first of any language, the second of the same one, from different items."""
    random = np.random.default_rng(_SEED)
    lefts, rights = [], []
    for code in range(len(LANGUAGES)):
        rows = np.flatnonzero(languages == code)
        wanted = PAIRS * len(rows) // max(len(languages), 1)
        if not wanted:
            continue
        a, b = rows[random.integers(len(rows), size=(2, 2 * wanted))]
        apart = items[a] != items[b]
        lefts.append(a[apart][:wanted])
        rights.append(b[apart][:wanted])
    if not lefts:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    return np.concatenate(lefts), np.concatenate(rights)


def write_statistics(path: Path, statistics: Statistics) -> None:
    """Write both arrays to one .npz."""
    with path.open("wb") as file:
        np.savez(file, centres=statistics.centres, background=statistics.background)


def read_statistics(path: Path, *, dimension: int) -> Statistics:
    """Read what `write_statistics` wrote. SnapshotError where the file is damaged."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found = Statistics(arrays["centres"], arrays["background"])
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise SnapshotError(f"{path} is damaged: {error}.", remedy="Rebuild the index.") from error
    if found.centres.shape != (len(LANGUAGES), dimension) or found.background.shape != (QUANTILES,):
        raise SnapshotError(f"{path} has arrays of another shape than expected.", remedy="Rebuild the index.")
    return found

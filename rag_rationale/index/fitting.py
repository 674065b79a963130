"""The door to FAISS for writing: which kind of index a number of vectors gets, and its file.

Up to MOST_FLAT vectors a flat index answers fastest, and exactly. Beyond, the vectors are dealt into about sqrt(n)
inverted lists, a byte a dimension, and so many lists are looked into as a sample of queries needs to find 99 % of its
ten nearest. Memory holds a block of vectors, and a byte a dimension of those in lists.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from rag_rationale.index.searching import WIDER, Gather
from rag_rationale.types import Vectors

MOST_FLAT = 20_000
_BLOCK = 4096
_COUNT_AT = 8
_TRAINED_ON, _ROUNDS = 64, 8  # vectors a list; rounds of k-means
_ASKED, _TOP, _RECALL = 64, 10, 0.99
_ROUNDING = 1e-6
_SEED = 20_240_229


def write_index(
    path: Path, gather: Gather, *, count: int, dimension: int, done: Callable[[int], object] = lambda _: None
) -> str:
    """Write an index over the vectors at positions 0 to `count` - 1; returns its kind in FAISS's words.

    `gather` is asked for a block of positions at a time, in order, and for random ones. Inverted lists name the lists
    looked into and the share of the ten nearest that a sample of queries then found. `done` hears how many vectors of
    each block are written.
    """
    blocks = _in_blocks(gather, count, done)
    if count <= MOST_FLAT:
        _write_flat(path, blocks, dimension=dimension)
        return "Flat"
    chance = np.random.default_rng(_SEED)
    lists = 2 ** round(math.log2(math.sqrt(count)))
    centroids = faiss.IndexFlatIP(dimension)
    eight_bit, inner = faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    index = faiss.IndexIVFScalarQuantizer(centroids, dimension, lists, eight_bit, inner)
    index.cp.niter, index.cp.spherical = _ROUNDS, True
    sample = gather(np.sort(chance.choice(count, min(count, _TRAINED_ON * lists), replace=False)))
    index.train(sample)
    queries = _queries(sample, chance)
    del sample
    best = np.full((_ASKED, _TOP), -np.inf, np.float32)
    for block in blocks:
        index.add(block)
        best = -np.partition(-np.concatenate([best, queries @ block.T], axis=1), _TOP - 1, axis=1)[:, :_TOP]
    index.nprobe, recall = _probes(index, queries, best, gather)
    faiss.write_index(index, str(path))
    return f"IVF{lists},SQ8 nprobe={index.nprobe} recall@{_TOP}={recall:.3f}"


def _in_blocks(gather: Gather, count: int, done: Callable[[int], object]) -> Iterator[Vectors]:
    for at in range(0, count, _BLOCK):
        block = gather(np.arange(at, min(at + _BLOCK, count)))
        yield block
        done(len(block))


def _write_flat(path: Path, blocks: Iterable[Vectors], *, dimension: int) -> None:
    """A flat index file is a header, which tells the number of rows at byte 8 and of floats in its last 8 bytes, and
    then the rows. FAISS would hold them all to write them.
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


def _queries(sample: Vectors, chance: np.random.Generator) -> Vectors:
    """What will be searched for: in equal parts passages, and tastes, the means of three less the mean of all."""
    passages = sample[chance.choice(len(sample), _ASKED // 2)]
    threes = sample[chance.choice(len(sample), (_ASKED // 2, 3))].mean(axis=1) - sample.mean(axis=0)
    both = np.concatenate([passages, threes])
    return np.asarray(both / np.maximum(np.linalg.norm(both, axis=1, keepdims=True), 1e-6), np.float32)


def _probes(index: faiss.IndexIVF, queries: Vectors, best: Vectors, gather: Gather) -> tuple[int, float]:
    """How many lists must be looked into, and the recall that this gives; `best` holds the scores to be found."""
    recall = 0.0
    for probes in _steps(index.nlist):
        index.nprobe = probes
        _, found = index.search(queries, WIDER * _TOP)
        recall = float(np.mean([_share(*row, gather) for row in zip(queries, found, best, strict=True)]))
        if recall >= _RECALL:
            break
    return probes, recall


def _steps(lists: int) -> Iterator[int]:
    probes = max(lists // 64, 1)
    while probes < lists:
        yield probes
        probes = max(probes * 3 // 2, probes + 1)
    yield lists


def _share(query: Vectors, found: NDArray[np.int64], best: Vectors, gather: Gather) -> float:
    """Which share of the best was found; one of several that are equally near is as good as another."""
    scores = np.sort(gather(found[found >= 0]) @ query)[-_TOP:]
    return float((scores >= best.min() - _ROUNDING).sum()) / _TOP

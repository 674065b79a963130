"""Collapses near-copies: one text posted again, by the same account or by others, speaks once.

Two passages are copies where their vectors are near and they share most of their words. Of few passages all pairs are
looked at. Of many only those that could share so many words: with its words rarest first, a copy must have some of the
first few in common (prefix filtering; Bayardo, Ma and Srikant 2007), and most passages meet nobody there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from rag_rationale.retrieval.rarity import units
from rag_rationale.types import Passage, Vectors

_NEAR, _SHARED = 0.85, 0.75  # cosine from which two passages are compared, share of their words that makes one a copy
_LONG = 6  # distinct words from which nobody writes the same by chance; "Good food." is no copy
_FEW = 1000  # passages whose pairs are all looked at: up to here that is faster
_BLOCK = 512  # passages looked at together; a text that was posted a thousand times is met once a block
_MET = 2  # words in common among the first ones that are asked for: more make the lists longer, fewer the pairs more
_PAIRS = 4096  # pairs whose vectors are held at a time

Numbers = NDArray[np.int64]
Number = TypeVar("Number", np.int64, np.uint64)


def without_copies(passages: Sequence[Passage], vectors: Vectors) -> list[int]:
    """Positions of the passages, whose centred vectors have shape (n, d), in their order, of near-copies the oldest."""
    order = sorted(range(len(passages)), key=lambda at: (passages[at].timestamp or 0, passages[at].row))
    kept = _among_few(passages, vectors, order) if len(passages) <= _FEW else _among_many(passages, vectors, order)
    return sorted(kept)


def _among_few(passages: Sequence[Passage], vectors: Vectors, order: Sequence[int]) -> set[int]:
    near = vectors @ vectors.T >= _NEAR
    np.fill_diagonal(near, False)
    doubtful = np.flatnonzero(near.any(axis=1)).tolist()
    words = {at: frozenset(units(passages[at].text)) for at in doubtful}
    kept = set(range(len(passages))).difference(doubtful)
    for at in order:
        if at in words:
            alike = (other for other in np.flatnonzero(near[at]).tolist() if other in kept)
            if len(words[at]) < _LONG or all(_share(words[at], words[other]) < _SHARED for other in alike):
                kept.add(at)
    return kept


def _share(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other)


def _among_many(passages: Sequence[Passage], vectors: Vectors, order: Sequence[int]) -> list[int]:
    texts = _Texts([passages[at].text for at in order], vectors[order])
    kept = np.empty(0, np.int64)
    for begin in range(0, len(order), _BLOCK):
        block = np.arange(begin, min(begin + _BLOCK, len(order)))
        ones, _ = texts.copies(block, kept)
        block = np.setdiff1d(block, ones)
        gone = set[int]()
        for one, other in zip(*(side.tolist() for side in texts.copies(block, block)), strict=True):
            if other not in gone:
                gone.add(one)
        kept = np.concatenate([kept, np.setdiff1d(block, list(gone))])
    return [order[at] for at in kept.tolist()]


class _Texts:
    """Texts, oldest first, with their centred vectors and the words of each, rarest first."""

    def __init__(self, texts: Sequence[str], vectors: Vectors) -> None:
        self._vectors = vectors
        of, words = _ranked(*_words(texts))
        self._words = _table(of, words, count=len(texts), width=int(words.max(initial=-1)) + 1)
        self._sizes = np.diff(self._words.indptr)
        # of n words a copy has three in four, so it has one of the first n // 4 + 1, and two of the first n // 4 + 2
        first = np.arange(len(words)) - self._words.indptr[of] < self._sizes[of] // 4 + _MET
        self._heads = _table(of[first], words[first], count=len(texts), width=self._words.shape[1])

    def copies(self, ones: Numbers, others: Numbers) -> tuple[Numbers, Numbers]:
        """Those of `ones` that are copies of an older text among `others`, and that, pair by pair, by age of both."""
        ones = ones[self._sizes[ones] >= _LONG]
        met = (self._heads[ones] @ self._heads[others].T).tocsr()
        found = np.flatnonzero(met.data >= _MET)
        one = ones[np.searchsorted(met.indptr, found, side="right") - 1]
        other = others[met.indices[found]]
        sizes = self._sizes[one], self._sizes[other]
        fits = (other < one) & (4 * np.minimum(*sizes) >= 3 * np.maximum(*sizes))
        one, other = one[fits], other[fits]
        shared = self._words[one].multiply(self._words[other]).sum(axis=1)
        fits = shared >= _SHARED * (self._sizes[one] + self._sizes[other] - shared)
        one, other = one[fits], other[fits]
        fits = self._cosines(one, other) >= _NEAR
        by_age = np.lexsort((other[fits], one[fits]))
        return one[fits][by_age], other[fits][by_age]

    def _cosines(self, ones: Numbers, others: Numbers) -> Vectors:
        found = np.empty(len(ones), np.float32)
        for at in range(0, len(ones), _PAIRS):
            pair = (self._vectors[side[at : at + _PAIRS]] for side in (ones, others))
            found[at : at + _PAIRS] = np.einsum("nd,nd->n", *pair)
        return found


def _words(texts: Sequence[str]) -> tuple[Numbers, NDArray[np.uint64]]:
    """What `units` finds in all texts at once: of every word the number of its text, and the word as a number.

    A run of letters is hashed into 64 bits (a polynomial in an odd constant), a pair of Han characters is itself.
    """
    lowered = [text.lower() for text in texts]
    chars = np.frombuffer("\n".join([*lowered, ""]).encode("utf-32-le", "surrogatepass"), np.uint32)
    latin = ((chars >= ord("a")) & (chars <= ord("z"))) | ((chars >= ord("0")) & (chars <= ord("9")))
    han = (chars >= 0x3400) & (chars <= 0x9FFF)
    begins = latin & ~np.append(False, latin[:-1])
    tokens = np.flatnonzero(begins | han)
    ends = np.cumsum(np.fromiter(map(len, lowered), np.int64, len(lowered)) + 1)
    of = np.searchsorted(ends, tokens, side="right")
    letters, starts = np.flatnonzero(latin), np.flatnonzero(begins)
    firsts = np.searchsorted(letters, starts)
    places = letters - np.repeat(starts, np.diff(np.append(firsts, len(letters))))
    powers = np.cumprod(np.full(int(places.max(initial=0)) + 1, 0x9E3779B97F4A7C15, np.uint64))
    hashed = chars[letters].astype(np.uint64) * powers[places]
    runs = np.add.reduceat(hashed, firsts) if len(firsts) else np.empty(0, np.uint64)
    is_han, codes = han[tokens], chars[tokens].astype(np.uint64)
    paired = np.flatnonzero(is_han[:-1] & is_han[1:] & (of[:-1] == of[1:]))
    pairs = codes[paired] << np.uint64(32) | codes[paired + 1]
    return np.concatenate([of[~is_han], of[paired]]), np.concatenate([runs, pairs])


def _ranked(of: Numbers, words: NDArray[np.uint64]) -> tuple[Numbers, Numbers]:
    """Each text's distinct words, numbered by how few texts have them, text by text, rarest first."""
    known = _distinct(words)
    width = max(len(known), 1)
    key = _distinct(of * width + np.searchsorted(known, words))
    rank = np.empty(width, np.int64)
    rank[np.argsort(np.bincount(key % width, minlength=width), kind="stable")] = np.arange(width)
    return np.divmod(np.sort(key // width * width + rank[key % width]), width)


def _distinct(values: NDArray[Number]) -> NDArray[Number]:
    """As np.unique, whose hashing takes thirty times as long as a sort."""
    found = np.sort(values)
    fresh = np.append(True, found[1:] != found[:-1])[: len(found)]
    made: NDArray[Number] = found[fresh]
    return made


def _table(of: Numbers, words: Numbers, *, count: int, width: int) -> sparse.csr_array:
    """A row per text, with 1 for each of its words."""
    begins = np.searchsorted(of, np.arange(count + 1))
    return sparse.csr_array((np.ones(len(words), np.int32), words, begins), shape=(count, max(width, 1)))

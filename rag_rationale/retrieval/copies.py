"""Collapses near-copies: one text posted again, by the same account or by others, speaks once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rag_rationale.retrieval.rarity import units
from rag_rationale.types import Passage, Vectors

_NEAR, _SHARED = 0.85, 0.75  # cosine from which two passages are compared, share of their words that makes one a copy
_LONG = 6  # distinct words from which nobody writes the same by chance; "Good food." is no copy


def without_copies(passages: Sequence[Passage], vectors: Vectors) -> list[int]:
    """Positions of the passages, whose centred vectors have shape (n, d), in their order, of near-copies the oldest."""
    near = vectors @ vectors.T >= _NEAR
    np.fill_diagonal(near, False)
    doubtful = np.flatnonzero(near.any(axis=1)).tolist()
    words = {i: frozenset(units(passages[i].text)) for i in doubtful}
    kept = set(range(len(passages))).difference(doubtful)
    for i in sorted(doubtful, key=lambda i: (passages[i].timestamp or 0, passages[i].row)):
        alike = (j for j in np.flatnonzero(near[i]).tolist() if j in kept)
        if len(words[i]) < _LONG or all(_share(words[i], words[j]) < _SHARED for j in alike):
            kept.add(i)
    return sorted(kept)


def _share(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other)

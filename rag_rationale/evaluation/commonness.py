"""How many other items a phrase would fit: what could be said of most of them recommends none.

A passage says a phrase where it holds most of the phrase's words, weighed by rarity; a phrase would fit most other
items where a typical item's passages are more likely than not to have one that says it. Rates are per passage and
not per item, so that items with few reviews do not make every phrase look special. Words only, so both languages and
small catalogues are treated alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from rag_rationale.language.words import words
from rag_rationale.types import Passage, Vectors

MOST = 0.75  # share of a phrase's words, by rarity, that a passage must hold to say it
TYPICAL = 100  # passages of a typical item
_CAP = 5.0  # nats; a word rarer than this, misspellings among them, counts as this rare


class Commonness:
    """Counts over some passages of a catalogue, in memory: about as large as their text."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._places: dict[str, int] = {}
        rows: list[int] = []
        columns: list[int] = []
        for row, passage in enumerate(passages):
            held = {self._places.setdefault(word, len(self._places)) for word in words(passage.text)}
            rows += [row] * len(held)
            columns += held
        shape = (len(passages), len(self._places))
        self._held = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)
        counts = np.asarray(self._held.sum(axis=0)).ravel()
        self._rarity: Vectors = np.minimum(np.log((shape[0] + 1) / (counts + 0.5)), _CAP).astype(np.float32)
        self._items = np.array([p.item_id for p in passages])

    def share(self, phrase: str, *, item: str) -> float:
        """Share of the passages of other items that say the phrase; 1 for one without words."""
        wanted = set(words(phrase))
        known = [place for word in wanted if (place := self._places.get(word)) is not None]
        weights = np.zeros(self._held.shape[1], np.float32)
        weights[known] = self._rarity[known]
        whole = float(weights.sum()) + _CAP * (len(wanted) - len(known))
        others = self._items != item
        if whole <= 0:
            return 1.0
        saying = self._held @ weights >= MOST * whole
        return float(saying[others].sum() / max(int(others.sum()), 1))

    def fits_most(self, phrase: str, *, item: str) -> bool:
        """Whether an item with `TYPICAL` passages more likely than not has one that says the phrase."""
        return 1 - (1 - self.share(phrase, item=item)) ** TYPICAL > 0.5

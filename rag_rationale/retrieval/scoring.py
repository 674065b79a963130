"""Centred vectors, what a user likes as one of them, and evidence scored against it."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from rag_rationale.language.detect import detect_language
from rag_rationale.retrieval.sieve import Sieve
from rag_rationale.types import LANGUAGES, Embedder, Evidence, Snapshot, Vectors

HALF_LIFE_DAYS = 365.0  # a liking a year old weighs half of one of today
HIGH = 3.5  # an item that was only rated tells of a liking from here on
_PRIOR = 5  # passages of no leaning that an item's mean is mixed with
_WORDED = {"review", "preference"}
_SECONDS_A_DAY = 86_400.0


class Centred:
    """Centred vectors, stored ones where there are some, fresh ones for inline text."""

    def __init__(self, snapshot: Snapshot, embedder: Embedder) -> None:
        self._snapshot, self._embedder = snapshot, embedder

    def of(self, evidence: Sequence[Evidence]) -> list[Evidence]:
        """The evidence with its vectors; whatever is empty of meaning (a zero vector) is left out."""
        stored = [e.passage for e in evidence if e.passage.row >= 0]
        fresh = [e.passage.text for e in evidence if e.passage.row < 0]
        old = iter(self._snapshot.vectors(stored)) if stored else iter(())
        new = iter(self._embedder.embed(fresh, role="passage")) if fresh else iter(())
        made = [self._centred(e, next(old if e.passage.row >= 0 else new)) for e in evidence]
        return self._judged([e for e in made if e.specificity > 0])

    def means(self, items: Collection[str], sieve: Sieve) -> dict[str, Vectors]:
        """What everybody says of each item, out of what may be seen in this call."""
        return {item: self._mean(item, sieve) for item in items}

    def _mean(self, item: str, sieve: Sieve) -> Vectors:
        if not sieve.exclude and sieve.as_of is None:
            total, n = self._snapshot.item_offsets(item)
            return shrunk(total, n)
        passages = [p for p in self._snapshot.item_passages(item) if sieve.sees(p.source_id, p.timestamp)]
        return shrunk(*self._snapshot.offsets([p for p in passages if p.quarantined is None]))

    def query(self, text: str) -> Vectors:
        raw = self._embedder.embed([text], role="query")[0]
        return normalised(raw - self._snapshot.centre(detect_language(text, default="en")))

    def _judged(self, evidence: list[Evidence]) -> list[Evidence]:
        """The evidence, what people wrote with its probability of praise."""
        praise: dict[str, float] = {}
        for lang in LANGUAGES:
            written = [e for e in evidence if e.passage.lang == lang and "review" in (e.side, e.event)]
            vectors = [e.vector for e in written if e.vector is not None]
            judged = self._snapshot.praise(np.stack(vectors), lang) if vectors else None
            if judged is not None:
                praise.update(zip((e.id for e in written), judged.tolist(), strict=True))
        return [replace(e, praise=praise[e.id]) if e.id in praise else e for e in evidence]

    def _centred(self, evidence: Evidence, raw: Vectors) -> Evidence:
        if not raw.any():
            return evidence
        centred = raw - self._snapshot.centre(evidence.passage.lang)
        return replace(evidence, vector=normalised(centred), specificity=float(np.linalg.norm(centred)))


def scored(
    evidence: Sequence[Evidence], history: Sequence[Evidence], means: Mapping[str, Vectors], now: int
) -> tuple[Evidence, ...]:
    """Evidence of the item's side by how it leans towards what the user speaks of, best first; as it is without any.

    A leaning is what a passage says beyond what everybody says of its item: its vector less the mean of its item's.
    Likes and complaints both tell what matters to her. `means` has one per item of the history, as `Centred.means`
    makes them.
    """
    told = [e for e in history if e.event in _WORDED or (e.rating or HIGH) >= HIGH]
    leanings = [_leaning(e, means.get(e.passage.item_id)) for e in told]
    weights = [_weight(e, now) for e in told]
    if not evidence or not any(leaning.any() for leaning in leanings):
        return tuple(evidence)
    taste = normalised(np.average(np.stack(leanings), axis=0, weights=weights).astype(np.float32))
    mean = shrunk(np.sum([_offset(e) for e in evidence], axis=0), len(evidence))
    return _sorted([replace(e, score=float(_leaning(e, mean) @ taste)) for e in evidence])


def answering(evidence: Sequence[Evidence], query: Vectors) -> tuple[Evidence, ...]:
    """Evidence by closeness to a query, best first."""
    return _sorted([replace(e, score=float(e.vector @ query)) for e in evidence if e.vector is not None])


def shrunk(total: Vectors, n: int) -> Vectors:
    """Mean of n vectors that add up to `total`, shape (d,), drawn towards zero where they are few."""
    made: Vectors = (total / (n + _PRIOR)).astype(np.float32)
    return made


def normalised(vector: Vectors) -> Vectors:
    """Norm 1; zeros where there is next to nothing."""
    norm = float(np.linalg.norm(vector))
    made: Vectors = (vector / norm).astype(np.float32) if norm > 1e-6 else np.zeros_like(vector)
    return made


def _offset(evidence: Evidence) -> Vectors:
    """The vector before it was normalised, its language's centre taken off."""
    assert evidence.vector is not None
    return np.asarray(evidence.vector * np.float32(evidence.specificity))


def _leaning(evidence: Evidence, mean: Vectors | None) -> Vectors:
    offset = _offset(evidence)
    return normalised(offset if mean is None else offset - mean)


def _weight(evidence: Evidence, now: int) -> float:
    days = max(now - evidence.timestamp, 0) / _SECONDS_A_DAY if evidence.timestamp else HALF_LIFE_DAYS
    recency = 0.25 + 0.75 * math.pow(0.5, days / HALF_LIFE_DAYS)
    return recency * (1.0 if evidence.event in _WORDED else 0.6)


def _sorted(evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
    return tuple(sorted(evidence, key=lambda e: (-e.score, e.passage.row, e.passage.id)))

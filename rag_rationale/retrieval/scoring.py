"""Centred vectors, what a user likes as one of them, and evidence scored against it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rag_rationale.language.detect import detect_language
from rag_rationale.types import LANGUAGES, Embedder, Evidence, Snapshot, Vectors

HALF_LIFE_DAYS = 365.0  # a liking a year old weighs half of one of today
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

    def query(self, text: str) -> Vectors:
        raw = self._embedder.embed([text], role="query")[0]
        return _normalised(raw - self._snapshot.centre(detect_language(text, default="en")))

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
        return replace(evidence, vector=_normalised(centred), specificity=float(np.linalg.norm(centred)))


def _normalised(vector: Vectors) -> Vectors:
    norm = float(np.linalg.norm(vector))
    made: Vectors = (vector / norm).astype(np.float32) if norm > 1e-6 else np.zeros_like(vector)
    return made


def taste_of(history: Sequence[Evidence], now: int) -> Vectors | None:
    """What the user likes: the weighted mean of her likings, newer and higher rated ones counting more."""
    liked = [(e, _liking(e, now)) for e in history]
    liked = [(e, weight) for e, weight in liked if weight > 0]
    if not liked:
        return None
    stacked = np.stack([e.vector for e, _ in liked if e.vector is not None])
    return _normalised(np.average(stacked, axis=0, weights=[weight for _, weight in liked]))


def _liking(evidence: Evidence, now: int) -> float:
    days = max(now - evidence.timestamp, 0) / _SECONDS_A_DAY if evidence.timestamp else HALF_LIFE_DAYS
    recency = 0.25 + 0.75 * math.pow(0.5, days / HALF_LIFE_DAYS)
    rating = 4.0 if evidence.rating is None else evidence.rating
    words = 1.0 if evidence.event in {"review", "preference"} else 0.6
    return recency * words * max(rating - 2.5, 0.0) / 1.5


def scored(evidence: Sequence[Evidence], target: Vectors | None) -> tuple[Evidence, ...]:
    if target is None:
        return tuple(evidence)
    scored = [replace(e, score=float(e.vector @ target)) for e in evidence if e.vector is not None]
    return tuple(sorted(scored, key=lambda e: (-e.score, e.passage.row, e.passage.id)))

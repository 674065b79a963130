"""Centred vectors, and what a user likes as one of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rag_rationale.language.detect import detect_language
from rag_rationale.types import LANGUAGES, Embedder, Evidence, Passage, Snapshot, Vectors

HALF_LIFE_DAYS = 365.0  # a liking a year old weighs half of one of today
WORDED = {"review", "preference"}  # what is in the user's own words
_SECONDS_A_DAY = 86_400.0
_CODES = {lang: code for code, lang in enumerate(LANGUAGES)}


@dataclass(frozen=True, slots=True)
class Measured:
    """What the vectors of n passages tell: `vectors`, shape (n, d), centred and of norm 1; `lengths`, shape (n,), of
    the centred ones before that, 0 where a vector is empty of meaning; `praise`, how likely each praises, if known.
    """

    vectors: Vectors
    lengths: Vectors
    praise: list[float | None]


class Centred:
    """Centred vectors, stored ones where there are some, fresh ones for inline text."""

    def __init__(self, snapshot: Snapshot, embedder: Embedder) -> None:
        self._snapshot, self._embedder = snapshot, embedder

    def of(self, evidence: Sequence[Evidence]) -> list[Evidence]:
        """The evidence with its vectors; whatever is empty of meaning (a zero vector) is left out."""
        written = ["review" in (e.side, e.event) for e in evidence]
        found = self.measure([e.passage for e in evidence], written)
        return [
            Evidence(
                e.id,
                e.passage,
                e.side,
                e.title,
                e.score,
                e.event,
                e.rating,
                e.timestamp,
                e.inline,
                length,
                praise,
                vector,
            )  # as `replace` would, four times as fast
            for e, vector, length, praise in zip(
                evidence, found.vectors, found.lengths.tolist(), found.praise, strict=True
            )
            if length > 0
        ]

    def measure(self, passages: Sequence[Passage], written: Sequence[bool]) -> Measured:
        """Vectors of passages in the order given; `written` marks what people wrote, which alone may praise."""
        raw = self._raw(passages)
        codes = np.fromiter((_CODES[p.lang] for p in passages), np.intp, len(passages))
        rest = raw - np.stack([self._snapshot.centre(lang) for lang in LANGUAGES])[codes]
        lengths = np.where(raw.any(axis=1), np.sqrt(np.einsum("nd,nd->n", rest, rest)), np.float32(0))
        rest /= np.maximum(lengths, 1e-6)[:, None]
        return Measured(rest, lengths, self._praise(codes, rest, np.array(written, bool)))

    def query(self, text: str) -> Vectors:
        raw = self._embedder.embed([text], role="query")[0]
        return normalised(raw - self._snapshot.centre(detect_language(text, default="en")))

    def _raw(self, passages: Sequence[Passage]) -> Vectors:
        """Vectors as stored, and those of texts that came with the request, shape (n, d)."""
        inline = [at for at, p in enumerate(passages) if p.row < 0]
        if not inline:
            return self._snapshot.vectors(passages)
        raw = np.empty((len(passages), self._snapshot.manifest.dimension), np.float32)
        raw[inline] = self._embedder.embed([passages[at].text for at in inline], role="passage")
        if len(inline) < len(passages):
            stored = [at for at, p in enumerate(passages) if p.row >= 0]
            raw[stored] = self._snapshot.vectors([passages[at] for at in stored])
        return raw

    def _praise(self, codes: NDArray[np.intp], vectors: Vectors, written: NDArray[np.bool_]) -> list[float | None]:
        found: list[float | None] = [None] * len(codes)
        for code, lang in enumerate(LANGUAGES):
            told = np.flatnonzero(written & (codes == code))
            judged = self._snapshot.praise(vectors[told], lang) if len(told) else None
            if judged is not None:
                for at, likely in zip(told.tolist(), judged.tolist(), strict=True):
                    found[at] = likely
        return found


def normalised(vector: Vectors) -> Vectors:
    """Norm 1; zeros where there is next to nothing."""
    norm = float(np.linalg.norm(vector))
    made: Vectors = (vector / norm).astype(np.float32) if norm > 1e-6 else np.zeros_like(vector)
    return made


def weight_of(evidence: Evidence, now: int) -> float:
    """How much a piece of history counts at `now`, unix seconds: newer ones more, and the user's own words."""
    days = max(now - evidence.timestamp, 0) / _SECONDS_A_DAY if evidence.timestamp else HALF_LIFE_DAYS
    recency = 0.25 + 0.75 * math.pow(0.5, days / HALF_LIFE_DAYS)
    return recency * (1.0 if evidence.event in WORDED else 0.6)


def taste_of(history: Sequence[Evidence], now: int) -> Vectors | None:
    """What the user likes: the weighted mean of her likings, newer and higher rated ones counting more."""
    liked = [(e, _liking(e, now)) for e in history]
    liked = [(e, weight) for e, weight in liked if weight > 0]
    if not liked:
        return None
    stacked = np.stack([e.vector for e, _ in liked if e.vector is not None])
    return normalised(np.average(stacked, axis=0, weights=[weight for _, weight in liked]))


def _liking(evidence: Evidence, now: int) -> float:
    rating = 4.0 if evidence.rating is None else evidence.rating
    return weight_of(evidence, now) * max(rating - 2.5, 0.0) / 1.5

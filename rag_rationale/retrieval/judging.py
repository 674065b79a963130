"""What words cut out of passages tell, apart from the rest of them: by their own vectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rag_rationale.index import centre_vectors
from rag_rationale.retrieval.leanings import Aim
from rag_rationale.types import Embedder, Language, Snapshot, Vectors


class Cuttings:
    """Vectors of words cut out of passages. The same words are asked for again and again, by whoever ranks or judges;
    the service's embedder remembers them.
    """

    def __init__(self, snapshot: Snapshot, embedder: Embedder) -> None:
        self.snapshot, self._embedder = snapshot, embedder

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """Uncentred, shape (n, d), in the order given."""
        return self._embedder.embed(texts, role="passage")


class PraiseJudge:
    """Implements `types.Judge`: how likely words praise, by the snapshot's head."""

    def __init__(self, cuttings: Cuttings) -> None:
        self._cuttings, self._snapshot = cuttings, cuttings.snapshot

    def __call__(self, texts: Sequence[str], lang: Language) -> list[float] | None:
        centre = self._snapshot.centre(lang)
        if self._snapshot.praise(centre[None, :], lang) is None:
            return None
        judged = self._snapshot.praise(centre_vectors(self._cuttings.vectors(texts), centre), lang)
        assert judged is not None
        return [float(p) for p in judged]


class Fit:
    """How far words lean the way the user does, or answer her query, and how alike two pieces are."""

    def __init__(self, aim: Aim | None, cuttings: Cuttings) -> None:
        self._aim, self._cuttings = aim, cuttings

    def __call__(self, texts: Sequence[str], lang: Language) -> list[float]:
        if self._aim is None or not texts:
            return [0.0] * len(texts)
        offsets = self._cuttings.vectors(texts) - self._cuttings.snapshot.centre(lang)
        return [float(fit) for fit in self._aim.fits(offsets)]

    def alike(self, pairs: Sequence[tuple[str, str]], lang: Language) -> list[float]:
        """Cosines of pairs of words, centred: about 0 for two that share nothing but their language."""
        if not pairs:
            return []
        centre = self._cuttings.snapshot.centre(lang)
        ones, others = (centre_vectors(self._cuttings.vectors(texts), centre) for texts in zip(*pairs, strict=True))
        return [float(cosine) for cosine in np.sum(ones * others, axis=1)]

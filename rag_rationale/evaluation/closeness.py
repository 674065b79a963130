"""How close texts are, by an embedder's cosine: each text is embedded once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from rag_rationale.evaluation.material import quiet
from rag_rationale.types import Embedder, Progress, Vectors

_AT_ONCE = 256


class Closeness:
    """Cosines between some texts, known when it is made. All are embedded as passages: closeness is mutual."""

    def __init__(self, embedder: Embedder, texts: Iterable[str], *, progress: Progress = quiet) -> None:
        distinct = list(dict.fromkeys(texts))
        parts = []
        for begin in range(0, len(distinct), _AT_ONCE):
            parts.append(embedder.embed(distinct[begin : begin + _AT_ONCE], role="passage"))
            progress("closeness", min(begin + _AT_ONCE, len(distinct)), len(distinct))
        self._row = {text: row for row, text in enumerate(distinct)}
        self._vectors: Vectors = np.concatenate(parts) if parts else np.zeros((0, embedder.dimension), np.float32)

    def of(self, text: str, others: Sequence[str]) -> list[float]:
        """Cosine of a text with each of `others`. KeyError for a text it was not made with."""
        cosines = self._vectors[[self._row[other] for other in others]] @ self._vectors[self._row[text]]
        return [float(cosine) for cosine in cosines]

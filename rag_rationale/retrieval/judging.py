"""How likely words of a passage praise, apart from the rest of it: the snapshot's head on their own vector."""

from __future__ import annotations

from collections.abc import Sequence

from rag_rationale.index import centre_vectors
from rag_rationale.types import Embedder, Language, Snapshot


class PraiseJudge:
    """Implements `types.Judge` for one request, in which a text is embedded once."""

    def __init__(self, snapshot: Snapshot, embedder: Embedder) -> None:
        self._snapshot, self._embedder = snapshot, embedder
        self._known: dict[tuple[Language, str], float] = {}

    def __call__(self, texts: Sequence[str], lang: Language) -> list[float] | None:
        centre = self._snapshot.centre(lang)
        if self._snapshot.praise(centre[None, :], lang) is None:
            return None
        fresh = list(dict.fromkeys(t for t in texts if (lang, t) not in self._known))
        if fresh:
            vectors = centre_vectors(self._embedder.embed(fresh, role="passage"), centre)
            judged = self._snapshot.praise(vectors, lang)
            assert judged is not None
            self._known.update({(lang, text): float(p) for text, p in zip(fresh, judged, strict=True)})
        return [self._known[lang, text] for text in texts]

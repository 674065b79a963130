"""An embedder without a model: hashed words. It can rank, so it stands in for a real one in tests and rehearsals."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from rag_rationale.types import Progress, TextRole, Vectors

_TOKEN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]+|[^\W_\u3400-\u4dbf\u4e00-\u9fff]+")


class HashedEmbedder:
    """Texts that share words, or pairs of Han characters, are near; nothing else is known of meaning.

    Each word adds 1 + ln(count) with a hashed sign to two of `dimension` places. Deterministic, independent of the
    batch, no training, no weights by rarity. A text without words gets a fixed vector of its own.
    """

    def __init__(self, dimension: int = 256) -> None:
        self._dimension = dimension

    @property
    def name(self) -> str:
        return f"hashed-{self._dimension}"

    @property
    def dimension(self) -> int:
        return self._dimension

    def embed(self, texts: Sequence[str], *, role: TextRole, progress: Progress | None = None) -> Vectors:
        """Vectors of shape (len(texts), dimension), float32, norm 1. Both roles are treated alike."""
        del role
        vectors = np.zeros((len(texts), self._dimension), np.float32)
        for row, text in enumerate(texts):
            for word, count in Counter(words(text)).items():
                for place, sign in _places(word, self._dimension):
                    vectors[row, place] += sign * (1 + np.log(count))
            norm = np.linalg.norm(vectors[row])
            if norm:
                vectors[row] /= norm
            else:
                vectors[row, 0] = 1
        if progress and texts:
            progress("embed", len(texts), len(texts))
        return vectors


def words(text: str) -> list[str]:
    """Latin words in lower case without a plural s; Han characters in overlapping pairs, a lone one by itself."""
    found: list[str] = []
    for token in _TOKEN.findall(text.lower()):
        if "\u3400" <= token[0] <= "\u9fff":
            found += [token[at : at + 2] for at in range(max(1, len(token) - 1))]
        else:
            found.append(token[:-1] if len(token) > 3 and token.endswith("s") else token)
    return found


@lru_cache(maxsize=65536)
def _places(word: str, dimension: int) -> tuple[tuple[int, float], ...]:
    digest = hashlib.blake2b(word.encode(), digest_size=16).digest()
    halves = int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:], "big")
    return tuple(((half >> 1) % dimension, 1.0 if half & 1 else -1.0) for half in halves)

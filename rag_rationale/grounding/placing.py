"""Where the words of a clause stand in its sources: every word of those with its place, matches, nearest parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from rag_rationale.language.tokens import Token, same, tokens
from rag_rationale.types import Language, Source

COVERED = 0.5  # a word held this far counts as held


@dataclass(frozen=True, slots=True)
class Placed:
    """A word of a source with its place: the part of the sentence and the sentence, unique over all sources."""

    token: Token
    piece: tuple[int, int]
    sentence: tuple[int, int]
    at: int


Index = dict[str, list[Placed]]
"""Places by the key of their word, in order."""


def place_words(sources: Sequence[Source], language: Language) -> tuple[list[Placed], Index]:
    """Every word of the sources, in order, and the same by key. Both are remembered: they must not be changed."""
    return _placed(tuple(source.text for source in sources), language)


@lru_cache(maxsize=4096)
def _placed(texts: tuple[str, ...], language: Language) -> tuple[list[Placed], Index]:
    made: list[Placed] = []
    for number, text in enumerate(texts):
        made += [Placed(t, (number, t.piece), (number, t.sentence), i) for i, t in enumerate(tokens(text, language))]
    index: Index = {}
    for place in made:
        index.setdefault(place.token.key, []).append(place)
    return made, index


def match_words(word: Token, index: Index, language: Language) -> list[tuple[float, Placed]]:
    """(score, place) of every word of the sources that says what `word` says."""
    if exact := index.get(word.key):
        return [(1.0, p) for p in exact if same(word, p.token, language)]
    alike = [(same(word, other[0].token, language), other) for other in index.values()]
    return [(score, p) for score, other in alike if score for p in other]


def nearest_pieces(words: Sequence[Token], matches: Sequence[list[tuple[float, Placed]]]) -> dict[int, tuple[int, int]]:
    """For each part of the clause the part of a source that holds most of its words."""
    totals: dict[int, dict[tuple[int, int], float]] = {}
    for word, found in zip(words, matches, strict=True):
        best: dict[tuple[int, int], float] = {}
        for score, place in found:
            best[place.piece] = max(best.get(place.piece, 0.0), score)
        for piece, score in best.items():
            part = totals.setdefault(word.piece, {})
            part[piece] = part.get(piece, 0.0) + score
    return {part: max(sorted(of), key=lambda piece: of[piece]) for part, of in totals.items()}


def mean(values: Sequence[float]) -> float:
    """1 of nothing: what holds no word is held."""
    return sum(values) / len(values) if values else 1.0

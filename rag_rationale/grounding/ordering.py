"""Whether words that a clause sets together stand together in its sources: stitching, stretching, usurping."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rag_rationale.grounding.placing import COVERED, Placed, mean, nearest_pieces
from rag_rationale.language.tokens import Token


def best_window(
    matches: Sequence[list[tuple[float, Placed]]], placed: Sequence[Placed], held: Sequence[float]
) -> float:
    """The greatest coverage by two neighbouring sentences of one source."""
    windows = {p.sentence for p in placed}
    best = 0.0
    for source, sentence in windows:
        inside = [
            max((s for s, p in found if p.sentence[0] == source and 0 <= p.sentence[1] - sentence <= 1), default=0.0)
            for found in matches
        ]
        kin = [h if not found else i for i, h, found in zip(inside, held, matches, strict=True)]
        best = max(best, mean(kin))
    return best


def by_piece(words: Sequence[Token], matches: Sequence[list[tuple[float, Placed]]]) -> float:
    """Coverage where each part of the clause must be held by one part of a source."""
    nearest = nearest_pieces(words, matches)
    return mean(
        [
            max((s for s, p in found if p.piece == nearest.get(w.piece)), default=0.0)
            for w, found in zip(words, matches, strict=True)
        ]
    )


def stretch(words: Sequence[Token], matches: Sequence[list[tuple[float, Placed]]]) -> float:
    """How many foreign content words stand, in the source, between two that are neighbours in a part of the clause.

    Log of the most such words over all pairs of neighbours, each pair at its closest; words of two sources, or in
    another sentence, stand far apart.
    """
    worst = 0.0
    for (one, found), (other, after) in zip(
        zip(words, matches, strict=True), list(zip(words, matches, strict=True))[1:], strict=False
    ):
        if one.piece != other.piece or not found or not after:
            continue
        closest = min(
            (_between(p, q) for _, p in found for _, q in after),
            default=0.0,
        )
        worst = max(worst, closest)
    return math.log1p(worst)


def _between(one: Placed, other: Placed) -> float:
    if one.sentence[0] != other.sentence[0]:
        return 12.0
    apart = abs(one.at - other.at) - 1
    return apart + 3.0 * abs(one.sentence[1] - other.sentence[1]) if apart > 0 else 0.0


def usurped(words: Sequence[Token], matches: Sequence[list[tuple[float, Placed]]], placed: Sequence[Placed]) -> float:
    """Where a part of the clause takes words from several parts of the sources: the share of other content words in
    those parts, least over them and most over the clause. What is said there of one thing is said here of another.
    """
    worst = 0.0
    for part in {w.piece for w in words}:
        own = [found for w, found in zip(words, matches, strict=True) if w.piece == part and found]
        taken: list[tuple[int, int]] = []
        left = own
        while left:
            counts: dict[tuple[int, int], int] = {}
            for found in left:
                for piece in {p.piece for _, p in found}:
                    counts[piece] = counts.get(piece, 0) + 1
            best = max(sorted(counts), key=lambda piece: counts[piece])
            taken.append(best)
            left = [found for found in left if all(p.piece != best for _, p in found)]
        if len(taken) > 1:
            used = {(p.sentence[0], p.at) for found in own for _, p in found}
            worst = max(worst, min(_foreign(piece, placed, used) for piece in taken))
    return worst


def _foreign(piece: tuple[int, int], placed: Sequence[Placed], used: set[tuple[int, int]]) -> float:
    content = [p for p in placed if p.piece == piece and not p.token.hollow]
    return sum((p.sentence[0], p.at) not in used for p in content) / max(len(content), 1)


def replaced(
    words: Sequence[Token], held: Sequence[float], placed: Sequence[Placed], index: dict[str, list[Placed]]
) -> int:
    """How many words stand in front of a word of the source in place of others: carrot cake for lemon cake."""
    keys = {w.key for w in words}
    before = {(p.sentence[0], p.at + 1): p.token for p in placed}
    count = 0
    for word, share, head, kept in zip(words, held, words[1:], held[1:], strict=False):
        if share < COVERED <= kept and head.key in index and head.start - word.end <= 1 and word.piece == head.piece:
            there = [before.get((p.sentence[0], p.at)) for p in index[head.key]]
            count += all(t is not None and not t.hollow and t.key not in keys for t in there)
    return count

"""Holds the words of a clause against the words of its sources: what is covered, where, in which mood and order.

Everything here is a number between the two texts; `speaking` asks who said it and `judging` decides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from rag_rationale.grounding.clauses import STARS, Clause
from rag_rationale.language.tokens import Token, excluded, mood, same, tokens
from rag_rationale.language.wording import wording
from rag_rationale.types import Language, Source

FEATURES = (
    "uncovered",
    "missing",
    "stitched",
    "scattered",
    "stretched",
    "usurped",
    "replaced",
    "against",
    "denied",
    "negates",
    "affirms",
    "contradicts",
    "apart",
    "excluded",
    "vouched",
    "unhedged",
    "compared",
    "unreal",
    "modal",
    "borrowed",
    "likes",
    "unbacked",
    "words",
)
"""Names of what `hold` measures (`likes` and `unbacked`: `examine`); 0 is innocent, except for `words`."""
# a little of these is nearly as bad as much
_SATURATED = ("stitched", "scattered", "usurped", "against", "apart")
_COVERED = 0.5  # a word held this far counts as held


@dataclass(frozen=True, slots=True)
class Placed:
    """A word of a source with its place: the part of the sentence and the sentence, unique over all sources."""

    token: Token
    piece: tuple[int, int]
    sentence: tuple[int, int]
    at: int


@dataclass(frozen=True, slots=True)
class Hold:
    """The outcome: `features` by name, in words what is uncovered or excluded, and the mood of what
    is nearest in the sources."""

    features: dict[str, float]
    missing: tuple[str, ...]
    excluded: tuple[tuple[str, str], ...]
    mood: float


def hold(clause: Clause, others: Sequence[Source], language: Language) -> Hold:
    """Measure a clause against its sources; `others` are the sentence's other sources, from which it may borrow."""
    words = [w for w in clause.content if not _stars(w, clause)]
    placed = _placed(clause.sources, language)
    index = {key: [p for p in placed if p.token.key == key] for key in {p.token.key for p in placed}}
    matches = [_matches(w, index, language) for w in words]
    titles = [t for s in clause.sources for t in tokens(s.title, language)]
    held = [
        max([score for score, _ in found], default=0.0) or max([same(w, t, language) for t in titles], default=0.0)
        for w, found in zip(words, matches, strict=True)
    ]
    nearest = _nearest(words, matches)
    held = [h or _kin(w, nearest.get(w.piece), placed) for w, h in zip(words, held, strict=True)]
    covered = _mean(held)
    wrong = _excluded(clause, nearest, placed, index, language)
    missing = tuple(w.text for w, h in zip(words, held, strict=True) if h < _COVERED)
    features = {
        "uncovered": 1 - covered,
        "missing": math.log1p(len(missing)),
        "stitched": max(covered - _best_window(matches, placed, held), 0.0),
        "scattered": max(covered - _by_piece(words, matches), 0.0),
        "stretched": _stretch(words, matches),
        "usurped": _usurped(words, matches, placed),
        "replaced": float(_replaced(words, held, placed, index)),
        "against": _against(clause, nearest, placed),
        "denied": _denied(words, matches),
        **_negations(clause, nearest, placed),
        "contradicts": float(_contradicts(words, matches, clause, placed, language)),
        "excluded": float(len(wrong)),
        "vouched": float(_added(clause, placed, wording(language).vouch)),
        "unhedged": float(_dropped(clause, nearest, placed, wording(language).hedges)),
        "compared": _compared(clause, language),
        **_unreal(clause, nearest, placed, language),
        "borrowed": max(_covered_by(words, others, language) - covered, 0.0),
        "words": math.log1p(len(words)),
    }
    features["apart"] = features["scattered"] * features["stretched"]
    features |= {name: 1 - math.exp(-3 * features[name]) for name in _SATURATED}
    return Hold(features, missing, wrong, _mood_of(nearest, placed))


def best_sentences(clause: Clause, language: Language, *, most: int) -> list[str]:
    """The sentences of the sources that hold most of the clause's words, in text order."""
    placed = _placed(clause.sources, language)
    keys = {w.key for w in clause.content}
    shares: dict[tuple[int, int], list[Placed]] = {}
    for place in placed:
        shares.setdefault(place.sentence, []).append(place)
    ranked = sorted(shares, key=lambda s: (-len(keys & {p.token.key for p in shares[s]}), s))[:most]
    return [clause.sources[s[0]].text[shares[s][0].token.start : shares[s][-1].token.end] for s in sorted(ranked)]


def _mood_of(nearest: dict[int, tuple[int, int]], placed: Sequence[Placed]) -> float:
    pieces = set(nearest.values())
    return mood([p.token for p in placed if p.piece in pieces])


def _placed(sources: Sequence[Source], language: Language) -> list[Placed]:
    made = []
    for number, source in enumerate(sources):
        made += [
            Placed(t, (number, t.piece), (number, t.sentence), i) for i, t in enumerate(tokens(source.text, language))
        ]
    return made


def _matches(word: Token, index: dict[str, list[Placed]], language: Language) -> list[tuple[float, Placed]]:
    """(score, place) of every word of the sources that says what `word` says."""
    if exact := index.get(word.key):
        return [(1.0, p) for p in exact if same(word, p.token, language)]
    alike = [(_same(word, other[0].token, language), other) for other in index.values()]
    return [(score, p) for score, other in alike if score for p in other]


@lru_cache(maxsize=65536)
def _same(one: Token, other: Token, language: Language) -> float:
    return same(one, other, language)


def _nearest(words: Sequence[Token], matches: Sequence[list[tuple[float, Placed]]]) -> dict[int, tuple[int, int]]:
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


def _kin(word: Token, near: tuple[int, int] | None, placed: Sequence[Placed]) -> float:
    """Half for praise or blame that the nearest part of the source shares in other words ("tasty", "a treat")."""
    if abs(word.valence) < 0.2 or near is None:
        return 0.0
    there = mood([p.token for p in placed if p.piece == near])
    own = -word.valence if word.negated else word.valence
    return 0.5 if there * own > 0.05 else 0.0


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 1.0


def _best_window(
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
        best = max(best, _mean(kin))
    return best


def _by_piece(words: Sequence[Token], matches: Sequence[list[tuple[float, Placed]]]) -> float:
    """Coverage where each part of the clause must be held by one part of a source."""
    nearest = _nearest(words, matches)
    return _mean(
        [
            max((s for s, p in found if p.piece == nearest.get(w.piece)), default=0.0)
            for w, found in zip(words, matches, strict=True)
        ]
    )


def _stretch(words: Sequence[Token], matches: Sequence[list[tuple[float, Placed]]]) -> float:
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


def _usurped(words: Sequence[Token], matches: Sequence[list[tuple[float, Placed]]], placed: Sequence[Placed]) -> float:
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


def _replaced(
    words: Sequence[Token], held: Sequence[float], placed: Sequence[Placed], index: dict[str, list[Placed]]
) -> int:
    """How many words stand in front of a word of the source in place of others: carrot cake for lemon cake."""
    keys = {w.key for w in words}
    before = {(p.sentence[0], p.at + 1): p.token for p in placed}
    count = 0
    for word, share, head, kept in zip(words, held, words[1:], held[1:], strict=False):
        if share < _COVERED <= kept and head.key in index and head.start - word.end <= 1 and word.piece == head.piece:
            there = [before.get((p.sentence[0], p.at)) for p in index[head.key]]
            count += all(t is not None and not t.hollow and t.key not in keys for t in there)
    return count


def _stars(word: Token, clause: Clause) -> bool:
    """Whether a number is a rating, which the row proves."""
    return word.number is not None and bool(STARS.match(clause.masked[word.end :]))


def _against(clause: Clause, nearest: dict[int, tuple[int, int]], placed: Sequence[Placed]) -> float:
    """How far the mood of a part of the clause runs against that of the source's part, or sentence, nearest to it."""
    worst = 0.0
    for part in {w.piece for w in clause.words}:
        own = mood([w for w in clause.content if w.piece == part])
        near = nearest.get(part)
        if near is None or abs(own) < 0.15:
            continue
        there = mood([p.token for p in placed if p.piece == near])
        if abs(there) < 0.1:
            sentence = next(p.sentence for p in placed if p.piece == near)
            there = mood([p.token for p in placed if p.sentence == sentence])
        if own * there < 0 and abs(there) >= 0.1:
            worst = max(worst, min(abs(own - there), 1.5))
    return worst


def _denied(words: Sequence[Token], matches: Sequence[list[tuple[float, Placed]]]) -> float:
    """How many words a negation reaches here and nowhere in the source, or there everywhere and not here."""
    return float(
        sum(
            bool(exact := [p for s, p in found if s >= 0.9]) and all(p.token.negated != w.negated for p in exact)
            for w, found in zip(words, matches, strict=True)
        )
    )


def _negations(clause: Clause, nearest: dict[int, tuple[int, int]], placed: Sequence[Placed]) -> dict[str, float]:
    """`negates`: a part of the clause denies and what is nearest to it in the sources does not; `affirms`: what is
    nearest to a part denies and the clause does not.
    """
    denied = {p.piece for p in placed if p.token.negation}
    denying = {w.piece for w in clause.words if w.negation}
    negates = any(near not in denied for part, near in nearest.items() if part in denying)
    affirms = not any(w.negation for w in clause.words) and any(
        p.token.negation for p in placed if p.piece in set(nearest.values())
    )
    return {"negates": float(negates), "affirms": float(affirms)}


def _contradicts(
    words: Sequence[Token],
    matches: Sequence[list[tuple[float, Placed]]],
    clause: Clause,
    placed: Sequence[Placed],
    language: Language,
) -> bool:
    """Whether a word is denied on one side and stands on the other, wherever it stands, without any denial or doubt."""
    doubts = wording(language).doubts
    denying = {w.piece for w in clause.words if w.negation or w.text.lower() in doubts}
    denied = [p for p in placed if p.token.negation or p.token.text.lower() in doubts]
    for word, found in zip(words, matches, strict=True):
        there = [p for score, p in found if score >= 1]
        if (
            there
            and word.negated
            and not any(d.piece == p.piece and (d.at < p.at or language == "zh") for p in there for d in denied)
        ):
            return True
        if there and word.piece not in denying and all(p.token.negated for p in there):
            return True
    return False


def _excluded(
    clause: Clause,
    nearest: dict[int, tuple[int, int]],
    placed: Sequence[Placed],
    index: dict[str, list[Placed]],
    language: Language,
) -> tuple[tuple[str, str], ...]:
    """Pairs (word of the clause, word of the source) that exclude each other, the first nowhere in the sources."""
    found = []
    for word in clause.words:
        if word.key in index:
            continue
        near = nearest.get(word.piece)
        sentence = next((p.sentence for p in placed if p.piece == near), None)
        for place in placed:
            if (
                place.sentence == sentence
                and excluded(word, place.token, language)
                and word.negated == place.token.negated
            ):
                found.append((word.text, place.token.text))
    return tuple(found)


def _added(clause: Clause, placed: Sequence[Placed], words: frozenset[str]) -> int:
    """How many of such words the clause has and the sources lack."""
    there = {p.token.text.lower() for p in placed}
    return sum(w.text.lower() in words and w.text.lower() not in there for w in clause.words)


def _dropped(
    clause: Clause, nearest: dict[int, tuple[int, int]], placed: Sequence[Placed], words: frozenset[str]
) -> int:
    here = {w.text.lower() for w in clause.words}
    pieces = set(nearest.values())
    return sum(p.piece in pieces and p.token.text.lower() in words and p.token.text.lower() not in here for p in placed)


def _compared(clause: Clause, language: Language) -> float:
    """1 where the clause compares and no source does."""
    mark = " than " if language == "en" else "比"
    return float(mark in clause.text.lower() and not any(mark in s.text.lower() for s in clause.sources))


def _unreal(
    clause: Clause, nearest: dict[int, tuple[int, int]], placed: Sequence[Placed], language: Language
) -> dict[str, float]:
    """Whether what is nearest in the source was wished, expected or formerly so, and the clause does not say that."""
    sentences = {p.sentence for p in placed if p.piece in set(nearest.values())}
    texts = []
    for source, sentence in sorted(sentences):
        inside = [p.token for p in placed if p.sentence == (source, sentence)]
        texts.append(clause.sources[source].text[inside[0].start : inside[-1].end].lower())
    own, near = clause.text.lower(), " ".join(texts)
    known = wording(language)
    return {
        "unreal": float(bool(known.unreal.search(near)) and not known.unreal.search(own)),
        "modal": float(bool(known.modal.search(near)) and not known.modal.search(own)),
    }


def _covered_by(words: Sequence[Token], sources: Sequence[Source], language: Language) -> float:
    """The greatest coverage by one of these sources alone; 0 where there is none."""
    best = 0.0
    for source in sources:
        placed = _placed((source,), language)
        index = {p.token.key: [p] for p in placed}
        found = [max((s for s, _ in _matches(w, index, language)), default=0.0) for w in words]
        best = max(best, _mean(found) if words else 0.0)
    return best

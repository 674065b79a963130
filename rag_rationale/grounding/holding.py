"""Holds the words of a clause against the words of its sources: what is covered, where, in which mood and order.

Everything here is a number between the two texts; `speaking` asks who said it and `judging` decides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rag_rationale.grounding.clauses import STARS, Clause
from rag_rationale.grounding.ordering import best_window, by_piece, replaced, stretch, usurped
from rag_rationale.grounding.placing import COVERED, Placed, match_words, mean, nearest_pieces, place_words
from rag_rationale.grounding.shifting import CUES, each, shifting
from rag_rationale.grounding.standing import copied, standing
from rag_rationale.grounding.turning import (
    added,
    against,
    compared,
    contradicts,
    denied,
    dropped,
    exclusions,
    negations,
    unreal,
)
from rag_rationale.language.tokens import Token, mood, same, tokens
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
    "denies",
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
    "odd",
    "alien",
    "patched",
    "flipped",
    "changed",
    "added",
    "subject",
    "crossed",
    *(f"{end}{cue}" for cue in CUES for end in ("", "un")),
    "done",
    "unowned",
    "turned",
    "shifted",
    "each",
    "number",
    "counted",
    "named",
    "credited",
    "likes",
    "unbacked",
    "words",
)
"""Names of what `hold` measures (`likes`, `unbacked` and the near proofs of `facts`: `examine`); 0 is innocent, except
for `words`."""
COPIED = tuple(f"copied.{name}" for name in FEATURES if name not in ("uncovered", "words"))
"""The same, weighed by how much of the clause is held: a change in copied words tells more than one in a paraphrase."""
# a little of these is nearly as bad as much
_SATURATED = ("stitched", "scattered", "usurped", "against", "apart")


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
    placed, index = place_words(clause.sources, language)
    matches = [match_words(w, index, language) for w in words]
    titles = [t for s in clause.sources for t in tokens(s.title, language)]
    held = [
        max([score for score, _ in found], default=0.0) or max([same(w, t, language) for t in titles], default=0.0)
        for w, found in zip(words, matches, strict=True)
    ]
    nearest = nearest_pieces(words, matches)
    held = [h or _kin(w, nearest.get(w.piece), placed) for w, h in zip(words, held, strict=True)]
    covered = mean(held)
    wrong = exclusions(clause, nearest, placed, index, language)
    missing = tuple(w.text for w, h in zip(words, held, strict=True) if h < COVERED)
    patched, flipped = copied(clause.words, [tokens(s.text, language) for s in clause.sources])
    features = {
        "uncovered": 1 - covered,
        "missing": math.log1p(len(missing)),
        "stitched": max(covered - best_window(matches, placed, held), 0.0),
        "scattered": max(covered - by_piece(words, matches), 0.0),
        "stretched": stretch(words, matches),
        "usurped": usurped(words, matches, placed),
        "replaced": float(replaced(words, held, placed, index)),
        "against": against(clause, nearest, placed),
        "denied": denied(words, matches),
        **negations(clause, nearest, placed),
        "contradicts": float(contradicts(words, matches, clause, placed, language)),
        "excluded": float(len(wrong)),
        "vouched": float(added(clause, placed, wording(language).vouch)),
        "unhedged": float(dropped(clause, nearest, placed, wording(language).hedges)),
        "compared": compared(clause, language),
        **unreal(clause, nearest, placed, language),
        **standing(words, matches, held, placed),
        **shifting(clause, words, matches, _near_text(clause, nearest, placed), language),
        "patched": patched,
        "flipped": float(flipped),
        "each": each(clause, words, language),
        "borrowed": max(_covered_by(words, others, language) - covered, 0.0),
        "words": math.log1p(len(words)),
    }
    features["apart"] = features["scattered"] * features["stretched"]
    features |= {name: 1 - math.exp(-3 * features[name]) for name in _SATURATED}
    return Hold(features, missing, wrong, _mood_of(nearest, placed))


def best_sentences(clause: Clause, language: Language, *, most: int) -> list[str]:
    """The sentences of the sources that hold most of the clause's words, in text order."""
    placed, _ = place_words(clause.sources, language)
    keys = {w.key for w in clause.content}
    shares: dict[tuple[int, int], list[Placed]] = {}
    for place in placed:
        shares.setdefault(place.sentence, []).append(place)
    ranked = sorted(shares, key=lambda s: (-len(keys & {p.token.key for p in shares[s]}), s))[:most]
    return [clause.sources[s[0]].text[shares[s][0].token.start : shares[s][-1].token.end] for s in sorted(ranked)]


def _near_text(clause: Clause, nearest: dict[int, tuple[int, int]], placed: Sequence[Placed]) -> str:
    """The parts of the sources nearest to those of the clause, lower case."""
    texts = []
    for piece in sorted(set(nearest.values())):
        inside = [p.token for p in placed if p.piece == piece]
        texts.append(clause.sources[piece[0]].text[inside[0].start : inside[-1].end].lower())
    return " ".join(texts)


def _mood_of(nearest: dict[int, tuple[int, int]], placed: Sequence[Placed]) -> float:
    pieces = set(nearest.values())
    return mood([p.token for p in placed if p.piece in pieces])


def _kin(word: Token, near: tuple[int, int] | None, placed: Sequence[Placed]) -> float:
    """Half for praise or blame that the nearest part of the source shares in other words ("tasty", "a treat")."""
    if abs(word.valence) < 0.2 or near is None:
        return 0.0
    there = mood([p.token for p in placed if p.piece == near])
    own = -word.valence if word.negated else word.valence
    return 0.5 if there * own > 0.05 else 0.0


def _stars(word: Token, clause: Clause) -> bool:
    """Whether a number is a rating, which the row proves."""
    return word.number is not None and bool(STARS.match(clause.masked[word.end :]))


def _covered_by(words: Sequence[Token], sources: Sequence[Source], language: Language) -> float:
    """The greatest coverage by one of these sources alone; 0 where there is none."""
    best = 0.0
    for source in sources:
        _, index = place_words((source,), language)
        found = [max((s for s, _ in match_words(w, index, language)), default=0.0) for w in words]
        best = max(best, mean(found) if words else 0.0)
    return best

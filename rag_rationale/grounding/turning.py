"""Whether a clause turns what its sources say: mood, denial, opposites, added or dropped reservations, wishes."""

from __future__ import annotations

from collections.abc import Sequence

from rag_rationale.grounding.clauses import Clause
from rag_rationale.grounding.placing import Placed
from rag_rationale.language.tokens import Token, excluded, mood
from rag_rationale.language.wording import wording
from rag_rationale.types import Language


def against(clause: Clause, nearest: dict[int, tuple[int, int]], placed: Sequence[Placed]) -> float:
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


def denied(words: Sequence[Token], matches: Sequence[list[tuple[float, Placed]]]) -> float:
    """How many words a negation reaches here and nowhere in the source, or there everywhere and not here."""
    return float(
        sum(
            bool(exact := [p for s, p in found if s >= 0.9]) and all(p.token.negated != w.negated for p in exact)
            for w, found in zip(words, matches, strict=True)
        )
    )


def negations(clause: Clause, nearest: dict[int, tuple[int, int]], placed: Sequence[Placed]) -> dict[str, float]:
    """`negates`: a part of the clause denies and what is nearest to it in the sources does not; `denies`: nothing in
    the sources does; `affirms`: what is nearest to a part denies and the clause does not.
    """
    denied = {p.piece for p in placed if p.token.negation}
    denying = {w.piece for w in clause.words if w.negation}
    negates = any(near not in denied for part, near in nearest.items() if part in denying)
    affirms = not any(w.negation for w in clause.words) and any(
        p.token.negation for p in placed if p.piece in set(nearest.values())
    )
    return {"negates": float(negates), "denies": float(bool(denying) and not denied), "affirms": float(affirms)}


def contradicts(
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
            and word.struck
            and not any(d.piece == p.piece and (d.at < p.at or language == "zh") for p in there for d in denied)
        ):
            return True
        if there and word.piece not in denying and all(p.token.struck for p in there):
            return True
    return False


def exclusions(
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
        near = {nearest[word.piece]} if word.piece in nearest else set(nearest.values())
        sentences = {p.sentence for p in placed if p.piece in near}
        for place in placed:
            if (
                place.sentence in sentences
                and excluded(word, place.token, language)
                and word.negated == place.token.negated
            ):
                found.append((word.text, place.token.text))
    return tuple(found)


def added(clause: Clause, placed: Sequence[Placed], words: frozenset[str]) -> int:
    """How many of such words the clause has and the sources lack."""
    there = {p.token.text.lower() for p in placed}
    return sum(w.text.lower() in words and w.text.lower() not in there for w in clause.words)


def dropped(
    clause: Clause, nearest: dict[int, tuple[int, int]], placed: Sequence[Placed], words: frozenset[str]
) -> int:
    here = {w.text.lower() for w in clause.words}
    pieces = set(nearest.values())
    return sum(p.piece in pieces and p.token.text.lower() in words and p.token.text.lower() not in here for p in placed)


def compared(clause: Clause, language: Language) -> float:
    """1 where the clause compares and no source does."""
    mark = " than " if language == "en" else "比"
    return float(mark in clause.text.lower() and not any(mark in s.text.lower() for s in clause.sources))


def unreal(
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

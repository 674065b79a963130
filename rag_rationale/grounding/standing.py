"""Whether a word of a clause stands where its sources have another: changed, added, given to another subject."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise

from rag_rationale.grounding.placing import COVERED, Placed
from rag_rationale.language.tokens import Token

_GAP = 3  # content words of a source that one word may stand for
_ROW, _APART, _BEFORE = 2, 4, 2
"""Words of content in a row: so many at least, each so many words behind the other at most; denied from so far off."""


def standing(
    words: Sequence[Token],
    matches: Sequence[list[tuple[float, Placed]]],
    held: Sequence[float],
    placed: Sequence[Placed],
) -> dict[str, float]:
    """`odd`: one of few words not held in a clause that otherwise is; `changed` and `added`: words not held between two
    that are, where the source has others there, or none; `subject`: the first word of a part stands
    elsewhere than what is said of it, which has a subject of its own; `crossed`: neighbours that each have another
    neighbour in the source.
    """
    row = _Row(words, matches, placed)
    covered = sum(held) / len(held) if held else 1.0
    missing = [i for i, h in enumerate(held) if h < COVERED]
    changed = added = 0
    for i in missing:
        between = row.between(i)
        if between is not None:
            changed += 0 < between <= _GAP
            added += between == 0
    return {
        "odd": covered**3 if missing else 0.0,
        "changed": float(min(changed, 2)),
        "added": float(min(added, 2)),
        "alien": _alien(words, held),
        "subject": float(row.subject()),
        "crossed": float(min(row.crossed(), 2)),
    }


def _alien(words: Sequence[Token], held: Sequence[float]) -> float:
    """How much less the part that is held least is held than the others; parts of one word tell nothing."""
    parts: dict[int, list[float]] = {}
    for word, share in zip(words, held, strict=True):
        parts.setdefault(word.piece, []).append(share)
    shares = [sum(of) / len(of) for of in parts.values() if len(of) > 1]
    return max(max(shares) - min(shares), 0.0) if len(shares) > 1 else 0.0


def copied(clause: Sequence[Token], sources: Sequence[Sequence[Token]]) -> tuple[float, bool]:
    """(patched, flipped) of words copied from one source in a row. Patched: how many words of content are put into
    such a run, at most 2. Flipped: the run gains or loses a negation, its other words unchanged.
    """
    worst, flipped = 0, False
    own = [t.text.lower() for t in clause]
    for source in sources:
        there = [t.text.lower() for t in source]
        blocks = [b for b in SequenceMatcher(None, own, there, autojunk=False).get_matching_blocks() if b.size]
        found = 0
        for one, other in pairwise(blocks):
            inside = clause[one.a + one.size : other.a]
            skipped = source[one.b + one.size : other.b]
            near = one.size + other.size >= 4
            if near and len(skipped) <= len(inside) + 1 and any(not t.hollow or t.negation for t in inside):
                found += 1
            if len(inside) <= 2 and len(skipped) <= 2 and one.size + other.size >= 3:
                flipped |= sum(t.negation for t in inside) != sum(t.negation for t in skipped)
        worst = max(worst, found)
        first = max(blocks, key=lambda b: b.size, default=None)
        if first is not None and first.size >= 3:
            led = any(t.negation for t in clause[max(first.a - 2, 0) : first.a] if t.piece == clause[first.a].piece)
            before = source[max(first.b - 2, 0) : first.b]
            flipped |= led != any(t.negation for t in before if t.piece == source[first.b].piece)
    return float(min(worst, 2)), flipped or _turned(clause, sources)


def _turned(clause: Sequence[Token], sources: Sequence[Sequence[Token]]) -> bool:
    """Whether the words of content of a part stand in a row in sources, each time with another count of negations."""
    for part in {t.piece for t in clause}:
        own = [t for t in clause if t.piece == part]
        words = [t.key for t in own if not t.hollow]
        if len(words) < _ROW:
            continue
        first = next(i for i, t in enumerate(own) if not t.hollow)
        last = max(i for i, t in enumerate(own) if not t.hollow)
        denials = sum(t.negation for t in own[max(first - _BEFORE, 0) : last + 1])
        there = [n for source in sources for n in _denials(words, source)]
        if there and denials not in there:
            return True
    return False


def _denials(words: Sequence[str], source: Sequence[Token]) -> list[int]:
    """How many negations stand among these words, and just before them, wherever they stand in a row."""
    found = []
    for begin, token in enumerate(source):
        if token.key != words[0]:
            continue
        at = begin
        for word in words[1:]:
            near = range(at + 1, min(at + 1 + _APART, len(source)))
            at = next((i for i in near if source[i].key == word and source[i].sentence == token.sentence), -1)
            if at < 0:
                break
        else:
            before = [t for t in source[max(begin - _BEFORE, 0) : begin] if t.piece == token.piece]
            found.append(sum(t.negation for t in (*before, *source[begin : at + 1])))
    return found


class _Row:
    """The content words of a clause beside those of its sources."""

    def __init__(
        self, words: Sequence[Token], matches: Sequence[list[tuple[float, Placed]]], placed: Sequence[Placed]
    ) -> None:
        self._words = words
        self._found = [[p for score, p in found if score >= COVERED] for found in matches]
        self._content = [p for p in placed if not p.token.hollow]
        self._rank = {(p.sentence[0], p.at): n for n, p in enumerate(self._content)}
        self._taken = {(p.sentence[0], p.at) for found in self._found for p in found}

    def between(self, i: int) -> int | None:
        """How many content words that the clause lacks stand where word `i` stands; None: nowhere near."""
        left = next((self._found[j] for j in range(i - 1, -1, -1) if self._found[j]), [])
        right = next((self._found[j] for j in range(i + 1, len(self._found)) if self._found[j]), [])
        best: int | None = None
        for p in left:
            for q in right:
                a, b = self._place(p), self._place(q)
                if a is None or b is None or p.sentence != q.sentence or not a < b:
                    continue
                free = sum((c.sentence[0], c.at) not in self._taken for c in self._content[a + 1 : b])
                best = free if best is None else min(best, free)
        if left and not right:
            return max((self._behind(p) for p in left), default=None)
        return best

    def _behind(self, place: Placed) -> int:
        """Content words of the same part behind a place that the clause lacks."""
        return sum(
            c.piece == place.piece and c.at > place.at and (c.sentence[0], c.at) not in self._taken
            for c in self._content
        )

    def _place(self, place: Placed) -> int | None:
        return self._rank.get((place.sentence[0], place.at))

    def subject(self) -> bool:
        for part in {w.piece for w in self._words}:
            own = [found for w, found in zip(self._words, self._found, strict=True) if w.piece == part and found]
            if len(own) < 2:
                continue
            rest: dict[tuple[int, int], int] = {}
            for found in own[1:]:
                for piece in {p.piece for p in found}:
                    rest[piece] = rest.get(piece, 0) + 1
            piece = max(sorted(rest), key=lambda at: rest[at])
            if any(p.piece == piece for p in own[0]):
                continue
            there = [c for c in self._content if c.piece == piece]
            if there and (there[0].sentence[0], there[0].at) not in self._taken:
                return True
        return False

    def crossed(self) -> int:
        count = 0
        for one, other, found, after in zip(self._words, self._words[1:], self._found, self._found[1:], strict=False):
            if one.piece != other.piece or not found or not after:
                continue
            if any(self._near(p, q) for p in found for q in after):
                continue
            if any(self._neighbour(p, 1) for p in found) and any(self._neighbour(q, -1) for q in after):
                count += 1
        return count

    def _near(self, p: Placed, q: Placed) -> bool:
        a, b = self._place(p), self._place(q)
        return a is not None and b is not None and p.sentence == q.sentence and abs(a - b) <= 1

    def _neighbour(self, p: Placed, step: int) -> bool:
        """Whether the content word beside a place, in its part, is one that the clause has too."""
        at = self._place(p)
        if at is None or not 0 <= at + step < len(self._content):
            return False
        other = self._content[at + step]
        return other.piece == p.piece and (other.sentence[0], other.at) in self._taken

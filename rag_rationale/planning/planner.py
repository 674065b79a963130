"""Plans sentences: which kinds, in which order, and for each the passages it may rest on, best first.

"Attribute first, then generate" (Slobodkin et al. 2024): a plan fixes its passages before a word is written. The
planner knows relevance, agreement and honesty; it does not know wording.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from rag_rationale.planning.aspects import DIVIDED, Aspect, aspects, counts
from rag_rationale.planning.matching import Matcher
from rag_rationale.planning.readings import Reader, Reading
from rag_rationale.planning.weighing import (
    AT_ONCE,
    CONNECTED,
    LOOKED_AT,
    LOW,
    SOMETHING,
    Fresh,
    Weigher,
    leans,
    of_each_author,
)
from rag_rationale.prompting import PlanSpec
from rag_rationale.retrieval import WORDED, Pool
from rag_rationale.types import Evidence, Kind, Mention, Plan, Polarity, Snapshot, Tally

CITED = 3  # passages of a count that are cited
TELLS = 1.2  # what a passage that tells all one can ask for is worth over one that tells nothing
_USABLE = 12  # passages that may carry a sentence among which the best is looked for


@dataclass(frozen=True, slots=True)
class Mood:
    """How the item's trusted reviews stand: the share of low ratings and whether they are most of them."""

    low_share: float
    rated: int

    @property
    def divided(self) -> bool:
        return self.rated >= 3 and self.low_share >= 0.15

    @property
    def bad(self) -> bool:
        return self.rated >= 3 and self.low_share >= 0.5


class Planner:
    """Plans for one request. `readings` come from `reader`; `snapshot` gives the background of cosines; `prefer` is
    what the template asks for.
    """

    def __init__(self, pool: Pool, reader: Reader, snapshot: Snapshot, prefer: PlanSpec | None = None) -> None:
        self._pool, self._reader = pool, reader
        self._prefer = prefer or PlanSpec()
        disliked = {e.title for e in pool.history if e.rating is not None and e.rating < LOW}
        # a dislike in words may be told as one, an event with the item may not
        told = [e for e in pool.history if e.event in WORDED or e.title not in disliked]
        history = [e for e in told if not reader.forbids(e)]
        self._barred = {e.id for e in (*pool.history, *pool.reviews, *pool.facts) if reader.forbids(e)}
        self._found: list[Aspect] | None = None
        self._connected = snapshot.background(CONNECTED)
        self._weigher = Weigher(pool, reader, snapshot)
        self._matcher = Matcher(pool, history, reader, snapshot, self._weigher)
        self.mood = Mood(sum(r < LOW for r in pool.ratings) / max(len(pool.ratings), 1), len(pool.ratings))

    def kinds(self, count: int) -> list[Kind]:
        """The kinds of up to `count` sentences, in order. A drawback that reviewers name is never crowded out."""
        first: Kind = "match" if self._pool.history else "merit"
        if self.mood.bad:
            return (["caveat", first, "caveat", "merit", "merit", "merit"])[:count]
        order: list[Kind] = [first, "merit", "match" if self._pool.history else "merit", "merit", "merit", "merit"]
        if wished := self._prefer.order:
            order = [k if k != "match" or self._pool.history else "merit" for k in (*wished, *[wished[-1]] * count)]
        if self.mood.divided and count > 1:
            return [*order[: count - 1], "caveat"]
        return order[:count]

    def propose(self, kind: Kind, said: Sequence[Plan]) -> Iterator[Plan]:
        """Plans of a kind, best first, that repeat no passage and no aspect of what has been `said`."""
        fresh = self._fresh(said)
        if kind == "match":
            yield from self._matcher.propose(fresh)
        elif kind == "caveat":
            yield from self._divided(fresh, said)
            yield from self._counted(fresh, "negative", said)
            yield from self._shared(fresh, "negative", "caveat")
            yield from self._singles(self._pool.reviews, "theirs", fresh, "negative", "caveat")
        else:
            yield from self._counted(fresh, "positive", said)
            if not any(len(plan.evidence.get("theirs", ())) > 1 for plan in said):
                yield from self._shared(fresh, "positive", "merit")
            yield from self._singles(self._pool.reviews, "theirs", fresh, "positive", "merit")
            told = sum("facts" in plan.evidence for plan in said if plan.kind == "merit")
            if told < self._prefer.facts or self._pool.query is not None:
                yield from self._singles(self._weigher.facts(bare=not said), "facts", fresh, None, "merit")
            if self._pool.query is not None:  # an answer need not be praise
                yield from self._singles(self._pool.reviews, "theirs", fresh, "neutral", "merit")

    def admit(self, said: Sequence[Plan]) -> Iterator[Plan]:
        """Caveats out of what the item's own text admits, most telling first, for where reviewers name no drawback; a
        passage that something else was told of may serve too."""
        told = {e.id for plan in said if plan.kind == "caveat" for e in plan.evidence.get("facts", ())}
        fresh = Fresh(self._barred | told, [], self._connected)
        yield from self._singles(self._weigher.facts(bare=False), "facts", fresh, "negative", "caveat")

    def _fresh(self, said: Sequence[Plan]) -> Fresh:
        used = {e.id for plan in said for group in plan.evidence.values() for e in group} | self._barred
        about = [e for plan in said for r in ("theirs", "facts") for e in plan.evidence.get(r, ())]
        return Fresh(used, about, self._connected)

    def _singles(
        self, side: Sequence[Evidence], role: str, fresh: Fresh, polarity: Polarity | None, kind: Kind
    ) -> Iterator[Plan]:
        ranked = self._ranked(side, fresh, polarity)
        least = SOMETHING if role == "facts" and kind == "merit" and fresh.about else -1.0
        told = ((e, self._weigher.told(reading, polarity)) for e, reading in self._read(ranked[: 2 * LOOKED_AT]))
        worth = self._weigher.worth
        tell = ((worth(e) + TELLS * tells, e) for e, tells in told if tells is not None and tells >= least)
        usable = list(islice(tell, _USABLE))
        for _, evidence in sorted(usable, key=lambda pair: -pair[0]):
            yield Plan(kind, {role: (evidence,)}, polarity=polarity or "neutral")

    def _ranked(self, side: Sequence[Evidence], fresh: Fresh, polarity: Polarity | None) -> list[Evidence]:
        """What of a side may be told and may hold praise or complaint, most worth telling first."""
        told = (e for e in side if fresh.allows(e) and leans(e, polarity))
        return sorted(told, key=self._weigher.worth, reverse=True)

    def _read(self, evidence: Sequence[Evidence]) -> Iterator[tuple[Evidence, Reading]]:
        """Readings as they are asked for, some at once."""
        for at, one in enumerate(evidence):
            if at % AT_ONCE == 0:
                self._reader.expect(evidence[at : at + AT_ONCE])
            yield one, self._reader.read(one)

    def _counted(self, fresh: Fresh, polarity: Polarity, said: Sequence[Plan]) -> Iterator[Plan]:
        """Aspects that many reviewers judge so or, where too few are seen to judge, that many mention."""
        kind: Kind = "merit" if polarity == "positive" else "caveat"
        for aspect in self._aspects(said):
            judged, against = aspect.praise, aspect.complaints
            if polarity == "negative":
                judged, against = against, judged
            first = self._telling_first(judged.mentions, fresh)
            if not first or aspect.divided or len(against.mentions) >= len(judged.mentions):
                continue
            mentioned = kind == "merit" and not self._reader.obvious(aspect.lemma)
            for tally in (judged, aspect.mentions) if mentioned else (judged,):
                led = _led(tally, first, fresh, last=against)
                cited = [m.evidence for m in led.mentions[:CITED] if fresh.allows(m.evidence)]
                if counts(tally) and len(cited) == CITED:
                    sides = {"theirs": led}
                    yield Plan(kind, {"theirs": tuple(cited)}, aspect=aspect.lemma, polarity=polarity, tallies=sides)

    def _divided(self, fresh: Fresh, said: Sequence[Plan]) -> Iterator[Plan]:
        """Aspects that some reviewers praise and others complain of."""
        for aspect in self._aspects(said):
            firsts = [self._telling_first(t.mentions, fresh) for t in (aspect.praise, aspect.complaints)]
            if aspect.divided and all(len(first) >= DIVIDED for first in firsts):
                theirs, others = (
                    _led(t, first, fresh) for t, first in zip((aspect.praise, aspect.complaints), firsts, strict=True)
                )
                cited = {
                    role: tuple(m.evidence for m in t.mentions[:DIVIDED])
                    for role, t in (("theirs", theirs), ("others", others))
                }
                sides = {"theirs": theirs, "others": others}
                yield Plan("caveat", cited, aspect=aspect.lemma, polarity="negative", tallies=sides)

    def _telling_first(self, mentions: Sequence[Mention], fresh: Fresh) -> list[Mention]:
        """Mentions that may still be cited, those that tell most first."""
        allowed = [m for m in mentions if fresh.allows(m.evidence)]
        return sorted(allowed, key=lambda m: -self._reader.telling(m.words))

    def _aspects(self, said: Sequence[Plan]) -> list[Aspect]:
        """The item's aspects, unless one sentence of three already counts."""
        if sum(bool(plan.tallies) for plan in said) * 3 > len(said):
            return []
        if self._found is None:
            found = aspects(self._pool.reviews, self._reader, self._reader.language, self._weigher.worth)
            kinds = " ".join(self._pool.item.categories).lower()  # that people speak of ice cream tells what it sells
            self._found = [aspect for aspect in found if aspect.lemma not in kinds]
        return self._found

    def _shared(self, fresh: Fresh, polarity: Polarity, kind: Kind) -> Iterator[Plan]:
        """Aspects that two or more reviewers judge alike, each in a clause of their own about the same head word."""
        ranked = self._ranked(self._pool.reviews, fresh, polarity)
        by_head: dict[str, list[Evidence]] = {}
        self._reader.expect(ranked[:LOOKED_AT])
        for evidence in ranked[:LOOKED_AT]:
            heads = {s.head for s in self._reader.read(evidence).of("clause", polarity) if len(s.head) > 1}
            for head in heads:
                if head in evidence.passage.text.lower():
                    by_head.setdefault(head, []).append(evidence)
        divided = {aspect.lemma for aspect in self._found or () if aspect.divided}
        for head, group in sorted(by_head.items(), key=lambda pair: -len(pair[1])):
            if head in divided:
                continue
            if self._reader.worth_counting(head, [head] * len(group)) is None:
                continue  # "more than one reviewer praises the food" tells nothing
            distinct = of_each_author(group)
            if len(distinct) >= 2:
                yield Plan(kind, {"theirs": tuple(distinct[:2])}, aspect=head, polarity=polarity)


def _led(tally: Tally, first: Sequence[Mention], fresh: Fresh, *, last: Tally | None = None) -> Tally:
    """The tally with these mentions before those of the other authors, and what may be cited before what may not; of
    what only mentions, the authors of `last`, who judge otherwise, come last."""
    others = {m.evidence.passage.author for m in last.mentions} if last else set()
    authors = {m.evidence.passage.author for m in tally.mentions}
    led = [m for m in first if m.evidence.passage.author in authors]
    ahead = {m.evidence.passage.author for m in led}
    rest = [m for m in tally.mentions if m.evidence.passage.author not in ahead]
    return replace(
        tally,
        mentions=(
            *led,
            *sorted(rest, key=lambda m: (not fresh.allows(m.evidence), m.evidence.passage.author in others)),
        ),
    )

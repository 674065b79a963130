"""Plans sentences: which kinds, in which order, and for each the passages it may rest on, best first.

"Attribute first, then generate" (Slobodkin et al. 2024): a plan fixes its passages before a word is written. The
planner knows relevance, agreement and honesty; it does not know wording.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from rag_rationale.planning.aspects import DIVIDED, Aspect, aspects, counts
from rag_rationale.planning.readings import Reader, Reading
from rag_rationale.prompting import PlanSpec
from rag_rationale.retrieval import LISTED, WORDED, Pool
from rag_rationale.types import Evidence, Kind, Mention, Plan, Polarity, Snapshot, Tally, Vectors

CONNECTED = 0.85  # a match claims a connection: closer than this share of random passage pairs
NAMED = 0.95  # the same, where the user's side is only the name of an item, or the item's side a description
STRANGE = 0.997  # the same, where the two items are of different kinds
AGREEING = 0.97  # two reviewers say the same: closer than this share of random pairs
_EVEN = 0.4  # probability from which a passage may hold praise; its complement holds for complaint
LOW, HIGH = 2.5, 3.5  # ratings below are complaints, above are praise
_BONUS: dict[str, float] = {
    "clause": 0.15,
    "identity": 0.15,
    "liking": 0.1,
    "np": 0.0,
    "remark": 0.0,
    "quote": -0.3,
}  # a quotation is the last resort
FIT = 3.0  # what a cosine of 1 to what the user cares about is worth in a passage
_SHARED = 0.2  # share of items from which listing the same thing as a liked item is no reason
_COMMON_AFTER, _COMMONS = 2, 2  # matches in words that come before those by listed facts, and how many there are
_LISTINGS = 2  # listed facts that may be told where there is nothing else, what the item's categories say first
_SOMETHING = 0.45  # how much a description must tell to stand beside what people say
_TOLD = WORDED | {"rating"}  # history that is more than a verb
_YEAR, _UNDATED = 31_557_600.0, 4.0  # seconds; how many years old what has no date is taken to be
CITED = 3  # passages of a count that are cited
_LOOKED_AT = 24  # passages of each side that are read at most per plan, twice as many where few of them are usable
_AT_ONCE = 12  # passages or pairs that are read at once
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
        self._pool, self._reader, self._snapshot = pool, reader, snapshot
        self._prefer = prefer or PlanSpec()
        disliked = {e.title for e in pool.history if e.rating is not None and e.rating < LOW}
        # a dislike in words may be told as one, an event with the item may not
        told = [e for e in pool.history if e.event in WORDED or e.title not in disliked]
        self._history = [e for e in told if not reader.forbids(e)]
        self._barred = {e.id for e in (*pool.history, *pool.reviews, *pool.facts) if reader.forbids(e)}
        self._found: list[Aspect] | None = None
        self._kinds: dict[str, frozenset[str]] = {}
        self._connected = snapshot.background(CONNECTED)
        self._levels = {level: snapshot.background(level) for level in (NAMED, STRANGE)}
        self._agreement = _agreement(pool.reviews, snapshot.background(AGREEING))
        specific = [e.specificity for e in (*pool.facts, *pool.reviews)]
        self._newest = snapshot.manifest.newest_timestamp or 0
        self._usual = float(np.median(specific)) if specific else 1.0
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
            yield from self._matches(fresh)
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
                yield from self._singles(self._facts(bare=not said), "facts", fresh, None, "merit")
            if self._pool.query is not None:  # an answer need not be praise
                yield from self._singles(self._pool.reviews, "theirs", fresh, "neutral", "merit")

    def admit(self, said: Sequence[Plan]) -> Iterator[Plan]:
        """Caveats out of what the item's own text admits, most telling first, for where reviewers name no drawback."""
        yield from self._singles(self._facts(bare=False), "facts", self._fresh(said), "negative", "caveat")

    def _fresh(self, said: Sequence[Plan]) -> _Fresh:
        used = {e.id for plan in said for group in plan.evidence.values() for e in group} | self._barred
        about = [e for plan in said for r in ("theirs", "facts") for e in plan.evidence.get(r, ())]
        return _Fresh(used, about, self._connected)

    def _facts(self, *, bare: bool) -> list[Evidence]:
        """Passages of the item's own text that say something of it. Entries such as "Opening hours: 9 to 5" are listed
        facts, no reasons; they count only with a query, or where there is nothing else (`bare`).
        """
        told = [e for e in self._pool.facts if e.passage.field != "title"]
        if self._pool.query is not None:
            return told
        prose = [e for e in told if not LISTED.match(e.passage.text)]
        kinds = [word.lower() for word in self._pool.item.categories]
        told = sorted(told, key=lambda e: -sum(word in e.passage.text.lower() for word in kinds))
        return [*prose, *(e for e in told[:_LISTINGS] if e not in prose)] if bare else prose

    def _matches(self, fresh: _Fresh) -> Iterator[Plan]:
        """Pairs of something the user cares about and something the item offers, by closeness and worth."""
        worded = self._worded_matches(fresh)
        yield from islice(worded, _COMMON_AFTER)
        yield from islice(self._commons(fresh), _COMMONS)
        yield from worded

    def _commons(self, fresh: _Fresh) -> Iterator[Plan]:
        """Something the user liked, and a rare thing that it and the item both list; the rarest first."""
        pairs = [(self._reader.share(c.entry), n, c) for n, c in enumerate(self._pool.common)]
        told: set[str] = set()
        for share, _, common in sorted(pairs, key=lambda pair: pair[:2]):
            allowed = not {common.own.id, common.fact.id} & fresh.used and common.own.title not in told
            if share <= _SHARED and allowed:
                told.add(common.own.title)
                aspect = common.entry.value.lower()
                yield Plan("match", {"own": (common.own,), "facts": (common.fact,)}, aspect=aspect, polarity="positive")

    def _worded_matches(self, fresh: _Fresh) -> Iterator[Plan]:
        """Pairs by what is said of both, by closeness and worth."""
        found: list[tuple[float, Plan]] = []
        pairs = self._near(fresh)
        while len(found) < _LOOKED_AT and (some := list(islice(pairs, _AT_ONCE))):
            self._reader.expect([e for pair in some for e in (pair.own, pair.theirs) if e.event in (None, *WORDED)])
            told = ((self._match(pair), pair) for pair in some)
            found += islice(((value, pair.plan) for value, pair in told if value is not None), _LOOKED_AT - len(found))
        for _, plan in sorted(found, key=lambda pair: -pair[0]):
            said = plan.evidence["own"][0]
            if said.event not in _TOLD and (earlier := self._earlier(said)):
                yield Plan("match", {"earlier": (earlier,), **plan.evidence}, polarity=plan.polarity, akin=plan.akin)
            yield plan

    def _near(self, fresh: _Fresh) -> Iterator[_Pair]:
        """Pairs that are close enough, whatever they say, by closeness and worth."""
        own = [e for e in self._history if e.id not in fresh.used]
        praise = [e for e in self._pool.reviews if _leans(e, "positive")]
        theirs = [e for e in (*praise, *self._facts(bare=False)) if fresh.allows(e)]
        if not own or not theirs:
            return
        close = _stacked(own) @ _stacked(theirs).T
        worth = np.array([self._worth(e) for e in theirs])
        standing = np.array([_standing(e) for e in own])
        total = close + 0.5 * worth[None, :] + standing[:, None]
        order = np.argsort(-total, axis=None, kind="stable")
        for flat in order[: _LOOKED_AT * 8]:
            i, j = divmod(int(flat), len(theirs))
            if close[i, j] < self._connected and own[i].event != "preference" and self._pool.query is None:
                continue
            pair = _Pair(own[i], theirs[j], self._akin(own[i]), close[i, j], total[i, j])
            if self._close(pair, worded=pair.worded):
                yield pair

    def _match(self, pair: _Pair) -> float | None:
        """What a pair is worth by what its passages say; None where it makes no sentence."""
        told = self._told(self._reader.read(pair.theirs), None if pair.role == "facts" else "positive")
        if told is None:
            return None
        words = self._told(self._reader.read(pair.own), pair.polarity) if pair.worded else None
        return pair.total + 0.4 * told + 0.3 * (words or 0.0) if self._close(pair, worded=words is not None) else None

    def _close(self, pair: _Pair, *, worded: bool) -> bool:
        """Whether the two sides of a match are close enough, with or without the user's own words.

        What answers a complaint is about the very same thing, and the complaint is told in its own words.
        """
        if pair.polarity == "negative" and (pair.close < self._levels[STRANGE] or not worded):
            return False
        return pair.own.event == "preference" or pair.close >= self._enough(worded, pair.akin, pair.role)

    def _enough(self, worded: bool, akin: bool, role: str) -> float:
        """How close the two sides of a match must be. The less else connects them, the closer."""
        if not akin:
            return self._levels[STRANGE] if worded else math.inf
        return self._connected if worded and role == "theirs" else self._levels[NAMED]

    def _akin(self, own: Evidence) -> bool:
        """Whether an item that the user is only known to have met is of the target's kind; True where nothing tells."""
        if own.passage.item_id not in self._kinds:
            met = self._snapshot.item(own.passage.item_id)
            self._kinds[own.passage.item_id] = frozenset(met.categories) if met else frozenset()
        known, wanted = self._kinds[own.passage.item_id], self._pool.item.categories
        return not known or not wanted or not known.isdisjoint(wanted)

    def _told(self, reading: Reading, polarity: Polarity | None) -> float | None:
        """How much the most telling span tells that may carry a sentence of this polarity; None where none may."""
        described = reading.evidence.side == "item"
        tells = [
            (s, self._reader.telling(s.text))
            for s in reading.spans
            if (s.polarity == polarity if polarity else s.polarity != "negative")
            and s.shape in _BONUS
            and (s.shape != "np" or polarity)
        ]
        return max(
            (told + _BONUS[s.shape] for s, told in tells if s.shape != "quote" or described or told >= _SOMETHING),
            default=None,
        )

    def _earlier(self, own: Evidence) -> Evidence | None:
        """Another event of the user, on the same theme as `own`, to be named before it."""
        events = [e for e in self._history if e.event not in _TOLD and e.id != own.id]
        near = [e for e in events if e.title != own.title and _cosine(e, own) >= self._connected]
        return max(near, key=lambda e: _cosine(e, own), default=None)

    def _singles(
        self, side: Sequence[Evidence], role: str, fresh: _Fresh, polarity: Polarity | None, kind: Kind
    ) -> Iterator[Plan]:
        ranked = sorted((e for e in side if fresh.allows(e) and _leans(e, polarity)), key=self._worth, reverse=True)
        least = _SOMETHING if role == "facts" and kind == "merit" and fresh.about else -1.0
        told = ((e, self._told(reading, polarity)) for e, reading in self._read(ranked[: 2 * _LOOKED_AT]))
        tell = ((self._worth(e) + 0.5 * tells, e) for e, tells in told if tells is not None and tells >= least)
        usable = list(islice(tell, _USABLE))
        for _, evidence in sorted(usable, key=lambda pair: -pair[0]):
            yield Plan(kind, {role: (evidence,)}, polarity=polarity or "neutral")

    def _read(self, evidence: Sequence[Evidence]) -> Iterator[tuple[Evidence, Reading]]:
        """Readings as they are asked for, some at once."""
        for at, one in enumerate(evidence):
            if at % _AT_ONCE == 0:
                self._reader.expect(evidence[at : at + _AT_ONCE])
            yield one, self._reader.read(one)

    def _counted(self, fresh: _Fresh, polarity: Polarity, said: Sequence[Plan]) -> Iterator[Plan]:
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
                led = _led(tally, first, fresh)
                cited = [m.evidence for m in led.mentions[:CITED] if fresh.allows(m.evidence)]
                if counts(tally) and len(cited) == CITED:
                    sides = {"theirs": led}
                    yield Plan(kind, {"theirs": tuple(cited)}, aspect=aspect.lemma, polarity=polarity, tallies=sides)

    def _divided(self, fresh: _Fresh, said: Sequence[Plan]) -> Iterator[Plan]:
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

    def _telling_first(self, mentions: Sequence[Mention], fresh: _Fresh) -> list[Mention]:
        """Mentions that may still be cited, those that tell most first."""
        allowed = [m for m in mentions if fresh.allows(m.evidence)]
        return sorted(allowed, key=lambda m: -self._reader.telling(m.words))

    def _aspects(self, said: Sequence[Plan]) -> list[Aspect]:
        """The item's aspects, unless one sentence of three already counts."""
        if sum(bool(plan.tallies) for plan in said) * 3 > len(said):
            return []
        if self._found is None:
            found = aspects(self._pool.reviews, self._reader, self._reader.language, self._worth)
            kinds = " ".join(self._pool.item.categories).lower()  # that people speak of ice cream tells what it sells
            self._found = [aspect for aspect in found if aspect.lemma not in kinds]
        return self._found

    def _shared(self, fresh: _Fresh, polarity: Polarity, kind: Kind) -> Iterator[Plan]:
        """Aspects that two or more reviewers judge alike, each in a clause of their own about the same head word."""
        ranked = sorted(
            (e for e in self._pool.reviews if fresh.allows(e) and _leans(e, polarity)), key=self._worth, reverse=True
        )
        by_head: dict[str, list[Evidence]] = {}
        self._reader.expect(ranked[:_LOOKED_AT])
        for evidence in ranked[:_LOOKED_AT]:
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
            distinct = list({e.passage.author: e for e in reversed(group)}.values())[::-1]
            if len(distinct) >= 2:
                yield Plan(kind, {"theirs": tuple(distinct[:2])}, aspect=head, polarity=polarity)

    def _worth(self, evidence: Evidence) -> float:
        """Relevance to the user or query, with agreement among reviewers, specificity, recency and trust."""
        agreement = math.log1p(self._agreement.get(evidence.id, 0)) * 0.06
        specific = min(evidence.specificity / self._usual - 1.0, 0.5) * 0.2
        return FIT * evidence.score + agreement + specific + self._regard(evidence)

    def _regard(self, evidence: Evidence) -> float:
        """What newer and more trusted words are worth more: a review of today over one of years ago, as much as a
        few others that agree with it."""
        years = (self._newest - (evidence.timestamp or 0)) / _YEAR if evidence.timestamp else _UNDATED
        return 0.1 * math.pow(0.5, max(years, 0.0) / 2) + 0.1 * evidence.passage.trust


@dataclass(frozen=True, slots=True)
class _Pair:
    """Something the user cares about and something the item offers: how `close` they are, and with their worth."""

    own: Evidence
    theirs: Evidence
    akin: bool
    close: float
    total: float

    @property
    def worded(self) -> bool:
        return self.own.event in WORDED

    @property
    def role(self) -> str:
        return "facts" if self.theirs.side == "item" else "theirs"

    @property
    def polarity(self) -> Polarity:
        return "negative" if (self.own.rating or 4) < LOW else "positive"

    @property
    def plan(self) -> Plan:
        evidence: dict[str, tuple[Evidence, ...]] = {"own": (self.own,), self.role: (self.theirs,)}
        return Plan("match", evidence, polarity=self.polarity, akin=self.akin)


@dataclass(frozen=True, slots=True)
class _Fresh:
    """What has not been said: other passages, about other things."""

    used: set[str]
    about: list[Evidence]
    alike: float

    def allows(self, evidence: Evidence) -> bool:
        near = max((_cosine(evidence, e) for e in self.about), default=-1.0)
        return evidence.id not in self.used and near < max(self.alike * 2, 0.5)


def _led(tally: Tally, first: Sequence[Mention], fresh: _Fresh) -> Tally:
    """The tally with these mentions before those of the other authors, and what may be cited before what may not."""
    authors = {m.evidence.passage.author for m in tally.mentions}
    led = [m for m in first if m.evidence.passage.author in authors]
    ahead = {m.evidence.passage.author for m in led}
    rest = [m for m in tally.mentions if m.evidence.passage.author not in ahead]
    return replace(tally, mentions=(*led, *sorted(rest, key=lambda m: not fresh.allows(m.evidence))))


def _stacked(evidence: Sequence[Evidence]) -> Vectors:
    """Vectors of shape (n, d); gathered evidence always has them."""
    made: Vectors = np.stack([e.vector for e in evidence if e.vector is not None])
    return made


def _cosine(one: Evidence, other: Evidence) -> float:
    return float(np.dot(_stacked([one])[0], _stacked([other])[0]))


def _leans(evidence: Evidence, polarity: Polarity | None) -> bool:
    """Whether a passage is worth reading for praise or complaint, by its review's rating and by the index's head."""
    if polarity in (None, "neutral") or evidence.side == "item":
        return True
    praise, rating = evidence.praise, evidence.rating
    if polarity == "positive":
        return (rating is None or rating > LOW) and (praise is None or praise >= _EVEN)
    return (rating is None or rating < HIGH) and (praise is None or praise <= 1 - _EVEN)


def _standing(evidence: Evidence) -> float:
    """How much of the user's liking speaks from a piece of history: her own words and high ratings first."""
    if evidence.event == "preference":
        return 0.6
    words = 0.1 if evidence.event == "review" else 0.0
    rating = 4.0 if evidence.rating is None else evidence.rating
    return words + 0.08 * (rating - 4.0)


def _agreement(reviews: Sequence[Evidence], alike: float) -> dict[str, int]:
    """Per passage, how many other reviewers have a passage that says much the same."""
    if not reviews:
        return {}
    stacked = _stacked(reviews)
    authors = np.array([e.passage.author for e in reviews])
    near = stacked @ stacked.T >= alike
    return {e.id: len(set(authors[near[i]].tolist()) - {authors[i]}) for i, e in enumerate(reviews)}

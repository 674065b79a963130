"""Matches: something the user cares about beside something the item offers, close enough to claim a connection."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from rag_rationale.planning.readings import Reader
from rag_rationale.planning.weighing import AT_ONCE, CONNECTED, LOOKED_AT, LOW, Fresh, Weigher, cosine, leans, stacked
from rag_rationale.retrieval import WORDED, Pool
from rag_rationale.types import Evidence, Plan, Polarity, Snapshot

NAMED = 0.95  # as CONNECTED, where the user's side is only the name of an item, or the item's side a description
STRANGE = 0.997  # as CONNECTED, where the two items are of different kinds
KINDRED = 0.93  # two items that share one category are of a kind if spoken of more alike than this share of pairs
_SHARED = 0.2  # share of items from which listing the same thing as a liked item is no reason
_COMMON_AFTER, _COMMONS = 2, 2  # matches in words that come before those by listed facts, and how many there are
_TOLD = WORDED | {"rating"}  # history that is more than a verb


class Matcher:
    """Proposes matches for one request. `history` is what of the user's may be told."""

    def __init__(
        self, pool: Pool, history: Sequence[Evidence], reader: Reader, snapshot: Snapshot, weigher: Weigher
    ) -> None:
        self._pool, self._history, self._reader, self._snapshot = pool, history, reader, snapshot
        self._weigher = weigher
        self._kin: dict[str, bool] = {}
        self._connected = snapshot.background(CONNECTED)
        self._levels = {level: snapshot.background(level) for level in (NAMED, STRANGE)}

    def propose(self, fresh: Fresh) -> Iterator[Plan]:
        """Pairs of something the user cares about and something the item offers, by closeness and worth."""
        worded = self._worded_matches(fresh)
        yield from islice(worded, _COMMON_AFTER)
        yield from islice(self._commons(fresh), _COMMONS)
        yield from worded

    def _commons(self, fresh: Fresh) -> Iterator[Plan]:
        """Something the user liked, and a rare thing that it and the item both list; the rarest first."""
        pairs = [(self._reader.share(c.entry), n, c) for n, c in enumerate(self._pool.common)]
        told: set[str] = set()
        for share, _, common in sorted(pairs, key=lambda pair: pair[:2]):
            allowed = not {common.own.id, common.fact.id} & fresh.used and common.own.title not in told
            if share <= _SHARED and allowed:
                told.add(common.own.title)
                aspect = common.entry.value.lower()
                yield Plan("match", {"own": (common.own,), "facts": (common.fact,)}, aspect=aspect, polarity="positive")

    def _worded_matches(self, fresh: Fresh) -> Iterator[Plan]:
        """Pairs by what is said of both, by closeness and worth."""
        found: list[tuple[float, Plan]] = []
        pairs = self._near(fresh)
        while len(found) < LOOKED_AT and (some := list(islice(pairs, AT_ONCE))):
            self._reader.expect([e for pair in some for e in (pair.own, pair.theirs) if e.event in (None, *WORDED)])
            told = ((self._match(pair), pair) for pair in some)
            found += islice(((value, pair.plan) for value, pair in told if value is not None), LOOKED_AT - len(found))
        for _, plan in sorted(found, key=lambda pair: -pair[0]):
            said = plan.evidence["own"][0]
            if said.event not in _TOLD and (earlier := self._earlier(said)):
                yield Plan("match", {"earlier": (earlier,), **plan.evidence}, polarity=plan.polarity, akin=plan.akin)
            yield plan

    def _near(self, fresh: Fresh) -> Iterator[_Pair]:
        """Pairs that are close enough, whatever they say, by closeness and worth."""
        own = [e for e in self._history if e.id not in fresh.used]
        praise = [e for e in self._pool.reviews if leans(e, "positive")]
        theirs = [e for e in (*praise, *self._weigher.facts(bare=False)) if fresh.allows(e)]
        if not own or not theirs:
            return
        close = stacked(own) @ stacked(theirs).T
        worth = np.array([self._weigher.worth(e) for e in theirs])
        standing = np.array([_standing(e) for e in own])
        total = close + 0.5 * worth[None, :] + standing[:, None]
        order = np.argsort(-total, axis=None, kind="stable")
        for flat in order[: LOOKED_AT * 8]:
            i, j = divmod(int(flat), len(theirs))
            if close[i, j] < self._connected and own[i].event != "preference" and self._pool.query is None:
                continue
            pair = _Pair(own[i], theirs[j], self._akin(own[i]), close[i, j], total[i, j])
            if self._close(pair, worded=pair.worded):
                yield pair

    def _match(self, pair: _Pair) -> float | None:
        """What a pair is worth by what its passages say; None where it makes no sentence."""
        told = self._weigher.told(self._reader.read(pair.theirs), None if pair.role == "facts" else "positive")
        if told is None:
            return None
        words = self._weigher.told(self._reader.read(pair.own), pair.polarity) if pair.worded else None
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
        met = own.passage.item_id
        if met not in self._kin:
            self._kin[met] = self._of_a_kind(met)
        return self._kin[met]

    def _of_a_kind(self, met: str) -> bool:
        """By all their categories or several; a single one in common ("shop", "drama") leaves it to what is said of
        both: headphones are no reason for a kettle.
        """
        item, wanted = self._snapshot.item(met), frozenset(self._pool.item.categories)
        known = frozenset(item.categories) if item else frozenset()
        if known and wanted and (known == wanted or len(known & wanted) != 1):
            return bool(known & wanted)
        told = self._snapshot.item_offsets([met, self._pool.item.item_id])
        one, other = (told.get(name, (np.zeros(1), 0))[0] for name in (met, self._pool.item.item_id))
        lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
        return not lengths or float(one @ other) / lengths >= self._snapshot.kinship(KINDRED)

    def _earlier(self, own: Evidence) -> Evidence | None:
        """Another event of the user, on the same theme as `own`, to be named before it."""
        events = [e for e in self._history if e.event not in _TOLD and e.id != own.id]
        near = [e for e in events if e.title != own.title and cosine(e, own) >= self._connected]
        return max(near, key=lambda e: cosine(e, own), default=None)


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


def _standing(evidence: Evidence) -> float:
    """How much of the user's liking speaks from a piece of history: her own words and high ratings first."""
    if evidence.event == "preference":
        return 0.6
    words = 0.1 if evidence.event == "review" else 0.0
    rating = 4.0 if evidence.rating is None else evidence.rating
    return words + 0.08 * (rating - 4.0)

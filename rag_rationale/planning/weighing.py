"""What passages are worth to a plan: relevance, agreement, what they tell, and what has been said before.

It knows no kinds of sentences and no pairs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rag_rationale.planning.readings import Reader, Reading
from rag_rationale.retrieval import LISTED, Pool
from rag_rationale.types import Evidence, Polarity, Snapshot, Vectors

CONNECTED = 0.85  # a match claims a connection: closer than this share of random passage pairs
AGREEING = 0.97  # two reviewers say the same: closer than this share of random pairs
_EVEN = 0.4  # probability from which a passage may hold praise; its complement holds for complaint
LOW, HIGH = 2.5, 3.5  # ratings below are complaints, above are praise
_CAUTION = 0.2  # of what a span tells is lost for each nat by which it is likelier than others to hold a slip
_BONUS: dict[str, float] = {
    "clause": 0.15,
    "identity": 0.15,
    "liking": 0.1,
    "np": 0.0,
    "remark": 0.0,
    "quote": -0.3,
}  # a quotation is the last resort
FIT = 5.0  # what a cosine of 1 to what the user cares about is worth in a passage
_LISTINGS = 2  # listed facts that may be told where there is nothing else, what the item's categories say first
SOMETHING = 0.33  # how much a description must tell to stand beside what people say
FOREIGN = 0.45  # how much a quotation in another language must tell
_YEAR, _UNDATED = 31_557_600.0, 4.0  # seconds; how many years old what has no date is taken to be
LOOKED_AT = 24  # passages of each side that are read at most per plan, twice as many where few of them are usable
AT_ONCE = 12  # passages or pairs that are read at once
_ASKED = 1000  # passages that each is held against: what agrees with it counts by its logarithm


class Weigher:
    """Weighs the passages of one request."""

    def __init__(self, pool: Pool, reader: Reader, snapshot: Snapshot) -> None:
        self._pool, self._reader = pool, reader
        self._agreement = _agreement(pool.reviews, snapshot.background(AGREEING))
        specific = [e.specificity for e in (*pool.facts, *pool.reviews)]
        self._newest = snapshot.manifest.newest_timestamp or 0
        self._usual = float(np.median(specific)) if specific else 1.0

    def facts(self, *, bare: bool) -> list[Evidence]:
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

    def told(self, reading: Reading, polarity: Polarity | None) -> float | None:
        """How much the best span tells that may carry a sentence of this polarity, less its risk; None where none
        may."""
        described = reading.evidence.side == "item"
        least = SOMETHING if reading.evidence.passage.lang == self._reader.language else FOREIGN
        tells = [
            (s, self._reader.telling(s.text))
            for s in reading.spans
            if (s.polarity == polarity if polarity else s.polarity != "negative")
            and s.shape in _BONUS
            and (s.shape != "np" or polarity)
        ]
        return max(
            (
                told + _BONUS[s.shape] - (0 if described else _CAUTION * self._reader.risk(s.text))
                for s, told in tells
                if s.shape != "quote" or described or told >= least
            ),
            default=None,
        )

    def worth(self, evidence: Evidence) -> float:
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
class Fresh:
    """What has not been said: other passages, about other things."""

    used: set[str]
    about: list[Evidence]
    alike: float

    def allows(self, evidence: Evidence) -> bool:
        near = max((cosine(evidence, e) for e in self.about), default=-1.0)
        return evidence.id not in self.used and near < max(self.alike * 2, 0.5)


def stacked(evidence: Sequence[Evidence]) -> Vectors:
    """Vectors of shape (n, d); gathered evidence always has them."""
    made: Vectors = np.stack([e.vector for e in evidence if e.vector is not None])
    return made


def cosine(one: Evidence, other: Evidence) -> float:
    assert one.vector is not None
    assert other.vector is not None
    return float(np.dot(one.vector, other.vector))


def of_each_author(ranked: Sequence[Evidence]) -> list[Evidence]:
    """The first piece of each author, in the order given: whoever wrote more is not put behind for it."""
    first: dict[str, Evidence] = {}
    for evidence in ranked:
        first.setdefault(evidence.passage.author, evidence)
    return list(first.values())


def leans(evidence: Evidence, polarity: Polarity | None) -> bool:
    """Whether a passage is worth reading for praise or complaint, by its review's rating and by the index's head."""
    if polarity in (None, "neutral") or evidence.side == "item":
        return True
    praise, rating = evidence.praise, evidence.rating
    if polarity == "positive":
        return (rating is None or rating > LOW) and (praise is None or praise >= _EVEN)
    return (rating is None or rating < HIGH) and (praise is None or praise <= 1 - _EVEN)


def _agreement(reviews: Sequence[Evidence], alike: float) -> dict[str, int]:
    """Per passage, how many other reviewers have a passage that says much the same; of thousands, how many would by a
    sample of them.
    """
    if not reviews:
        return {}
    vectors = stacked(reviews)
    names = np.array([e.passage.author for e in reviews])
    asked = np.unique(np.linspace(0, len(reviews) - 1, min(_ASKED, len(reviews))).astype(np.int64))
    asked = asked[np.argsort(names[asked], kind="stable")]
    authors, firsts = np.unique(names[asked], return_index=True)
    found = np.empty(len(reviews), np.int64)
    for at in range(0, len(reviews), _ASKED):
        said = np.logical_or.reduceat(vectors[at : at + _ASKED] @ vectors[asked].T >= alike, firsts, axis=1)
        own = names[at : at + _ASKED, None] == authors
        found[at : at + _ASKED] = (said & ~own).sum(axis=1)
    return {e.id: int(n) for e, n in zip(reviews, found * (len(reviews) / len(asked)), strict=True)}

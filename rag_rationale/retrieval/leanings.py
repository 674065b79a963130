"""What evidence says beyond what everybody says of its item, and how close that lies to what the user speaks of.

The mean of a restaurant is "good food", which tells no user from another; so evidence and history are each taken less
the mean of their item. It knows vectors and rows, no words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rag_rationale.retrieval.scoring import WORDED, normalised, weight_of
from rag_rationale.retrieval.sieve import Sieve
from rag_rationale.types import Evidence, Snapshot, Vectors

HIGH = 3.5  # an item that was only rated tells of a liking from here on
_NOTHING = 1e-6  # length of what has no direction
_PRIOR = 5  # passages of no leaning that an item's mean is mixed with


@dataclass(frozen=True, slots=True)
class Aim:
    """What evidence is scored by. `taste`, shape (d,), norm 1, is where the user leans, or the query. `usual`, shape
    (d,), is what everybody says of the item, its language's centre taken off; zeros where there is a query.
    """

    taste: Vectors
    usual: Vectors

    def fits(self, offsets: Vectors) -> Vectors:
        """How far texts lean the same way, as cosines of shape (n,); `offsets`, shape (n, d), lack their centre."""
        rest = offsets - self.usual
        made: Vectors = (rest @ self.taste) / np.maximum(np.linalg.norm(rest, axis=1), _NOTHING)
        return made


def aim_of(history: Sequence[Evidence], about: Vectors, means: Mapping[str, Vectors], *, now: int) -> Aim | None:
    """What a user's history asks of texts about an item; None where nothing of it tells.

    Likes and complaints both tell what matters to her. `about`, shape (n, d), are the texts' vectors less their
    language's centre; `means` has one vector per item of the history, made by `item_means`; `now` is unix seconds.
    """
    spoken = [e for e in history if e.event in WORDED or (e.rating or HIGH) >= HIGH]
    leanings = [_leaning(e, means.get(e.passage.item_id)) for e in spoken]
    if not len(about) or not any(one.any() for one in leanings):
        return None
    weights = [weight_of(e, now) for e in spoken]
    taste = normalised(np.average(np.stack(leanings), axis=0, weights=weights).astype(np.float32))
    return Aim(taste, _shrunk(about.sum(axis=0), len(about)))


def item_means(history: Sequence[Evidence], snapshot: Snapshot, sieve: Sieve) -> dict[str, Vectors]:
    """What everybody says of each item of a history, shape (d,): the mean of its passages less their language's centre,
    drawn towards zero where they are few. What the sieve hides is in no mean.
    """
    items = {e.passage.item_id for e in history if e.passage.row >= 0}
    if not sieve.exclude and sieve.as_of is None:
        return {item: _shrunk(*told) for item, told in snapshot.item_offsets(sorted(items)).items()}
    seen = {item: [p for p in snapshot.item_passages(item) if sieve.sees(p.source_id, p.timestamp)] for item in items}
    return {
        item: _shrunk(*snapshot.offsets([p for p in passages if p.quarantined is None]))
        for item, passages in seen.items()
    }


def _shrunk(total: Vectors, n: int) -> Vectors:
    made: Vectors = (total / (n + _PRIOR)).astype(np.float32)
    return made


def _offset(evidence: Evidence) -> Vectors:
    """The vector before it was normalised, its language's centre taken off."""
    assert evidence.vector is not None
    return np.asarray(evidence.vector * np.float32(evidence.specificity))


def _leaning(evidence: Evidence, mean: Vectors | None) -> Vectors:
    offset = _offset(evidence)
    return normalised(offset if mean is None else offset - mean)

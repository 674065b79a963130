"""Which items a user may like and has not met: those nearest her taste or liked by her like, as varied as asked.

What to recommend is for the caller to decide. It knows no rationale.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rag_rationale.index import centre_vectors
from rag_rationale.retrieval.crowd import LIKED, Crowd
from rag_rationale.retrieval.history import MOST_HISTORY, history_of
from rag_rationale.retrieval.scoring import Centred, taste_of
from rag_rationale.retrieval.sieve import Sieve
from rag_rationale.types import LANGUAGES, Embedder, Evidence, Snapshot, UserRef, Vectors

_POOL, _POOL_A_CANDIDATE = 100, 5
_TIES = 0.01  # of the fit that the cosine keeps, to order what others tell nothing of


@dataclass(frozen=True, slots=True)
class Candidate:
    """An item of the index. `score` is how well it fits, whatever its place in the list."""

    item_id: str
    score: float


def candidates(
    user: UserRef,
    snapshot: Snapshot,
    embedder: Embedder,
    *,
    k: int,
    diversity: float = 0.0,
    crowd: Crowd | None = None,
    popularity: float = 1.0,
    exclude: Collection[str] = (),
    as_of: int | None = None,
) -> list[Candidate]:
    """Up to `k` items that fit the user best, best first, without those of her history.

    An item's fit is its centred cosine to her taste, or with a `crowd` what others' likings tell of it (`Crowd.scores`)
    by the share `popularity`, and the cosine for the rest.
    `diversity` 0 ranks by score alone; towards 1, what is unlike the candidates before it comes first (maximal marginal
    relevance with lambda = 1 - diversity, Carbonell and Goldstein 1998). `exclude` names items that must not come and
    sources that do not exist for this call; `as_of` hides what is newer (unix seconds). A user who has no history, or
    likes nothing in it, gets none. Raises UnknownItemError as `gather` does.
    """
    sieve = Sieve(user.id, frozenset(exclude), as_of, min_trust=0.0)
    history = Centred(snapshot, embedder).of(history_of(user, snapshot, sieve, target=None)[:MOST_HISTORY])
    now = as_of or snapshot.manifest.newest_timestamp or 0
    taste = taste_of(history, now)
    if taste is None or k < 1:
        return []
    barred = _met(user, snapshot, sieve) | sieve.exclude
    pool = max(_POOL, _POOL_A_CANDIDATE * k) + len(barred)
    (hits,) = snapshot.nearest(taste[None], k=pool, over="items")
    told = _told(crowd, history, user, now, pool=pool) if crowd is not None and popularity > 0 else {}
    names = [name for name in dict.fromkeys([*(name for name, _ in hits), *told]) if name not in barred]
    raw = snapshot.item_vectors(names)
    said = np.flatnonzero((raw != 0).any(axis=1))  # what says nothing fits nobody
    if not len(said):
        return []
    names, vectors = [names[at] for at in said], _centred(raw[said], snapshot)
    scores = vectors @ taste
    if told:
        share = min(popularity, 1 - _TIES)
        others = np.array([told.get(name, 0.0) for name in names], np.float32)
        scores = (1 - share) * scores + share * others
    return [Candidate(names[at], float(scores[at])) for at in _varied(scores, vectors, k=k, diversity=diversity)]


def _told(crowd: Crowd, history: Sequence[Evidence], user: UserRef, now: int, *, pool: int) -> dict[str, float]:
    """What others' likings tell of the items they speak for most."""
    likings = {e.passage.item_id for e in history if e.rating is None or e.rating >= LIKED}
    scores = crowd.scores(likings, user=user.id, now=now)
    best = np.argsort(-scores, kind="stable")[:pool]
    return {crowd.items[at]: float(scores[at]) for at in best if scores[at] > 0}


def _met(user: UserRef, snapshot: Snapshot, sieve: Sieve) -> set[str]:
    """The items of the user's history, those she disliked too."""
    if user.id is None:
        return {entry.item_id for entry in user.history if entry.item_id is not None}
    written = {p.item_id for p in snapshot.user_passages(user.id) if sieve.sees(p.source_id, p.timestamp)}
    return written | {e.item_id for e in snapshot.user_events(user.id) if sieve.sees(e.item_id, e.timestamp)}


def _centred(vectors: Vectors, snapshot: Snapshot) -> Vectors:
    """Items less the centre of their language, which is the one whose centre they are nearest."""
    centres = np.stack([snapshot.centre(lang) for lang in LANGUAGES])
    lengths = np.maximum(np.linalg.norm(centres, axis=1), 1e-6)
    return centre_vectors(vectors, centres[np.argmax(vectors @ centres.T / lengths, axis=1)])


def _varied(scores: NDArray[np.float32], vectors: Vectors, *, k: int, diversity: float) -> list[int]:
    """Positions of the `k` best by maximal marginal relevance, in the order chosen."""
    likeness = np.zeros(len(scores), np.float32)  # to the nearest of those chosen
    open_ = np.ones(len(scores), bool)
    chosen: list[int] = []
    while len(chosen) < min(k, len(scores)):
        worth = np.where(open_, (1 - diversity) * scores - diversity * likeness, -np.inf)
        at = int(np.argmax(worth))
        open_[at] = False
        likeness = np.maximum(likeness, vectors @ vectors[at]) if chosen else vectors @ vectors[at]
        chosen.append(at)
    return chosen

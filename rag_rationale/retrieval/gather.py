"""Gathers what one request may rest on: the item's own text, other people's reviews of it, and the user's history.

It decides what is never evidence (the user's own review of the target, quarantined, excluded and, on the item side,
untrusted passages and copies) and scores the rest against what this user likes. It knows nothing of frames, sentences
or models.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from rag_rationale.corpus import item_passages
from rag_rationale.errors import UnknownItemError
from rag_rationale.retrieval.common import Common, in_common
from rag_rationale.retrieval.copies import without_copies
from rag_rationale.retrieval.history import MOST_HISTORY, history_of
from rag_rationale.retrieval.leanings import Aim, aim_of, item_means
from rag_rationale.retrieval.scoring import Centred, Measured
from rag_rationale.retrieval.sieve import Sieve
from rag_rationale.types import Embedder, Evidence, Item, Passage, RationaleRequest, Snapshot, SourceKind, Vectors

_KINDS: tuple[SourceKind, ...] = ("item", "review")


@dataclass(frozen=True, slots=True)
class Pool:
    """Everything one request may rest on. Vectors are centred: the mean of their language is taken out.

    `facts` are passages of the item's own text, `reviews` other people's, `history` the user's, most telling first.
    `ratings` are those of the item's trusted reviews. `query` is the centred query vector or None. `aim` is what the
    item's side was scored by, None where nothing is known of the user. `common` is what it lists that liked items list.
    """

    item: Item
    facts: tuple[Evidence, ...]
    reviews: tuple[Evidence, ...]
    history: tuple[Evidence, ...]
    ratings: tuple[float, ...]
    query: Vectors | None
    aim: Aim | None = None
    common: tuple[Common, ...] = ()


def gather(
    request: RationaleRequest,
    snapshot: Snapshot,
    embedder: Embedder,
    *,
    min_trust: float,
    exclude: Collection[str] = (),
    as_of: int | None = None,
) -> Pool:
    """The evidence for a request, scored by how it leans towards what the user speaks of, or to the query.

    `exclude` names sources (review ids, item ids) that do not exist for this call; `as_of` hides what is newer (unix
    seconds, default: everything). Raises UnknownItemError for an item that is neither in the index nor inline.
    """
    sieve = Sieve(request.user.id, frozenset(exclude), as_of, min_trust)
    item, passages = _target(request, snapshot, sieve)
    history = history_of(request.user, snapshot, sieve, target=item.item_id)
    now = as_of or snapshot.manifest.newest_timestamp or 0
    vectors = Centred(snapshot, embedder)
    history = vectors.of(history[:MOST_HISTORY])
    query = vectors.query(request.query) if request.query and request.query.strip() else None
    told = vectors.measure(passages, [p.kind == "review" for p in passages])
    kept = _speaking(passages, told)
    offsets = told.vectors[kept] * told.lengths[kept, None]
    if query is not None:
        aim: Aim | None = Aim(query, np.zeros_like(query))
    else:
        aim = aim_of(history, offsets, item_means(history, snapshot, sieve), now=now)
    scores = aim.fits(offsets).tolist() if aim is not None else [0.0] * len(kept)
    about = [
        _evidence(snapshot.manifest.name, item, passages[at], told, at, score)
        for at, score in zip(kept, scores, strict=True)
    ]
    if aim is not None:
        about.sort(key=lambda e: (-e.score, e.passage.row, e.passage.id))
    rated = {passages[at].source_id: passages[at].rating for at in kept if passages[at].rating is not None}
    facts = tuple(e for e in about if e.side == "item")
    return Pool(
        item=item,
        facts=facts,
        reviews=tuple(e for e in about if e.side == "review"),
        history=tuple(history),
        ratings=tuple(r for r in rated.values() if r is not None),
        query=query,
        aim=aim,
        common=tuple(in_common(history, facts, snapshot)),
    )


def _speaking(passages: list[Passage], told: Measured) -> list[int]:
    """Positions of what has a meaning, and is no copy of another review."""
    facts, reviews = (
        [at for at in np.flatnonzero(told.lengths).tolist() if passages[at].kind == kind] for kind in _KINDS
    )
    return facts + [reviews[n] for n in without_copies([passages[at] for at in reviews], told.vectors[reviews])]


def _evidence(index: str, item: Item, p: Passage, told: Measured, at: int, score: float) -> Evidence:
    length, praise, vector = float(told.lengths[at]), told.praise[at], told.vectors[at]
    if p.kind == "item":
        return Evidence(
            _public(index, p), p, "item", item.title, score, None, None, None, p.row < 0, length, praise, vector
        )
    return Evidence(
        _public(index, p), p, "review", item.title, score, None, p.rating, p.timestamp, False, length, praise, vector
    )


def _target(request: RationaleRequest, snapshot: Snapshot, sieve: Sieve) -> tuple[Item, list[Passage]]:
    """The item and the passages that may speak for it; inline text stands in for the index's own."""
    ref = request.item
    known = snapshot.item(ref.id) if ref.id is not None else None
    if known is None and not ref.title:
        raise UnknownItemError(
            f"Item {ref.id!r} is not in index {snapshot.manifest.label}.",
            remedy="Give its `title` (and `description`) in the request, or rebuild the index with it.",
        )
    passages = snapshot.item_passages(known.item_id) if known else []
    if ref.title or ref.description:
        title = ref.title or (known.title if known else "")
        inline = Item(known.item_id if known else ref.id or "inline:item", title, ref.description or "")
        passages = [p for _, cut in item_passages(inline) for p in cut] + [p for p in passages if p.kind == "review"]
        known = replace(known, title=title, description=ref.description or known.description) if known else inline
    assert known is not None
    return known, [p for p in passages if sieve.on_item_side(p)]


def _public(index: str, passage: Passage) -> str:
    return f"{index}:{passage.id}" if passage.row >= 0 else f"inline:{passage.id}"

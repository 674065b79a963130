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
from rag_rationale.retrieval.history import history_of
from rag_rationale.retrieval.leanings import Aim, aim_of, item_means
from rag_rationale.retrieval.scoring import Centred
from rag_rationale.retrieval.sieve import Sieve
from rag_rationale.types import Embedder, Evidence, Item, Passage, RationaleRequest, Snapshot, Vectors

MOST_HISTORY = 300  # passages of a very heavy user's history that are looked at, newest first


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
    history = vectors.of(history)[:MOST_HISTORY]
    query = vectors.query(request.query) if request.query and request.query.strip() else None
    name = snapshot.manifest.name
    facts = [Evidence(_public(name, p), p, "item", item.title, inline=p.row < 0) for p in passages if p.kind == "item"]
    reviews = [
        Evidence(_public(name, p), p, "review", item.title, rating=p.rating, timestamp=p.timestamp)
        for p in passages
        if p.kind == "review"
    ]
    reviews = without_copies(vectors.of(reviews))
    about = [*vectors.of(facts), *reviews]
    if query is not None:
        aim: Aim | None = Aim(query, np.zeros_like(query))
    else:
        aim = aim_of(history, about, item_means(history, snapshot, sieve), now=now)
    about = aim.ranked(about) if aim is not None else about
    rated = {p.passage.source_id: p.passage.rating for p in reviews if p.passage.rating is not None}
    told = tuple(e for e in about if e.side == "item")
    return Pool(
        item=item,
        facts=told,
        reviews=tuple(e for e in about if e.side == "review"),
        history=tuple(history),
        ratings=tuple(r for r in rated.values() if r is not None),
        query=query,
        aim=aim,
        common=tuple(in_common(history, told, snapshot)),
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

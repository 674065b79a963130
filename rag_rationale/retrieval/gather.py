"""Gathers what one request may rest on: the item's own text, other people's reviews of it, and the user's history.

It decides what is never evidence (the user's own review of the target, quarantined, excluded and, on the item side,
untrusted passages) and scores the rest against what this user likes. It knows nothing of frames, sentences or models.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rag_rationale.corpus import item_passages, quarantine_reason, review_passages
from rag_rationale.errors import UnknownItemError
from rag_rationale.language.detect import detect_language
from rag_rationale.types import Embedder, Event, Evidence, Item, Passage, RationaleRequest, Review, Snapshot, Vectors

HALF_LIFE_DAYS = 365.0  # a liking a year old weighs half of one of today
MOST_HISTORY = 300  # passages of a very heavy user's history that are looked at, newest first
_SECONDS_A_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Pool:
    """Everything one request may rest on. Vectors are centred: the mean of their language is taken out.

    `facts` are passages of the item's own text, `reviews` other people's, `history` the user's, most telling first.
    `ratings` are those of the item's trusted reviews. `query` is the centred query vector or None.
    """

    item: Item
    facts: tuple[Evidence, ...]
    reviews: tuple[Evidence, ...]
    history: tuple[Evidence, ...]
    ratings: tuple[float, ...]
    query: Vectors | None


def gather(
    request: RationaleRequest,
    snapshot: Snapshot,
    embedder: Embedder,
    *,
    min_trust: float,
    exclude: Collection[str] = (),
    as_of: int | None = None,
) -> Pool:
    """The evidence for a request, scored by centred cosine to the user's likings, or to the query where there is one.

    `exclude` names sources (review ids, item ids) that do not exist for this call; `as_of` hides what is newer (unix
    seconds, default: everything). Raises UnknownItemError for an item that is neither in the index nor inline.
    """
    sieve = _Sieve(request, frozenset(exclude), as_of, min_trust)
    item, passages = _target(request, snapshot, sieve)
    history = _history(request, snapshot, item, sieve)
    now = as_of or snapshot.manifest.newest_timestamp or 0
    vectors = _Vectors(snapshot, embedder)
    history = vectors.of(history)[:MOST_HISTORY]
    taste = _taste(history, now)
    query = vectors.query(request.query) if request.query and request.query.strip() else None
    name = snapshot.manifest.name
    facts = [Evidence(_public(name, p), p, "item", item.title, inline=p.row < 0) for p in passages if p.kind == "item"]
    reviews = [
        Evidence(_public(name, p), p, "review", item.title, rating=p.rating, timestamp=p.timestamp)
        for p in passages
        if p.kind == "review"
    ]
    target = query if query is not None else taste
    rated = {p.passage.source_id: p.passage.rating for p in reviews if p.passage.rating is not None}
    return Pool(
        item=item,
        facts=_scored(vectors.of(facts), target),
        reviews=_scored(vectors.of(reviews), target),
        history=tuple(history),
        ratings=tuple(r for r in rated.values() if r is not None),
        query=query,
    )


def history_tag(index: str, user_id: str, passage_id: str) -> str:
    """What a history evidence id ends with: it binds the passage to its user without naming her."""
    return hashlib.blake2s(f"{index}\0{user_id}\0{passage_id}".encode(), digest_size=6).hexdigest()


@dataclass(frozen=True, slots=True)
class _Sieve:
    """What may be seen at all in this call."""

    request: RationaleRequest
    exclude: frozenset[str]
    as_of: int | None
    min_trust: float

    def sees(self, source_id: str, timestamp: int | None) -> bool:
        late = self.as_of is not None and timestamp is not None and timestamp > self.as_of
        return source_id not in self.exclude and not late

    def on_item_side(self, passage: Passage) -> bool:
        own = passage.user_id is not None and passage.user_id == self.request.user.id
        trusted = passage.kind == "item" or passage.trust >= self.min_trust
        return not own and trusted and passage.quarantined is None and self.sees(passage.source_id, passage.timestamp)


def _target(request: RationaleRequest, snapshot: Snapshot, sieve: _Sieve) -> tuple[Item, list[Passage]]:
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


def _history(request: RationaleRequest, snapshot: Snapshot, item: Item, sieve: _Sieve) -> list[Evidence]:
    user = request.user
    found = (
        _known_history(user.id, snapshot, item, sieve)
        if user.id is not None
        else _inline_history(request, snapshot, item)
    )
    wishes = (_inline_passage(text, f"inline:preferences.{n}", "text", None) for n, text in enumerate(user.preferences))
    found += [_inline_evidence(p, "", "preference") for p in wishes if p is not None]
    return sorted(found, key=lambda e: (e.event != "preference", -(e.timestamp or 0), e.passage.row, e.passage.id))


def _known_history(user_id: str, snapshot: Snapshot, item: Item, sieve: _Sieve) -> list[Evidence]:
    """The user's own words about other items, and her events citing the item they were with."""
    name = snapshot.manifest.name
    found: list[Evidence] = []
    titles: dict[str, str] = {}
    for p in snapshot.user_passages(user_id):
        if p.item_id == item.item_id or p.quarantined or not sieve.sees(p.source_id, p.timestamp):
            continue
        if p.item_id not in titles:
            other = snapshot.item(p.item_id)
            titles[p.item_id] = other.title if other else ""
        if titles[p.item_id]:
            found.append(
                Evidence(
                    _private(name, user_id, p),
                    p,
                    "history",
                    titles[p.item_id],
                    event="review",
                    rating=p.rating,
                    timestamp=p.timestamp,
                )
            )
    seen: set[tuple[str, str]] = set()
    for event in reversed(snapshot.user_events(user_id)):
        if event.item_id == item.item_id or (event.item_id, event.event) in seen:
            continue
        if not sieve.sees(event.item_id, event.timestamp):
            continue
        seen.add((event.item_id, event.event))
        proof = _titled(snapshot, event)
        if proof is not None:
            found.append(
                Evidence(
                    _private(name, user_id, proof),
                    proof,
                    "history",
                    proof.text,
                    event=event.event,
                    rating=event.value if event.event == "rating" else None,
                    timestamp=event.timestamp,
                )
            )
    return found


def _titled(snapshot: Snapshot, event: Event) -> Passage | None:
    """The passage that names the item of an event: its title, whole, where that is one passage."""
    titles = snapshot.source_passages("item", event.item_id, "title")
    return titles[0] if len(titles) == 1 and titles[0].quarantined is None else None


def _inline_history(request: RationaleRequest, snapshot: Snapshot, item: Item) -> list[Evidence]:
    found: list[Evidence] = []
    for n, entry in enumerate(request.user.history):
        if entry.item_id == item.item_id:
            continue
        known = snapshot.item(entry.item_id) if entry.item_id else None
        title = entry.title or (known.title if known else None)
        if title is None:
            raise UnknownItemError(
                f"Item {entry.item_id!r} of `user.history[{n}]` is not in index {snapshot.manifest.label}.",
                remedy="Give its `title` in the entry.",
            )
        source = f"inline:history.{n}"
        if entry.text and entry.text.strip():
            review = Review(
                source, entry.item_id or source, rating=entry.rating, timestamp=entry.timestamp, text=entry.text
            )
            cut = [p for _, passages in review_passages(review) for p in passages if p.quarantined is None]
            found += [_inline_evidence(p, title, "review") for p in cut]
            continue
        proof = _inline_passage(title, source, "title", entry.timestamp)
        if proof is not None:
            event = "rating" if entry.rating is not None and entry.event in {"view", "review"} else entry.event
            found.append(replace(_inline_evidence(proof, title, event), rating=entry.rating))
    return found


def _inline_passage(text: str, source: str, field: str, timestamp: int | None) -> Passage | None:
    """A whole short text of the request as one passage; None where it is blank or hostile."""
    if not text.strip() or quarantine_reason(text, terse=field == "title") is not None:
        return None
    start = len(text) - len(text.lstrip())
    words = text.strip()
    made = hashlib.sha256(f"{source}\0{words}".encode()).hexdigest()[:20]
    lang = detect_language(words, default="en")
    return Passage(made, "review", source, field, source, start, start + len(words), words, lang, timestamp=timestamp)


def _inline_evidence(passage: Passage, title: str, event: str) -> Evidence:
    return Evidence(
        f"inline:{passage.id}",
        passage,
        "history",
        title,
        event=event,
        rating=passage.rating,
        timestamp=passage.timestamp,
        inline=True,
    )


def _public(index: str, passage: Passage) -> str:
    return f"{index}:{passage.id}" if passage.row >= 0 else f"inline:{passage.id}"


def _private(index: str, user_id: str, passage: Passage) -> str:
    return f"{index}:{passage.id}:{history_tag(index, user_id, passage.id)}"


class _Vectors:
    """Centred vectors, stored ones where there are some, fresh ones for inline text."""

    def __init__(self, snapshot: Snapshot, embedder: Embedder) -> None:
        self._snapshot, self._embedder = snapshot, embedder

    def of(self, evidence: Sequence[Evidence]) -> list[Evidence]:
        """The evidence with its vectors; whatever is empty of meaning (a zero vector) is left out."""
        stored = [e.passage for e in evidence if e.passage.row >= 0]
        fresh = [e.passage.text for e in evidence if e.passage.row < 0]
        old = iter(self._snapshot.vectors(stored)) if stored else iter(())
        new = iter(self._embedder.embed(fresh, role="passage")) if fresh else iter(())
        made = [self._centred(e, next(old if e.passage.row >= 0 else new)) for e in evidence]
        return [e for e in made if e.specificity > 0]

    def query(self, text: str) -> Vectors:
        raw = self._embedder.embed([text], role="query")[0]
        return _normalised(raw - self._snapshot.centre(detect_language(text, default="en")))

    def _centred(self, evidence: Evidence, raw: Vectors) -> Evidence:
        if not raw.any():
            return evidence
        centred = raw - self._snapshot.centre(evidence.passage.lang)
        return replace(evidence, vector=_normalised(centred), specificity=float(np.linalg.norm(centred)))


def _normalised(vector: Vectors) -> Vectors:
    norm = float(np.linalg.norm(vector))
    made: Vectors = (vector / norm).astype(np.float32) if norm > 1e-6 else np.zeros_like(vector)
    return made


def _taste(history: Sequence[Evidence], now: int) -> Vectors | None:
    """What the user likes: the weighted mean of her likings, newer and higher rated ones counting more."""
    liked = [(e, _liking(e, now)) for e in history]
    liked = [(e, weight) for e, weight in liked if weight > 0]
    if not liked:
        return None
    stacked = np.stack([e.vector for e, _ in liked if e.vector is not None])
    return _normalised(np.average(stacked, axis=0, weights=[weight for _, weight in liked]))


def _liking(evidence: Evidence, now: int) -> float:
    days = max(now - evidence.timestamp, 0) / _SECONDS_A_DAY if evidence.timestamp else HALF_LIFE_DAYS
    recency = 0.25 + 0.75 * math.pow(0.5, days / HALF_LIFE_DAYS)
    rating = 4.0 if evidence.rating is None else evidence.rating
    words = 1.0 if evidence.event in {"review", "preference"} else 0.6
    return recency * words * max(rating - 2.5, 0.0) / 1.5


def _scored(evidence: Sequence[Evidence], target: Vectors | None) -> tuple[Evidence, ...]:
    if target is None:
        return tuple(evidence)
    scored = [replace(e, score=float(e.vector @ target)) for e in evidence if e.vector is not None]
    return tuple(sorted(scored, key=lambda e: (-e.score, e.passage.row, e.passage.id)))

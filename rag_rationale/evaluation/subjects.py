"""Draws the users and items an evaluation asks about: reviewers with a history, one item after another.

Every item gives one subject before any gives a second, so that no busy item decides a figure. Draws depend on ids and
the seed only, and stay the same over rebuilds. Knows nothing of rationales.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from random import Random
from statistics import mode
from typing import TypeVar

from rag_rationale.evaluation.material import Subject
from rag_rationale.types import Passage, Snapshot

T = TypeVar("T")


def draw_subjects(snapshot: Snapshot, *, n: int, seed: int, min_trust: float) -> tuple[Subject, ...]:
    """At most `n` users, each with an item that she and somebody else reviewed and with reviews of other items.

    A review below `min_trust`, or without a passage that may be shown, is no one's hidden reference.
    """
    return tuple(islice(_in_turns(snapshot, seed, lambda item: _reviewers(snapshot, item, seed, min_trust)), n))


def draw_pairs(snapshot: Snapshot, *, n: int, seed: int, min_trust: float) -> tuple[tuple[Subject, Subject], ...]:
    """At most `n` ordered pairs of subjects of one item, each couple in both orders; no subject is in two couples."""

    def couples(item: str) -> Iterator[tuple[Subject, Subject]]:
        drawn = _reviewers(snapshot, item, seed, min_trust)
        return zip(drawn, drawn, strict=False)

    found = islice(_in_turns(snapshot, seed, couples), (n + 1) // 2)
    return tuple(pair for one, other in found for pair in ((one, other), (other, one)))[:n]


def _in_turns(snapshot: Snapshot, seed: int, draw: Callable[[str], Iterator[T]]) -> Iterator[T]:
    """What `draw` gives for each item, one from each in turn, items in random order."""
    items = sorted(snapshot.item_ids())
    Random(seed).shuffle(items)
    going = [draw(item) for item in items]
    while going:
        still = []
        for drawn in going:
            for one in islice(drawn, 1):
                yield one
                still.append(drawn)
        going = still


def _reviewers(snapshot: Snapshot, item: str, seed: int, min_trust: float) -> Iterator[Subject]:
    """Subjects of one item in random order; a user who reviewed it twice is asked about her latest review."""
    told = [p for p in snapshot.item_passages(item) if p.kind == "review" and _shown(p) and p.trust >= min_trust]
    reviews: dict[str, list[Passage]] = {}
    for passage in told:
        if passage.user_id is not None:
            reviews.setdefault(passage.user_id, []).append(passage)
    users = sorted(user for user, own in reviews.items() if len(own) < len(told))
    Random(f"{seed}\0{item}").shuffle(users)
    for user in users:
        others = {p.item_id for p in snapshot.user_passages(user) if _shown(p)} - {item}
        if others:
            yield _subject(snapshot, user, reviews[user], others=len(others))


def _subject(snapshot: Snapshot, user: str, passages: Sequence[Passage], *, others: int) -> Subject:
    latest = max(passages, key=lambda p: (p.timestamp or 0, p.source_id))
    fields = [snapshot.source("review", latest.source_id, field) for field in ("title", "text")]
    return Subject(
        user=user,
        item=latest.item_id,
        review=latest.source_id,
        text="\n".join(field for field in fields if field),
        rating=latest.rating,
        others=others,
        language=mode(p.lang for p in passages if p.source_id == latest.source_id),
    )


def _shown(passage: Passage) -> bool:
    return passage.quarantined is None

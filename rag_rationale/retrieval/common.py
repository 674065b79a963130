"""What an item lists that something the user liked lists too: the same director, the same cuisine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rag_rationale.retrieval.listings import Entry, entries
from rag_rationale.types import Evidence, Snapshot

_LIKED = 4.0  # rating from which an item was liked
_MOST_MET = 60  # liked items that are looked at, newest first


@dataclass(frozen=True, slots=True)
class Common:
    """`entry` stands in `fact`, a passage of the target, and in the description of the item that `own` is about."""

    own: Evidence
    fact: Evidence
    entry: Entry


def in_common(history: Sequence[Evidence], facts: Sequence[Evidence], snapshot: Snapshot) -> list[Common]:
    """Every entry of the target's description with the newest thing the user liked that lists it too.

    Liked is what she rated so and, where she rated nothing of it, what she bought, viewed or the like.
    """
    listed = [(entry, e) for e in facts if e.passage.field == "description" for entry in entries(e.passage.text)]
    if not listed:
        return []
    liked: dict[str, Evidence] = {}
    spurned = {e.passage.item_id for e in history if e.rating is not None and e.rating < _LIKED}
    for e in history:
        if e.event != "preference" and e.passage.item_id not in spurned and not (e.event == "review" and not e.rating):
            liked.setdefault(e.passage.item_id, e)
    holders: dict[tuple[str, str], Evidence] = {}
    met = list(liked)[:_MOST_MET]
    told = snapshot.item_texts(met, "description")
    for item_id in met:
        for entry in entries(told.get(item_id, "")):
            holders.setdefault(entry.key, liked[item_id])
    return [Common(holders[entry.key], fact, entry) for entry, fact in listed if entry.key in holders]

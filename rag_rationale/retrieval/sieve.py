"""What may be seen at all in one call, and what may speak on the item side."""

from __future__ import annotations

from dataclasses import dataclass

from rag_rationale.types import Passage


@dataclass(frozen=True, slots=True)
class Sieve:
    """What may be seen at all in this call."""

    user: str | None
    exclude: frozenset[str]
    as_of: int | None
    min_trust: float

    def sees(self, source_id: str, timestamp: int | None) -> bool:
        late = self.as_of is not None and timestamp is not None and timestamp > self.as_of
        return source_id not in self.exclude and not late

    def on_item_side(self, passage: Passage) -> bool:
        own = passage.user_id is not None and passage.user_id == self.user
        trusted = passage.kind == "item" or passage.trust >= self.min_trust
        return not own and trusted and passage.quarantined is None and self.sees(passage.source_id, passage.timestamp)

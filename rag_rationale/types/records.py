"""What the catalogue files hold and what is cut from them: items, reviews, events, passages.

Plain frozen values. This module knows nothing of files, models or indexes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")
SourceKind = Literal["item", "review"]


@dataclass(frozen=True, slots=True)
class Item:
    """One row of items.jsonl. `attributes` keeps every field the schema does not name."""

    item_id: str
    title: str
    description: str = ""
    categories: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    brand: str | None = None
    price: float | None = None
    lang: Language | None = None
    attributes: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Review:
    """One row of reviews.jsonl. `rating` is 1 to 5, `timestamp` unix seconds, `trust` 0 to 1."""

    review_id: str
    item_id: str
    user_id: str | None = None
    rating: float | None = None
    timestamp: int | None = None
    title: str = ""
    text: str = ""
    trust: float = 1.0


@dataclass(frozen=True, slots=True)
class Event:
    """One row of events.jsonl: something a user did, without words."""

    user_id: str
    item_id: str
    event: str
    timestamp: int | None = None
    value: float | None = None


@dataclass(frozen=True, slots=True)
class User:
    """One row of users.jsonl. Low `trust` bars this user's reviews from the item side only."""

    user_id: str
    trust: float = 1.0


@dataclass(frozen=True, slots=True)
class Passage:
    """The smallest thing that can be cited: one to three sentences of one source.

    `text == source[start:end]`, in Unicode code points, for the source named by (kind, source_id, field).
    `id` hashes (kind, source_id, field, text, n-th occurrence): no user id and no position in it.
    `row` is the passage's row in its snapshot version, -1 for a passage that came with the request.
    `quarantined` names why the passage is never evidence, None where it may be.
    """

    id: str
    kind: SourceKind
    source_id: str
    field: str
    item_id: str
    start: int
    end: int
    text: str
    lang: Language
    user_id: str | None = None
    rating: float | None = None
    timestamp: int | None = None
    trust: float = 1.0
    quarantined: str | None = None
    row: int = -1

    @property
    def author(self) -> str:
        """Whom a review counts as: its user, and where none is known, the review itself."""
        return self.user_id or self.source_id

"""What instruments measure on: subjects drawn from one snapshot, and the replies they were given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rag_rationale.types import Analyser, Embedder, Engine, Language, Progress, Rationale, Snapshot

Explain = Callable[["Subject", frozenset[str]], Rationale]
"""The rationale for a subject, with more source ids excluded; deterministic, and remembered on disk."""


def quiet(stage: str, done: int, total: int | None) -> None:
    """A `types.Progress` that shows nothing."""
    del stage, done, total


@dataclass(frozen=True, slots=True)
class Subject:
    """A user and an item she reviewed: that review is hidden from the service and known to the instruments.

    `others` counts the other items she reviewed that the service may see. `rating` is None where she gave none.
    """

    user: str
    item: str
    review: str
    text: str
    rating: float | None
    others: int
    language: Language

    @property
    def id(self) -> str:
        """Names the case in reports and comparisons."""
        return f"{self.user}/{self.item}/{self.review}"


@dataclass(frozen=True, slots=True)
class Material:
    """One evaluation's material. `replies` has one rationale per subject, in order, made with her review excluded.

    `embedder` judges closeness and may differ from `indexer`, the index's own. `seed` feeds every random choice.
    Reviews below `min_trust` are evidence to nobody but their author.
    """

    index: str
    snapshot: Snapshot
    subjects: tuple[Subject, ...]
    replies: tuple[Rationale, ...]
    explain: Explain
    engine: Engine
    embedder: Embedder
    seed: int
    min_trust: float = 0.5
    analysers: Mapping[Language, Analyser] = field(default_factory=dict)
    progress: Progress = quiet
    indexer: Embedder | None = None

"""One user's rows and one question's vector, fetched once for all the requests that share them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import numpy as np

from rag_rationale.service.clock import Clock
from rag_rationale.service.snapshots import OpenIndex
from rag_rationale.types import Embedder, Snapshot, TextRole, Vectors


class _SharedSnapshot:
    """A snapshot that remembers what it said of users and of the items of their history."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self.user_passages = cache(snapshot.user_passages)
        self.user_events = cache(snapshot.user_events)
        self.item = cache(snapshot.item)
        self.source_passages = cache(snapshot.source_passages)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._snapshot, name)


class _SharedEmbedder:
    """An embedder that embeds each text once."""

    def __init__(self, embedder: Embedder) -> None:
        self.name, self.dimension = embedder.name, embedder.dimension
        self._embedder = embedder
        self._known: dict[tuple[TextRole, str], Vectors] = {}

    def embed(self, texts: Sequence[str], *, role: TextRole) -> Vectors:
        fresh = list(dict.fromkeys(text for text in texts if (role, text) not in self._known))
        if fresh:
            made = self._embedder.embed(fresh, role=role)
            self._known.update(((role, text), vector) for text, vector in zip(fresh, made, strict=True))
        return np.array([self._known[role, text] for text in texts], np.float32).reshape(-1, self.dimension)


@dataclass(frozen=True, slots=True)
class Sharing:
    """What requests about one user have in common: rows and vectors fetched once, one deadline."""

    index: OpenIndex
    snapshot: Snapshot
    embedder: Embedder
    clock: Clock


def share(index: OpenIndex, clock: Clock) -> Sharing:
    """A sharing for a few requests about one user, then to be dropped."""
    snapshot = cast(Snapshot, _SharedSnapshot(index.snapshot))
    return Sharing(index, snapshot, _SharedEmbedder(index.embedder), clock)

"""The embedders that indexes were built with, each opened once and shared by all indexes that name it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from rag_rationale.index import check_embedder
from rag_rationale.types import Embedder, Manifest


class Embedders:
    """Opens embedders by the name that a manifest has for them. Safe to share between threads."""

    def __init__(self, *known: Embedder, open_named: Callable[[str], Embedder | None] = lambda _: None) -> None:
        """`known` are open already; `open_named` gives the embedder of that name, None where it knows none, or raises
        ModelMissingError.
        """
        self._known = {embedder.name: embedder for embedder in known}
        self._open_named, self._lock = open_named, threading.Lock()

    @property
    def first(self) -> Embedder | None:
        """The embedder that was opened first, None before any was."""
        return next(iter(self._known.values()), None)

    def of(self, manifest: Manifest) -> Embedder:
        """The embedder of an index. EmbedderMismatchError where no embedder of that name is to be had."""
        with self._lock:
            found = self._known.get(manifest.embedder) or self._open_named(manifest.embedder)
            if found is not None:
                self._known[found.name] = found
        check_embedder(manifest, found or self.first)
        assert found is not None
        return found

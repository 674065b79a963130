"""The embedders that indexes were built with, each opened once and shared by all indexes that name it."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np

from rag_rationale.index import check_embedder
from rag_rationale.types import Embedder, Manifest, TextRole, Vectors

_REMEMBERED = 10_000


class Remembering:
    """An embedder that knows again the `most` texts it met last, whichever request they came with.

    The words that are cut out of an item's passages are the same for every user; embedding them anew was three quarters
    of the time outside the writer. It keeps digests and vectors, no text. Safe to share between threads.
    """

    def __init__(self, embedder: Embedder, *, most: int = _REMEMBERED) -> None:
        self.name, self.dimension = embedder.name, embedder.dimension
        self._embedder, self._most = embedder, most
        self._kept: OrderedDict[bytes, Vectors] = OrderedDict()
        self._lock = threading.Lock()

    def embed(self, texts: Sequence[str], *, role: TextRole) -> Vectors:
        keys = [_digest(role, text) for text in texts]
        with self._lock:
            found = {key: self._kept[key] for key in keys if key in self._kept}
            for key in found:
                self._kept.move_to_end(key)
        fresh = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        if fresh:
            made = self._embedder.embed(list(fresh.values()), role=role)
            found.update((key, vector.copy()) for key, vector in zip(fresh, made, strict=True))
            with self._lock:
                self._kept.update((key, found[key]) for key in fresh)
                while len(self._kept) > self._most:
                    self._kept.popitem(last=False)
        return np.array([found[key] for key in keys], np.float32).reshape(-1, self.dimension)


class Embedders:
    """Opens embedders by the name that a manifest has for them. Safe to share between threads."""

    def __init__(self, *known: Embedder, open_named: Callable[[str], Embedder | None] = lambda _: None) -> None:
        """`known` are open already; `open_named` gives the embedder of that name, None where it knows none, or raises
        ModelMissingError.
        """
        self._known = {embedder.name: embedder for embedder in known}
        self._remembering: dict[str, Remembering] = {}
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
            return self._remembering.setdefault(found.name, Remembering(found))


def _digest(role: TextRole, text: str) -> bytes:
    return hashlib.blake2b(f"{role} {text}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
